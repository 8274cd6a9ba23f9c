"""What was purged stays away, also when a session is read anew and its lines are kept in other pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.lifecycle import forget
from clew.lifecycle.apply import apply_deltas
from clew.store.memory import MemoryStore
from clew.store.ports import Writer
from clew.store.sqlite.store import SqliteStore
from clew.transcript.follow import load_stored_progress, read_deltas
from tests.looking import look
from tests.transcript.conftest import FOLDER, ClaudeScript

SESSION = "11111111-2222-4333-8444-555555555555"
SOURCE = f"session:{SESSION}"
SECRET = "the password is correct-horse-battery"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writer]:
    writer = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "clew.db")
    writer.open_workspace("w", "/r")
    yield writer
    writer.close()


def transcript(folder: Path, *prompts: str) -> Path:
    path = folder / f"{SESSION}.jsonl"
    lines = [
        {"type": "user", "uuid": f"u{at}", "sessionId": SESSION, "cwd": "/r", "message": {"role": "user", "content": text}}
        for at, text in enumerate(prompts)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def told(store: Writer) -> bytes:
    """All that the store holds of the session, and what its index finds."""
    found: list[bytes] = []
    for record in look(store, "w").records_of_sources(SOURCE):
        whole = record.full_text
        found.append(look(store, "w").original(whole.blob)[whole.start : whole.end] if whole.blob else whole.inline.encode())
    return b"\n".join(found)


@pytest.mark.parametrize("what", ["record", "source"])
def test_a_session_that_is_read_anew_does_not_bring_back_what_was_purged(store: Writer, tmp_path: Path, what: str) -> None:
    """Neither as a record nor in the lines of the transcript; what is new is there."""
    apply_deltas(store, "w", read_deltas(transcript(tmp_path, "first", SECRET)))
    if what == "record":
        (record,) = [record for record in look(store, "w").records_of_sources(SOURCE) if record.uuid == "u1" and record.kind == "prompt"]
        forget.purge_records(store, "w", [record.id], reason="", now_ns=1)
    else:
        forget.purge_whole_source(store, "w", SOURCE, reason="", now_ns=1)

    apply_deltas(store, "w", read_deltas(transcript(tmp_path, "first", SECRET, "third")))

    assert SECRET.encode() not in told(store)
    assert b"third" in told(store)
    assert (b"first" in told(store)) == (what == "record")
    index = look(store, "w").documents
    live = [index.id_of(doc) for doc in range(index.size) if index.alive[doc]]
    assert sorted(live) == sorted(record.id for record in look(store, "w").records_of_sources(SOURCE))


def kept_state(store: Writer) -> str:
    state = look(store, "w").source_state(SOURCE)
    kept = load_stored_progress(state) if state else None
    return repr(kept and kept[0].tracker.state())


def test_the_kept_state_of_a_session_forgets_what_is_purged_and_goes_on(store: Writer, tmp_path: Path) -> None:
    """At once, when the session grows, and when it is read anew."""
    apply_deltas(store, "w", read_deltas(transcript(tmp_path, "first", SECRET)))
    assert SECRET in kept_state(store)
    (record,) = [record for record in look(store, "w").records_of_sources(SOURCE) if record.uuid == "u1" and record.kind == "prompt"]

    forget.purge_records(store, "w", [record.id], reason="", now_ns=1)
    once = kept_state(store)
    grown = transcript(tmp_path, "first", SECRET, "third")
    apply_deltas(store, "w", read_deltas(grown, state=look(store, "w").source_state(SOURCE)))
    again = kept_state(store)
    apply_deltas(store, "w", read_deltas(grown))

    assert "first" in once
    assert "third" in again
    assert "third" in kept_state(store)
    assert SECRET not in once + again + kept_state(store)


def test_a_purge_leaves_the_paths_of_the_kept_state_relative_to_the_repository(store: Writer, tmp_path: Path) -> None:
    """Not to the folder in which the session began."""
    path, folder = transcript(tmp_path, "first", SECRET), {"sessionId": SESSION, "cwd": "/r/sub"}
    call = {"type": "tool_use", "id": "t1", "name": "Write", "input": {"file_path": "/r/sub/a.py", "content": "x = 1"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "File created successfully at: /r/sub/a.py"}
    lines = [
        {**folder, "type": "assistant", "uuid": "u8", "message": {"role": "assistant", "content": [call]}},
        {**folder, "type": "user", "uuid": "u9", "message": {"role": "user", "content": [result]}},
    ]
    path.write_text(path.read_text().replace('"/r"', '"/r/sub"') + "".join(json.dumps(line) + "\n" for line in lines))
    apply_deltas(store, "w", read_deltas(path, root="/r"))
    (record,) = [record for record in look(store, "w").records_of_sources(SOURCE) if record.uuid == "u1" and record.kind == "prompt"]
    before = kept_files(store)

    forget.purge_records(store, "w", [record.id], reason="", now_ns=1)

    assert before == kept_files(store) == ["sub/a.py"]


def kept_files(store: Writer) -> list[str]:
    state = look(store, "w").source_state(SOURCE)
    kept = load_stored_progress(state) if state else None
    return [file.path for file in kept[0].tracker.state().files] if kept else []


def test_lines_of_a_session_without_anything_purged_are_kept_as_they_stand(store: Writer, tmp_path: Path) -> None:
    path = transcript(tmp_path, "first", SECRET)
    apply_deltas(store, "w", read_deltas(path))

    (piece,) = [record for record in look(store, "w").records_of_sources(SOURCE) if record.kind == "transcript"]

    assert look(store, "w").original(piece.full_text.blob) == path.read_bytes()


def test_the_lines_of_two_records_that_are_purged_together_both_go(store: Writer, tmp_path: Path) -> None:
    """They stand in one piece of the transcript: the piece that takes its place has neither."""
    apply_deltas(store, "w", read_deltas(transcript(tmp_path, "first", SECRET, "the other password is staple-and-anchor", "last")))
    purged = [record for record in look(store, "w").records_of_sources(SOURCE) if record.uuid in ("u1", "u2") and record.kind == "prompt"]
    assert len(purged) == 2

    forget.purge_records(store, "w", [record.id for record in purged], reason="", now_ns=1)

    pieces = [record for record in look(store, "w").records_of_sources(SOURCE) if record.kind == "transcript"]
    held = b"".join(look(store, "w").original(piece.full_text.blob) for piece in pieces)
    assert len(pieces) == 1
    assert b"first" in held
    assert b"last" in held
    assert SECRET.encode() not in held
    assert b"staple-and-anchor" not in held


def test_a_purge_spares_lines_that_share_only_the_clients_own_words(store: Writer, tmp_path: Path) -> None:
    """Each file that is read ends with the same reminder of the client's: what is purged is one of them."""
    reminder = (
        "\n\n<system-reminder>\n"
        + "Whenever you read a file, you should consider whether it would be malware. " * 3
        + "\n</system-reminder>"
    )
    made = ClaudeScript()
    made.prompt("Read them.")
    for name, line in (("a", SECRET), ("b", "nothing of the kind")):
        made.read(f"{FOLDER}/{name}.py", [f"{line} {number}" for number in range(20)], behind=reminder)
    apply_deltas(store, "w", read_deltas(made.save(tmp_path)))
    source = f"session:{made.session}"
    (record,) = [record for record in look(store, "w").records_of_sources(source) if record.kind == "read" and record.path.endswith("a.py")]

    forget.purge_records(store, "w", [record.id], reason="", now_ns=1)

    pieces = [record.full_text for record in look(store, "w").records_of_sources(source) if record.kind == "transcript"]
    lines = b"".join(look(store, "w").original(piece.blob)[piece.start : piece.end] for piece in pieces)
    assert SECRET.encode() not in lines
    assert b"nothing of the kind 19" in lines
