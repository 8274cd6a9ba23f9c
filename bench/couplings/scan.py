"""Scan: what part of a scan brings how much of it, what a least chance costs, what a second step finds, and which edges last."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.couplings.measure import Repository, choose
from bench.couplings.replay import Replayed
from clew.enrich.function_pairs import FEATURES, Floats, PairWeights

SHARES = (0.1, 0.25, 0.5)  # of the functions, that a partial scan reads
CHANCES = (0.0, 0.002, 0.005, 0.01, 0.02)  # least ones of a pair
COMMITS = 30  # after which edges are looked at again


def scan(repositories: Sequence[tuple[Replayed, Repository]], weights: PairWeights) -> dict[str, Any]:
    """Return shares of the later pairs that the whole scan finds, precision and recall by least chance and by step, and lasting edges."""
    part: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(SHARES))
    chances = {least: np.zeros(3) for least in CHANCES}
    steps, lasting, later_pairs, whole = np.zeros((2, 2)), np.zeros(2), 0, 0
    for replayed, repository in repositories:
        scores = weights.chances(repository.candidates.rows)
        chosen = choose(repository.candidates, scores)
        pairs, is_later = repository.candidates.pairs[chosen], repository.is_later[chosen] > 0
        later_pairs += len(repository.later)
        whole += len(_unordered(pairs[is_later]))
        for name, order in _orders(replayed, repository, pairs, scores[chosen]).items():
            for at, share in enumerate(SHARES):
                read = np.zeros(len(order), np.bool_)
                read[np.lexsort((np.arange(len(order)), -order))[: int(len(order) * share)]] = True
                part[name][at] += len(_unordered(pairs[is_later & read[pairs[:, 0]]]))
        for least in CHANCES:
            kept = scores[chosen] >= least
            chances[least] += kept.sum(), (kept & is_later).sum(), len(_unordered(pairs[kept & is_later]))
        one, two = _reached(replayed, pairs)
        for at, found in enumerate((one, two)):
            steps[at] += len(found & repository.later.keys()), len(found)
        changed = {number for commit in replayed.later[-COMMITS:] for number in commit}
        lasting += sum(not changed & set(pair) for pair in pairs.tolist()), len(pairs)
    return {
        "of_the_whole_scan": {
            name: dict(zip(SHARES, np.round(np.array(row) / whole, 3).tolist(), strict=True)) for name, row in part.items()
        },
        "least_chance": {
            least: {"edges": int(n), "precision": round(hits / n, 4), "recall": round(found / later_pairs, 3)}
            for least, (n, hits, found) in chances.items()
        },
        "steps": [{"precision": round(hits / n, 5), "recall": round(hits / later_pairs, 3)} for hits, n in steps.tolist()],
        "lasting": round(float(lasting[0] / lasting[1]), 3),
    }


def _orders(replayed: Replayed, repository: Repository, pairs: NDArray[np.int64], chances: Floats) -> Mapping[str, Floats]:
    """Return what functions may be ordered by, most wanted first."""
    count = len(replayed.functions)
    uses, churn = np.zeros(count), np.zeros(count)
    for a, b in replayed.linked:
        if replayed.functions[a].path != replayed.functions[b].path:
            uses[[a, b]] += 1
    churn[repository.candidates.pairs[:, 0]] = repository.candidates.rows[:, FEATURES.index("churn")]
    return {
        "much used, seldom changed": np.log1p(uses) - churn,
        "seldom changed": -churn,
        "much used": uses,
        "likeliest pairs": np.bincount(pairs[:, 0], chances, count).astype(np.float64),
        "random": np.random.default_rng(zlib.crc32(replayed.repo.encode())).random(count),
    }


def _reached(replayed: Replayed, pairs: NDArray[np.int64]) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the pairs of one step, and those of different files that a second step adds."""
    near: dict[int, set[int]] = defaultdict(set)
    for a, b in pairs.tolist():
        near[a].add(b)
        near[b].add(a)
    one = _unordered(pairs)
    path = [each.path for each in replayed.functions]
    two = {(a, b) for a, mids in near.items() for mid in mids for b in near[mid] if a < b and path[a] != path[b]}
    return one, two - one


def _unordered(pairs: NDArray[np.int64]) -> set[tuple[int, int]]:
    return {(min(pair), max(pair)) for pair in pairs.tolist()}
