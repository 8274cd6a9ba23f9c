"""Random: symbols in an order that depends on the question's text and a seed alone. The floor under every figure."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from bench.localization.packing import pack
from bench.localization.source import Kept, Tree
from bench.localization.systems import Answer, Span

SEED = 7
RANKED_MAX = 1_000  # more are never shown, and a rank beyond is no rank


class RandomSymbols:
    """Functions and the pieces of lines outside them, shuffled."""

    name = "random"
    version = f"2-seed{SEED}"

    def __init__(self, seed: int = SEED) -> None:
        self._seed = seed
        self._kept = Kept(Tree.units)

    def index(self, tree: Path) -> None:
        """Read the tree."""
        self._tree = Tree(tree)
        self._units = [unit for units in self._kept.of(self._tree) for unit in units]

    def follow(self, tree: Path) -> None:
        """Read what is new in the tree."""
        self.index(tree)

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Answer with ranked spans, packed."""
        seed = hashlib.sha256(f"{self._seed}\0{text}".encode()).digest()
        order = random.Random(seed).sample(self._units, min(RANKED_MAX, len(self._units)))
        return pack([Span(unit.path, unit.start, unit.end) for unit in order], self._tree, budget_tokens)


def create(scratch: Path) -> RandomSymbols:
    """Return the arm with its fixed seed; it keeps nothing on disk."""
    del scratch
    return RandomSymbols()
