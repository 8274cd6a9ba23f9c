"""Many sessions at once: each gets its own Deltas, whatever happens to its file meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.records import Delta
from clew.transcript import many
from clew.transcript.many import Job, follow_all
from clew.transcript.sessions import session_at

IDS = [f"{number}0000000-0000-4000-8000-000000000000" for number in range(4)]


def line(session: str, number: int, text: str) -> str:
    record = {"type": "user", "uuid": f"{number}", "sessionId": session, "message": {"role": "user", "content": text}}
    return json.dumps(record) + "\n"


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Four short transcripts."""
    made: list[Job] = []
    for session in IDS:
        path = tmp_path / f"{session}.jsonl"
        path.write_text(line(session, 0, f"the first words of {session}"))
        made.append(Job(session_at(path), None, ""))
    return made


def sources(deltas: Iterator[Delta] | str) -> list[str]:
    assert not isinstance(deltas, str), deltas
    return [delta.source for delta in deltas]


def test_a_transcript_that_grows_long_while_others_are_read_keeps_its_place(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    """It was short when it was handed to another process, and is long when its turn comes."""
    monkeypatch.setattr(many, "PARALLEL_BYTES_MAX", 6 * 10_000)
    found: list[list[str]] = []
    for job, said in follow_all(jobs, 2):
        with jobs[-2].session.path.open("a") as file:
            file.write(line(IDS[-2], 1, "x" * 20_000))
        found.append([job.session.id, *sources(said)])

    assert found == [[session, f"session:{session}"] for session in IDS]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_transcript_that_is_gone_is_a_sentence(jobs: list[Job], workers: int) -> None:
    """And the others are read all the same."""
    jobs[1].session.path.unlink()

    said = [deltas if isinstance(deltas, str) else sources(deltas) for _, deltas in follow_all(jobs, workers)]

    assert said[0] == [f"session:{IDS[0]}"]
    assert IDS[1] in str(said[1])
    assert said[2:] == [[f"session:{session}"] for session in IDS[2:]]
