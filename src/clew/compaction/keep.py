"""Keep: predict how useful each line of a session will be later.

Two small networks, fitted offline on sessions whose future is known (`train/keep`): the chance that a later edit replaces a
line, and the chance that a later call uses a rare name. A name needs one line only, so it counts for the line that shows it
at the least cost. Reads one file of weights; equal features give equal utilities on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clew.compaction.lines import LINE_FEATURES, Lines
from clew.compaction.names import NAME_FEATURES, Floats

EDIT_UTILITY = 1.5  # of a line that an edit replaces, a needed name being 1; more shows more such lines and fewer names: bench/LOG.md
MARK_CHARS = 24  # what a piece of its own costs beside its characters, about
CLIP = 5.0  # standard deviations; what is further out was never seen in the fit
WEIGHTS = Path(__file__).with_name("keep_weights.npz")
PARTS = ("mean", "scale", "first", "first_bias", "second", "second_bias")


@dataclass(frozen=True, slots=True)
class ScoringNetwork:
    """An ensemble of networks with one hidden layer of rectified units; it returns the mean of their outputs.

    mean, scale  (features,).  first (members, features, hidden), first_bias (members, hidden), second (members, hidden),
    second_bias (members,); all float32.
    """

    mean: Floats
    scale: Floats
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats

    def __call__(self, features: Floats) -> Floats:
        """Return the chance (n,) for each row of features (n, features)."""
        given = ((features - self.mean) / self.scale).clip(-CLIP, CLIP)
        total = np.zeros(len(features), np.float32)
        for first, bias, second, last in zip(self.first, self.first_bias, self.second, self.second_bias, strict=True):
            hidden = np.maximum(given @ first + bias, 0.0)
            total += 1.0 / (1.0 + np.exp(-(hidden @ second + last)))
        return (total / len(self.first)).astype(np.float32)


def compute_utility(lines: Lines, using: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> Floats:
    """Return (n,) float32: the expected number of later needed things that each line shows.

    using  networks for lines and for names; None takes those of the release.
    """
    edits, names = using or load_networks()
    utility = EDIT_UTILITY * edits(lines.features)
    if not lines.names.texts:
        return utility
    chance = names(lines.names.features)
    place = chance[lines.names.name]
    chars = lines.chars + MARK_CHARS
    total = utility + np.bincount(lines.names.row, place, len(utility))
    # The place that shows a name in the best company: the most utility for its length; of equal ones the newest.
    order = np.lexsort((lines.names.row, (total / chars)[lines.names.row], lines.names.name))
    last = np.r_[lines.names.name[order][1:] != lines.names.name[order][:-1], True]
    chosen = order[last]
    return (utility + np.bincount(lines.names.row[chosen], place[chosen], len(utility))).astype(np.float32)


@cache
def load_networks() -> tuple[ScoringNetwork, ScoringNetwork]:
    """Return the networks of the release for lines and for names, read once. Raises ValueError when they were fitted to other features."""
    with np.load(WEIGHTS, allow_pickle=False) as held:
        return networks_from_arrays({name: held[name] for name in held.files})


def networks_from_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[ScoringNetwork, ScoringNetwork]:
    """Return the networks for lines and for names in these arrays. Raises ValueError when they were fitted to other features."""
    for name, known in (("lines.names", LINE_FEATURES), ("names.names", NAME_FEATURES)):
        if tuple(arrays[name].tolist()) != known:
            raise ValueError(f"weights fitted to other features than {name.partition('.')[0]} have now: fit them again with train/keep")
    lines, names = (ScoringNetwork(*(arrays[f"{what}.{part}"].astype(np.float32) for part in PARTS)) for what in ("lines", "names"))
    return lines, names
