"""Every argument of every command is given hostile texts and files: a sentence, a documented exit code, and nothing lost."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from clew.cli.outcome import run
from clew.samples import TIES
from clew.store.rows import JournalRow, OriginalRow, RecordRow, SourceRow
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.repair import find_damage
from clew.transcript import parse
from tests.drills import doors
from tests.drills.inputs import BODIES, NO_TEXT, TEXTS, every_second, make_files

DOCUMENTED = {0, 1, 2, 3, 4, 5}
HELD = {"handle", "handles", "id", "reason", "text", "question"}
MORE = {"init": ("--dry-run",), "compact": ("--budget=500",), "purge": ("--yes",), "eval": ("--limit=1",), "pin": ()}
"""What a command is given besides, so that it comes to the argument that is tried and does nothing to this machine."""


@dataclass(frozen=True)
class Place:
    """A store with a repository, a session and a note, and hostile files."""

    home: Path
    handle: str
    files: dict[str, Path]
    held: set[tuple[str, str]]

    def minimal(self, command: click.Command, tried: click.Parameter) -> list[str]:
        """Words that a command needs besides the parameter that is tried."""
        words: list[str] = []
        for each in command.params:
            if each is not tried and each.required:
                value = "report" if isinstance(each.type, click.Choice) else self.handle if each.name in HELD else str(TIES)
                words += [value] if each.param_type_name == "argument" else [f"{each.opts[0]}={value}"]
        return words


def list_held(home: Path) -> set[tuple[str, str]]:
    """Return the names of sources, records, originals and links of the journal that are stored."""
    with closing(SqliteStore(home / "clew.db")) as store:
        rows = list(store.export_rows([key for key, _ in store.roots()]))
    named: dict[type[object], Callable[[Any], str]] = {
        SourceRow: lambda row: row.name, RecordRow: lambda row: row.record.id,
        OriginalRow: lambda row: row.digest, JournalRow: lambda row: row.link,
    }  # fmt: skip
    return {(type(row).__name__, named[type(row)](row)) for row in rows if type(row) in named}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("commands")
    repo = folder / "repository"
    repo.mkdir()
    (repo / "knots.py").write_text("def tie_bowline(rope):\n    return rope\n")
    (folder / "user").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("CLEW_", "CLAUDE_"))]:
            patch.delenv(name)
        for name, value in {"CLEW_HOME": "home", "HOME": "user", "CLAUDE_CONFIG_DIR": "claude"}.items():
            patch.setenv(name, str(folder / value))
        patch.setenv("CLEW_JOBS", "1")
        patch.chdir(repo)
        patch.setattr(parse, "EXPANSION_FREE_BYTES", 1 << 20)
        assert called("index", "--quiet")[0] == called("ingest", str(TIES), "--repo", ".", "--quiet")[0] == 0
        handle = called("remember", "the halyard")[1].split("[")[1][:8]
        home = folder / "home"
        yield Place(home, handle, make_files(folder / "hostile"), list_held(home))
        assert find_damage(home / "clew.db") == []


def called(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, output and errors of a command line."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True))
        patch.setattr(sys, "stderr", io.TextIOWrapper(err, "utf-8", write_through=True))
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run(words)
        streams = sys.stdout, sys.stderr
    for stream in streams:
        stream.detach()
    return code, out.getvalue().decode("utf-8", "replace"), err.getvalue().decode("utf-8", "replace")


def check(words: Sequence[str], stdin: bytes = b"") -> None:
    code, out, err = called(*words, stdin=stdin)
    assert code in DOCUMENTED, (words, err)
    assert len(err.splitlines()) <= 6, (words, err)
    assert (out + err).strip() or code == 0, words
    assert "Traceback" not in err, words


def hostile_words(place: Place, parameter: click.Parameter) -> list[str]:
    """What a parameter is given: texts, files where it may name one, and nothing for which waiting is right."""
    if isinstance(parameter.type, click.File):  # a pipe is read to its end, as every program does
        return [str(path) for name, path in place.files.items() if name not in ("pipe", "device")]
    files = [*map(str, place.files.values())] if isinstance(parameter.type, click.Path) or "session" in (parameter.name or "") else []
    texts = [*TEXTS, NO_TEXT] if not isinstance(parameter.type, click.Path) else [TEXTS[3], NO_TEXT]
    return [*texts, *files]


@pytest.mark.parametrize(("words", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in doors.commands()])
def test_a_command_takes_hostile_arguments(place: Place, words: tuple[str, ...], command: click.Command) -> None:
    for parameter in doors.parameters(command):
        minimal = place.minimal(command, parameter)
        for value in every_second(hostile_words(place, parameter), f"{words} {parameter.name}"):
            own = ["--", value] if parameter.param_type_name == "argument" else [f"{parameter.opts[0]}={value}"]
            check([*words, *MORE.get(words[0], ()), *(own + minimal if own[0] != "--" else [*minimal, *own])])

    assert place.held <= list_held(place.home)


def test_standard_input_may_hold_anything(place: Place) -> None:
    for body in (*BODIES, b"rope " * 300_000):
        check(["retrieve", "-"], body)
