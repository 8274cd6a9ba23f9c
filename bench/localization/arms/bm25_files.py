"""BM25 over whole files; of each file the windows that score best are shown."""

from __future__ import annotations

from itertools import count, islice
from pathlib import Path

from bench.localization.arms.bm25 import VERSION, Packed, Ranking, Vocabulary, order_of
from bench.localization.packing import pack
from bench.localization.source import Kept, Tree, Unit, words_of
from bench.localization.systems import Answer, Span

WINDOWS_PER_ROUND = 2  # the best of 1, 2, 3, 5 and whole files for this arm on the dev rows: bench/LOG.md
FILES_MAX = 100  # more are never shown


class Bm25Files:
    """Files in order of their own score. Each round shows the next best windows of every file, in that order."""

    name = "bm25-files"

    def __init__(self, windows_per_round: int = WINDOWS_PER_ROUND) -> None:
        self._per_round = windows_per_round
        self._vocabulary = Vocabulary()
        self._kept = Kept(self._read)

    @property
    def version(self) -> str:
        """Package and parameters."""
        return f"2-{self._per_round} {VERSION}"

    def index(self, tree: Path) -> None:
        """Read the tree."""
        self._tree = Tree(tree)
        parts = self._kept.of(self._tree)
        self._windows = [windows for windows, _, _ in parts]
        self._files = Ranking(self._vocabulary, [file for _, file, _ in parts])
        self._parts = Ranking(self._vocabulary, [pieces for _, _, pieces in parts])

    def follow(self, tree: Path) -> None:
        """Read what is new in the tree."""
        self.index(tree)

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Answer with ranked spans, packed."""
        asked = words_of(text)
        scores = iter([float(score) for score in self._parts.scores(asked)])
        part_scores = [list(islice(scores, len(windows))) for windows in self._windows]
        files = order_of(self._files.scores(asked))[:FILES_MAX]
        best = [
            [self._windows[file][at] for at in sorted(range(len(part_scores[file])), key=lambda at: -part_scores[file][at])]
            for file in files
        ]
        ranked: list[Span] = []
        for turn in count():
            taken = [windows[turn * self._per_round : (turn + 1) * self._per_round] for windows in best]
            if not any(taken):
                break
            ranked.extend(Span(unit.path, unit.start, unit.end) for windows in taken for unit in windows)
        return pack(ranked, self._tree, budget_tokens)

    def _read(self, tree: Tree, path: str) -> tuple[tuple[Unit, ...], Packed, Packed]:
        windows = tree.windows(path)
        words = [words_of(tree.text(window)) for window in windows]
        whole = words_of(path) + [word for part in words for word in part]
        return windows, self._vocabulary.pack([whole]), self._vocabulary.pack(words)


def create(scratch: Path) -> Bm25Files:
    """Return the arm; it keeps nothing on disk."""
    del scratch
    return Bm25Files()
