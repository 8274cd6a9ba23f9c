"""Arms: other ways to show as many tokens of an output, in whole lines."""

from __future__ import annotations

import random
from collections.abc import Sequence


def tail(costs: Sequence[float], tokens: float) -> list[int]:
    """The last lines that fit."""
    found: list[int] = []
    for at in range(len(costs) - 1, -1, -1):
        tokens -= costs[at]
        if tokens < 0:
            break
        found.append(at)
    return found[::-1]


def head_and_tail(costs: Sequence[float], tokens: float) -> list[int]:
    """The first lines that fit into half of it, and the last ones that fit into the rest."""
    first = head(costs, tokens / 2)
    last = tail(costs, tokens - sum(costs[at] for at in first))
    return sorted({*first, *last})


def head(costs: Sequence[float], tokens: float) -> list[int]:
    """The first lines that fit."""
    found: list[int] = []
    for at, cost in enumerate(costs):
        tokens -= cost
        if tokens < 0:
            break
        found.append(at)
    return found


def lines_at_random(costs: Sequence[float], tokens: float, seed: str) -> list[int]:
    """Lines drawn by a seed until the next one does not fit."""
    order = list(range(len(costs)))
    random.Random(seed).shuffle(order)
    found: list[int] = []
    for at in order:
        tokens -= costs[at]
        if tokens < 0:
            break
        found.append(at)
    return sorted(found)
