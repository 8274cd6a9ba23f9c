"""clew, in this process: one engine and one store for all commits of a repository, indexed incrementally.

The same packets as `clew`, without its start-up: an index that was brought up to date answers as one that was built anew.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from bench.doors import SHOWN, index, opened, retrieve
from bench.localization.systems import Answer, Span
from bench.machine import SOURCE, digest_of_tree


class ClewLibrary:
    """One home for each repository; closed by the runner."""

    name = "clew-lib"

    def __init__(self, home: Path) -> None:
        self._open = ExitStack()
        self._home = home

    @property
    def version(self) -> str:
        """The digest of clew's source."""
        return digest_of_tree(SOURCE)

    def index(self, tree: Path) -> None:
        """Open the engine and index the tree."""
        self._tree = tree
        self._engine = self._open.enter_context(opened(self._home))
        index(self._engine, tree)

    def follow(self, tree: Path) -> None:
        """Bring the index up to date with the commit that the tree was switched to."""
        index(self._engine, tree)

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Ask the engine."""
        packet = retrieve(self._engine, self._tree, text, budget_tokens)
        spans = tuple(
            Span(entry.path, entry.start, entry.end, entry.tokens, entry.resolution.label in SHOWN)
            for entry in packet.entries
            if entry.path and entry.start and not entry.session
        )
        return Answer(spans, packet.text)

    def close(self) -> None:
        """Close the store."""
        self._open.close()


def create(scratch: Path) -> ClewLibrary:
    """Return the arm with its data below `scratch`."""
    return ClewLibrary(scratch / "home")
