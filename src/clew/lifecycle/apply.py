"""Apply proposed changes (Deltas) to the store, many in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from clew.lifecycle.redaction import rebuild_progress, redact_delta
from clew.records import Delta
from clew.store.ports import LOCAL, Writer

TRANSACTION_BYTES = 8_000_000  # originals in one transaction: large enough to amortise the commit, small enough to lose little to a kill
TRANSACTION_DELTAS = 256  # applied in one transaction at most


@dataclass(slots=True)
class ApplyTotals:
    """Counts summed over all transactions of one `apply_deltas`; `generation` is the store's after the last of them."""

    deltas: int = 0
    added: int = 0
    kept: int = 0
    superseded: int = 0
    retired: int = 0
    generation: int = 0


def apply_deltas(writer: Writer, workspace: str, deltas: Iterable[Delta]) -> ApplyTotals:
    """Apply Deltas (proposed changes) to a workspace in batches, each one transaction, and return what changed.

    When it is interrupted, the batches applied so far stay, and the next run proposes the rest again.
    """
    with writer.snapshot(LOCAL, workspace) as snapshot:
        totals = ApplyTotals(generation=snapshot.generation)
    batch: list[Delta] = []
    size = 0
    redacted: set[str] = set()
    for delta in deltas:
        rest = redact_delta(writer, workspace, delta, is_redacted=delta.source in redacted)
        if len(rest) > 1:  # a session that is read again: its lines hold what was purged, and so does the state that was made of them
            redacted.add(delta.source)
        batch += rest
        size += sum(len(blob.data) for blob in delta.blobs) + len(delta.segment)
        if size >= TRANSACTION_BYTES or len(batch) >= TRANSACTION_DELTAS:
            _apply(writer, workspace, batch, totals)
            batch, size = [], 0
    if batch:
        _apply(writer, workspace, batch, totals)
    for source in redacted:
        rebuild_progress(writer, workspace, source)
    return totals


def _apply(writer: Writer, workspace: str, batch: list[Delta], totals: ApplyTotals) -> None:
    applied = writer.apply(workspace, batch, time.time_ns())
    totals.deltas += len(batch)
    totals.added += applied.added
    totals.kept += applied.kept
    totals.superseded += applied.superseded
    totals.retired += applied.retired
    totals.generation = applied.generation
