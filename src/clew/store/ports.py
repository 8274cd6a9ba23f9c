"""Reader and Writer: the only two doors to the store.

Everything is keyed by workspace first, so one database holds many repositories and one tenant never
sees another. Retrieval is handed a Reader and therefore cannot write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from clew.records import Delta, Edge, Record, SourceState, Standing, Tier
from clew.store.index import Index


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
    """Sees one consistent state per call; several processes may read while one writes."""

    def workspaces(self) -> list[Workspace]:
        """Every workspace, ordered by key."""
        ...

    def generation(self, workspace: str) -> int:
        """Number of acknowledged writes; 0 for a workspace that does not exist. Equal numbers mean equal contents."""
        ...

    def index(self, workspace: str) -> Index:
        """The searchable snapshot of the newest generation: postings, links, vectors. Immutable; cached by generation."""
        ...

    def records(self, workspace: str, ids: Sequence[str]) -> list[Record]:
        """The records with these ids, in the order asked; unknown and purged ids are left out."""
        ...

    def standings(self, workspace: str, ids: Sequence[str]) -> list[Standing]:
        """One Standing per id, in the order asked; an unknown id answers Standing(is_live=False, reason="unknown")."""
        ...

    def unusual(self, workspace: str) -> list[tuple[str, Standing]]:
        """(id, Standing) of each indexed record that is not live, or not on the hot tier; ordered by id."""
        ...

    def find(self, workspace: str, prefix: str, limit: int = 8) -> list[str]:
        """Ids, live or not, that begin with `prefix`, ordered; at most `limit`."""
        ...

    def of_subject(self, workspace: str, subject: str) -> list[Record]:
        """Every version of a subject, live or not, oldest first."""
        ...

    def of_source(self, workspace: str, source: str) -> list[Record]:
        """The live records of one source, ordered by (seq, id)."""
        ...

    def sources(self, workspace: str, prefix: str = "") -> list[SourceState]:
        """States of the sources whose name begins with `prefix`, ordered by source."""
        ...

    def source(self, workspace: str, source: str) -> SourceState | None:
        """The state of one source, or None."""
        ...

    def edges(self, workspace: str, ids: Sequence[str]) -> list[Edge]:
        """Stored edges that touch any of these ids and whose ends still have the digests they were made from;
        ordered by (tail, head, kind).
        """
        ...

    def blob(self, workspace: str, digest: str) -> bytes:
        """The original bytes. Raises KeyError for an unknown digest, Purged for an erased one."""
        ...

    def vectors(self, workspace: str, model: str, ids: Sequence[str]) -> list[bytes]:
        """What `keep_vectors` was given for these ids and this model, in the order asked; b"" where nothing is kept."""
        ...

    def close(self) -> None:
        """Give back files and locks. A closed store answers nothing."""
        ...


class Writer(Reader, Protocol):
    """The one that changes things. Each call is one transaction: whole or not at all, durable when it returns."""

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

    def keep_vectors(self, workspace: str, model: str, vectors: Sequence[tuple[str, bytes]]) -> int:
        """Keep a model's (id, packed vector) beside live records, for `vectors`; returns how many were kept.

        An id names content, so a record that changes has none. What another model made, and what belongs to no live record, is
        let go. Only a cache: it does not change the generation.
        """
        ...

    def purge(self, workspace: str, ids: Sequence[str], reason: str, at_ns: int) -> Purge:
        """Erase these records, their postings, vectors and edges, and every original that no other record needs,
        from the file itself (secure_delete, WAL truncated); leave a tombstone (id, reason, time) for each.
        """
        ...

    def purge_source(self, workspace: str, source: str, reason: str, at_ns: int) -> Purge:
        """Erase a source with all that it ever held, its originals included; leaves tombstones as `purge` does."""
        ...
