"""Together: which files did sessions edit together?

A session is counted as a commit is, by what it changed: an agent often leaves a branch unmerged, and what it had to touch
together is known all the same. Reads the records of edits and writes, no text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

from clew.enrich.partners import Partner, Table, lower_bound
from clew.records import Delta, Record, SourceState

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


def edited_together(sessions: Mapping[str, list[str]]) -> Table:
    """Return what sessions edited with each file: the lower end of Wilson's interval of the share of sessions."""
    times: dict[str, int] = {}
    both: dict[str, dict[str, int]] = {}
    for paths in sessions.values():
        if len(paths) > FILES_MAX:
            continue
        for path in paths:
            times[path] = times.get(path, 0) + 1
            beside = both.setdefault(path, {})
            for other in paths:
                if other != path:
                    beside[other] = beside.get(other, 0) + 1
    return {
        path: sorted(
            (Partner(other, round(lower_bound(count, times[path]), 3)) for other, count in beside.items()),
            key=lambda one: (-one.weight, one.path),
        )
        for path, beside in sorted(both.items())
        if beside
    }


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
