"""Explain: look up a printed handle: its record's original bytes, status, versions and links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from clew.codebase import ENCODING
from clew.compaction import compressed
from clew.errors import UnknownPath
from clew.packet.explain import find_links
from clew.packet.options import OriginalCache
from clew.ranking.importance import Importance, compute_importance
from clew.records import EndKind, EndReason, Record, Status
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.usecases.inputs import find_record, resolve_path
from clew.usecases.places import find_code, find_holder

if TYPE_CHECKING:
    from clew.codebase.symbol_changes import SymbolChanges


@dataclass(frozen=True, slots=True)
class UnfoldedRecord:
    """The record that a handle (its short id) stands for, its status, and the exact bytes of its original."""

    record: Record
    status: Status
    data: bytes


@dataclass(frozen=True, slots=True)
class RecordExplanation:
    """A record with its status, all versions of its subject, oldest first, and its links to other records.

    importance  how much would be lost with it, in its parts.
    changes     what the latest indexed change of a code record's file did to the file's symbols; None where the index knows one version.
    links       (relation, name, handle, weight) by falling weight; relations are "calls", "called by", "refers to", "contains", ….
    """

    record: Record
    status: Status
    importance: Importance
    versions: tuple[tuple[Record, Status], ...]
    links: tuple[tuple[str, str, str, float], ...]
    changes: SymbolChanges | None = None


def unfold(store: Reader, path: Path, handle: str) -> UnfoldedRecord:
    """Return the record that a handle stands for, with its original bytes. Raises UnknownHandle, or Purged if it was erased."""
    key = find_holder(store, path, handle)
    with store.snapshot(LOCAL, key) as snapshot:
        record = find_record(snapshot, handle)
        [status] = snapshot.statuses([record.id])
        data = OriginalCache(snapshot).bytes_of(record.full_text)
        if encoding := dict(record.lineage).get(ENCODING):  # its file was decoded when it was read
            data = data.decode("utf-8", "replace").encode(encoding, "replace")
        return UnfoldedRecord(record, status, data)


def _find_file(snapshot: Snapshot, root: Path, name: str) -> Record | None:
    """Return the record of the whole file at a path, None where there is none. Raises UnknownPath, which says why it was not read."""
    try:
        path = resolve_path(snapshot, root, name) if name.strip() else ""
    except UnknownPath as error:
        if error.why:
            raise
        path = ""  # nothing is known of such a file, and it may be no path
    documents = snapshot.documents
    if not path:
        return None
    docs = documents.docs_of_file(documents.path_numbers[path]).tolist()
    records = snapshot.records(documents.ids_of(docs[:1]))
    return records[0] if records else None


def explain(store: Reader, path: Path, handle: str) -> RecordExplanation:
    """Return the status, versions and links of a record, or of the file at a path. Raises UnknownHandle or UnknownPath."""
    key, (code, root) = find_holder(store, path, handle), find_code(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        record = (_find_file(snapshot, root, handle) if key == code else None) or find_record(snapshot, handle)
        [status] = snapshot.statuses([record.id])
        if record.kind == compressed.KIND and status.is_live:
            ended, made_from = compressed.count_ended_inputs(snapshot, record)
            status = replace(status, reason=EndReason(EndKind.INPUTS_ENDED, (ended, made_from)) if ended else None)
        versions = snapshot.of_subject(record.subject)
        statuses = snapshot.statuses([version.id for version in versions])
        [importance] = compute_importance(snapshot, [record], [status])
        links = find_links(snapshot, record)
        changes = find_symbol_changes(snapshot, record.path) if record.source.startswith("file:") else None
        return RecordExplanation(record, status, importance, tuple(zip(versions, statuses, strict=True)), links, changes)


def find_symbol_changes(snapshot: Snapshot, path: str) -> SymbolChanges | None:
    """Return what the latest indexed change of a file did to its symbols; None for a file of which one version is known."""
    from clew.codebase.symbol_changes import compare_symbols  # lazy: a question imports no parser

    versions = snapshot.of_subject(f"file:{path}")
    statuses = snapshot.statuses([version.id for version in versions])
    live = [version for version, status in zip(versions, statuses, strict=True) if status.is_live]
    before = [
        version for version, status in zip(versions, statuses, strict=True) if not status.is_live and status.superseded_by == live[-1].id
    ] if live else []  # fmt: skip
    if not before or not before[-1].digest or not live[-1].digest:
        return None
    texts = snapshot.originals([before[-1].digest, live[-1].digest])
    return compare_symbols(path, texts[before[-1].digest], texts[live[-1].digest])
