"""Fit: a multinomial regression over hashed n-grams and counts, a logistic calibration of each class, and the pairs.

Deterministic. Source of the calibration: Platt 1999.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression

from clew.task.recogniser import (
    BUCKETS,
    CLASSES,
    Floats,
    Grams,
    compute_counts,
    compute_grams,
    compute_log_odds,
    hash_stem,
    simplify,
)
from clew.task.rules import find_stems
from train.recogniser.examples import Example

GRAM_SCALE = 10.0  # of an n-gram against a count: what the penalty spares
PENALTY, ROUNDS_MAX = 10.0, 150  # bench/LOG.md
IDF_SCALE = 4.0
SENTENCES_MIN = 2  # what a single sentence holds is noise: the same figures, a smaller table
COUNT = len(CLASSES)
COMMON_SHARE = 0.003  # guess: about 200 stems
PAIR_PENALTY = 0.03  # guess


@dataclass(frozen=True, slots=True)
class Inputs:
    """Examples as numbers: n-grams, counts (n, COUNTS), classes (n,), weights (n,)."""

    grams: Grams
    counts: Floats
    classes: NDArray[np.int64]
    weights: Floats

    def select(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Return the buckets and shares of some rows, and where each row starts."""
        ends = np.append(self.grams.starts[1:], len(self.grams.buckets))
        sizes = (ends - self.grams.starts)[rows]
        starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)[:-1]))
        places = np.repeat(self.grams.starts[rows] - starts, sizes) + np.arange(int(sizes.sum()))
        return self.grams.buckets[places], self.grams.shares[places], starts


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights before they are rounded: `table` (BUCKETS, classes), `counts` (COUNTS, classes), `bias` (classes,)."""

    table: Floats
    counts: Floats
    bias: Floats

    def score(self, inputs: Inputs, rows: NDArray[np.int64]) -> Floats:
        """Return (rows, classes) scores."""
        found = [np.zeros((0, COUNT), np.float32)]
        for part in np.array_split(rows, max(1, len(rows) // 512)):
            if len(part):
                buckets, shares, starts = inputs.select(part)
                sums = np.add.reduceat(self.table[buckets] * shares[:, None], starts, axis=0)
                found.append(sums + inputs.counts[part] @ self.counts + self.bias)
        return np.concatenate(found).astype(np.float32)


def read_inputs(examples: Sequence[Example]) -> Inputs:
    """Return examples as numbers."""
    texts = [example.text for example in examples]
    weights = np.array([example.weight for example in examples], np.float32)
    return Inputs(
        compute_grams([simplify(text) for text in texts]),
        compute_counts(texts, [example.context for example in examples]),
        np.array([CLASSES.index(example.label) for example in examples]),
        weights / weights.mean(),
    )


def fit(inputs: Inputs, rows: NDArray[np.int64]) -> Fitted:
    """Return the regression fitted on these rows. Cost: about 5 s for 15,000 sentences."""
    scale = weigh_buckets(inputs, rows) * GRAM_SCALE
    buckets, shares, starts = inputs.select(rows)
    grams = csr_matrix((shares * scale[buckets], buckets, np.append(starts, len(buckets))), shape=(len(rows), BUCKETS))
    grams.sum_duplicates()
    weights = inputs.weights[rows] / inputs.weights[rows].mean()
    model: Any = LogisticRegression(C=1 / PENALTY, max_iter=ROUNDS_MAX, tol=1e-3)
    model.fit(hstack([grams, inputs.counts[rows]]).tocsr(), inputs.classes[rows], sample_weight=weights)
    table = model.coef_[:, :BUCKETS].T * scale[:, None]
    return Fitted(table.astype(np.float32), model.coef_[:, BUCKETS:].T.astype(np.float32), model.intercept_.astype(np.float32))


def weigh_buckets(inputs: Inputs, rows: NDArray[np.int64]) -> Floats:
    """Return (BUCKETS,): what each n-gram counts for, more for one that few sentences hold, 0 for one that a single sentence holds."""
    buckets, _, starts = inputs.select(rows)
    owner = np.repeat(np.arange(len(rows)), np.diff(np.append(starts, len(buckets))))
    pairs = np.unique(owner * BUCKETS + buckets)
    counts = np.bincount(pairs % BUCKETS, minlength=BUCKETS)
    scale = np.log((1 + len(rows)) / (1 + counts)) / IDF_SCALE
    return np.where(counts >= SENTENCES_MIN, scale, 0).astype(np.float32)


def calibrate(scores: Floats, inputs: Inputs, rows: NDArray[np.int64], *, rounds: int = 400) -> tuple[Floats, Floats]:
    """Return slope and shift (classes,) of each class's logistic calibration, fitted on scores of sentences that the fit did not see."""
    odds = compute_log_odds(scores).astype(np.float64)
    slopes, shifts = np.ones(COUNT), np.zeros(COUNT)
    weight = inputs.weights[rows].astype(np.float64)
    for at in range(COUNT):
        target = (inputs.classes[rows] == at).astype(np.float64)
        given = np.stack((odds[:, at], np.ones(len(odds))), axis=1)
        found = np.array([1.0, 0.0])
        for _ in range(rounds):
            chance = 1 / (1 + np.exp(-given @ found))
            slope = given.T @ ((chance - target) * weight) + np.array([1e-2 * (found[0] - 1), 0])
            curve = given.T @ (given * (weight * chance * (1 - chance))[:, None]) + 1e-2 * np.eye(2)
            change = np.linalg.solve(curve, slope)
            found -= change
            if np.abs(change).max() < 1e-7:
                break
        slopes[at], shifts[at] = max(found[0], 0.05), found[1]
    return slopes.astype(np.float32), shifts.astype(np.float32)


def find_common_stems(texts: Sequence[str]) -> frozenset[int]:
    """Return the hashes of stems that at least COMMON_SHARE of these sentences hold: they say little of what a sentence is about."""
    counts = Counter(hash_stem(stem) for text in texts for stem in find_stems(text))
    return frozenset(stem for stem, count in counts.items() if count >= COMMON_SHARE * len(texts))


def fit_pairs(features: Floats, ended: NDArray[np.bool_], *, rounds: int = 100) -> Floats:
    """Return the weights (features,) of a logistic regression with PAIR_PENALTY, by Newton's method."""
    given, target = features.astype(np.float64), ended.astype(np.float64)
    found = np.zeros(given.shape[1])
    penalty = np.full(given.shape[1], PAIR_PENALTY)
    penalty[0] = 1e-3  # the constant
    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-given @ found))
        slope = given.T @ (chance - target) + penalty * found
        change = np.linalg.solve(given.T @ (given * (chance * (1 - chance))[:, None]) + np.diag(penalty), slope)
        found -= change
        if np.abs(change).max() < 1e-9:
            break
    return found.astype(np.float32)
