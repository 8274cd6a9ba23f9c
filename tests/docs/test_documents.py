"""What the documents say of the code is true of it."""

from __future__ import annotations

import dataclasses
import importlib
import re
import tomllib
from hashlib import blake2b
from pathlib import Path

import pytest

import clew
from clew.samples import TIES
from clew.settings import Settings
from clew.text.tokens import make_counter

CLONE = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(CLONE).as_posix() for path in (CLONE / "docs").glob("*.md"))
DECISIONS = sorted(path.relative_to(CLONE).as_posix() for path in (CLONE / "docs" / "decisions").glob("*.md"))
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", *PAGES, *DECISIONS)
SYMBOL = re.compile(r"`(clew(?:\.\w+)+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def read(name: str) -> str:
    return (CLONE / name).read_text(encoding="utf-8")


def resolves(symbol: str) -> bool:
    """Whether a dotted name is a module, or a name in one, or an attribute of that."""
    parts = symbol.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_symbol_that_a_document_cites_exists(name: str) -> None:
    text = read(name).replace("`clew.db`", "")
    missing = [symbol for symbol in dict.fromkeys(SYMBOL.findall(text)) if not resolves(symbol)]

    assert missing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_within_the_clone_leads_somewhere(name: str) -> None:
    assert [link for link in LINK.findall(read(name)) if not ((CLONE / name).parent / link).exists()] == []


def test_every_room_stands_in_the_architecture_with_its_question() -> None:
    package = Path(clew.__file__).parent
    rooms = {path.stem for path in package.iterdir() if (path / "__init__.py").is_file() or path.suffix == ".py"} - {"__init__", "__main__"}
    told = dict(re.findall(r"^\| [\d–] \| `clew\.(\w+)` \| (.+) \|$", read("ARCHITECTURE.md"), re.MULTILINE))

    assert set(told) == rooms


def test_the_levels_told_are_the_levels_enforced() -> None:
    contract = re.search(r"^layers =\n((?: {4}.+\n)+)", read(".importlinter"), re.MULTILINE)
    assert contract is not None
    enforced = [room for line in contract[1].split("\n") for room in re.findall(r"\w+", line)]
    told = re.findall(r"^\| \d \| `clew\.(\w+)`", read("ARCHITECTURE.md"), re.MULTILINE)

    assert [room for room in enforced if room in told] == told


def test_every_setting_is_documented() -> None:
    for field in dataclasses.fields(Settings):
        if field.name != "data_dir":
            assert f"`{field.name}`" in read("docs/settings.md")


def test_the_readme_opens_with_one_sentence_and_a_number_that_the_results_give() -> None:
    sentence, number = [part for part in read("README.md").partition("\n## ")[0].split("\n\n")[1:] if part]
    told = re.findall(r"(\d+) %", number)
    [row] = [line for line in read("README.md").splitlines() if line.startswith("| after a compaction")]

    assert re.fullmatch(r"\*\*[^.*]+\.\*\*", sentence.replace("\n", " "))
    assert told == [f"{float(share):.0f}" for share in (re.findall(r"([\d.]+) %", row)[0], re.findall(r"([\d.]+) %", row)[2])]


def test_the_readmes_before_and_after_is_what_clew_answers(tmp_path: Path) -> None:
    shown = read("README.md").partition("--budget 900\n")[2].partition("\n```")[0].splitlines()
    with clew.open(settings=Settings(tmp_path, jobs=1)) as engine:
        packet = engine.compact(str(TIES), at=None, budget_tokens=900, tokenizer="claude", path=CLONE)
    said = packet.text.splitlines()
    length = make_counter("claude").count(TIES.read_text("utf-8"))

    assert [line for line in shown if line != "…" and line not in said] == []
    assert f"{length:,} tokens" in read("README.md")


def test_the_page_of_faults_is_what_the_tests_say() -> None:
    """`python -m tests.faults` writes it anew."""
    from tests.faults import PAGE, page

    assert PAGE.read_text("utf-8") == page()


def test_every_decision_stands_in_the_list_and_tells_problem_choice_and_refusal() -> None:
    listed = LINK.findall(read("docs/decisions/README.md"))

    assert [f"docs/decisions/{name}" for name in listed] == [name for name in DECISIONS if not name.endswith("README.md")]
    for name in listed:
        assert [part for part in ("**Problem.**", "**Chosen.**", "**Refused.**") if part not in read(f"docs/decisions/{name}")] == []


def test_every_shipped_weights_file_has_a_card_with_its_digest() -> None:
    package = Path(clew.__file__).parent
    shipped = sorted(path for suffix in ("*.bin", "*.npz", "*vendors.json") for path in package.rglob(suffix))
    cards = read("docs/weights.md")

    assert shipped
    for path in shipped:
        assert f"## `clew/{path.relative_to(package).as_posix()}`" in cards
        assert blake2b(path.read_bytes(), digest_size=16).hexdigest() in cards


def test_the_glossary_has_at_most_thirty_terms_in_order() -> None:
    terms = re.findall(r"^\| \*\*(.+?)\*\* \|", read("docs/glossary.md"), re.MULTILINE)

    assert terms == sorted(terms)
    assert 20 <= len(terms) <= 30


def test_every_file_that_contributors_are_sent_to_exists() -> None:
    named = re.findall(r"`((?:src|tests|bench|docs)/[\w./-]+)`", read("CONTRIBUTING.md"))

    assert [name for name in named if "NAME" not in name and not (CLONE / name).exists()] == []
    assert [name for name in named if "NAME" in name and not (CLONE / name).parent.is_dir()] == []


def test_the_architecture_is_short_and_every_invariant_names_tests_that_exist() -> None:
    text = read("ARCHITECTURE.md")
    rows = re.findall(r"^\| (.+) \| (`.+`) \|$", text.partition("## Invariants")[2], re.MULTILINE)
    proofs = [proof for _, proofs in rows for proof in re.findall(r"`([^`]+)`", proofs)]

    assert len(text.splitlines()) <= 200
    assert len(rows) >= 20
    assert [proof for proof in proofs if not (CLONE / proof).exists()] == []


def test_every_package_that_clew_needs_stands_in_the_notices() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    names = [re.split(r"[<>=;\\[ ]", each)[0] for each in [*project["dependencies"], *project["optional-dependencies"]["vectors"]]]
    notices = read("THIRD_PARTY.md").lower()

    assert [name for name in names if not name.startswith("tree-sitter-") and name.lower() not in notices] == []
