"""clew, as a person types it: `clew index`, then `clew retrieve -` for each question. Seconds include the start-up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.doors import SHOWN, index_command, retrieve_command, run
from bench.localization.systems import Answer, Span
from bench.machine import SOURCE, digest_of_tree


class ClewCommand:
    """One home for each tree; the packet's own text is what is measured."""

    name = "clew"

    def __init__(self, home: Path) -> None:
        self._home = home

    @property
    def version(self) -> str:
        """The digest of clew's source: a commit that leaves it as it is leaves the answers as they are."""
        return digest_of_tree(SOURCE)

    def index(self, tree: Path) -> None:
        """Run `clew index`."""
        self._tree = tree
        run(index_command(tree), self._home)

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Run `clew retrieve`."""
        return answer_of(json.loads(run(retrieve_command(self._tree, budget_tokens), self._home, text)))


def answer_of(packet: Mapping[str, Any]) -> Answer:
    """Return the code entries of a packet in JSON, in order of rank, with the packet's text."""
    spans = tuple(
        Span(
            path=entry["path"],
            start=entry["start"],
            end=entry["end"],
            tokens=entry["tokens"],
            is_text_shown=entry["resolution"] in SHOWN,
        )
        for entry in packet["entries"]
        if entry.get("path") and entry.get("start") and not entry.get("session")
    )
    return Answer(spans, packet["text"])


def create(scratch: Path) -> ClewCommand:
    """Return the arm with its data below `scratch`."""
    return ClewCommand(scratch / "home")
