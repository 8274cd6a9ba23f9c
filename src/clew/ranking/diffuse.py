"""Diffusion: spread a question's mass over the record graph.

Takes an Index and seed weights, returns weights with what their neighbours gave. Knows nothing about tokens,
budgets or text; `assemble` decides what is shown. Never writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.ranking.seed import Seeds
from clew.records import Edge
from clew.store.index import Index
from clew.text.postings import Use

Floats: TypeAlias = NDArray[np.float32]

SPREAD = 0.25  # share of its neighbours' mass that a record takes on; guess, kept small: what is reachable is not what is relevant
FRONTIER = 32  # records whose neighbours are looked up: the heaviest
FAN_MAX = 400  # a frontier record with more neighbours than this is a hub and passes nothing on
CONTAINS_WEIGHT = 0.5  # between a record and what contains it
REVERSE = 0.6  # of a link's weight when followed from the used to the user

_WORDS = {Use.CALL: "calls", Use.REFERENCE: "refers to", Use.INHERIT: "inherits from", Use.MENTION: "mentions"}


@dataclass(frozen=True, slots=True)
class Flow:
    """Which record gave how much to which: m steps. `forms[words[i]]` says how the head of step i hangs on its tail."""

    tails: NDArray[np.int32]
    heads: NDArray[np.int32]
    mass: Floats
    words: NDArray[np.int32]
    forms: tuple[str, ...]

    def reasons(self, index: Index, docs: Sequence[int]) -> dict[int, tuple[str, int]]:
        """For each of `docs` that was given anything: the words and the tail of the step that gave most; ties by record id."""
        order = np.argsort(self.heads, kind="stable")
        heads = self.heads[order]
        found: dict[int, tuple[str, int]] = {}
        for doc, low, high in zip(docs, np.searchsorted(heads, docs, "left"), np.searchsorted(heads, docs, "right"), strict=True):
            rows = order[low:high]
            if not len(rows) or self.mass[rows].max() <= 0:
                continue
            rows = rows[self.mass[rows] == self.mass[rows].max()]
            best = min(rows.tolist(), key=lambda row: (index.id_of(int(self.tails[row])), int(self.words[row])))
            found[doc] = (self.forms[int(self.words[best])], int(self.tails[best]))
        return found


def diffuse(index: Index, seeds: Seeds, *, edges: tuple[Edge, ...] = ()) -> Flow:
    """Add to `seeds` one step of a weighted walk from its heaviest records, and return who gave what.

    Each frontier record shares SPREAD of its mass among its neighbours in proportion to weight / sqrt(degree of the
    neighbour), so that a hub neither collects nor spreads much. Changes the weights in place; never lowers one.
    edges    stored couplings that touch the frontier, already checked against their content hashes.
    Cost     O(links of the frontier).
    Source   one push step of personalised PageRank (Andersen, Chung, Lang 2006), degree-corrected.
    """
    live = np.flatnonzero(seeds.weights > 0).astype(np.int32)
    frontier = heaviest(index, seeds.weights, live, FRONTIER)
    tails, heads, weights, words, forms = _steps(index, frontier, edges)
    fan = np.bincount(tails, minlength=index.size)
    popularity = np.bincount(heads, minlength=index.size)
    keep = index.alive[heads] & (fan[tails] <= FAN_MAX)
    share = np.where(keep, weights / np.sqrt(np.maximum(popularity[heads], 1)), 0.0)
    outgoing = np.zeros(index.size)
    outgoing += np.bincount(tails, share, index.size)
    # A record with few, sure neighbours gives each its share; one with many splits it.
    mass = (SPREAD * seeds.weights[tails] * share / np.maximum(outgoing[tails], 1.0)).astype(np.float32)
    seeds.weights += np.bincount(heads, mass, index.size).astype(np.float32)
    return Flow(tails, heads, mass, words, forms)


def frontier_ids(index: Index, seeds: Seeds) -> list[str]:
    """Record ids of the documents that `diffuse` starts from, for looking up their stored edges."""
    live = np.flatnonzero(seeds.weights > 0).astype(np.int32)
    return [index.id_of(int(doc)) for doc in heaviest(index, seeds.weights, live, FRONTIER)]


def heaviest(index: Index, weights: Floats, docs: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """The `count` heaviest of `docs`, heaviest first; ties by record id, so that numbering does not matter."""
    if len(docs) > count:
        threshold = np.partition(weights[docs], len(docs) - count)[len(docs) - count]
        docs = docs[weights[docs] >= threshold]
    order = sorted(docs.tolist(), key=lambda doc: (-float(weights[doc]), index.id_of(doc)))
    return np.array(order[:count], np.int32)


def _steps(
    index: Index, frontier: NDArray[np.int32], edges: tuple[Edge, ...]
) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats, NDArray[np.int32], tuple[str, ...]]:
    """Steps from frontier records to their neighbours: tails, heads, weights, and which of the forms says it."""
    uses = len(Use)
    forms = [f"{{}} {word} it" for word in _WORDS.values()] + [f"it {word} {{}}" for word in _WORDS.values()] + ["it contains {}"]
    out, back = index.outgoing(frontier), index.incoming(frontier)
    parents = index.parent[frontier]
    held = parents >= 0
    pieces = [
        (out.tails, out.heads, out.weights, out.kinds.astype(np.int32)),
        (back.heads, back.tails, back.weights * np.float32(REVERSE), back.kinds.astype(np.int32) + uses),
        (
            frontier[held],
            parents[held],
            np.full(int(held.sum()), CONTAINS_WEIGHT, np.float32),
            np.full(int(held.sum()), 2 * uses, np.int32),
        ),
    ]
    for edge in edges:
        tail, head = index.docs_of([edge.tail])[:1], index.docs_of([edge.head])[:1]
        if len(tail) and len(head):
            form = f"{edge.kind} {{}}"
            if form not in forms:
                forms.append(form)
            weight, word = np.array([edge.weight], np.float32), np.array([forms.index(form)], np.int32)
            pieces += [(tail, head, weight, word), (head, tail, weight, word)]
    return (
        np.concatenate([piece[0] for piece in pieces]),
        np.concatenate([piece[1] for piece in pieces]),
        np.concatenate([piece[2] for piece in pieces]),
        np.concatenate([piece[3] for piece in pieces]),
        tuple(forms),
    )
