"""Real sessions, where somebody has some: `CLEW_SESSIONS` names a folder of transcripts."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from clew.transcript.follow import UNRECOGNISED, build_report, read_deltas
from clew.transcript.session_files import SessionFiles, find_session_files, find_sessions

FOLDER = os.environ.get("CLEW_SESSIONS", "")


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="CLEW_SESSIONS names no folder of real transcripts")
def test_real_sessions_are_read_whole_and_understood() -> None:
    sessions = [part for session in find_sessions(Path(FOLDER)) for part in (session, *map(find_session_files, session.agents))]
    unknown: Counter[str] = Counter()
    assert sessions
    for session in sessions:
        unknown.update(_check(session))

    assert dict(unknown) == {}


def _check(session: SessionFiles) -> dict[str, int]:
    ids: set[str] = set()
    raw = 0
    state = None
    for delta in read_deltas(session.path, session=session):
        state = delta.state
        assert state
        assert state.status != UNRECOGNISED
        blobs = {blob.digest: blob.data for blob in delta.blobs}
        for record in delta.records:
            assert record.id not in ids, (session.path, record.name)
            ids.add(record.id)
            raw += record.full_text.chars if record.kind == "transcript" else 0
            for text in record.texts:
                assert not text.blob or 0 <= text.start < text.end <= len(blobs[text.blob])
        assert {item.old for item in delta.superseded} <= ids
    assert state
    assert raw == state.size
    told = build_report(state)
    assert (told.broken_count, told.is_cut) == (0, False), session.path
    return dict(told.unknown)
