"""Stored rows: everything that a store holds of a workspace, one row after the other, for an export and an import.

Rows come workspace by workspace; in each, the kinds come in the order of `ROW_KINDS`, so that what a row refers to came before it.
Postings are derived, and are there all the same, because the files and transcripts that they were made of may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from clew.errors import InvalidExport
from clew.records import Edge, Record, SourceState, Status
from clew.store.originals import digest_of
from clew.store.rules import ID_LENGTH_MAX
from clew.text import postings

POSTINGS_BYTES_MAX = 1 << 29  # of one part, unpacked; guess: a thousand times what a long session takes


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """The head of a workspace's rows: its key and its last known folder."""

    key: str
    root: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source and its state; None for one that is gone, whose ended records still name it."""

    name: str
    state: SourceState | None = None


@dataclass(frozen=True, slots=True)
class HeldOriginal:
    """Says that a source brought an original, or refers to it."""

    source: str
    digest: str


@dataclass(frozen=True, slots=True)
class OriginalRow:
    """An original: its bytes, and their digest."""

    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as one source holds or held it; `is_indexed`: its postings are in the search index."""

    record: Record
    status: Status
    is_indexed: bool


@dataclass(frozen=True, slots=True)
class PostingsRow:
    """Packed postings of a source: one of its parts, which are numbered in the order in which they were stored."""

    source: str
    part: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EdgeRow:
    """An edge, and the source that says so."""

    source: str
    edge: Edge


@dataclass(frozen=True, slots=True)
class TombstoneRow:
    """What was purged: `kind` is "record" or "original", `id` a record's id or an original's digest."""

    kind: str
    id: str
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One write, in the chain of its writer (`clew.store.journal`).

    seq     numbers the writer's entries, from 1; link  hash of the entry and of the link before it.
    source  that was written; "" where not all that the entry names is stored here, and no longer can be.
    digest  of the source's content, "" for none; ids  of the records that it did not hold before, and of those whose status was set.
    """

    writer: str
    seq: int
    at_ns: int
    source: str
    digest: str
    ids: tuple[str, ...]
    link: str


StoredRow: TypeAlias = WorkspaceRow | SourceRow | HeldOriginal | OriginalRow | RecordRow | PostingsRow | EdgeRow | TombstoneRow | JournalRow
ROW_KINDS = (WorkspaceRow, SourceRow, HeldOriginal, OriginalRow, RecordRow, PostingsRow, EdgeRow, TombstoneRow, JournalRow)


@dataclass(slots=True)
class ImportResult:
    """What an import stored.

    kept            sources that the store had and that were left as they are; `differing` of them have another state than in the export.
    purged          records and originals that were left out, because they were purged here.
    still_held      tombstones that were left out, because the store holds what they name.
    """

    workspaces: int = 0
    sources: int = 0
    records: int = 0
    originals: int = 0
    size: int = 0
    tombstones: int = 0
    kept: int = 0
    differing: int = 0
    purged: int = 0
    still_held: int = 0


def check_rows(rows: Iterable[StoredRow]) -> Iterator[StoredRow]:
    """Yield the rows, each after a check of itself and of its place. Raises InvalidExport. References are the store's to check.

    Cost  hashes every original, and unpacks all postings.
    """
    last = -1
    for row in rows:
        kind = ROW_KINDS.index(type(row))
        if kind and (last < 0 or kind < last):
            raise InvalidExport(f"a row of kind {type(row).__name__} is out of its order")
        last = kind
        reason = _find_fault(row)
        if reason:
            raise InvalidExport(reason)
        yield row
    if last < 0:
        raise InvalidExport("it holds no workspace")


def _find_fault(row: StoredRow) -> str:
    match row:
        case OriginalRow(digest, data) if digest_of(data) != digest:
            return f"original {digest!r} does not have this digest"
        case WorkspaceRow(key) if not 0 < len(key) <= 64 or not key.isascii() or not key.isprintable():
            return f"workspace {key!r} has no valid key"
        case SourceRow(name, state) if not name or (state is not None and state.source != name):
            return f"the state of source {name!r} is not its own"
        case EdgeRow(_, edge) if not 0 <= edge.weight < float("inf"):
            return f"the edge from {edge.tail!r} to {edge.head!r} has the weight {edge.weight}"
        case TombstoneRow(kind, name) if kind not in {"record", "original"} or not name:
            return f"a tombstone of {kind!r} is not known"
        case JournalRow(writer, seq, _, _, _, ids) if (
            not 0 < len(writer) <= 64 or not writer.isascii() or seq < 1 or not all(_is_id(each.lstrip("-~+")) for each in ids)
        ):
            return f"link {seq} of the chain of writer {writer!r} is malformed"
        case RecordRow():
            return _find_record_fault(row.record)
        case PostingsRow():
            try:
                postings.check_packed(row.data, POSTINGS_BYTES_MAX)
            except ValueError as error:
                return f"the postings of {row.source!r} are damaged ({error})"
            return ""
        case _:
            return ""


def _find_record_fault(record: Record) -> str:
    if not _is_id(record.id):
        return f"record id {record.id!r} is not made of 1 to {ID_LENGTH_MAX} ASCII characters"
    steps = [text.resolution for text in record.texts]
    if not steps or any(low >= high for low, high in pairwise(steps)):
        return f"the texts of record {record.id} are not in ascending resolution"
    if any(text.blob and not 0 <= text.start <= text.end for text in record.texts):
        return f"a text of record {record.id} has no extent"
    return ""


def _is_id(text: str) -> bool:
    return 0 < len(text) <= ID_LENGTH_MAX and text.isascii() and text.isprintable()
