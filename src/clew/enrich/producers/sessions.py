"""Find files that sessions edited together.

A session is counted as a commit is, by what it changed: an agent often leaves a branch unmerged, and what it had to touch
together is known all the same. Reads the records of edits and writes, no text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from hashlib import blake2b

import msgspec

from clew.enrich.edge_producer import EdgeProducer, PartnerTable, count_together
from clew.records import Delta, EdgeKind, Record, SourceState

PRODUCER = "together/1"  # name and version of this producer in its Deltas
SESSION_EDITS_SOURCE = "together:"  # the source that keeps which files each session edited
EDITING_KINDS = frozenset({"edit", "write"})  # kinds of records that changed a file; a failed edit is of kind `error`
SESSION_FILES_MAX = 40  # a session that edits more files does several things and couples none; guess: twice a commit's


def find_edited_paths(records: Iterable[Record]) -> list[str]:
    """Return the paths of the files that a session's records edited or wrote, each once, sorted."""
    return sorted({record.path for record in records if record.kind in EDITING_KINDS and record.path})


def decode_session_edits(state: SourceState | None) -> dict[str, list[str]]:
    """Decode {session id: paths it edited} from what `build_session_edits_delta` stored; empty for None."""
    return msgspec.json.decode(state.note, type=dict[str, list[str]]) if state is not None and state.note else {}


def build_session_edits_delta(sessions: Mapping[str, list[str]]) -> Delta:
    """Build the Delta that stores which files each session edited. Names that are not UTF-8 are left out."""
    rows = {session: [path for path in paths if _is_utf8(path)] for session, paths in sorted(sessions.items())}
    note = msgspec.json.encode({session: paths for session, paths in rows.items() if paths})
    digest = blake2b(note, digest_size=16).hexdigest() if len(note) > 2 else ""
    return Delta(
        PRODUCER, SESSION_EDITS_SOURCE, is_whole=False, state=SourceState(SESSION_EDITS_SOURCE, digest, len(rows), note=note.decode())
    )


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _propose(_paths: Collection[str], state: SourceState | None) -> PartnerTable:
    return count_together(paths for paths in decode_session_edits(state).values() if len(paths) <= SESSION_FILES_MAX)


SESSION_EDIT_PRODUCER = EdgeProducer(EdgeKind.EDITED_TOGETHER, _propose, "together", "by sessions", source=SESSION_EDITS_SOURCE)
