"""Accept: take proposed Deltas into the store, many in one transaction, never half of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from clew.lifecycle.lines import admitted
from clew.records import Delta
from clew.store.ports import LOCAL, Writer

BATCH_BYTES = 8_000_000  # originals in one transaction: large enough to amortise the commit, small enough to lose little to a kill
BATCH_DELTAS = 256


@dataclass(slots=True)
class Totals:
    """What was changed by all transactions of one call."""

    deltas: int = 0
    added: int = 0
    kept: int = 0
    superseded: int = 0
    retired: int = 0
    generation: int = 0


def accept(writer: Writer, workspace: str, deltas: Iterable[Delta]) -> Totals:
    """Apply deltas in batches. When it is interrupted, what was applied stands, and the rest is found again by the next run."""
    with writer.snapshot(LOCAL, workspace) as snapshot:
        totals = Totals(generation=snapshot.generation)
    batch: list[Delta] = []
    size = 0
    for delta in deltas:
        batch += admitted(writer, workspace, delta)
        size += sum(len(blob.data) for blob in delta.blobs) + len(delta.segment)
        if size >= BATCH_BYTES or len(batch) >= BATCH_DELTAS:
            _apply(writer, workspace, batch, totals)
            batch, size = [], 0
    if batch:
        _apply(writer, workspace, batch, totals)
    return totals


def _apply(writer: Writer, workspace: str, batch: list[Delta], totals: Totals) -> None:
    applied = writer.apply(workspace, batch)
    totals.deltas += len(batch)
    totals.added += applied.added
    totals.kept += applied.kept
    totals.superseded += applied.superseded
    totals.retired += applied.retired
    totals.generation = applied.generation
