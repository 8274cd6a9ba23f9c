"""BM25 for the rival arms: a thin typed face on the `bm25s` package, with ties broken by document number."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from typing import Protocol, cast

import bm25s
import numpy as np
from numpy.typing import NDArray

K1, B = 1.5, 0.75  # the package's defaults, and the usual values
VERSION = f"bm25s {metadata.version('bm25s')}"


class _Scorer(Protocol):
    def index(self, corpus: list[list[str]], *, show_progress: bool) -> None: ...
    def get_scores(self, query_tokens_single: list[str]) -> NDArray[np.float32]: ...


class Ranking:
    """An index over documents given as lists of words."""

    def __init__(self, documents: Sequence[list[str]]) -> None:
        self._count = len(documents)
        self._scorer = cast("_Scorer", bm25s.BM25(k1=K1, b=B, method="lucene"))
        if self._count:
            self._scorer.index([*documents], show_progress=False)

    def scores(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (documents,) float32; each distinct word counts once, however often the question repeats it."""
        if not self._count:
            return np.zeros(0, dtype=np.float32)
        return self._scorer.get_scores([*dict.fromkeys(words)])


def order_of(scores: NDArray[np.float32]) -> list[int]:
    """Return the numbers of documents with a positive score, best first, ties by number."""
    order = np.argsort(-scores, kind="stable")
    return [int(at) for at in order if scores[at] > 0]
