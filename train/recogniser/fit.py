"""Fit: a multinomial regression over hashed n-grams and counts by gradient descent, then a logistic calibration of each class.

Deterministic for its seed. Source of the calibration: Platt 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from clew.task.recogniser import BUCKETS, CLASSES, COUNTS, Floats, compute_counts, compute_grams, compute_log_odds, simplify
from train.recogniser.examples import Example

EPOCHS, BATCH, RATE = 12, 64, 8.0
DECAY = 1e-5  # of the weights of n-grams at each step, times the rate
IDF_SCALE = 4.0
SENTENCES_MIN = 2  # what a single sentence holds is noise: the same figures, a smaller table
HARD_SHARE = 0.25  # of the fit to hard pairs too: at .5 plain orders ("Committe niemals auf den Zweig main.") are no longer found
COUNT = len(CLASSES)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Examples as numbers: n-grams (n, BUCKETS), counts (n, COUNTS), classes (n,), weights (n,), and which are of hard pairs (n,)."""

    grams: csr_matrix
    counts: Floats
    classes: NDArray[np.int64]
    weights: Floats
    is_hard: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights before they are rounded: `table` (BUCKETS, classes), `counts` (COUNTS, classes), `bias` (classes,)."""

    table: Floats
    counts: Floats
    bias: Floats

    def score(self, inputs: Inputs, rows: NDArray[np.int64]) -> Floats:
        """Return (rows, classes) scores."""
        return (inputs.grams[rows] @ self.table + inputs.counts[rows] @ self.counts + self.bias).astype(np.float32)


def read_inputs(examples: Sequence[Example]) -> Inputs:
    """Return examples as numbers."""
    texts = [example.text for example in examples]
    grams = compute_grams([simplify(text) for text in texts])
    ends = np.append(grams.starts, len(grams.buckets))
    return Inputs(
        csr_matrix((grams.shares, grams.buckets, ends), shape=(len(texts), BUCKETS)),
        compute_counts(texts, [example.context for example in examples]),
        np.array([CLASSES.index(example.label) for example in examples]),
        np.array([example.weight for example in examples], np.float32),
        np.array([example.is_hard for example in examples]),
    )


def fit_twice(inputs: Inputs, rows: NDArray[np.int64]) -> Fitted:
    """Return the mean of a fit to those of these rows that are no hard pairs, and of one to all, which counts HARD_SHARE.

    Hard pairs alone teach what sentences of recorded sessions are not like (bench/LOG.md).
    """
    plain, every = fit(inputs, rows[~inputs.is_hard[rows]]), fit(inputs, rows)
    table, counts, bias = (
        (1 - HARD_SHARE) * getattr(plain, part) + HARD_SHARE * getattr(every, part) for part in ("table", "counts", "bias")
    )
    return Fitted(table, counts, bias)


def fit(inputs: Inputs, rows: NDArray[np.int64], *, seed: int = 0, epochs: int = EPOCHS) -> Fitted:
    """Return the regression fitted on these rows. Cost: about 3 s for 20,000 sentences."""
    random = np.random.default_rng(seed)
    weights = inputs.weights / inputs.weights[rows].mean()
    scale = weigh_buckets(inputs, rows)
    grams = csr_matrix(inputs.grams.multiply(scale[None, :]), dtype=np.float32)
    grams.eliminate_zeros()
    table, counts, bias = np.zeros((BUCKETS, COUNT), np.float32), np.zeros((COUNTS, COUNT), np.float32), np.zeros(COUNT, np.float32)
    kept = 1.0  # of `table`: what is left of it after the decay of each step
    step = 0
    total = epochs * -(-len(rows) // BATCH)
    for _ in range(epochs):
        order = random.permutation(rows)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            step += 1
            rate = RATE * (1 - step / (total + 1))
            given = grams[batch]
            scores = given @ table * np.float32(kept) + inputs.counts[batch] @ counts + bias
            chances = np.exp(scores - scores.max(axis=1, keepdims=True))
            chances /= chances.sum(axis=1, keepdims=True)
            chances[np.arange(len(batch)), inputs.classes[batch]] -= 1
            error = (chances * (weights[batch] / len(batch))[:, None]).astype(np.float32)
            kept *= 1 - rate * DECAY
            table -= given.T @ (error * np.float32(rate / kept))
            counts -= rate * (inputs.counts[batch].T @ error + DECAY * counts)
            bias -= rate * error.sum(axis=0)
    return Fitted(table * (kept * scale[:, None]).astype(np.float32), counts.astype(np.float32), bias.astype(np.float32))


def weigh_buckets(inputs: Inputs, rows: NDArray[np.int64]) -> Floats:
    """Return (BUCKETS,): what each n-gram counts for, more for one that few sentences hold, 0 for one that a single sentence holds."""
    chosen = inputs.grams[rows]
    chosen.sum_duplicates()
    counts = np.bincount(chosen.indices, minlength=BUCKETS)
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
