"""Bounds: how small the mean of values from 0 to 1 may be, valid for any distribution and any number of values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GRID = 2_000  # candidate means
CONFIDENCE = 0.95
PRIOR_MEAN, PRIOR_VARIANCE = 0.98, 0.005  # what is expected before the first value: others would give a wider bound, not a wrong one
STAKE_MAX = 0.9  # of the wealth, on one value


def lower_bound(values: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Return a lower bound of the mean of independent values from 0 to 1, exact for every sample size. 0.0 without values.

    Bets against each candidate mean that values are larger; a candidate whose wealth reaches 1 / (1 − confidence) at any time is refused.
    Source   Waudby-Smith, Ramdas 2024 (Estimating means of bounded random variables by betting), theorem 3, with a plug-in of own priors.
    """
    goal, n = 1 / (1 - confidence), len(values)
    means = np.arange(GRID) / GRID
    wealth, most = np.zeros(GRID), np.full(GRID, -np.inf)
    total, spread = PRIOR_MEAN, PRIOR_VARIANCE
    for number, value in enumerate(values, 1):
        bet = np.sqrt(2 * np.log(goal) * number / (n * spread))
        wealth += np.log1p(np.minimum(bet, STAKE_MAX / np.maximum(means, 1 / GRID)) * (value - means))
        most = np.maximum(most, wealth)
        total += value
        spread += (value - total / (number + 1)) ** 2
    return float(means[most < np.log(goal)].min(initial=1.0)) if n else 0.0
