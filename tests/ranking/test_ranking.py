"""Ranking: which channel speaks for what, and what is shown around it, through the engine, on small real files."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.records import MatchKind, Packet, Resolution
from clew.settings import Settings

SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def commit(root: Path, message: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("add", "-A"), (*who, "commit", "-q", "-m", message)):
        subprocess.run(["git", "-C", str(root), *words], check=True, env=environment)


def ask(engine: Engine, root: Path, question: str, budget_tokens: int = 400) -> Packet:
    return engine.retrieve(root, question, budget_tokens=budget_tokens, tokenizer="chars4")


def test_a_word_of_the_first_line_counts_more_than_one_of_the_rest(engine: Engine, root: Path) -> None:
    write(root, {"a.py": "def anchor():\n    return 1\n", "b.py": "def buoy():\n    return 1\n"})
    engine.index(root)

    assert ask(engine, root, "The anchor drifts\nIt is near the buoy.").entries[0].name == "anchor"
    assert ask(engine, root, "The buoy drifts\nIt is near the anchor.").entries[0].name == "buoy"


def test_a_commit_that_speaks_of_the_question_puts_the_file_that_it_changed_first(engine: Engine, root: Path) -> None:
    """Both files hold the question's only word of code; that sails are meant, only the history knows."""
    write(root, {"a.py": "def hoist_one(rope):\n    return rope\n", "b.py": "def hoist_two(rope):\n    return rope\n"})
    subprocess.run(["git", "init", "-q", "--initial-branch=main", str(root)], check=True)
    commit(root, "begin")
    for name in ("b.py", "a.py"):
        first = (root / name).read_text()
        (root / name).write_text(first + "\n# checked\n")
        commit(root, "keep the mainsail from tearing" if name == "b.py" else "keep the ledger in order")
    engine.index(root)

    entries = ask(engine, root, "hoist: the mainsail is tearing").entries

    assert entries[0].path == "b.py"
    assert any(why.kind is MatchKind.COMMIT for why in entries[0].why)


def test_a_session_that_shares_one_word_of_a_long_question_stands_behind_the_code(engine: Engine, root: Path, tmp_path: Path) -> None:
    write(root, {"knots.py": "def tie_bowline(rope, loop):\n    return rope.knot(loop)\n"})
    said = {
        "type": "user", "uuid": "u1", "sessionId": SESSION, "cwd": str(root), "timestamp": "2026-01-01T00:00:00Z",
        "message": {"role": "user", "content": "Mend the rope ladder on the quay before winter, please."},
    }  # fmt: skip
    (tmp_path / f"{SESSION}.jsonl").write_text(json.dumps(said) + "\n")
    engine.index(root)
    engine.ingest([tmp_path / f"{SESSION}.jsonl"], repo=root)

    packet = ask(engine, root, "which function ties a bowline with a loop in a rope?")
    about = ask(engine, root, "mend the rope ladder on the quay before winter")

    assert packet.entries[0].path == "knots.py"
    assert packet.entries[0].weight > 10 * max((entry.weight for entry in packet.entries if entry.session), default=0.0)
    assert any(entry.session for entry in about.entries)


def test_a_file_is_headed_by_its_imports_and_not_by_its_licence(engine: Engine, root: Path) -> None:
    text = (
        "# Licence\n# of many\n# lines\n\nimport os\nfrom pathlib import (\n    Path,\n    PurePath,\n)\n\n"
        "LIMIT = 3\n\n\ndef tie_bowline():\n    return Path(os.sep)\n"
    )
    write(root, {"knots.py": text})
    engine.index(root)

    [head] = [entry for entry in ask(engine, root, "tie_bowline").entries if entry.name == "knots.py"]

    assert (head.resolution, head.start, head.end) == (Resolution.FOLDED, 5, 10)
    assert "Licence" not in head.text


def test_blank_lines_below_shown_code_are_shown_with_it(engine: Engine, root: Path) -> None:
    """There something new is written; a third blank line is not shown, nor one above."""
    write(root, {"knots.py": "\n\ndef tie_bowline():\n    return 1\n\n\n\ndef cast_off():\n    return 2\n"})
    engine.index(root)

    [bowline] = [entry for entry in ask(engine, root, "tie_bowline").entries if entry.name == "tie_bowline"]

    assert (bowline.start, bowline.end) == (3, 6)


def test_the_best_record_weighs_one_whatever_the_question(engine: Engine, root: Path) -> None:
    write(
        root,
        {
            "knots.py": "def tie_bowline():\n    return 1\n\n\ndef cast_off():\n    return 2\n",
            "tests/test_knots.py": "def test_tie():\n    pass\n",
        },
    )
    engine.index(root)

    for question in ("tie", "cast off\n\n`tie_bowline` fails in tests/test_knots.py", "KeyError: 'bowline'"):
        weights = [entry.weight for entry in ask(engine, root, question).entries]
        assert weights == sorted(weights, reverse=True)
        assert weights[0] == pytest.approx(1.0, abs=0.3)  # diffusion may add to it


TERMINAL = '''def set_raw_mode(terminal):
    """Put the terminal into raw mode."""
    return terminal.raw()


def window_size(terminal):
    return terminal.size()
'''


def test_a_file_that_plays_the_same_part_in_a_parallel_folder_is_found_with_it(engine: Engine, root: Path) -> None:
    other = TERMINAL.replace('    """Put the terminal into raw mode."""\n', "").replace("terminal", "handle")
    write(root, {"src/unix/tty.py": TERMINAL, "src/win/tty.py": other, "src/win/pipe.py": "def window_of(handle):\n    return handle\n"})
    write(root, {f"src/win/part{number}.py": f"def mode{number}(terminal):\n    return terminal\n" for number in range(12)})
    engine.index(root)

    files = engine.rank_files(root, "put the terminal into raw mode", limit=4).files
    assert [file.path for file in files[:2]] == ["src/unix/tty.py", "src/win/tty.py"]
    assert any(why.kind is MatchKind.TWIN for why in files[1].why)


def test_files_of_one_name_that_share_nothing_are_no_twins(engine: Engine, root: Path) -> None:
    write(root, {"src/unix/tty.py": TERMINAL, "src/web/tty.py": "def render_prompt(page):\n    return page\n"})
    engine.index(root)

    assert [file.path for file in engine.rank_files(root, "put the terminal into raw mode", limit=4).files] == ["src/unix/tty.py"]


def test_a_test_does_not_stand_before_what_it_does_not_check_by_what_it_uses(engine: Engine, root: Path) -> None:
    files = {
        "shop/redeem.py": 'def redeem_voucher(voucher):\n    """Redeem a voucher once."""\n    return voucher\n',
        "shop/tests.py": "from shop.redeem import redeem_voucher\n\n\n"
        'def test_redeem():\n    """Redeem a voucher once."""\n    assert redeem_voucher(1)\n',
        "compiler/spec/voucher_target.rs": "/// Redeem a voucher for a target triple.\npub fn redeem_voucher_target(v: u32) -> u32 { v }\n",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    engine.index(root)

    found = [file.path for file in engine.rank_files(root, "redeem a voucher", limit=9).files]

    assert found.index("compiler/spec/voucher_target.rs") < found.index("shop/tests.py")
    asked = [file.path for file in engine.rank_files(root, "the tests that redeem a voucher", limit=9).files]
    assert asked.index("shop/tests.py") < asked.index("compiler/spec/voucher_target.rs")


def test_what_calls_a_named_function_weighs_as_much_as_what_it_calls(engine: Engine, root: Path) -> None:
    write(
        root,
        {
            "middle.py": "from low import under_it\n\n\ndef between_us(x):\n    return under_it(x)\n",
            "low.py": "def under_it(x):\n    return x\n",
            "top.py": "from middle import between_us\n\n\ndef over_it(x):\n    return between_us(x)\n",
            "high.py": "from top import over_it\n\n\ndef above(x):\n    return over_it(x)\n",
        },
    )
    engine.index(root)

    weights = {entry.name: entry.weight for entry in ask(engine, root, "who calls between_us", 2000).entries}

    assert weights["over_it"] >= weights["under_it"] > 0
