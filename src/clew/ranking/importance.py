"""Importance: compute how much would be lost with a record, before any question is asked.

From three things that the store knows: how often the record was used, how many others rest on it, and whether it is still true.
What kind of record it is does not count. Read in batches from one Snapshot. Never writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log1p
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.records import EdgeKind, Record, Status
from clew.store.ports import Snapshot

Floats: TypeAlias = NDArray[np.float32]

SUSPECT_SHARE = 0.75  # of the strength of a true record: what is left while what it was derived from has changed; guess
ENDED_SHARE = 0.5  # likewise once it was fixed, replaced or undone; guess
NEUTRAL = 0.5  # of a record that is true, was never used, and on which nothing rests


@dataclass(frozen=True, slots=True)
class Importance:
    """The parts of a record's importance.

    uses        number of packets that showed it; of code they are not counted.
    dependents  number of records that rest on it: they use a name that it defines (an expected number, where several define it), cite
                it, or were fixed by it.
    outcome     1 for a record that is true, SUSPECT_SHARE in doubt, ENDED_SHARE when it has ended.
    """

    uses: int = 0
    dependents: float = 0.0
    outcome: float = 1.0

    @property
    def value(self) -> float:
        """Above 0 and below 1; NEUTRAL for a true record without uses and dependents."""
        strength = self.outcome * (1.0 + log1p(self.uses) + log1p(self.dependents))
        return strength / (1.0 + strength)


def compute_importance(snapshot: Snapshot, records: Sequence[Record], statuses: Sequence[Status] = ()) -> list[Importance]:
    """Return the importance of each record.

    statuses  of the records, where the caller has read them already.
    Cost      two batch queries for records of sessions; the index's tables of names for code.
    """
    found = statuses or snapshot.statuses([record.id for record in records])
    counts = _count_by_edges(snapshot, [record.id for record in records if record.session])
    if code := [record.id for record in records if not record.session]:
        docs, owners = snapshot.documents.located(code)
        users: list[float] = snapshot.names.count_users(docs).tolist()
        numbers: list[int] = owners.tolist()
        for number, count in zip(numbers, users, strict=True):
            counts[code[number]] = max(counts.get(code[number], 0.0), count)
    return [Importance(status.uses, counts.get(record.id, 0.0), _outcome(status)) for record, status in zip(records, found, strict=True)]


def compute_code_importance(snapshot: Snapshot, docs: NDArray[np.int32]) -> Floats:
    """Return the values (n,) float32 of `Importance` of code that is indexed and true. Uses of code are not counted."""
    strength = np.float32(1) + np.log1p(snapshot.names.count_users(docs))
    return (strength / (np.float32(1) + strength)).astype(np.float32)


def _count_by_edges(snapshot: Snapshot, ids: Sequence[str]) -> dict[str, float]:
    """Count by id the claims that cite each of these, and the failures that it fixed. What a model made of a record stands in for it."""
    resting: dict[str, set[str]] = {}
    for edge in snapshot.edges(ids) if ids else ():
        if edge.kind == EdgeKind.MENTIONS:
            resting.setdefault(edge.head, set()).add(edge.tail)
        elif edge.kind == EdgeKind.FIXES:
            resting.setdefault(edge.tail, set()).add(edge.head)
    return {record_id: float(len(others)) for record_id, others in resting.items()}


def _outcome(status: Status) -> float:
    return ENDED_SHARE if not status.is_live else SUSPECT_SHARE if status.is_suspect else 1.0
