"""Net: one hidden layer, fitted with Adam on the weighted cross entropy. Deterministic for its seed.

Source  Kingma, Ba 2015, algorithm 1.
"""

from __future__ import annotations

import numpy as np

from clew.compaction.keep import CLIP, ScoringNetwork
from clew.compaction.names import Floats

HIDDEN = 24
MEMBERS = 3  # fits from other starts; their mean is steadier than any
EPOCHS, BATCH, RATE, DECAY = 6, 512, 2e-3, 1e-3


def fit(features: Floats, target: Floats, weight: Floats) -> ScoringNetwork:
    """Return the net that gives the chance of `target` (n,) 0 or 1, each row counted `weight` times."""
    mean, scale = features.mean(0), features.std(0) + 1e-3
    given = ((features - mean) / scale).clip(-CLIP, CLIP)
    members = [_fitted(given, target, weight, seed) for seed in range(MEMBERS)]
    return ScoringNetwork(mean, scale, *(np.stack(parts) for parts in zip(*members, strict=True)))


def _fitted(given: Floats, target: Floats, weight: Floats, seed: int) -> tuple[Floats, ...]:
    random = np.random.default_rng(seed)
    inputs = given.shape[1]
    parts = [
        random.normal(0, inputs**-0.5, (inputs, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        random.normal(0, HIDDEN**-0.5, HIDDEN).astype(np.float32),
        np.full(1, -4.0, np.float32),
    ]
    means, squares = [np.zeros_like(part) for part in parts], [np.zeros_like(part) for part in parts]
    step = 0
    for epoch in range(EPOCHS):
        order = random.permutation(len(given))
        rate = RATE * (1 - epoch / EPOCHS)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            step += 1
            for at, slope in enumerate(_slopes(parts, given[rows], target[rows], weight[rows])):
                means[at] += 0.1 * (slope - means[at])
                squares[at] += 0.001 * (slope * slope - squares[at])
                parts[at] -= rate * (means[at] / (1 - 0.9**step)) / (np.sqrt(squares[at] / (1 - 0.999**step)) + 1e-8)
    first, bias, second, last = parts
    return first, bias, second, last[0]


def _slopes(parts: list[Floats], given: Floats, target: Floats, weight: Floats) -> tuple[Floats, ...]:
    first, bias, second, last = parts
    hidden = np.maximum(given @ first + bias, 0)
    chance = 1 / (1 + np.exp(-(hidden @ second + last[0])))
    error = (chance - target) * weight / len(given)
    back = np.outer(error, second) * (hidden > 0)
    return given.T @ back + DECAY * first, back.sum(0), hidden.T @ error + DECAY * second, error.sum(keepdims=True)
