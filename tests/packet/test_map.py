"""The map: what a newcomer should see of a repository first, within any budget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.errors import NotReadable
from clew.packet.map import find_file_description
from clew.records import Packet, Resolution
from clew.records.wording import describe_reason
from clew.settings import Settings

FILES = {
    "README.md": "# Harbour\n\n[![ok](ok.svg)](ok)\n\nHarbour knows which ship lies at which berth.\n\n## Install\n\nNot needed.\n",
    "harbour/__init__.py": '"""A harbour and its ships."""\n\nfrom harbour.berths import Berth\n',
    "harbour/berths.py": '"""Berths: where ships lie."""\n\n\nclass Berth:\n    def moor(self, ship):\n'
    "        return ship\n\n\ndef _rope():\n    pass\n",
    "harbour/pilot.py": "from harbour import Berth\n\n\ndef guide(ship):\n    return Berth().moor(ship)\n",
    "harbour/port.py": "from harbour.berths import Berth\nfrom harbour.pilot import guide\n\n\n"
    "def open_port():\n    return [Berth(), guide(None)]\n",
    "harbour/words.py": "def split(text):\n    return text\n",
    "harbour/tables.py": "# A Bison parser, made by GNU Bison 3.8.2.\nfrom harbour.berths import Berth\n\nTABLE = [Berth(), Berth()]\n",
    "tests/test_berths.py": "from harbour.berths import Berth\n\n\ndef test_moor():\n    assert Berth().moor(1) == 1\n",
    "lib/text.py": "def tidy(text):\n    return text.split()\n\n\ndef neat(text):\n    return text.split()\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / ".git").mkdir()
    return folder


@pytest.fixture
def engine(tmp_path: Path, root: Path) -> Engine:
    engine = clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)
    engine.index(root)
    return engine


@pytest.fixture
def survey(engine: Engine, root: Path) -> Callable[..., Packet]:
    def call(path: str = "", budget_tokens: int = 600) -> Packet:
        return engine.build_map(root / path, budget_tokens=budget_tokens, tokenizer="chars4")

    return call


def places(packet: Packet) -> list[str]:
    return list(dict.fromkeys(entry.path for entry in packet.entries))


def rank(packet: Packet, path: str) -> int:
    """Where a file stands; what is left out stands last."""
    return [*places(packet), path].index(path)


def test_what_many_lean_on_comes_before_what_nobody_uses(survey: Callable[..., Packet]) -> None:
    packet = survey()

    assert places(packet)[0] == "README.md"
    assert rank(packet, "harbour/berths.py") < rank(packet, "harbour/port.py") < rank(packet, "tests/test_berths.py")
    assert "Harbour knows which ship" in packet.text
    [berth] = [entry for entry in packet.entries if entry.name == "Berth"]
    assert tuple(map(describe_reason, berth.why)) == ("used by 3 other files",)
    assert "class Berth:" in berth.text


def test_generated_files_and_private_names_come_after_the_rest(survey: Callable[..., Packet]) -> None:
    packet = survey()

    assert rank(packet, "harbour/pilot.py") < rank(packet, "harbour/tables.py")
    weights = {entry.name: entry.weight for entry in packet.entries}
    assert weights["_rope"] < weights["Berth.moor"] < weights["Berth"]


def test_a_method_of_a_string_does_not_make_a_function_of_that_name_important(survey: Callable[..., Packet]) -> None:
    [split] = [entry for entry in survey().entries if entry.name == "split"]

    assert tuple(map(describe_reason, split.why)) == ("used in its own file, or by tests",)


@pytest.mark.parametrize("budget_tokens", [0, 1, 30, 100, 250, 100_000])
def test_a_map_fits_its_budget_and_every_handle_unfolds(
    engine: Engine, root: Path, survey: Callable[..., Packet], budget_tokens: int
) -> None:
    packet = survey(budget_tokens=budget_tokens)

    assert packet.tokens == -(-len(packet.text) // 4) <= budget_tokens
    for entry in packet.entries:
        assert engine.unfold(root, entry.handle).data in (root / entry.path).read_bytes()
        if entry.resolution >= Resolution.SIGNATURE:
            lines = (root / entry.path).read_text().splitlines()[entry.start - 1 : entry.end]
            assert "\n".join(lines).strip() in entry.text


def test_a_folder_and_a_file_have_maps_of_their_own(survey: Callable[..., Packet]) -> None:
    assert {path.partition("/")[0] for path in places(survey("harbour"))} == {"harbour"}
    assert places(survey("harbour/pilot.py")) == ["harbour/pilot.py"]
    with pytest.raises(NotReadable):
        survey("nowhere")


def test_the_folders_stand_in_front_with_their_counts(survey: Callable[..., Packet]) -> None:
    text = survey(budget_tokens=2000).text

    assert text.startswith("=== 9 files, ")
    assert "\nharbour/  6 files, " in text
    assert "\nlib/  1 file, " in text


def test_a_map_never_shows_what_is_no_longer_there(survey: Callable[..., Packet], root: Path) -> None:
    (root / "harbour/berths.py").write_text("class Quay:\n    pass\n")
    (root / "harbour/pilot.py").unlink()

    packet = survey()

    assert "class Quay" in packet.text
    assert "class Berth" not in packet.text
    assert "harbour/pilot.py" not in places(packet)


def test_a_map_is_the_same_after_changes_as_after_a_rebuild(root: Path, tmp_path: Path) -> None:
    values = Settings(tmp_path / "one", jobs=1)
    changed = clew.open(settings=values)
    changed.index(root)
    for path in ("harbour/pilot.py", "lib/text.py"):
        (root / path).write_text(FILES[path] + "\n\ndef more():\n    return guide(1)\n")
    changed.index(root)
    anew = clew.open(settings=Settings(tmp_path / "two", jobs=1), is_in_memory=True)
    anew.index(root)

    first, second = (each.build_map(root, budget_tokens=700, tokenizer="chars4") for each in (changed, anew))
    changed.close()

    assert first == second


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ('"""Knots that hold."""\n', (1, 1)),
        ("#!/bin/sh\n# Copyright somebody\n# All rights reserved.\n\n# Says hello to everybody.\n# Twice.\necho hello\n", (5, 6)),
        ('"""\nknots.ropes\n~~~~~~~~~~~\n\nRopes and what they hold.\n"""\n', (5, 5)),
        ("/*\n * Licensed under the Sea Licence.\n */\npackage x;\n\nimport y;\n\n/** A rope of some length. */\nclass Rope {}\n", None),
        ("import os\n# not about this file at all\n", None),
        ("x = 1\n", None),
        ("", None),
    ],
)
def test_a_file_says_what_it_is_past_its_licence_and_its_title(text: str, span: tuple[int, int] | None) -> None:
    assert find_file_description(text.split("\n")) == span


def test_the_comment_above_its_type_speaks_for_a_file_that_holds_one_type() -> None:
    text = "/*\n * Licensed under the Sea Licence.\n */\npackage x;\n\nimport y;\n\n/** A rope of some length. */\nclass Rope {}\n"

    assert find_file_description(text.split("\n"), is_type=True) == (8, 8)
