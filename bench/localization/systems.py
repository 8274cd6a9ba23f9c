"""Systems: what a rival is asked and what it must answer.

A system indexes one tree, then answers a text and a budget with spans in order of rank. A span whose text stands in
the answer is *shown*; a span that is only named counts for rank and for nothing else. What an answer costs is never
taken from the system: `packing` measures it.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.localization.rows import Row


@dataclass(frozen=True, slots=True)
class Span:
    """Lines `start`..`end` of `path`, 1-based, both included; `tokens` is the system's own claim."""

    path: str
    start: int
    end: int
    tokens: int = 0
    is_text_shown: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """Spans in order of rank. With `text`, that text is the whole packet: it is measured, and claims are checked in it.

    Without `text` the packet is what the harness itself renders: the shown lines, each run under one header line.
    """

    spans: tuple[Span, ...]
    text: str | None = None


class System(Protocol):
    """One arm. A new object for each row, so that nothing is carried over, unless it is one that `Follows`."""

    @property
    def name(self) -> str:
        """The name that tables print."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever an answer could: rows measured with another version are measured again."""
        ...

    def index(self, tree: Path) -> None:
        """Read the tree; asked once."""
        ...

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Answer an issue's text; asked once for each budget, smallest first."""
        ...


@runtime_checkable
class SeesGold(Protocol):
    """The oracle's privilege: it is shown the row before it is asked."""

    def reveal(self, row: Row) -> None:
        """Take the row."""
        ...


@runtime_checkable
class Closes(Protocol):
    """A system that holds something open, or has left something in the tree, until it has answered everything."""

    def close(self) -> None:
        """Let go of it."""
        ...


@runtime_checkable
class Follows(Protocol):
    """A system that is kept for all commits of a repository; its answers are those of a new one at each of them."""

    def follow(self, tree: Path) -> None:
        """Bring the index up to date: the tree, at the same place, was switched to another commit."""
        ...


class Unavailable(Exception):
    """A rival cannot be set up on this machine; it is left out, and the run says so."""


class UnknownSystem(Exception):
    """A name that no arm carries."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"unknown system {name!r}; known: {', '.join(ARMS)}\nhint: --systems takes names, comma-separated")


ARMS = {
    "random": "random_symbols",
    "bm25-files": "bm25_files",
    "bm25-symbols": "bm25_symbols",
    "oracle": "oracle",
    "clew": "clew_command",
    "clew-lib": "clew_library",
    "semble-local-model": "semble_arm",
    "aider-map": "aider_map",
    "codegraph": "codegraph",
    "code-review-graph": "code_review_graph",
    "graphify": "graphify",
}


def create(name: str, scratch: Path) -> System:
    """Return a new system; `scratch` is an empty folder that it may fill and that the runner deletes.

    The arm's module is imported here, not above, because a rival's packages are needed only where that rival runs.
    Raises UnknownSystem, or ModuleNotFoundError when the rival's package is not installed.
    """
    if name not in ARMS:
        raise UnknownSystem(name)
    return import_module(f"bench.localization.arms.{ARMS[name]}").create(scratch)
