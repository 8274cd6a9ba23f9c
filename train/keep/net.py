"""Net: one hidden layer, fitted with Adam on the weighted cross entropy. Deterministic for its seed.

Source  Kingma, Ba 2015, algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clew.compaction.keep import CLIP, ScoringNetwork
from clew.compaction.names import Floats

RATE = 2e-3


@dataclass(frozen=True, slots=True)
class Shape:
    """Size and schedule of a fit. members  fits from other starts: their mean is steadier than any."""

    hidden: int = 24
    members: int = 3
    epochs: int = 6
    batch: int = 512
    decay: float = 1e-3


def fit(features: Floats, target: Floats, weight: Floats, shape: Shape = Shape()) -> ScoringNetwork:
    """Return the net that gives the chance of `target` (n,) 0 or 1, each row counted `weight` times."""
    mean, scale = features.mean(0), features.std(0) + 1e-3
    given = ((features - mean) / scale).clip(-CLIP, CLIP)
    members = [_fitted(given, target, weight, seed, shape) for seed in range(shape.members)]
    return ScoringNetwork(mean, scale, *(np.stack(parts) for parts in zip(*members, strict=True)))


def _fitted(given: Floats, target: Floats, weight: Floats, seed: int, shape: Shape) -> tuple[Floats, ...]:
    random = np.random.default_rng(seed)
    inputs = given.shape[1]
    parts = [
        random.normal(0, inputs**-0.5, (inputs, shape.hidden)).astype(np.float32),
        np.zeros(shape.hidden, np.float32),
        random.normal(0, shape.hidden**-0.5, shape.hidden).astype(np.float32),
        np.full(1, -4.0, np.float32),
    ]
    means, squares = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    step = 0
    for epoch in range(shape.epochs):
        order = random.permutation(len(given))
        rate = RATE * (1 - epoch / shape.epochs)
        for start in range(0, len(order), shape.batch):
            rows = order[start : start + shape.batch]
            step += 1
            for at, slope in enumerate(_slopes(parts, given[rows], target[rows], weight[rows], shape.decay)):
                means[at] += 0.1 * (slope - means[at])
                squares[at] += 0.001 * (slope * slope - squares[at])
                parts[at] -= rate * (means[at] / (1 - 0.9**step)) / (np.sqrt(squares[at] / (1 - 0.999**step)) + 1e-8)
    first, bias, second, last = parts
    return first, bias, second, last[0]


def _slopes(parts: list[Floats], given: Floats, target: Floats, weight: Floats, decay: float) -> tuple[Floats, ...]:
    first, bias, second, last = parts
    hidden = np.maximum(given @ first + bias, 0)
    chance = 1 / (1 + np.exp(-(hidden @ second + last[0])))
    error = (chance - target) * weight / len(given)
    back = np.outer(error, second) * (hidden > 0)
    return given.T @ back + decay * first, back.sum(0), hidden.T @ error + decay * second, error.sum(keepdims=True)
