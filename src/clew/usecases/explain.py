"""Explain: what stands behind a handle that was printed, and why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from clew.compaction import compressed
from clew.packet.explain import links_of
from clew.packet.options import Originals
from clew.records import Record, Standing
from clew.settings import workspace_of
from clew.store.ports import Reader
from clew.usecases.inputs import record_behind


@dataclass(frozen=True, slots=True)
class Unfolded:
    """What stands behind a handle: the record, its standing, and the exact bytes of its original."""

    record: Record
    standing: Standing
    data: bytes


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a record is what it is: its standing, its versions oldest first, what it hangs on and what hangs on it.

    links  (how, name, handle, weight), heaviest first: "calls", "called by", "refers to", "contains", ….
    """

    record: Record
    standing: Standing
    versions: tuple[tuple[Record, Standing], ...]
    links: tuple[tuple[str, str, str, float], ...]


def unfold(store: Reader, path: Path, handle: str) -> Unfolded:
    """Return the exact bytes behind a handle. Raises UnknownHandle or Purged."""
    key, _ = workspace_of(path)
    record = record_behind(store, key, handle)
    [standing] = store.standings(key, [record.id])
    return Unfolded(record, standing, Originals(store, key).bytes_of(record.whole))


def explain(store: Reader, path: Path, handle: str) -> Explained:
    """Return all that the store knows of a record. Raises UnknownHandle."""
    key, _ = workspace_of(path)
    record = record_behind(store, key, handle)
    [standing] = store.standings(key, [record.id])
    if record.kind == compressed.KIND and standing.is_live:
        ended, made_from = compressed.ended_of(store, key, record)
        reason = f"{ended} of the {made_from} records that it was made from are no longer true" if ended else ""
        standing = replace(standing, reason=reason)
    versions = store.of_subject(key, record.subject)
    standings = store.standings(key, [version.id for version in versions])
    return Explained(record, standing, tuple(zip(versions, standings, strict=True)), links_of(store, key, record))
