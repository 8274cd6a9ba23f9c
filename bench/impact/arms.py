"""Arms: ways to rank the other files of a change from what was replayed, and how good each is.

`clew` uses the weights that ship; `clew-KIND` is the same without one kind of coupling; `only-KIND` is that kind alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import TypeAlias

from bench.impact.replay import Asked, Replayed
from clew.impact.couplings import COUPLING_KINDS
from clew.impact.impact import COUPLING_WEIGHTS

Arm: TypeAlias = Callable[[Replayed, Asked], list[str]]
DEPTH = 10


def weighted(weights: Mapping[str, float]) -> Arm:
    """Rank by the weighted sum of shares, as `clew impact` does; ties by path."""

    def rank(_: Replayed, asked: Asked) -> list[str]:
        scores: dict[str, float] = {}
        for kind, weight in weights.items():
            for path, share in asked.shares.get(kind, {}).items():
                scores[path] = scores.get(path, 0.0) + weight * share
        return sorted((path for path, score in scores.items() if score > 0), key=lambda path: (-round(scores[path], 6), path))[:DEPTH]

    return rank


def raw_co_change(_: Replayed, asked: Asked) -> list[str]:
    """The files that were most often in one commit with the given one."""
    together = Counter(path for _, files in asked.past for path in files if path != asked.given)
    return sorted(together, key=lambda path: (-together[path], path))[:DEPTH]


def at_random(replayed: Replayed, asked: Asked) -> list[str]:
    """Ten files by the hash of their path and the change: the same in every run."""
    keyed = {blake2b(f"{replayed.id} {path}".encode(), digest_size=8).digest(): path for path in replayed.candidates if path != asked.given}
    return [keyed[key] for key in sorted(keyed)[:DEPTH]]


def oracle(replayed: Replayed, asked: Asked) -> list[str]:
    """The other files of the change, as far as they are indexed."""
    return [path for path in replayed.files if path in set(replayed.candidates) and path != asked.given][:DEPTH]


def arms(weights: Mapping[str, float] = COUPLING_WEIGHTS) -> dict[str, Arm]:
    """Every arm by its name."""
    found: dict[str, Arm] = {
        "random": at_random,
        "folder": weighted({"folder": 1.0}),
        "imports": weighted({"imports": 1.0}),
        "co-change, raw counts": raw_co_change,
        "clew": weighted(weights),
    }
    for kind in COUPLING_KINDS:
        if kind in weights:
            found[f"clew without {kind}"] = weighted({other: weight for other, weight in weights.items() if other != kind})
    for kind in COUPLING_KINDS:
        found[f"{kind} alone"] = weighted({kind: 1.0})
    found["oracle"] = oracle
    return found


def scores(arm: Arm, replayed: Replayed) -> dict[str, float] | None:
    """Mean over the given files of one change: recall@5, recall@10 and reciprocal rank; None if no file could be given."""
    rows: list[tuple[float, float, float]] = []
    for asked in replayed.asked:
        gold = {path for path in replayed.files if path != asked.given}
        ranked = arm(replayed, asked)
        first = next((place for place, path in enumerate(ranked, 1) if path in gold), 0)
        rows.append((_recall(ranked[:5], gold), _recall(ranked[:10], gold), 1 / first if first else 0.0))
    if not rows:
        return None
    return {name: sum(row[at] for row in rows) / len(rows) for at, name in enumerate(("recall@5", "recall@10", "mrr"))}


def _recall(ranked: Sequence[str], gold: set[str]) -> float:
    return len(gold & set(ranked)) / len(gold)
