"""BM25 over symbols: functions whole, and the lines outside them in pieces of a window at most.

Classes are not documents of their own: with them all gold is found less often in 8,192 tokens: bench/LOG.md.
"""

from __future__ import annotations

from pathlib import Path

from bench.localization.arms.bm25 import VERSION, Packed, Ranking, Vocabulary, order_of
from bench.localization.packing import pack
from bench.localization.source import Kept, Tree, Unit, words_of
from bench.localization.systems import Answer, Span

RANKED_MAX = 1_000  # more are never shown


class Bm25Symbols:
    """One document for each unit: the words of its path, its qualified name and its lines."""

    name = "bm25-symbols"
    version = f"2 {VERSION}"

    def __init__(self) -> None:
        self._vocabulary = Vocabulary()
        self._kept = Kept(self._read)

    def index(self, tree: Path) -> None:
        """Read the tree."""
        self._tree = Tree(tree)
        parts = self._kept.of(self._tree)
        self._units = [unit for units, _ in parts for unit in units]
        self._ranking = Ranking(self._vocabulary, [packed for _, packed in parts])

    def follow(self, tree: Path) -> None:
        """Read what is new in the tree."""
        self.index(tree)

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Answer with ranked spans, packed."""
        best = (self._units[at] for at in order_of(self._ranking.scores(words_of(text)))[:RANKED_MAX])
        return pack([Span(unit.path, unit.start, unit.end) for unit in best], self._tree, budget_tokens)

    def _read(self, tree: Tree, path: str) -> tuple[tuple[Unit, ...], Packed]:
        units = tree.units(path)
        return units, self._vocabulary.pack([words_of(f"{path} {unit.qualname} {tree.text(unit)}") for unit in units])


def create(scratch: Path) -> Bm25Symbols:
    """Return the arm; it keeps nothing on disk."""
    del scratch
    return Bm25Symbols()
