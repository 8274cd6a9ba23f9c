"""Model: estimate how likely the agent reaches for each candidate before the next prompt, and the least probability that is shown.

Fitted by `python -m train.augment` on recorded sessions whose later course is known. Reads one file of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from clew.augment.evidence import FEATURES
from clew.compaction.keep import PARTS, ScoringNetwork

WEIGHTS = Path(__file__).with_name("augment_weights.npz")


@dataclass(frozen=True, slots=True)
class AdditionModel:
    """A network over FEATURES; what it gives less than `threshold` is not added."""

    network: ScoringNetwork
    threshold: float

    def estimate(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """Return the probability of each candidate, whose numbers stand in the order of FEATURES."""
        if not rows:
            return []
        return [float(chance) for chance in self.network(np.array(rows, np.float32))]


@cache
def load_model() -> AdditionModel:
    """Return the model of the release, read once. Raises ValueError when it was fitted to other features."""
    with np.load(WEIGHTS, allow_pickle=False) as held:
        if tuple(held["names"].tolist()) != FEATURES:
            raise ValueError("weights fitted to other features than there are now: fit them again with train/augment")
        return AdditionModel(ScoringNetwork(*(held[part].astype(np.float32) for part in PARTS)), float(held["threshold"]))
