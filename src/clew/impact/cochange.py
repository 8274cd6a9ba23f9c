"""Co-change: which file usually changes with these and did not, with the probability that it should have.

Fitted to commits of which one changed file was held out, so it says what a commit lacks, and rather nothing: `impact` ranks, this decides.
Pure over the commits that are stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

# A logistic regression over 9,925 commits of 34 public repositories with one changed file held out, and 4,162 whole ones. On repositories
# that a fit left out, told from .6 on: 9 % of the held-out files are named, 88 % of what is named is right (mean of the repositories 88 %),
# and of whole commits 1.6 % get a wrong name; from .5 on 12, 84, 84 and 3 % (bench/LOG.md).
_BIAS = -6.641
_SURE_SHARE, _RECENT_SHARE, _TIMES, _COMMITS = 1.155, 2.882, 0.602, -0.399
_SUPPORT, _IS_ACTIVE, _SAME_NAME, _SAME_FOLDER = 2.026, 0.634, 0.484, 0.308
PROBABILITY_MIN = 0.6
_COMMITS_MIN, _TIMES_MIN = 3, 2  # of a file, and of both together: below it nothing is counted
_RECENT_COMMITS = 8  # of a file, whose share counts apart
_ACTIVE_COMMITS = 30  # a file in one of the newest is being worked on
_Z = 1.28  # of the lower bound of a share
_FILES_MAX = 30  # of a commit; a larger one couples none


@dataclass(frozen=True, slots=True)
class MissingChange:
    """A file that usually changes with others and did not.

    changed      the changed file that it changes with most often; together of its `commits` commits changed both.
    """

    path: str
    probability: float
    changed: str
    together: int
    commits: int


@dataclass(frozen=True, slots=True)
class _Coupling:
    """A changed file and one that was not: in `together` of its `commits` commits both changed, and in `recent` of its latest ones."""

    changed: str
    together: int
    commits: int
    recent: float

    @property
    def share(self) -> float:
        return self.together / self.commits

    @property
    def sure_share(self) -> float:
        """The lower bound of the share."""
        return wilson_lower_bound(self.together, self.commits, _Z)


def find_missing_changes(commits: Sequence[Sequence[str]], changed: Collection[str]) -> list[MissingChange]:
    """Return files that probably should have changed with `changed`, at least PROBABILITY_MIN, likeliest first, ties by path.

    commits  the paths that each commit changed, newest first.
    """
    found: dict[str, list[_Coupling]] = {}
    known = 0
    for path in sorted(set(changed)):
        mine = [commit for commit in commits if len(commit) <= _FILES_MAX and path in commit]
        known += bool(mine)
        if len(mine) < _COMMITS_MIN:
            continue
        together = Counter(other for commit in mine for other in set(commit) if other not in changed)
        recent = Counter(other for commit in mine[:_RECENT_COMMITS] for other in set(commit))
        for other, times in together.items():
            if times >= _TIMES_MIN:
                coupling = _Coupling(path, times, len(mine), recent[other] / min(len(mine), _RECENT_COMMITS))
                found.setdefault(other, []).append(coupling)
    active = {path for commit in commits[:_ACTIVE_COMMITS] for path in commit}
    missing = [_judge(path, couplings, known, is_active=path in active) for path, couplings in found.items()]
    return sorted((one for one in missing if one.probability >= PROBABILITY_MIN), key=lambda one: (-one.probability, one.path))


def _judge(path: str, couplings: Sequence[_Coupling], known: int, *, is_active: bool) -> MissingChange:
    best = max(couplings, key=lambda one: (one.share, one.together, one.changed))
    folder, _, name = path.rpartition("/")
    its_folder, _, its_name = best.changed.rpartition("/")
    stem = _stem(name)
    logit = (
        _BIAS
        + _SURE_SHARE * max(one.sure_share for one in couplings)
        + _RECENT_SHARE * max(one.recent for one in couplings)
        + _TIMES * log(best.together)
        + _COMMITS * log(best.commits)
        + _SUPPORT * len(couplings) / known
        + _IS_ACTIVE * is_active
        + _SAME_NAME * (len(stem) > 2 and stem == _stem(its_name))
        + _SAME_FOLDER * (folder == its_folder)
    )
    return MissingChange(path, 1 / (1 + exp(-logit)), best.changed, best.together, best.commits)


def _stem(name: str) -> str:
    """A file's name without its ending and without what marks a test."""
    return name.partition(".")[0].lower().replace("test", "").strip("_-")


def wilson_lower_bound(hits: float, trials: float, z: float) -> float:
    """Return the lower end of Wilson's confidence interval for a share seen as `hits` of `trials`; 0 for no trials.

    z       standard deviations that the interval reaches down.
    Source  Wilson 1927; Brown, Cai, DasGupta 2001, eq. 4.
    """
    if trials <= 0:
        return 0.0
    share = min(hits / trials, 1.0)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (share + z * z / (2 * trials) - spread) / (1 + z * z / trials))
