"""Many sessions at once: each gets its own Deltas, whatever happens to its file meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.records import Delta
from clew.transcript import parallel
from clew.transcript.parallel import TranscriptJob, read_all_deltas
from clew.transcript.session_files import find_session_files

IDS = [f"{number}0000000-0000-4000-8000-000000000000" for number in range(4)]


def line(session: str, number: int, text: str) -> str:
    record = {"type": "user", "uuid": f"{number}", "sessionId": session, "message": {"role": "user", "content": text}}
    return json.dumps(record) + "\n"


@pytest.fixture
def transcripts(tmp_path: Path) -> list[TranscriptJob]:
    """Four short transcripts."""
    made: list[TranscriptJob] = []
    for session in IDS:
        path = tmp_path / f"{session}.jsonl"
        path.write_text(line(session, 0, f"the first words of {session}"))
        made.append(TranscriptJob(find_session_files(path), None, ""))
    return made


def sources(deltas: Iterator[Delta] | str) -> list[str]:
    assert not isinstance(deltas, str), deltas
    return [delta.source for delta in deltas]


def test_a_transcript_that_grows_long_while_others_are_read_keeps_its_place(
    transcripts: list[TranscriptJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was short when it was handed to another process, and is long when its turn comes."""
    monkeypatch.setattr(parallel, "PARALLEL_BYTES_MAX", 6 * 10_000)
    found: list[list[str]] = []
    for source, said in read_all_deltas(transcripts, 2):
        with transcripts[-2].session.path.open("a") as file:
            file.write(line(IDS[-2], 1, "x" * 20_000))
        found.append([source.session.id, *sources(said)])

    assert found == [[session, f"session:{session}"] for session in IDS]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_transcript_that_is_gone_is_a_sentence(transcripts: list[TranscriptJob], workers: int) -> None:
    """And the others are read all the same."""
    transcripts[1].session.path.unlink()

    said = [deltas if isinstance(deltas, str) else sources(deltas) for _, deltas in read_all_deltas(transcripts, workers)]

    assert said[0] == [f"session:{IDS[0]}"]
    assert IDS[1] in str(said[1])
    assert said[2:] == [[f"session:{session}"] for session in IDS[2:]]
