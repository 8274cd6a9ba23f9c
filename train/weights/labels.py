"""Labels: what the channels say of an issue's candidates, and which of them its fix changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.ranking.question import Question
from clew.ranking.seed import score_code
from clew.ranking.weights import CHANNELS
from clew.store.documents import Documents
from clew.store.name_resolution import Names
from clew.store.search import ChannelScores, search
from train.weights.fit import Labelled

TOTAL_CANDIDATES = 400  # the best by all channels, and of single ones
CHANNEL_CANDIDATES = 120
SINGLE_CHANNELS = ("word", "title", "code", "name")
PREFIX = "file:"
LINES_MAX = 400  # of one changed range that are looked up


@dataclass(frozen=True, slots=True)
class Gold:
    """The documents that a fix changed, and their files."""

    records: NDArray[np.int32]
    files: NDArray[np.int32]


def gold_of(index: Documents, changed: Mapping[str, Sequence[tuple[int, int]]]) -> Gold:
    """Return the innermost records that hold what changed; a file as a whole only where nothing in it does.

    changed  path → ranges of 1-based lines: (first, last), or with last = first − 1 the place before `first` where lines were put in.
    """
    mask = index.search_scope(PREFIX).mask & ~index.is_prose.whole & ~index.is_test.whole
    found: set[int] = set()
    files: set[int] = set()
    for path, ranges in sorted(changed.items()):
        code = index.path_numbers.get(path)
        if code is None:
            continue
        docs = index.docs_of_path(code)
        docs = docs[mask[docs]]
        if not len(docs):
            continue
        files.add(code)
        first, last = index.start_line[docs], index.start_line[docs] + index.lines[docs] - 1
        for upper, lower in _lines_of(ranges):
            held = np.flatnonzero((first <= upper) & (last >= lower))
            if len(held):
                found.add(int(docs[min(held.tolist(), key=lambda row: (int(index.lines[docs[row]]), -int(row)))]))
    inner = {doc for doc in found if index.parent[doc] >= 0}
    return Gold(np.array(sorted(inner or found), np.int32), np.array(sorted(files), np.int32))


def labelled(index: Documents, question: str, gold: Gold) -> Labelled:
    """Return the values of all channels for a question's candidates, and which of them are gold."""
    asked = Question.of(question)
    found = search(index, Names(index), asked.query(), lambda _: True)
    channels = {name: _spread(index, found.code, values) for name, values in found.code.channels.items()}
    docs = set(_best(index, _spread(index, found.code, score_code(found.code, asked)), TOTAL_CANDIDATES))
    mask = index.search_scope(PREFIX).mask & ~index.is_test.whole & ~index.is_prose.whole
    for name in SINGLE_CHANNELS:
        docs |= set(_best(index, np.where(mask, channels[name], np.float32(0)), CHANNEL_CANDIDATES))
    docs |= set(gold.records.tolist())
    rows = np.array(sorted(docs), np.int32)
    none = np.zeros(index.size, np.float32)
    values = np.stack([channels.get(name, none)[rows] for name in CHANNELS], axis=1)
    return Labelled(values, np.isin(rows, gold.records), np.isin(index.path_codes[rows], gold.files))


def _spread(index: Documents, hits: ChannelScores, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) the values of hits at their documents, 0 elsewhere."""
    out = np.zeros(index.size, np.float32)
    out[hits.docs] = values
    return out


def _best(index: Documents, values: NDArray[np.float32], count: int) -> list[int]:
    """The documents of the highest values above 0; ties by record id."""
    docs = np.flatnonzero(values > 0).tolist()
    return sorted(docs, key=lambda doc: (-float(values[doc]), index.id_of(doc)))[:count]


def _lines_of(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield pairs of lines that one symbol must hold to be changed: a changed line twice, or the lines around an insertion."""
    for first, last in ranges:
        if last < first:
            yield first - 1, first
        else:
            yield from ((line, line) for line in range(first, min(last, first + LINES_MAX - 1) + 1))
