"""Keep: how much is a line worth, by what became of lines like it?

Two small networks, fitted offline on sessions whose future is known (`train/keep`): the chance that a later edit replaces a
line, and the chance that a later call uses a rare name. A name needs one line only, so it counts for the line that shows it
at the least cost. Reads one file of weights; same features, same worths, on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clew.compaction.lines import NAMES, Lines
from clew.compaction.names import NAME_FEATURES, Floats

EDIT_WORTH = 1.5  # of a line that an edit replaces, a needed name being 1; more shows more such lines and fewer names: bench/LOG.md
MARK_CHARS = 24  # what a piece of its own costs beside its characters, about
CLIP = 5.0  # standard deviations; what is further out was never seen in the fit
WEIGHTS = Path(__file__).with_name("keep_weights.npz")
PARTS = ("mean", "scale", "first", "first_bias", "second", "second_bias")


@dataclass(frozen=True, slots=True)
class Net:
    """One hidden layer of rectified units, several times over; the mean of their answers.

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


def worth_of(lines: Lines, using: tuple[Net, Net] | None = None) -> Floats:
    """Return (n,): how many things that will be needed each line is expected to show.

    using  nets for lines and for names; None takes those of the release.
    """
    edits, names = using or nets()
    worth = EDIT_WORTH * edits(lines.features)
    if not lines.names.texts:
        return worth
    chance = names(lines.names.features)
    place = chance[lines.names.name]
    chars = lines.chars + MARK_CHARS
    total = worth + np.bincount(lines.names.row, place, len(worth))
    # The place that shows a name in the best company: the most worth for its length; of equal ones the newest.
    order = np.lexsort((lines.names.row, (total / chars)[lines.names.row], lines.names.name))
    last = np.r_[lines.names.name[order][1:] != lines.names.name[order][:-1], True]
    chosen = order[last]
    return (worth + np.bincount(lines.names.row[chosen], place[chosen], len(worth))).astype(np.float32)


@cache
def nets() -> tuple[Net, Net]:
    """The nets of the release."""
    with np.load(WEIGHTS, allow_pickle=False) as held:
        return nets_in({name: held[name] for name in held.files})


def nets_in(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[Net, Net]:
    """The nets for lines and for names that these arrays hold. Raises ValueError when they were made for other features."""
    for name, known in (("lines.names", NAMES), ("names.names", NAME_FEATURES)):
        if tuple(arrays[name].tolist()) != known:
            raise ValueError(f"weights fitted to other features than {name.partition('.')[0]} have now: fit them again with train/keep")
    lines, names = (Net(*(arrays[f"{what}.{part}"].astype(np.float32) for part in PARTS)) for what in ("lines", "names"))
    return lines, names
