"""Reader and Writer: what a store offers.

Everything is keyed by tenant and workspace, so one database holds many repositories and one tenant never sees another. Rooms that rank and
assemble are handed a `Snapshot` and therefore cannot write.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from clew.records import Delta, SourceState, Tier
from clew.store.rows import ImportResult, StoredRow
from clew.store.rules import LOCAL
from clew.store.snapshot import Snapshot
from clew.store.tombstones import Tombstone

__all__ = [
    "LOCAL",
    "CondenseResult",
    "PurgeResult",
    "Reader",
    "RefreshResult",
    "Snapshot",
    "StoreDescription",
    "Workspace",
    "WriteResult",
    "Writer",
]


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a call of `Writer.apply` changed, in records. `generation` counts the committed writes of a workspace."""

    generation: int
    added: int = 0
    kept: int = 0
    superseded: int = 0
    retired: int = 0


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """Whether `Writer.refresh` wrote the index to disk. `reason` says why an index file that was due could not be written; "" otherwise."""

    is_written: bool
    parts_changed: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What a purge erased: number of records, of originals, the bytes of those, and rows of training sets, which no Writer knows of."""

    records: int
    blobs: int
    size: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class CondenseResult:
    """What `Writer.condense` stored anew: numbers of record texts and of originals, the bytes of these, and how many fewer are stored."""

    texts: int = 0
    originals: int = 0
    saved: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Workspace:
    """Counts of a repository, or of a folder of sessions, in the store. `root` is its last known folder."""

    key: str
    root: str
    generation: int
    records: int
    live: int
    sources: int
    blob_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class StoreDescription:
    """Where a store is, in words; its bytes, those of all tenants on a server; and the number of its schema."""

    place: str
    size: int
    schema: int


class Reader(Protocol):
    """A store opened for reading; several processes may read while one writes."""

    @property
    def is_read_only(self) -> bool:
        """Return whether every writing method raises StoreUnwritable."""
        ...

    def describe(self) -> StoreDescription:
        """Return where the store is, how large it is, and its schema."""
        ...

    def workspaces(self) -> list[Workspace]:
        """Return every workspace of the tenant LOCAL, ordered by key."""
        ...

    def roots(self) -> list[tuple[str, str]]:
        """Return (key, root) of every workspace of the tenant LOCAL, ordered by key."""
        ...

    def snapshot(self, tenant: str, workspace: str, as_of_ns: int = 0, known_by_ns: int = 0) -> Snapshot:
        """Open one workspace of one tenant for reading at one consistent state; an unknown workspace is empty.

        as_of_ns, known_by_ns  times; 0 for now. See `Snapshot`.
        """
        ...

    def export_rows(self, workspaces: Sequence[str]) -> Generator[StoredRow]:
        """Yield all that these workspaces hold, from one consistent state; close the generator if it is not read to its end.

        Raises UnknownWorkspace, StoreUnusable where a row is damaged. Nothing of what was purged is among the rows.
        """
        ...

    def list_tombstones(self) -> list[Tombstone]:
        """Return a tombstone for each record and original that was purged, in every workspace of the tenant LOCAL."""
        ...

    def close(self) -> None:
        """Release files and locks; the store must not be used afterwards."""
        ...


class Writer(Reader, Protocol):
    """A store opened for writing, in the tenant LOCAL. Each call is one transaction: whole or not at all, durable when it returns."""

    def open_workspace(self, key: str, root: str) -> None:
        """Create the workspace if it is new, and store `root` as its folder."""
        ...

    def apply(self, workspace: str, deltas: Sequence[Delta], at_ns: int = 0) -> WriteResult:
        """Apply all deltas in one transaction, at a time (0: unknown), and add an entry to the journal for each that changed a source.

        A whole delta replaces its source: records with an id that the source already holds are kept (and get
        their new position), others are added; what the source held and the delta lacks is ended
        (is_live=False, superseded_by = the live record of the same subject, if there is one now).
        A record that had ended and comes back is live again. Blobs are stored once per digest.
        Raises StoreUnwritable, StoreBusy; then nothing of it was stored.
        """
        ...

    def replace_state(self, workspace: str, before: SourceState, after: SourceState) -> bool:
        """Replace the state of a source if it is still `before`, and return whether it was; the generation stays.

        Two processes that would take the same job of a queue both call it, and one of them gets True.
        """
        ...

    def refresh(self, workspace: str) -> RefreshResult:
        """Write the index to disk for processes that open the store later. Only a cache: call it after bulk work."""
        ...

    def move(self, workspace: str, ids: Sequence[str], tier: Tier) -> int:
        """Set the tier of these records, and return how many changed it."""
        ...

    def condense(self, workspace: str, source: str, bytes_max: int) -> CondenseResult:
        """Store what is archived of a source, and versions of it that have ended, in fewer bytes; what is read of it stays the same.

        bytes_max  of originals that are packed in this call, at most, and those of one pack more. Call it again until it returns none.
        """
        ...

    def touch(self, workspace: str, ids: Sequence[str], at_ns: int) -> None:
        """Count a use of each of these records; the generation stays. Raises StoreBusy almost at once when another process writes."""
        ...

    def purge(self, workspace: str, ids: Sequence[str], reason: str, at_ns: int) -> PurgeResult:
        """Erase these records, their postings and edges, and every original that no other record needs,
        from the file itself (secure_delete, WAL truncated); leave a tombstone (id, reason, time) for each.
        """
        ...

    def purge_source(self, workspace: str, source: str, reason: str, at_ns: int) -> PurgeResult:
        """Erase a source with all that it ever held, its originals included; leaves tombstones as `purge` does."""
        ...

    def import_rows(self, rows: Iterable[StoredRow]) -> ImportResult:
        """Add what the store lacks of an export, in one transaction; nothing that it holds is changed.

        A source that the store has stays as it is, so what is imported twice is stored once. What was purged here stays purged.
        Raises InvalidExport, StoreUnwritable, StoreBusy; then nothing of it was stored.
        """
        ...
