"""Sessions: which files did sessions edit together?

A session is counted as a commit is, by what it changed: an agent often leaves a branch unmerged, and what it had to touch
together is known all the same. Reads the records of edits and writes, no text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b

import msgspec

from clew.enrich.partners import EdgeProducer, Table, counted_together
from clew.records import Delta, EdgeKind, Record, SourceState

BY = "together/1"
TOGETHER = "together:"  # the source that keeps which files each session edited
CHANGING_KINDS = frozenset({"edit", "write"})  # a failed one is of kind `error`
FILES_MAX = 40  # a session that edits more does several things; guess, twice what a commit may


def edited(records: Iterable[Record]) -> list[str]:
    """The files that a session's records changed, each once, ordered."""
    return sorted({record.path for record in records if record.kind in CHANGING_KINDS and record.path})


def sessions_in(state: SourceState | None) -> dict[str, list[str]]:
    """Session → the files that it edited, as a state keeps it."""
    return msgspec.json.decode(state.note, type=dict[str, list[str]]) if state is not None and state.note else {}


def kept(sessions: Mapping[str, list[str]]) -> Delta:
    """The Delta that keeps which files sessions edited. Names that are not UTF-8 are left out."""
    rows = {session: [path for path in paths if _is_utf8(path)] for session, paths in sorted(sessions.items())}
    note = msgspec.json.encode({session: paths for session, paths in rows.items() if paths})
    digest = blake2b(note, digest_size=16).hexdigest() if len(note) > 2 else ""
    return Delta(BY, TOGETHER, is_whole=False, state=SourceState(TOGETHER, digest, len(rows), note=note.decode()))


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _propose(_paths: Collection[str], state: SourceState | None) -> Table:
    return counted_together(paths for paths in sessions_in(state).values() if len(paths) <= FILES_MAX)


SESSIONS = EdgeProducer(EdgeKind.EDITED_TOGETHER, _propose, "together", "by sessions", source=TOGETHER)
