"""Edge: a typed, weighted coupling between two records, keyed by the content hashes of both ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EdgeKind(StrEnum):
    """What couples two records; a producer of edges may name a kind of its own."""

    CONTAINS = "contains"
    TESTS = "tests"
    CO_CHANGES = "co-changes"
    EDITED_TOGETHER = "edited-together"
    MENTIONS = "mentions"
    FIXES = "fixes"
    DERIVED_FROM = "derived-from"


@dataclass(frozen=True, slots=True)
class Edge:
    """One coupling. It is true only while both ends still have the digests it was made from.

    weight  0 to 1: the confidence that the coupling is real times how much it matters.
    by      the producer that claims it.
    """

    kind: str
    tail: str
    head: str
    weight: float
    tail_digest: str = ""
    head_digest: str = ""
    by: str = ""
