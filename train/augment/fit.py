"""Fit: a small network that gives the probability that a candidate is needed."""

from __future__ import annotations

import numpy as np

from clew.augment.model import AdditionModel
from clew.compaction.names import Floats
from train.keep.net import Shape
from train.keep.net import fit as fit_network

THRESHOLD = 0.45  # precision .70 and recall .24 on unseen sessions; .3 gives .59 and .31, and twice the additions that nobody needed
SHAPE = Shape(hidden=16, members=6, epochs=12, batch=128, decay=1e-2)


def fit(features: Floats, target: Floats) -> AdditionModel:
    """Return the model fitted to candidates (n, features), needed or not (n,). Cost: about 10 s for 20,000 candidates."""
    return AdditionModel(fit_network(features, target, np.ones(len(target), np.float32), SHAPE), THRESHOLD)
