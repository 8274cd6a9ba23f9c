"""Pair functions that will probably change together although nothing links them, by their words, their history and their size.

For each function the nearest in other files are found by tf-idf over the parts of its words, by rare identifiers, and by name. A logistic
regression over eleven numbers gives each pair the probability that one of the next commits changes both. What a call, a use or a
co-change edge links already is no candidate. No model is asked. Pure: texts and counts in, candidates out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log1p

import numpy as np
from numpy.typing import NDArray

from clew.text.words import extract_words, split_name, split_word

PAIRS_PER_FUNCTION = 3
NEAREST = 30  # candidates of a function by words; of the pairs found among 30 nine tenths are found among 20
SHARING = 10  # and by rare identifiers, and as many of its own name
RARE_FILES_MAX = 8  # files that an identifier stands in, at most, to count as rare
COMMON_SHARE = 0.25  # of the functions; a part of words that stands in more tells nothing
FAR = 99  # rank of a function among another's nearest when it is none of them

Floats = NDArray[np.float64]
FEATURES = (
    "nearness", "rank_back", "rare", "name_parts", "same_name", "folders", "churn", "churn_other", "siblings", "siblings_other",
    "size", "size_other",
)  # fmt: skip
"""The numbers of a pair, as `compute_features` gives them."""


@dataclass(frozen=True, slots=True)
class FunctionText:
    """A function: the file that it stands in, its qualified name and its text."""

    path: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class PairWeights:
    """A logistic regression over FEATURES."""

    bias: float
    weights: Floats

    def chances(self, rows: Floats) -> Floats:
        """Return the probability of each row of numbers."""
        return 1.0 / (1.0 + np.exp(-(rows @ self.weights + self.bias)))


# Fitted to 12 repositories of eleven languages, each at the commit that 600 commits follow; on 8 others the first three candidates of each
# function hold .233 of the pairs that change together later and that nothing links: bench/couplings, bench/LOG.md.
FITTED_WEIGHTS = PairWeights(
    -10.7389,
    np.array([1.8233, -0.2684, 2.9322, 2.586, -2.1189, 0.9719, 0.3869, 0.3845, -0.5617, -0.5565, 0.4418, 0.6218]),
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidate pairs of all functions, in order of the first: (k, 2) numbers of functions, (k, len(FEATURES)) numbers."""

    pairs: NDArray[np.int64]
    rows: Floats


def find_candidates(
    functions: Sequence[FunctionText],
    *,
    linked: Collection[tuple[int, int]],
    together: Collection[tuple[str, str]],
    commits: Sequence[Sequence[str]],
) -> Candidates:
    """Return the candidates of each function in other files.

    linked    pairs of functions that a call, a use or a base links, in any order.
    together  pairs of files with a co-change edge, in any order.
    commits   the files that each known commit changed, sweeps left out.
    Cost      about 1.5 s for 1,000 functions of 30 lines.
    """
    return _Corpus(functions, linked, together, commits).candidates()


class _Corpus:
    """All functions of a repository, with what a pair's numbers are computed from."""

    def __init__(
        self,
        functions: Sequence[FunctionText],
        linked: Collection[tuple[int, int]],
        together: Collection[tuple[str, str]],
        commits: Sequence[Sequence[str]],
    ) -> None:
        self._count = len(functions)
        paths = list(dict.fromkeys(each.path for each in functions))
        numbers = {path: number for number, path in enumerate(paths)}
        self._files = np.array([numbers[each.path] for each in functions], np.int64)
        self._siblings = np.log1p(np.bincount(self._files, minlength=len(paths)))[self._files] if functions else np.zeros(0)
        self._barred: list[set[int]] = [set() for _ in functions]
        for a, b in linked:
            self._barred[a].add(b)
            self._barred[b].add(a)
        self._barred_files: list[set[int]] = [{number} for number in range(len(paths))]
        for one, other in together:
            if one in numbers and other in numbers:
                self._barred_files[numbers[one]].add(numbers[other])
                self._barred_files[numbers[other]].add(numbers[one])
        self._read_words(functions)
        self._read_names(functions)
        self._read_history(paths, commits)

    def candidates(self) -> Candidates:
        """Return the candidates of each function with their numbers."""
        found = [self._near(number) for number in range(self._count)]
        ranks = {(number, other): rank for number, near in enumerate(found) for rank, (other, _, _) in enumerate(near)}
        pairs: list[tuple[int, int]] = []
        rows: list[tuple[float, ...]] = []
        for number, near in enumerate(found):
            best = max((nearness for _, nearness, _ in near), default=0.0) or 1.0
            for other, nearness, shared in near:
                pairs.append((number, other))
                rows.append(self._row(number, other, nearness / best, ranks.get((other, number), FAR), shared))
        return Candidates(np.array(pairs, np.int64).reshape(-1, 2), np.array(rows, np.float64).reshape(-1, len(FEATURES)))

    def _row(self, one: int, other: int, nearness: float, rank_back: int, shared: float) -> tuple[float, ...]:
        names, others = self._name_parts[one], self._name_parts[other]
        return (
            nearness,
            log1p(rank_back),
            shared / (shared + 1.0),
            len(names & others) / (len(names | others) or 1),
            float(self._last_names[one] == self._last_names[other]),
            self._folder_share(int(self._files[one]), int(self._files[other])),
            float(self._churn[self._files[one]]),
            float(self._churn[self._files[other]]),
            float(self._siblings[one]),
            float(self._siblings[other]),
            float(self._sizes[one]),
            float(self._sizes[other]),
        )

    def _near(self, number: int) -> list[tuple[int, float, float]]:
        """(function, nearness, rare identifiers shared) of a function's candidates, nearest first."""
        near = np.zeros(self._count)
        for term, weight in zip(*self._vectors[number], strict=True):
            held = self._postings.get(int(term))
            if held is not None:
                near[held[0]] += weight * held[1]
        near[np.isin(self._files, sorted(self._barred_files[int(self._files[number])]))] = -1.0
        near[sorted(self._barred[number])] = -1.0
        order = np.lexsort((np.arange(self._count), -near))[:NEAREST]
        shared: Counter[int] = Counter()
        for word in self._words[number]:
            holders = self._rare.get(word)
            for other in holders[1] if holders is not None else ():
                if near[other] >= 0:
                    shared[other] += 1.0 / (holders[0] - 1)  # pyright: ignore[reportOptionalSubscript, reportArgumentType]
        by_words = [other for other, _ in sorted(shared.items(), key=lambda pair: (-pair[1], pair[0]))[:SHARING]]
        same = [other for other in self._by_name[self._last_names[number]] if near[other] >= 0]
        same.sort(key=lambda other: (-near[other], other))
        chosen = dict.fromkeys([*[int(other) for other in order if near[other] > 0], *by_words, *same[:SHARING]])
        return sorted(((other, float(near[other]), float(shared[other])) for other in chosen), key=lambda row: (-row[1], row[0]))

    def _read_words(self, functions: Sequence[FunctionText]) -> None:
        terms: dict[str, int] = {}
        counts: list[Counter[int]] = []
        self._words: list[frozenset[str]] = []
        files_of: defaultdict[str, set[int]] = defaultdict(set)
        for number, each in enumerate(functions):
            words = extract_words(each.text)
            counts.append(Counter(terms.setdefault(term, len(terms)) for word in words for term in split_word(word)))
            self._words.append(frozenset(word for word in words if len(word) > 2))
            for word in self._words[-1]:
                files_of[word].add(int(self._files[number]))
        self._sizes = np.log1p(np.array([len(count) for count in counts], np.float64))
        frequency = np.zeros(len(terms))
        for count in counts:
            frequency[list(count)] += 1
        rarity = np.log((self._count + 1) / (frequency + 0.5))
        self._vectors: list[tuple[NDArray[np.int64], Floats]] = []
        postings: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
        for number, count in enumerate(counts):
            held = np.fromiter(count.keys(), np.int64, len(count))
            weights = (1 + np.log(np.fromiter(count.values(), np.float64, len(count)))) * rarity[held]
            weights = weights / (np.linalg.norm(weights) or 1.0)
            self._vectors.append((held, weights))
            for term, weight in zip(held.tolist(), weights.tolist(), strict=True):
                postings[term].append((number, weight))
        holders_max = max(20.0, COMMON_SHARE * self._count)
        self._postings = {
            term: (np.array([number for number, _ in held], np.int64), np.array([weight for _, weight in held]))
            for term, held in postings.items()
            if len(held) <= holders_max
        }
        rare = {word for word, files in files_of.items() if 2 <= len(files) <= RARE_FILES_MAX}
        self._rare: dict[str, tuple[int, list[int]]] = {word: (len(files_of[word]), []) for word in rare}
        for number, words in enumerate(self._words):
            for word in words & rare:
                self._rare[word][1].append(number)

    def _read_names(self, functions: Sequence[FunctionText]) -> None:
        last = [each.name.replace("::", ".").rpartition(".")[2] for each in functions]
        self._name_parts = [frozenset(split_name(name)) for name in last]
        self._last_names = [name.lower() for name in last]
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self._last_names):
            self._by_name[name].append(number)

    def _read_history(self, paths: Sequence[str], commits: Sequence[Sequence[str]]) -> None:
        known = {path: number for number, path in enumerate(paths)}
        self._folders = [path.rpartition("/")[0] for path in paths]
        churn = np.zeros(len(paths))
        self._folder_commits: Counter[str] = Counter()
        self._folder_pairs: Counter[tuple[str, str]] = Counter()
        for files in commits:
            mine = [known[path] for path in files if path in known]
            churn[mine] += 1
            folders = sorted({self._folders[number] for number in mine})
            self._folder_commits.update(folders)
            self._folder_pairs.update((one, other) for at, one in enumerate(folders) for other in folders[at + 1 :])
        self._churn = np.log1p(churn)

    def _folder_share(self, one: int, other: int) -> float:
        """How often a commit that changes the less changed of two files' folders changes the other as well; 1 for one folder."""
        a, b = sorted((self._folders[one], self._folders[other]))
        return 1.0 if a == b else self._folder_pairs[a, b] / (min(self._folder_commits[a], self._folder_commits[b]) + 1)
