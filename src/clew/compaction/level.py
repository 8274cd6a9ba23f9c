"""Level: the threshold above which a session's lines are kept so that of what is used later no more than a given share is lost.

Split conformal calibration of the utility of lines (conformal risk control): from sessions whose future is known, what was used later is
given the best rate of a piece that shows it; a cut loses the share of these that stand below a threshold, which falls with it. The
largest threshold is taken at which the mean loss, with one lost cut more, stays within the risk. For a cut that is exchangeable with
those it was calibrated on the share that is kept is then at least the level in expectation, whatever the networks are worth: bad ones
cost size.
Pure over numbers.
Source   Angelopoulos, Bates, Fisch, Lei, Schuster 2024 (Conformal Risk Control), equation 4, with B = 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clew.compaction.keep import MARK_CHARS
from clew.compaction.lines import Lines
from clew.compaction.names import Floats, Ints

PIECE_LINES = 3  # lines that are bought together; a longer piece is several of them side by side
UNREACHED = -1.0  # rate of what no line shows: lost at every threshold


def number_pieces(found: Lines) -> Ints:
    """Return (n,) a number for the piece of each line, ascending: PIECE_LINES lines of one record that no edit has parted."""
    return (found.record << 44) + (found.part << 22) + found.at // PIECE_LINES


def rate_lines(found: Lines, utilities: Floats) -> NDArray[np.float64]:
    """Return (n,) the utility of each line's piece for each character that it takes."""
    if not len(utilities):
        return np.zeros(0)
    pieces = number_pieces(found)
    starts = np.flatnonzero(np.r_[True, pieces[1:] != pieces[:-1]])
    total = np.add.reduceat(utilities.astype(np.float64), starts) / (np.add.reduceat(found.chars + 1, starts) + MARK_CHARS)
    return total[np.searchsorted(starts, np.arange(len(pieces)), "right") - 1]


def count_needed_cuts(level: float) -> int:
    """Return how many cuts a level needs at least, even if nothing of any was lost."""
    return math.ceil(round(level / (1 - level), 9))


def find_threshold(rates: Sequence[Sequence[float]], level: float) -> float | None:
    """Return the largest threshold at which a new cut is expected to keep at least `level` of what is used later.

    rates  for each cut those of the things that were used later: the best of a piece that shows it, UNREACHED where none does.
    level  0 < level < 1.
    Returns None where the cuts are fewer than `count_needed_cuts`, or where even all lines show too little.
    """
    cuts = [np.asarray(each, np.float64) for each in rates if len(each)]
    allowed = (1 - level) * (len(cuts) + 1) - 1
    if not cuts or allowed < -1e-9:
        return None
    values = np.concatenate(cuts)
    weights = np.concatenate([np.full(len(each), 1 / len(each)) for each in cuts])
    order = np.argsort(values, kind="stable")
    values, lost = values[order], np.cumsum(weights[order])
    firsts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    below = np.r_[0.0, lost][firsts]  # lost at a threshold of this value: all that stands below it
    fits = values[firsts[below <= allowed + 1e-9]]
    return float(fits.max()) if fits.max() > UNREACHED else None


def compute_loss(rates: Sequence[float], threshold: float) -> float:
    """Return the share of what was used later that a threshold loses; 0 where nothing was used."""
    return sum(rate < threshold for rate in rates) / len(rates) if rates else 0.0
