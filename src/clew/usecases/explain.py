"""Explain: look up a printed handle: its record's original bytes, status, versions and links."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clew.compaction import compressed
from clew.packet.explain import find_links
from clew.packet.options import OriginalCache
from clew.ranking.importance import Importance, compute_importance
from clew.records import EndKind, EndReason, Record, Status
from clew.store.ports import LOCAL, Reader
from clew.usecases.inputs import find_record
from clew.usecases.places import find_holder


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
    links       (relation, name, handle, weight) by falling weight; relations are "calls", "called by", "refers to", "contains", ….
    """

    record: Record
    status: Status
    importance: Importance
    versions: tuple[tuple[Record, Status], ...]
    links: tuple[tuple[str, str, str, float], ...]


def unfold(store: Reader, path: Path, handle: str) -> UnfoldedRecord:
    """Return the record that a handle stands for, with its original bytes. Raises UnknownHandle, or Purged if it was erased."""
    key = find_holder(store, path, handle)
    with store.snapshot(LOCAL, key) as snapshot:
        record = find_record(snapshot, handle)
        [status] = snapshot.statuses([record.id])
        return UnfoldedRecord(record, status, OriginalCache(snapshot).bytes_of(record.full_text))


def explain(store: Reader, path: Path, handle: str) -> RecordExplanation:
    """Return a record's status, versions and links. Raises UnknownHandle."""
    key = find_holder(store, path, handle)
    with store.snapshot(LOCAL, key) as snapshot:
        record = find_record(snapshot, handle)
        [status] = snapshot.statuses([record.id])
        if record.kind == compressed.KIND and status.is_live:
            ended, made_from = compressed.count_ended_inputs(snapshot, record)
            status = replace(status, reason=EndReason(EndKind.INPUTS_ENDED, (ended, made_from)) if ended else None)
        versions = snapshot.of_subject(record.subject)
        statuses = snapshot.statuses([version.id for version in versions])
        [importance] = compute_importance(snapshot, [record], [status])
        return RecordExplanation(record, status, importance, tuple(zip(versions, statuses, strict=True)), find_links(snapshot, record))
