"""Graph: the calls that clew finds in a tree, as places in files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from clew.codebase.file_changes import IndexReport, find_file_changes
from clew.codebase.file_records import read_language
from clew.store.documents import Documents
from clew.store.name_resolution import Names
from clew.store.shard import PartKey, compute_part_digest
from clew.text.postings import NameUse

SAMPLE_SEED = "edges/1"


@dataclass(frozen=True, slots=True)
class Call:
    """An edge: what stands at `tail` (path, first line, last line) calls what stands at `head` and is called `name`."""

    tail: tuple[str, int, int]
    head: tuple[str, int, int]
    name: str

    @property
    def key(self) -> str:
        """A hash of both places, which tells nothing of the code."""
        words = f"{self.tail[0]}:{self.tail[1]}>{self.head[0]}:{self.head[1]}:{self.name}"
        return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:16]


class Graph:
    """The symbols of a tree, and the calls between them, as clew indexes and joins them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        parts, names = list[tuple[PartKey, bytes]](), list[str]()
        self.languages: dict[str, str] = {}
        for delta in sorted(find_file_changes(root, {}, IndexReport(), jobs=1), key=lambda delta: delta.source):
            if delta.segment:
                parts.append(((delta.source, 0, compute_part_digest(delta.segment)), delta.segment))
                names += [record.name for record in delta.records]
                if delta.state is not None:
                    self.languages[delta.source.removeprefix("file:")] = read_language(delta.state)
        self.documents = Documents.build(parts)
        self.names = names
        self._lines: dict[str, list[str]] = {}

    def place(self, doc: int) -> tuple[str, int, int]:
        """Return (path, first line, last line) of a document."""
        start = int(self.documents.start_line[doc])
        return self.documents.path_of(doc), start, start + int(self.documents.lines[doc]) - 1

    @cached_property
    def calls(self) -> list[Call]:
        """All calls between symbols, in order of their places."""
        docs = np.flatnonzero(self.documents.search_scope("file:").mask).astype(np.int32)
        found = Names(self.documents).outgoing(docs)
        rows = np.flatnonzero(found.kinds == NameUse.CALL)
        ends = ((int(found.tails[row]), int(found.heads[row])) for row in rows.tolist())
        return [Call(*call) for call in sorted({(self.place(tail), self.place(head), self.names[head]) for tail, head in ends})]

    @cached_property
    def _symbols(self) -> dict[str, list[tuple[int, int]]]:
        found: dict[str, list[tuple[int, int]]] = {}
        for doc in np.flatnonzero(self.documents.search_scope("file:").mask).tolist():
            path, start, end = self.place(doc)
            found.setdefault(path, []).append((start, end))
        return found

    def around(self, path: str, line: int) -> tuple[int, int] | None:
        """Return (first, last line) of the innermost symbol around a line of a file."""
        around = [span for span in self._symbols.get(path, ()) if span[0] <= line <= span[1]]
        return min(around, key=lambda span: span[1] - span[0], default=None)

    @cached_property
    def _named(self) -> dict[tuple[str, str], list[int]]:
        found: dict[tuple[str, str], list[int]] = {}
        for doc in np.flatnonzero(self.documents.search_scope("file:").mask).tolist():
            found.setdefault((self.documents.path_of(doc), self.names[doc]), []).append(self.place(doc)[1])
        return found

    def forms(self, call: Call) -> list[int]:
        """Return the first lines of all symbols that share the called one's file and qualified name."""
        return self._named[call.head[0], call.name]

    def lines(self, path: str) -> list[str]:
        """Return the lines of a file."""
        if path not in self._lines:
            self._lines[path] = (self.root / path).read_bytes().decode("utf-8", "replace").split("\n")
        return self._lines[path]

    def sites(self, call: Call) -> list[int]:
        """Return the lines in the caller on which the called name stands."""
        path, start, end = call.tail
        name = re.compile(rf"(?<!\w){re.escape(call.name.rpartition('.')[2])}(?!\w)")
        return [line for line in range(start, min(end, len(self.lines(path))) + 1) if name.search(self.lines(path)[line - 1])]


def draw(calls: list[Call], count: int) -> list[Call]:
    """Return a sample that depends on the calls alone: those whose keys hash lowest with the seed."""
    return sorted(calls, key=lambda call: hashlib.sha256((SAMPLE_SEED + call.key).encode()).digest())[:count]
