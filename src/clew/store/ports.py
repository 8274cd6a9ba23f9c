"""Reader and Writer: what a store offers.

Everything is keyed by tenant and workspace, so one database holds many repositories and one tenant never sees another. Rooms that rank and
assemble are handed a `Snapshot` and therefore cannot write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clew.records import Delta, Tier
from clew.store.rules import LOCAL
from clew.store.snapshot import Snapshot

__all__ = ["LOCAL", "Applied", "Purge", "Reader", "Refreshed", "Snapshot", "Workspace", "Writer"]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a call of `Writer.apply` changed. `generation` counts the acknowledged writes of a workspace."""

    generation: int
    added: int = 0
    kept: int = 0
    superseded: int = 0
    retired: int = 0


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What `Writer.refresh` did. `reason` says why a snapshot that was due could not be written; "" otherwise."""

    is_written: bool
    parts_changed: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Purge:
    """What `Writer.purge` erased: records, originals, and the bytes that those held."""

    records: int
    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class Workspace:
    """A repository, or a folder of sessions, as the store knows it. `root` is where it last stood."""

    key: str
    root: str
    generation: int
    records: int
    live: int
    sources: int
    blob_bytes: int
    stored_bytes: int


class Reader(Protocol):
    """A store as its readers see it; several processes may read while one writes."""

    def workspaces(self) -> list[Workspace]:
        """Every workspace of the tenant LOCAL, ordered by key."""
        ...

    def snapshot(self, tenant: str, workspace: str, as_of_ns: int = 0) -> Snapshot:
        """One workspace of one tenant at one state; see `Snapshot`. A workspace that does not exist is empty."""
        ...

    def close(self) -> None:
        """Give back files and locks. A closed store answers nothing."""
        ...


class Writer(Reader, Protocol):
    """A store that can be changed, in the tenant LOCAL. Each call is one transaction: whole or not at all, durable when it returns."""

    def open_workspace(self, key: str, root: str) -> None:
        """Make the workspace if it is new, and remember where it stands."""
        ...

    def apply(self, workspace: str, deltas: Sequence[Delta]) -> Applied:
        """Apply all deltas in one transaction.

        A whole delta replaces its source: records with an id that the source already holds are kept (and get
        their new position), others are added; what the source held and the delta lacks is ended
        (is_live=False, superseded_by = the live record of the same subject, if there is one now).
        A record that had ended and comes back is live again. Blobs are stored once per digest.
        Raises StoreUnwritable, StoreBusy; then nothing of it was stored.
        """
        ...

    def refresh(self, workspace: str) -> Refreshed:
        """Prepare the index of the newest generation for readers that start cold. Only a cache: called after bulk work."""
        ...

    def move(self, workspace: str, ids: Sequence[str], tier: Tier) -> int:
        """Put records on a tier; returns how many moved."""
        ...

    def touch(self, workspace: str, ids: Sequence[str], at_ns: int) -> None:
        """Remember that these records were retrieved. Does not change the generation. Raises StoreBusy almost at once
        when another writer is at work: the caller goes on without.
        """
        ...

    def purge(self, workspace: str, ids: Sequence[str], reason: str, at_ns: int) -> Purge:
        """Erase these records, their postings and edges, and every original that no other record needs,
        from the file itself (secure_delete, WAL truncated); leave a tombstone (id, reason, time) for each.
        """
        ...

    def purge_source(self, workspace: str, source: str, reason: str, at_ns: int) -> Purge:
        """Erase a source with all that it ever held, its originals included; leaves tombstones as `purge` does."""
        ...
