"""Wherever words come in, credentials are masked before they are kept; and nothing else is lost by it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import clew
from clew.adapters.daemon_files import DaemonPaths, read_problems
from clew.adapters.hooks import create_daemon_context
from clew.engine import Engine
from clew.records import SourceState
from clew.settings import Settings
from clew.store.memory import MemoryStore
from clew.transcript.follow import read_deltas
from clew.usecases.write import NewNote
from tests.looking import look

TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8"
PASSWORD = "correct7horse!"
SESSION = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    values = Settings(tmp_path / "home", jobs=1)
    with clew.open(settings=values) as engine:
        yield engine


def ask(engine: Engine, repository: Path, question: str) -> str:
    return engine.retrieve(repository, question, budget_tokens=2000, tokenizer="chars4").text


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "deploy.py").write_text(
        f'def deploy():\n    """Publish the release."""\n    return push(token="{TOKEN}", password="{PASSWORD}")\n'
    )
    (root / f"notes-{TOKEN}.md").write_text("# Publish the release by hand\n")
    return root


def files_hold(folder: Path, *words: str) -> list[str]:
    data = [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    return [word for word in words if any(word.encode() in each for each in data)]


def line(text: str, number: int) -> str:
    return json.dumps(
        {
            "type": "user",
            "message": {"role": "user", "content": text},
            "uuid": f"00000000-0000-4000-8000-{number:012}",
            "sessionId": SESSION,
            "timestamp": "2026-03-01T10:00:00Z",
            "cwd": "/w",
        }
    )


def test_code_is_masked_and_a_file_is_not_taken_for_changed(engine: Engine, repository: Path) -> None:
    engine.index(repository)
    shown = ask(engine, repository, "publish the release")

    assert "def deploy():" in shown
    assert "[masked:github-pat#" in shown
    assert "[masked:password]" in shown
    os.utime(repository / "deploy.py", (1_700_000_000, 1_700_000_000))  # touched, and equal
    assert "def deploy():" in ask(engine, repository, "publish the release")


def test_a_file_with_a_credential_in_its_name_is_left_out_and_counted(engine: Engine, repository: Path) -> None:
    indexed = engine.index(repository)

    assert indexed.report.skipped["credential in its name"] == 1
    assert TOKEN not in ask(engine, repository, "publish the release by hand")


def test_a_transcript_is_gone_on_from_where_a_credential_stands_last(tmp_path: Path) -> None:
    """Its bytes are counted as the file holds them: a masked line has another length."""
    path = tmp_path / f"{SESSION}.jsonl"
    path.write_text(line(f"use {TOKEN}", 1) + "\n")
    first = list(read_deltas(path))
    state = first[-1].state
    assert isinstance(state, SourceState)
    assert state.size == path.stat().st_size
    with path.open("a") as file:
        file.write(line(f"and PGPASSWORD={PASSWORD}", 2) + "\n")
    later = list(read_deltas(path, state=state))

    assert [delta.is_whole for delta in later] == [False]
    step, once = MemoryStore(), MemoryStore()
    for store in (step, once):
        store.open_workspace("w", "/w")
    for store, found in ((step, [*first, *later]), (once, list(read_deltas(path)))):
        for delta in found:
            store.apply("w", [delta])
    prompts = [
        [record.name for record in look(store, "w").records_of_sources(f"session:{SESSION}") if record.kind == "prompt"]
        for store in (step, once)
    ]
    assert prompts[0] == prompts[1] != []
    assert TOKEN not in str(prompts)
    assert PASSWORD not in str(prompts)


def test_notes_their_subjects_and_the_reason_of_a_purge_are_masked(engine: Engine, repository: Path, tmp_path: Path) -> None:
    engine.index(repository)
    kept, gone = engine.write(
        repository, [NewNote(f"The registry takes password={PASSWORD}", subject=f"registry {TOKEN}"), NewNote("The mirror takes none")]
    ).handles
    engine.purge(repository, handles=[gone], reason=f"held {TOKEN}")

    assert "[masked:password]" in engine.unfold(repository, kept).data.decode()
    engine.store.close()
    assert files_hold(tmp_path / "home", PASSWORD, TOKEN) == []


def test_the_journal_of_problems_is_masked(tmp_path: Path) -> None:
    context = create_daemon_context(Settings(tmp_path / "home"))
    paths = DaemonPaths(context.settings.data_dir)
    paths.journal.parent.mkdir(parents=True)
    context.record_error("hook", f"cannot read {TOKEN}")

    [told] = read_problems(paths)
    assert TOKEN not in told["what"]
    assert "cannot read [masked:" in told["what"]
