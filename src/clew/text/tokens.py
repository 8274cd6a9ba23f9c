"""Tokens: how long is a text for the model that will read it?

PROVISIONAL (lead): flat bytes-per-token rates so that others can work; the author of the estimate replaces the
inside of this file. The API that others already use: `counter(name)`, `Counter.name/.count/.measure/.measure_many`,
`FAMILIES`, `family_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from clew.errors import UnknownTokenizer

FAMILIES: tuple[str, ...] = ("claude-4.7", "claude-3", "o200k", "chars4")
_BYTES_PER_TOKEN = {"claude-4.7": 2.25, "claude-3": 2.86, "o200k": 3.48}


def family_of(name: str) -> str:
    """Return the family that a name or a model's full name belongs to. Raises UnknownTokenizer."""
    if name in FAMILIES:
        return name
    if name == "claude" or name.startswith("claude-"):
        return "claude-4.7"
    raise UnknownTokenizer(name, (*FAMILIES, "claude"))


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts in one family's tokens."""

    name: str

    def measure(self, text: str) -> float:
        """Length in tokens, not rounded; adding the measures of pieces is never less than that of the whole."""
        if self.name == "chars4":
            return len(text) / 4
        return len(text.encode("utf-8", "surrogateescape")) / _BYTES_PER_TOKEN[self.name]

    def measure_many(self, texts: Sequence[str]) -> list[float]:
        """`measure` of each."""
        return [self.measure(text) for text in texts]

    def count(self, text: str) -> int:
        """Length in whole tokens, rounded up."""
        return ceil(self.measure(text))


def counter(name: str) -> Counter:
    """Return the counter of a family or a model. Raises UnknownTokenizer."""
    return Counter(family_of(name))
