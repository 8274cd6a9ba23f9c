"""Measure: fit the chance of a pair on some repositories, and say on others how many later pairs are found, at which precision.

A later pair is two functions of different files that a later commit of at most CHANGED_MAX functions changes together, although no call,
use, inheritance, co-change edge or earlier common commit links them. All pairs of the repository's functions are the base.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.couplings.replay import Replayed
from clew.enrich.function_pairs import FEATURES, PAIRS_PER_FUNCTION, Candidates, Floats, FunctionText, PairWeights, find_candidates

CHANGED_MAX = 10  # functions of a commit that makes later pairs; one of 30 makes 435, of which 3 candidates a function could hold a fifth
L2 = 3.0
KEPT_NEGATIVES = 0.1  # of the candidates that did not change together, in a fit; each then counts ten times
ROUNDS, TURNS = 60, 1000  # of a fit, of a bootstrap
BINS = 20  # of similarity, for pairs that are as near as those proposed

Score = Callable[[Floats], Floats]
"""From the numbers of pairs to what they are ordered by within a function."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with its candidates and what later commits made of its pairs.

    later  {pair: the commits that changed both, by their numbers}.
    """

    name: str
    functions: int
    candidates: Candidates
    later: Mapping[tuple[int, int], tuple[int, ...]]
    tests: frozenset[int]

    @property
    def is_later(self) -> Floats:
        """(k,) 1 for each candidate that is a later pair, else 0."""
        return np.array([float(tuple(sorted(pair)) in self.later) for pair in self.candidates.pairs.tolist()])

    @property
    def base_rate(self) -> float:
        """Share of later pairs among all pairs of functions."""
        return len(self.later) / (self.functions * (self.functions - 1) / 2)


def candidates_of(replayed: Replayed) -> Candidates:
    """Find a replayed repository's candidates."""
    functions = [FunctionText(each.path, each.name, each.text) for each in replayed.functions]
    return find_candidates(functions, linked=replayed.linked, together=replayed.together, commits=replayed.past)


def read_repository(replayed: Replayed, candidates: Candidates | None = None, *, changed_max: int = CHANGED_MAX) -> Repository:
    """Return a replayed repository with its candidates, found unless they are given, and its later pairs."""
    linked, together, functions = set(replayed.linked), set(replayed.together), replayed.functions
    candidates = candidates or candidates_of(replayed)
    earlier = {(a, b) for changed in replayed.earlier for at, a in enumerate(changed) for b in changed[at + 1 :]}
    later: dict[tuple[int, int], tuple[int, ...]] = {}
    for number, changed in enumerate(replayed.later):
        if len(changed) > changed_max:
            continue
        for at, a in enumerate(changed):
            for b in changed[at + 1 :]:
                one, other = sorted((functions[a].path, functions[b].path))
                if one != other and (a, b) not in linked and (a, b) not in earlier and (one, other) not in together:
                    later[a, b] = (*later.get((a, b), ()), number)
    tests = frozenset(number for number, each in enumerate(replayed.functions) if each.is_test)
    return Repository(replayed.repo, len(functions), candidates, later, tests)


def fit(repositories: Sequence[Repository]) -> PairWeights:
    """Fit the chance of a pair to candidates of these repositories: logistic regression by Newton's method."""
    rows: list[Floats] = []
    labels: list[Floats] = []
    for each in repositories:
        is_later = each.is_later
        draw = np.random.default_rng(zlib.crc32(each.name.encode())).random(len(is_later))
        kept = (is_later > 0) | (draw < KEPT_NEGATIVES)
        rows.append(each.candidates.rows[kept])
        labels.append(is_later[kept])
    x, y = np.vstack(rows), np.concatenate(labels)
    mean, spread = x.mean(0), x.std(0) + 1e-9
    x = np.c_[np.ones(len(x)), (x - mean) / spread]
    counts = np.where(y > 0, 1.0, 1.0 / KEPT_NEGATIVES)
    penalty = np.full(x.shape[1], L2)
    penalty[0] = 1e-6
    b = np.zeros(x.shape[1])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-(x @ b)))
        slope = x.T @ (counts * (y - chance)) - penalty * b
        curve = (x * (counts * chance * (1 - chance))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        step *= min(1.0, 1.0 / np.abs(step).max())
        b += step
        if np.abs(step).max() < 1e-6:
            break
    weights = b[1:] / spread
    return PairWeights(float(b[0] - mean @ weights), weights)


def arms(weights: PairWeights) -> dict[str, Score]:
    """Return what orders the candidates of a function, by name; `random` and `oracle` are added where they are measured."""
    near, rare = FEATURES.index("nearness"), FEATURES.index("rare")
    return {
        "words": lambda rows: rows[:, near],
        "rare identifiers": lambda rows: rows[:, rare] + 0.01 * rows[:, near],
        "fitted": weights.chances,
    }


def choose(candidates: Candidates, scores: Floats, count: int = PAIRS_PER_FUNCTION) -> np.ndarray:
    """Return the positions of the first `count` candidates of each function; ties by number."""
    ones, others = candidates.pairs[:, 0], candidates.pairs[:, 1]
    order = np.lexsort((others, -scores, ones))
    starts = np.searchsorted(ones[order], ones[order], side="left")
    return order[np.arange(len(order)) - starts < count]


@dataclass(frozen=True, slots=True)
class Found:
    """What one arm found in one repository. `alike`: share of later pairs among candidates as near as the chosen ones."""

    found: frozenset[tuple[int, int]]
    chosen: int
    hits: int
    alike: float
    expected: float


def measure(repository: Repository, score: Score | None, name: str) -> Found:
    """Choose PAIRS_PER_FUNCTION candidates of each function by a score; None for any at random, or for the later ones (`oracle`)."""
    candidates, is_later = repository.candidates, repository.is_later
    if score is not None:
        scores = score(candidates.rows)
    else:
        scores = is_later if name == "oracle" else np.random.default_rng(zlib.crc32(repository.name.encode())).random(len(is_later))
    chosen = choose(candidates, scores)
    near = np.minimum((candidates.rows[:, FEATURES.index("nearness")] * BINS).astype(int), BINS - 1)
    rates = np.bincount(near, is_later, BINS) / np.maximum(np.bincount(near, minlength=BINS), 1)
    pairs = {(min(pair), max(pair)) for pair in candidates.pairs[chosen].tolist()}
    return Found(
        frozenset(pairs & repository.later.keys()),
        len(chosen),
        int(is_later[chosen].sum()),
        float(rates[near[chosen]].mean()),
        repository.base_rate * len(chosen),
    )


def interval(repositories: Sequence[Repository], found: Sequence[Found], other: Sequence[Found] | None = None) -> tuple[float, float]:
    """Return the 95 % interval of the recall, or of its difference to another arm's: repositories are drawn, and their commits within."""
    rng = np.random.default_rng(0)
    tables: list[tuple[np.ndarray, np.ndarray]] = []
    for at, each in enumerate(repositories):
        by_commit: dict[int, list[float]] = {}
        for pair, commits in each.later.items():
            value = float(pair in found[at].found) - (float(pair in other[at].found) if other is not None else 0.0)
            by_commit.setdefault(commits[0], []).append(value)
        values = list(by_commit.values())
        tables.append((np.array([sum(one) for one in values]), np.array([len(one) for one in values])))
    drawn: list[float] = []
    for _ in range(TURNS):
        hits = total = 0.0
        for at in rng.integers(0, len(tables), len(tables)).tolist():
            rows = rng.integers(0, len(tables[at][0]), len(tables[at][0]))
            hits += tables[at][0][rows].sum()
            total += tables[at][1][rows].sum()
        drawn.append(hits / total)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
