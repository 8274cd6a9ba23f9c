"""Fit: a logistic regression of whether any of the turns that were found answers the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.recall.report import ADVERSARIAL
from clew.recall.evidence import describe_answer
from clew.recall.model import AnswerModel, score_turns
from clew.recall.scores import Floats
from train.recall.rows import Row

PENALTY = 0.05  # on squared weights of standardised features
STEPS, RATE = 300, 0.05
FALSE_SILENCE_MAX = 0.01  # of the questions that are answered, how many may fall below the threshold: .02 doubles false silence on LoCoMo
SMALL_SHARE = 0.5  # of a row in a part of a haystack


def fit(rows: Sequence[Row]) -> AnswerModel:
    """Return the model fitted to rows; a question that asks of one person what another said counts as not answered."""
    known = [row for row in rows if row.found]
    table = np.array([describe(row) for row in known])
    target = np.array([is_answered(row) for row in known], np.float64)
    model = _fit(table, target, np.array([SMALL_SHARE if row.is_small else 1.0 for row in known]))
    chances = np.sort([model.estimate(line) for line, row in zip(table, known, strict=True) if is_answered(row) and not row.is_small])
    return replace(model, threshold=float(chances[int(FALSE_SILENCE_MAX * len(chances))]))


def is_answered(row: Row) -> bool:
    """Return whether the haystack holds an answer."""
    return row.is_held and row.kind != ADVERSARIAL


def describe(row: Row) -> Floats:
    """Return the ANSWER_FEATURES of a row that has candidates."""
    if row.found is None:
        raise ValueError("a row without candidates has no features")
    candidates = row.found.candidates
    return describe_answer(row.found.threads, row.found.scores, candidates, score_turns(candidates.rows))


def _fit(table: Floats, target: Floats, share: Floats) -> AnswerModel:
    """Return the regression after STEPS of Adam from zero."""
    mean, scale = table.mean(0), table.std(0) + 1e-6
    given = np.concatenate([(table - mean) / scale, np.ones((len(table), 1))], 1)
    penalty = np.r_[np.full(table.shape[1], PENALTY), 0.0]
    weights = np.zeros(given.shape[1])
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        chances = 1.0 / (1.0 + np.exp(-(given @ weights)))
        change = given.T @ (share * (chances - target)) / share.sum() + penalty * weights
        first, second = 0.9 * first + 0.1 * change, 0.99 * second + 0.01 * change * change
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return AnswerModel(mean, scale, weights[:-1], float(weights[-1]))
