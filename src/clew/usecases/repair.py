"""Repair: re-index a repository and its sessions, and rebuild postings of recovered records, after a damaged store was replaced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clew.codebase import TREE_SOURCE
from clew.codebase.file_changes import FIRST_RUN_SOURCE
from clew.enrich import file_edges, history
from clew.enrich.producers.commits import CO_CHANGE_SOURCE
from clew.errors import NotReadable
from clew.lifecycle.apply import apply_deltas
from clew.packet.options import OriginalCache
from clew.records import Delta, Record, SourceState
from clew.settings import Settings
from clew.store.ports import LOCAL, Writer
from clew.text.postings import SearchDocument, pack_postings
from clew.transcript.follow import transcript_source
from clew.transcript.session_files import SessionFiles
from clew.usecases.index import IndexResult, index
from clew.usecases.ingest import PRODUCER, IngestResult, find_sessions_with_agents, ingest
from clew.usecases.inputs import ProgressCallback, list_source_states


@dataclass(frozen=True, slots=True)
class RereadResult:
    """What `reread_workspace` read; `missing_transcripts` are ids of stored sessions that have no transcript any more."""

    indexed: IndexResult
    ingested: IngestResult | None
    missing_transcripts: tuple[str, ...]


def reread_workspace(
    store: Writer, settings: Settings, key: str, root: Path, transcripts: Sequence[Path], *, progress: ProgressCallback | None = None
) -> RereadResult:
    """Index the repository at `root` and ingest its transcripts from the start, for a store that was repaired and may have gaps.

    key          id of the repository's workspace in the store.
    transcripts  folders of transcripts.
    Ended records, and sessions without a transcript, stay as they are.
    """
    derived = (TREE_SOURCE, FIRST_RUN_SOURCE, history.HISTORY_SOURCE, CO_CHANGE_SOURCE, file_edges.COUPLING_SOURCE)
    states = [state for prefix in derived for state in list_source_states(store, key, prefix)]
    apply_deltas(store, key, [Delta(PRODUCER, name, is_whole=True) for name in dict.fromkeys(state.source for state in states)])
    found: list[SessionFiles] = []
    for folder in transcripts:
        with suppress(NotReadable):  # it went away: there is nothing to read
            found += find_sessions_with_agents(folder)
    known = {state.source for state in list_source_states(store, key, "session:")}
    there = sorted({transcript_source(session) for session in found} & known)
    apply_deltas(store, key, [Delta(PRODUCER, name, is_whole=False, state=SourceState(name)) for name in there])
    indexed = index(store, settings, root, progress=progress)
    ingested = ingest(store, settings, transcripts, repo=root, progress=progress) if found else None
    names = {name.removeprefix("session:").partition("/")[0] for name in known - set(there) if name != "session:remembered/notes"}
    gone = sorted(names - {session.id for session in found})
    return RereadResult(indexed, ingested, tuple(gone))


def rebuild_postings(store: Writer, key: str, source: str, ids: Sequence[str]) -> int:
    """Build search index entries for records of a source in workspace `key` that are live but not in the index; return for how many.

    They can then be found by name, path and words, but not by the names that code defines and uses: reading the file again is better.
    """
    with store.snapshot(LOCAL, key) as snapshot:
        known = snapshot.documents
        found = frozenset(known.ids_of(known.docs_of(ids).tolist()))
        wanted = frozenset(ids) - found
        records = tuple(record for record in snapshot.records_of_sources(source) if record.id in wanted)
        state = snapshot.source_state(source)
        if state is None or not records:
            return 0
        originals = OriginalCache(snapshot)
        originals.read(record.full_text for record in records)
        segment = pack_postings([_document(record, originals) for record in records])
    apply_deltas(store, key, [Delta("findable/1", source, is_whole=False, records=records, segment=segment, state=state)])
    store.refresh(key)
    return len(records)


def _document(record: Record, originals: OriginalCache) -> SearchDocument:
    words = originals.text_of(record.full_text)
    fields = (record.name, record.path, "", "", words)
    return SearchDocument(record.id, record.layer.value, record.kind, record.path, fields, lines=words.count("\n") + 1)
