"""What else will have to change: ranked files with reasons, through the engine, on small real repositories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.errors import UnknownHandle, UnknownPath
from clew.impact.impact import ImpactedFile
from clew.records import MatchKind, MatchReason, make_handle
from clew.records.wording import describe_reason
from clew.settings import Settings, find_workspace
from tests.looking import look

FILES = {
    "src/knots.py": "def tie_bowline(rope):\n    return ('bowline', rope)\n\n\ndef tie_reef(rope):\n    return rope\n",
    "src/sails.py": "from src.knots import tie_bowline\n\n\ndef hoist(rope):\n    return tie_bowline(rope)\n",
    "src/reefing.py": "from src.knots import tie_reef\n\n\ndef shorten(rope):\n    return tie_reef(rope)\n",
    "src/signals.py": "def raise_flag(bus):\n    bus.publish('harbour.flag-raised')\n",
    "web/harbour.ts": "export function watch(bus: Bus) { bus.listen('harbour.flag-raised', () => show()); }\n",
    "tests/test_knots.py": "def test_it():\n    assert True\n",
    "docs/tides.md": "# Tides\n\nThe moon makes them.\n",
    "far/away.py": "DISTANCE = 7\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    write(folder, FILES)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    values = Settings(tmp_path / "home", jobs=1)
    with clew.open(settings=values) as engine:
        yield engine


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def commit(root: Path, message: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    who = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    for words in (["add", "-A"], [*who, "commit", "-q", "-m", message]):
        subprocess.run(["git", "-C", str(root), *words], env=environment, check=True)


CALLS = MatchReason(MatchKind.USES_TARGET, ("call",))


def by_path(found: list[ImpactedFile]) -> dict[str, ImpactedFile]:
    return {one.path: one for one in found}


@pytest.mark.parametrize(
    ("given", "other", "reason"),
    [
        ("src/knots.py", "src/sails.py", "calls it"),
        ("src/knots.py", "src/reefing.py", "imports it"),
        ("src/sails.py", "src/knots.py", "is called by it"),
        ("src/knots.py", "tests/test_knots.py", "tests it, by its name"),
        ("tests/test_knots.py", "src/knots.py", "is tested by it"),
        ("src/signals.py", "web/harbour.ts", "shares the literal 'harbour.flag-raised'"),
    ],
)
def test_what_hangs_on_a_file_is_named_with_its_reason(engine: Engine, root: Path, given: str, other: str, reason: str) -> None:
    """Imports, calls, tests and shared literals, without any history."""
    engine.index(root)

    _, found = engine.find_impact(root, [given], limit=10)

    assert reason in map(describe_reason, by_path(found)[other].reasons)


def test_what_hangs_on_nothing_is_not_named(engine: Engine, root: Path) -> None:
    engine.index(root)

    _, found = engine.find_impact(root, ["src/knots.py"], limit=100)

    assert {"far/away.py", "docs/tides.md"}.isdisjoint(by_path(found))


def test_a_file_for_which_nothing_can_be_said_is_not_named(engine: Engine, root: Path) -> None:
    """They share plain words alone, which stand in few files of this small repository."""
    write(
        root,
        {"a/one.py": "def first(begin):\n    return begin.stop.end\n", "b/two.py": "def other(x):\n    return x.begin(x.stop, x.end)\n"},
    )
    engine.index(root)

    _, found = engine.find_impact(root, ["a/one.py"], limit=100)

    assert "b/two.py" not in by_path(found)
    assert all(each.reasons for each in found)


def test_commits_say_how_often_files_changed_together(engine: Engine, root: Path) -> None:
    """A coupling that nothing in the text shows."""
    commit(root, "begin")
    for time in range(3):
        write(root, {"src/knots.py": FILES["src/knots.py"] + f"# {time}\n", "far/away.py": f"DISTANCE = {time}\n"})
        commit(root, f"change {time}")
    write(root, {"src/knots.py": FILES["src/knots.py"]})
    commit(root, "alone")
    engine.index(root)

    _, found = engine.find_impact(root, ["src/knots.py"], limit=10)

    assert by_path(found)["far/away.py"].reasons == (MatchReason(MatchKind.CHANGED_WITH, (3, 4)),)


def test_a_symbol_narrows_what_is_asked(engine: Engine, root: Path) -> None:
    """Who calls one function, and not who calls the other one of its file."""
    engine.index(root)

    given, found = engine.find_impact(root, ["src/knots.py::tie_reef"], limit=10)

    assert given == ["src/knots.py::tie_reef"]
    assert CALLS in by_path(found)["src/reefing.py"].reasons
    assert CALLS not in by_path(found)["src/sails.py"].reasons


def test_a_handle_means_its_record(engine: Engine, root: Path) -> None:
    engine.index(root)
    key, _ = find_workspace(root)
    [record] = look(engine.store, key).of_subject("symbol:src/knots.py::tie_reef")

    given, found = engine.find_impact(root, [make_handle(record.id)], limit=10)

    assert (given, found) == engine.find_impact(root, ["src/knots.py::tie_reef"], limit=10)


def test_several_files_are_not_their_own_impact(engine: Engine, root: Path) -> None:
    engine.index(root)

    _, found = engine.find_impact(root, ["src/knots.py", "src/sails.py"], limit=100)

    assert {"src/knots.py", "src/sails.py"}.isdisjoint(by_path(found))
    assert "src/reefing.py" in by_path(found)


def test_a_path_counts_from_where_one_stands(engine: Engine, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.index(root)
    monkeypatch.chdir(root / "src")

    given, _ = engine.find_impact(root, ["knots.py", "../web/harbour.ts", "src/sails.py"], limit=1)

    assert given == ["src/knots.py", "web/harbour.ts", "src/sails.py"]


@pytest.mark.parametrize("name", ["src/nowhere.py", "src/knots.py::nothing", "/etc/hosts", "../outside.py"])
def test_a_path_that_is_not_indexed_is_an_error_of_its_own(engine: Engine, root: Path, name: str) -> None:
    engine.index(root)

    with pytest.raises(UnknownPath):
        engine.find_impact(root, [name], limit=10)


def test_a_word_that_is_no_path_is_read_as_a_handle(engine: Engine, root: Path) -> None:
    engine.index(root)

    with pytest.raises(UnknownHandle):
        engine.find_impact(root, ["zzzzzzzz"], limit=10)


def test_an_index_kept_up_to_date_answers_as_one_made_anew(engine: Engine, root: Path, tmp_path: Path) -> None:
    """After edits, a new file and a deleted one; an import that was taken out couples nothing any more."""
    engine.index(root)
    write(
        root, {"src/sails.py": "def hoist(rope):\n    return rope\n", "src/more.py": "from src.knots import tie_reef\n\nX = tie_reef(1)\n"}
    )
    (root / "src" / "reefing.py").unlink()
    engine.index(root)
    values = Settings(tmp_path / "other", jobs=1)
    fresh = clew.open(settings=values)
    fresh.index(root)

    kept, anew = (
        {name: e.find_impact(root, [name], limit=100) for name in ("src/knots.py", "src/sails.py", "src/signals.py")}
        for e in (engine, fresh)
    )
    fresh.close()

    assert kept == anew
    assert MatchReason(MatchKind.IMPORTS_TARGET) not in by_path(kept["src/knots.py"][1])["src/sails.py"].reasons


def test_a_literal_that_many_files_hold_couples_none(engine: Engine, root: Path) -> None:
    """What stands everywhere is a word of the house."""
    write(root, {f"noise/n{number}/part{number}.py": f"P{number} = 'harbour.flag-raised'\n" for number in range(9)})
    engine.index(root)

    _, found = engine.find_impact(root, ["src/signals.py"], limit=100)

    assert not any(reason.kind is MatchKind.SHARED_LITERAL for one in found for reason in one.reasons)


def test_users_of_a_changed_signature_are_told(engine: Engine, root: Path) -> None:
    """Who calls what has another header now learns so first; a changed body says nothing of the kind."""
    engine.index(root)
    changed = FILES["src/knots.py"].replace("tie_bowline(rope)", "tie_bowline(rope, turns)").replace("return rope\n", "return rope, 1\n")
    write(root, {"src/knots.py": changed})
    engine.index(root)

    _, found = engine.find_impact(root, ["src/knots.py"], limit=10)

    reasons = {one.path: one.reasons for one in found}
    assert reasons["src/sails.py"][0] == MatchReason(MatchKind.SIGNATURE_CHANGED, ("tie_bowline",))
    assert all(reason.kind is not MatchKind.SIGNATURE_CHANGED for reason in reasons["src/reefing.py"])


def test_without_history_users_come_before_what_stands_beside(engine: Engine, root: Path) -> None:
    """A file that imports and calls comes before one of the same name elsewhere and before neighbours."""
    write(root, {"old/knots.py": "def other():\n    return 1\n"})
    engine.index(root)

    _, found = engine.find_impact(root, ["src/knots.py"], limit=3)

    assert [one.path for one in found][:2] == ["src/reefing.py", "src/sails.py"]
