"""Model: how much speaks for each turn, and how likely it is that any of them answers the question.

The weights of turns are round numbers: each kind of evidence that a turn has or lacks moves it by a tenth of the best score. Fitted to one
set of conversations, weights were better there and worse on the other (bench/LOG.md). Whether any turn answers is a regression, fitted by
`python -m train.recall`. Reads one file of weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from clew.recall.evidence import ANSWER_FEATURES, TURN_FEATURES
from clew.recall.scores import Floats

WEIGHTS = Path(__file__).with_name("recall_weights.npz")
CLIP = 4.0  # standard deviations; what is further out was never seen in the fit
LOGIT = 10.0  # what the best score counts: a tenth of it is one nat; guess
TURN_WEIGHTS: Mapping[str, float] = {
    "turns": 1.0,
    "session": 0.2,
    "own": 0.1,
    "asks": -0.1,  # who asks does not answer
    "after_question": 0.1,
    "is_first": 0.1,
    "first_person": 0.1,
    "said_by_named": 0.1,
    "said_by_other": -0.1,
    "number_asked": 0.1,
    "time_asked": 0.1,
    "name_asked": 0.1,
    "place_asked": 0.1,
    "time_named": 0.1,
}
_TURNS = LOGIT * np.array([TURN_WEIGHTS.get(name, 0.0) for name in TURN_FEATURES])


def score_turns(rows: Floats) -> Floats:
    """Return logits (k,) of candidates (k, TURN_FEATURES): only the differences within one question mean something."""
    return rows @ _TURNS


@dataclass(frozen=True, slots=True)
class AnswerModel:
    """mean, scale, weights (ANSWER_FEATURES,) and bias of a logistic regression over standardised features.

    threshold  the least probability at which turns are returned.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: float
    threshold: float = 0.0

    def estimate(self, row: Floats) -> float:
        """Return the probability that one of a question's candidates answers it, from its ANSWER_FEATURES."""
        logit = float(((row - self.mean) / self.scale).clip(-CLIP, CLIP) @ self.weights) + self.bias
        return float(1.0 / (1.0 + np.exp(-logit)))


@cache
def load_model() -> AnswerModel:
    """Return the model of the release, read once. Raises ValueError when it was fitted to other features."""
    with np.load(WEIGHTS, allow_pickle=False) as held:
        if tuple(held["names"].tolist()) != ANSWER_FEATURES:
            raise ValueError("weights fitted to other features than there are now: fit them again with train/recall")
        parts = (held[part].astype(np.float64) for part in ("mean", "scale", "weights"))
        return AnswerModel(*parts, bias=float(held["bias"]), threshold=float(held["threshold"]))
