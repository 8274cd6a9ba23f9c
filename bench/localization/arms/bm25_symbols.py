"""BM25 over symbols: functions whole, and the lines outside them in pieces of a window at most.

Classes are not documents of their own: with them all gold is found less often in 8,192 tokens: bench/LOG.md.
"""

from __future__ import annotations

from pathlib import Path

from bench.localization.arms.bm25 import VERSION, Ranking, order_of
from bench.localization.packing import pack
from bench.localization.source import Tree, words_of
from bench.localization.systems import Answer, Span

RANKED_MAX = 1_000  # more are never shown


class Bm25Symbols:
    """One document for each unit: the words of its path, its qualified name and its lines."""

    name = "bm25-symbols"
    version = f"1 {VERSION}"

    def index(self, tree: Path) -> None:
        """Read the tree."""
        self._tree = Tree(tree)
        self._units = [unit for path in self._tree.paths for unit in self._tree.units(path)]
        self._ranking = Ranking([words_of(f"{unit.path} {unit.qualname} {self._tree.text(unit)}") for unit in self._units])

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Answer with ranked spans, packed."""
        best = (self._units[at] for at in order_of(self._ranking.scores(words_of(text)))[:RANKED_MAX])
        return pack([Span(unit.path, unit.start, unit.end) for unit in best], self._tree, budget_tokens)


def create(scratch: Path) -> Bm25Symbols:
    """Return the arm; it keeps nothing on disk."""
    del scratch
    return Bm25Symbols()
