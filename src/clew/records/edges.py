"""Edge: a typed, weighted link between two records, valid while the content of both is unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

THOUGHT_KIND = "thought"  # of records that say what a model thinks of two functions; of one function they are `thought:<path>::<name>`
SEMANTIC_SOURCE = "semantic:"  # what was thought of a function is the source `semantic:<path>::<name>`


class EdgeKind(StrEnum):
    """The standard kinds of link between two records. `Edge.kind` is a string, so a producer of edges may add its own."""

    CONTAINS = "contains"
    TESTS = "tests"
    CO_CHANGES = "co-changes"
    EDITED_TOGETHER = "edited-together"
    MENTIONS = "mentions"
    FIXES = "fixes"
    DERIVED_FROM = "derived-from"
    ALIKE = "alike"  # functions of different files that nothing links and whose words say that they may change together
    SEMANTIC = "semantic"  # what a model thinks of two such functions; never structure


@dataclass(frozen=True, slots=True)
class Edge:
    """A directed link from the record with id `tail` to the one with id `head`; ignored once either end's digest has changed.

    weight  0 to 1: the confidence that the link is real times how much it matters.
    by      name and version of the producer that stored it.
    """

    kind: str
    tail: str
    head: str
    weight: float
    tail_digest: str = ""
    head_digest: str = ""
    by: str = ""
