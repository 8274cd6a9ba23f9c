"""BM25 for the rival arms, in a few lines of numpy: what a file contributes is kept until the file changes.

The same scores as the `bm25s` package gives with its method "lucene" (a test compares them), but made of parts that
are kept by file, so that the next commit of a repository costs what changed in it. No line of clew's ranking is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75  # the usual values, and the defaults of bm25s
VERSION = "numpy-lucene-1"


@dataclass(frozen=True, slots=True)
class Packed:
    """Documents of one file: for each distinct word of each, its number, its document and its count; and their lengths."""

    words: NDArray[np.int32]
    documents: NDArray[np.int32]
    counts: NDArray[np.float32]
    lengths: NDArray[np.float64]


class Vocabulary:
    """Numbers of words, given out as they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def pack(self, documents: Sequence[Sequence[str]]) -> Packed:
        """Return the documents as arrays."""
        words, owners, counts = list[int](), list[int](), list[int]()
        for owner, document in enumerate(documents):
            for word, count in Counter(document).items():
                words.append(self._numbers.setdefault(word, len(self._numbers)))
                owners.append(owner)
                counts.append(count)
        return Packed(
            np.array(words, dtype=np.int32),
            np.array(owners, dtype=np.int32),
            np.array(counts, dtype=np.float32),
            np.array([len(document) for document in documents], dtype=np.float64),
        )

    def known(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Return the numbers of the distinct words that any document has, in order of first appearance."""
        return np.array([self._numbers[word] for word in dict.fromkeys(words) if word in self._numbers], dtype=np.int32)


class Ranking:
    """An index over the documents of many files, in their order."""

    def __init__(self, vocabulary: Vocabulary, parts: Sequence[Packed]) -> None:
        self._vocabulary = vocabulary
        empty = Packed(*(np.zeros(0, dtype=kind) for kind in (np.int32, np.int32, np.float32, np.float64)))
        parts = [empty, *parts]
        begins = np.cumsum([0, *(len(part.lengths) for part in parts[:-1])], dtype=np.int64)
        self._words = np.concatenate([part.words for part in parts])
        self._documents = np.concatenate([part.documents + begin for part, begin in zip(parts, begins, strict=True)])
        self._counts = np.concatenate([part.counts for part in parts])
        self._lengths = np.concatenate([part.lengths for part in parts])

    def scores(self, words: Sequence[str]) -> NDArray[np.float64]:
        """Return (documents,) float64; each distinct word counts once, however often the question repeats it.

        Source   Robertson, Zaragoza 2009, eq. 3.15, with Lucene's idf, which is never negative.
        """
        count = len(self._lengths)
        asked = self._vocabulary.known(words)
        if not count or not asked.size:
            return np.zeros(count)
        is_hit = np.isin(self._words, asked)
        terms, documents, counts = self._words[is_hit], self._documents[is_hit], self._counts[is_hit].astype(np.float64)
        _, slots = np.unique(terms, return_inverse=True)
        frequency = np.bincount(slots)
        idf = np.log1p((count - frequency + 0.5) / (frequency + 0.5))
        norm = K1 * (1 - B + B * self._lengths[documents] / self._lengths.mean())
        return np.bincount(documents, weights=idf[slots] * counts / (counts + norm), minlength=count)


def order_of(scores: NDArray[np.float64]) -> list[int]:
    """Return the numbers of documents with a positive score, best first, ties by number."""
    order = np.argsort(-scores, kind="stable")
    return [int(at) for at in order if scores[at] > 0]
