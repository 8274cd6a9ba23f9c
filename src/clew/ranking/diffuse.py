"""Diffusion: spread a question's mass over the record graph.

Takes weights of documents, returns them with what their neighbours gave. Knows nothing about tokens, budgets or text. Never writes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.records import MatchKind
from clew.store.ports import Snapshot
from clew.text.postings import NameUse

Floats: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.int32]
Step: TypeAlias = tuple[MatchKind, str]
"""How the head of a step (where the weight goes) depends on its tail (where it comes from): kind of reason, kind of use or edge."""

SPREAD = 0.25  # share of its neighbours' mass that a record takes on; guess, kept small: what is reachable is not what is relevant
FRONTIER = 32  # records whose neighbours are looked up: the heaviest
FAN_MAX = 400  # a frontier record with more neighbours than this is a hub and passes nothing on
CONTAINS_WEIGHT = 0.5  # between a record and what contains it


@dataclass(frozen=True, slots=True)
class WeightedDocuments:
    """Document numbers (n,) int32, ascending, and their weights (n,) float32."""

    docs: Numbers
    weights: Floats


@dataclass(frozen=True, slots=True)
class Flow:
    """The m steps of a diffusion: the weight `mass[i]` went from document `tails[i]` to `heads[i]` by link `steps[kinds[i]]`."""

    tails: Numbers
    heads: Numbers
    mass: Floats
    kinds: Numbers
    steps: tuple[Step, ...]

    def largest_contributions(self, snapshot: Snapshot, docs: Sequence[int]) -> dict[int, tuple[Step, int]]:
        """Return for each of `docs` that received weight the step that brought most of it and its tail document; ties go by record id."""
        order = np.argsort(self.heads, kind="stable")
        heads = self.heads[order]
        found: dict[int, tuple[Step, int]] = {}
        for doc, low, high in zip(docs, np.searchsorted(heads, docs, "left"), np.searchsorted(heads, docs, "right"), strict=True):
            rows = order[low:high]
            if not len(rows) or self.mass[rows].max() <= 0:
                continue
            rows = rows[self.mass[rows] == self.mass[rows].max()]
            best = min(rows.tolist(), key=lambda row: (snapshot.documents.id_of(int(self.tails[row])), int(self.kinds[row])))
            found[doc] = (self.steps[int(self.kinds[best])], int(self.tails[best]))
        return found


def diffuse(
    snapshot: Snapshot,
    seeds: WeightedDocuments,
    *,
    lighter: WeightedDocuments | None = None,
    along: Collection[str] = (),
    prior: Callable[[Numbers], Floats] | None = None,
) -> tuple[WeightedDocuments, Flow]:
    """Return the weights after one step of a weighted walk from the heaviest records, and the steps taken; no weight is lowered.

    Each frontier record shares SPREAD of its mass among its neighbours in proportion to weight / sqrt(degree of the
    neighbour), so that a hub neither collects nor spreads much.
    lighter  what else has a weight, lighter than all of `seeds`: returned where it is given more. It may hold those too.
    prior    says of document numbers, 0 to 1, what each takes on of what it is given. None: all of it.
    along    kinds of stored edges that are followed.
    Cost     O(links of the frontier).
    Source   one push step of personalised PageRank (Andersen, Chung, Lang 2006), degree-corrected.
    """
    frontier = select_heaviest(snapshot, seeds, FRONTIER).docs
    tails, heads, weights, kinds, steps = _steps(snapshot, frontier, along)
    nodes = np.unique(np.concatenate([tails, heads])).astype(np.int32)
    place, is_seed = _find(seeds.docs, nodes)
    own = np.zeros(len(nodes), np.float32)
    own[is_seed] = seeds.weights[place[is_seed]]
    if lighter is not None:
        there, is_lighter = _find(lighter.docs, nodes)
        is_lighter &= ~is_seed
        own[is_lighter] = lighter.weights[there[is_lighter]]
    tail, head = np.searchsorted(nodes, tails), np.searchsorted(nodes, heads)
    keep = np.bincount(tail, minlength=len(nodes))[tail] <= FAN_MAX
    share = np.where(keep, weights / np.sqrt(np.maximum(np.bincount(head, minlength=len(nodes))[head], 1)), 0.0)
    outgoing = np.bincount(tail, share, len(nodes))
    # A record with few, sure neighbours gives each its share; one with many splits it.
    mass = (SPREAD * own[tail] * share / np.maximum(outgoing[tail], 1.0)).astype(np.float32)
    if prior is not None:
        mass *= prior(heads)
    own += np.bincount(head, mass, len(nodes)).astype(np.float32)
    given = seeds.weights.copy()
    given[place[is_seed]] = own[is_seed]
    docs = np.insert(seeds.docs, place[~is_seed], nodes[~is_seed])
    return WeightedDocuments(docs, np.insert(given, place[~is_seed], own[~is_seed])), Flow(tails, heads, mass, kinds, steps)


def _find(docs: Numbers, wanted: Numbers) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return where in `docs`, which ascend, each of `wanted` stands or would stand, and which do."""
    place = np.searchsorted(docs, wanted)
    is_there = place < len(docs)
    is_there[is_there] = docs[place[is_there]] == wanted[is_there]
    return place, is_there


def select_heaviest(snapshot: Snapshot, found: WeightedDocuments, count: int) -> WeightedDocuments:
    """Return the `count` heaviest documents, heaviest first; ties go by record id, so that document numbers do not matter."""
    docs, weights = found.docs, found.weights
    if len(docs) > count:
        keep = weights >= np.partition(weights, len(docs) - count)[len(docs) - count]
        docs, weights = docs[keep], weights[keep]
    ids = snapshot.documents.ids_of(docs.tolist())
    order = sorted(range(len(docs)), key=lambda at: (-float(weights[at]), ids[at]))[:count]
    return WeightedDocuments(docs[order], weights[order])


_USES = tuple(use.name.lower() for use in NameUse)


def _steps(snapshot: Snapshot, frontier: Numbers, along: Collection[str]) -> tuple[Numbers, Numbers, Floats, Numbers, tuple[Step, ...]]:
    """Steps from frontier records to their neighbours: tails, heads, weights, and which of the kinds of step each is."""
    documents, count = snapshot.documents, len(NameUse)
    steps: list[Step] = [*((MatchKind.USED_BY, use) for use in _USES), *((MatchKind.USES, use) for use in _USES), (MatchKind.CONTAINS, "")]
    out, back = snapshot.names.outgoing(frontier), snapshot.names.incoming(frontier)
    parents = documents.parent[frontier]
    held = parents >= 0
    pieces = [
        (out.tails, out.heads, out.weights, out.kinds.astype(np.int32)),
        (back.heads, back.tails, back.weights, back.kinds.astype(np.int32) + count),
        (
            frontier[held],
            parents[held],
            np.full(int(held.sum()), CONTAINS_WEIGHT, np.float32),
            np.full(int(held.sum()), 2 * count, np.int32),
        ),
    ]
    edges = [edge for edge in snapshot.edges(documents.ids_of(frontier.tolist())) if edge.kind in along]
    ids = list(dict.fromkeys(end for edge in edges for end in (edge.tail, edge.head)))
    docs, owners = documents.located(ids)
    doc_of: dict[str, int] = {}
    pairs: list[list[int]] = np.stack([docs, owners], axis=1).tolist()
    for doc, owner in pairs:
        doc_of.setdefault(ids[owner], doc)
    for edge in edges:
        if edge.tail in doc_of and edge.head in doc_of:
            step = (MatchKind.COUPLED, edge.kind)
            if step not in steps:
                steps.append(step)
            tail, head = np.array([doc_of[edge.tail]], np.int32), np.array([doc_of[edge.head]], np.int32)
            weight, kind = np.array([edge.weight], np.float32), np.array([steps.index(step)], np.int32)
            pieces += [(tail, head, weight, kind), (head, tail, weight, kind)]
    tails, heads, weights, kinds = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return tails, heads, weights, kinds, tuple(steps)
