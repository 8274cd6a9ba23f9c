"""Fit: which weights make what was looked for likely among all candidates?

Takes what the channels said of the candidates of questions whose answers are known, and returns weights. A listwise softmax
(conditional logit): the chance of a candidate is the exponential of its score, over all candidates of its question. What is
maximised is the logarithm of the chance that a draw is one of the changed records, plus that it stands in one of the
changed files, less a l2_penalty towards the weights from which it starts. Knows neither commits nor stores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.ranking.weights import DEFAULT, Weights

Floats: TypeAlias = NDArray[np.float64]

STEPS = 200  # the weights of 80 questions move by less than .01 after 150
RATE = 0.05


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and its candidates.

    values     (candidates, channels) in the order of `clew.ranking.weights.CHANNELS`.
    is_record  (candidates,) it is one of the changed records; at least one is.
    is_file    (candidates,) it stands in one of the changed files.
    """

    values: NDArray[np.float32]
    is_record: NDArray[np.bool_]
    is_file: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Stack:
    values: Floats
    is_record: Floats
    is_file: Floats
    first: NDArray[np.int64]
    of: NDArray[np.int64]


def likelihood(questions: Sequence[Labelled], weights: Weights) -> Floats:
    """(questions,) the logarithm of the chance of a changed record, plus that of a changed file, in nats; higher is better."""
    stack = _stacked(questions)
    chance = _chances(stack, np.array(astuple(weights)))
    total = np.zeros(len(questions))
    for label in (stack.is_record, stack.is_file):
        total += np.log(np.maximum(np.add.reduceat(chance * label, stack.first), 1e-30))
    return total


def fit(questions: Sequence[Labelled], l2_penalty: float, start: Weights = DEFAULT) -> Weights:
    """Return the weights for these questions. Deterministic; a channel that never speaks keeps its weight.

    l2_penalty  how strongly a weight is held where it was, per squared nat.
    Cost    STEPS passes over all candidates.
    Source  Adam (Kingma and Ba 2015) with steps that fall to zero; McFadden 1974 for the likelihood.
    """
    stack = _stacked(questions)
    origin = np.array(astuple(start))
    weights, momentum, power = origin.copy(), np.zeros_like(origin), np.zeros_like(origin)
    for step in range(1, STEPS + 1):
        chance = _chances(stack, weights)
        slope = l2_penalty * (weights - origin)
        for label in (stack.is_record, stack.is_file):
            held = chance * label
            held /= np.maximum(np.add.reduceat(held, stack.first), 1e-30)[stack.of]
            slope += stack.values.T @ (chance - held) / len(questions)
        momentum = 0.9 * momentum + 0.1 * slope
        power = 0.99 * power + 0.01 * slope * slope
        rate = RATE * (1 - (step - 1) / STEPS)
        weights -= rate * (momentum / (1 - 0.9**step)) / (np.sqrt(power / (1 - 0.99**step)) + 1e-8)
    return Weights(*(round(float(weight), 4) for weight in weights))


def _stacked(questions: Sequence[Labelled]) -> _Stack:
    sizes = [len(question.values) for question in questions]
    return _Stack(
        np.concatenate([question.values for question in questions]).astype(np.float64),
        np.concatenate([question.is_record for question in questions]).astype(np.float64),
        np.concatenate([question.is_file for question in questions]).astype(np.float64),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
        np.repeat(np.arange(len(sizes)), sizes),
    )


def _chances(stack: _Stack, weights: Floats) -> Floats:
    score = stack.values @ weights
    chance = np.exp(score - np.maximum.reduceat(score, stack.first)[stack.of])
    return chance / np.add.reduceat(chance, stack.first)[stack.of]
