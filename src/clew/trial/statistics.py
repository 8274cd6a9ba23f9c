"""Statistics: what a difference between two arms may be, when sessions of one repository resemble each other.

Completed work is a share: an interval by score, stratified by repository. Cost is judged by what chance itself could have done: labels are
drawn anew as they were drawn at first, within each block, so the error does not rest on a distribution. Needs numpy alone. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import acos, comb, copysign, cos, pi, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

SEED = 20_261_130
DRAWS = 4_000  # the ends of an interval at 97.5 % move by a hundredth of a standard error from 2,000 on
SUBSETS_MAX = 2_000  # of a stratum, listed; a block has at most 70
_STEPS = 60  # of a bisection over [−1, 1]
_NORMAL = NormalDist()
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference (with − without) and its interval. n_with, n_without  sessions that it rests on."""

    value: float
    low: float
    high: float
    n_with: int
    n_without: int


@dataclass(frozen=True, slots=True)
class Share:
    """A share and its interval. used, whole  what it is a share of; groups  sessions that these are of."""

    value: float
    low: float
    high: float
    used: int
    whole: int
    groups: int


def estimate_share(used: Sequence[int], whole: Sequence[int], *, alpha: float) -> Share | None:
    """Return the share Σ used / Σ whole of groups whose members resemble each other, with its interval at 1 − `alpha`; None for nothing.

    Source  Dean and Pagano 2015: Wilson's interval with the effective number of members, by the variance between groups and Student's t.
    Where all are used, or none, that variance is 0, and each group counts once.
    """
    pairs = [(a, n) for a, n in zip(used, whole, strict=True) if n]
    total, groups = sum(n for _, n in pairs), len(pairs)
    if not total:
        return None
    share = sum(a for a, _ in pairs) / total
    limit = _NORMAL.inv_cdf(1 - alpha / 2)
    spread = groups / (groups - 1) * sum((a - share * n) ** 2 for a, n in pairs) / total**2 if groups > 1 else 0.0
    effective = share * (1 - share) / spread if spread else groups
    if groups > 1:
        effective *= (limit / _student(limit, groups - 1)) ** 2
    effective = min(effective, total)
    middle = (share + limit**2 / (2 * effective)) / (1 + limit**2 / effective)
    half = limit * sqrt(share * (1 - share) / effective + limit**2 / (4 * effective**2)) / (1 + limit**2 / effective)
    return Share(share, max(0.0, middle - half), min(1.0, middle + half), sum(a for a, _ in pairs), total, groups)


def compare_shares(outcomes: Sequence[bool], is_with: Sequence[bool], strata: Sequence[str], *, alpha: float) -> Interval | None:
    """Return the difference of two shares with its interval at 1 − `alpha`; None where no stratum has sessions of both arms.

    strata  of each session; each counts by n₁·n₀/(n₁+n₀), so one with a single arm counts for nothing.
    Source  Miettinen and Nurminen 1985: the interval holds the differences that the score statistic does not reject.
    """
    tables = [table for table in _tables(outcomes, is_with, strata) if table[1] and table[3]]
    if not tables:
        return None
    weights = [ones * zeros / (ones + zeros) for _, ones, _, zeros in tables]
    whole = sum(weights)
    shares = [weight / whole for weight in weights]
    value = sum(w * (a / n - b / m) for w, (a, n, b, m) in zip(shares, tables, strict=True))
    limit = _NORMAL.inv_cdf(1 - alpha / 2)

    def score(delta: float) -> float:
        spread = sum(w * w * _variance(table, delta) for w, table in zip(shares, tables, strict=True))
        return (value - delta) / sqrt(spread) if spread > 0 else copysign(1e9, value - delta)

    low = _bisect(lambda delta: score(delta) > limit, -1.0, value)
    high = _bisect(lambda delta: score(delta) >= -limit, value, 1.0)
    return Interval(value, low, high, sum(table[1] for table in tables), sum(table[3] for table in tables))


def compare_means(
    values: Sequence[float], is_with: Sequence[bool], strata: Sequence[object], *, alpha: float, draws: int = DRAWS
) -> Interval | None:
    """Return the difference of two means with its interval at 1 − `alpha`; None where no stratum has sessions of both arms.

    strata  of each session: those among which its label was drawn. The mean difference of each counts by n₁·n₀/(n₁+n₀).
    An interval holds each effect, the same for all sessions, that new draws of the labels do not reject: with too few sessions to
    reject anything it is infinite.
    Source  Garthwaite 1996, with the inversion in closed form: the statistic of shifted values is linear in the shift.
    """
    numbers = {stratum: at for at, stratum in enumerate(dict.fromkeys(strata))}
    of = np.array([numbers[stratum] for stratum in strata], dtype=np.int64)
    label = np.array(is_with, dtype=np.bool_)
    size = np.bincount(of, minlength=len(numbers))
    ones = np.bincount(of, weights=label, minlength=len(numbers))
    is_mixed = (ones > 0) & (ones < size)
    kept = is_mixed[of]
    if not kept.any():
        return None
    y, label, of = np.array(values, dtype=np.float64)[kept], label[kept], of[kept]
    # The weighted difference of means is the sum of the treated's y − the stratum's mean: Σ(y−ȳ)·t / Σt(1−t̄).
    members = [np.flatnonzero(of == stratum) for stratum in np.flatnonzero(is_mixed)]
    whole = sum(float(label[each].sum() * (~label[each]).sum() / len(each)) for each in members)
    observed = sum(float(((y[each] - y[each].mean()) * label[each]).sum()) for each in members) / whole
    random = np.random.default_rng(SEED)
    statistics, same = np.zeros(draws), np.zeros(draws)  # of each draw, and the share of its labels' contrast that is the observed one
    for each in members:
        pair = np.stack((y[each] - y[each].mean(), label[each] - label[each].mean()))
        sums = _draw_sums(pair, int(label[each].sum()), draws, random)
        statistics += sums[0]
        same += sums[1]
    statistics, same = statistics / whole, same / whole
    gap = 1.0 - same
    is_other = gap > 1e-9
    shifts = np.sort(np.where(is_other, (observed - statistics) / np.where(is_other, gap, 1.0), np.nan))
    shifts = shifts[~np.isnan(shifts)]
    # Draws that are the observed labels reject nothing; one is added for the labels as they were drawn.
    equal = draws - len(shifts) + 1
    cut = int(alpha / 2 * (draws + 1)) - equal
    low = float(shifts[cut]) if 0 <= cut < len(shifts) else -np.inf
    high = float(shifts[len(shifts) - 1 - cut]) if 0 <= cut < len(shifts) else np.inf
    return Interval(observed, low, high, int(label.sum()), int((~label).sum()))


def _student(z: float, freedom: int) -> float:
    """The quantile of Student's t where that of the normal is `z`, within 2 % from four degrees of freedom on. Source: Fisher 1926."""
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _draw_sums(pair: Floats, ones: int, draws: int, random: np.random.Generator) -> Floats:
    """(2, draws): the sums of both rows over those that are treated in each draw; all choices of `ones` sessions are equally likely."""
    size = pair.shape[1]
    if comb(size, ones) <= SUBSETS_MAX:
        sums = pair[:, _list_subsets(size, ones)].sum(axis=2)
        return sums[:, random.integers(0, sums.shape[1], draws)]
    return pair[:, random.random((draws, size)).argsort(axis=1)[:, :ones]].sum(axis=2)


@cache
def _list_subsets(size: int, ones: int) -> NDArray[np.int64]:
    return np.array(list(combinations(range(size), ones)), dtype=np.int64)


def _tables(outcomes: Sequence[bool], is_with: Sequence[bool], strata: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """(completed with, all with, completed without, all without) of each stratum."""
    found: dict[str, list[int]] = {}
    for outcome, label, stratum in zip(outcomes, is_with, strata, strict=True):
        row = found.setdefault(stratum, [0, 0, 0, 0])
        row[0 if label else 2] += outcome
        row[1 if label else 3] += 1
    return [(row[0], row[1], row[2], row[3]) for row in found.values()]


def _variance(table: tuple[int, int, int, int], delta: float) -> float:
    """Variance of a difference of shares where the true one is `delta`, by the shares that are likeliest then."""
    a, n, b, m = table
    first, second = _restricted(a / n, b / m, m / n, delta)
    return (first * (1 - first) / n + second * (1 - second) / m) * (n + m) / max(n + m - 1, 1)


def _restricted(first: float, second: float, ratio: float, delta: float) -> tuple[float, float]:
    """The two shares that are likeliest where they differ by `delta`: a root of a cubic. Source: Farrington and Manning 1990."""
    a = 1 + ratio
    b = -(1 + ratio + first + ratio * second + delta * (ratio + 2))
    c = delta * delta + delta * (2 * first + ratio + 1) + first + ratio * second
    d = -first * delta * (1 + delta)
    v = b**3 / (27 * a**3) - b * c / (6 * a * a) + d / (2 * a)
    u = copysign(sqrt(max(0.0, b * b / (9 * a * a) - c / (3 * a))), v)
    angle = acos(max(-1.0, min(1.0, v / u**3))) if u else 0.0
    one = 2 * u * cos((pi + angle) / 3) - b / (3 * a)
    one = min(1.0, max(0.0, one))
    return one, min(1.0, max(0.0, one - delta))


def _bisect(is_left: Callable[[float], bool], low: float, high: float) -> float:
    """Return where `is_left`, true at the left and false at the right, changes between two numbers."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if is_left(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
