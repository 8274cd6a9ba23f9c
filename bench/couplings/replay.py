"""Replay: the functions of a repository at a commit, what the index knew of them then, and which of them later commits changed.

A function is known by its path and qualified name. A commit changed it when it is there before and after with a different text, blanks
aside. Commits that change many files or functions are left out. The git directory is only read.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from bench.doors import opened
from bench.trees import write_tree
from clew.codebase.facts import FUNCTION_KINDS
from clew.codebase.languages import LANGUAGES, detect_language
from clew.codebase.parse import parse_file
from clew.enrich.edge_producer import read_table
from clew.enrich.history import COMMIT_FILES_MAX, HISTORY_SOURCE, decode_commits
from clew.enrich.producers.commits import CO_CHANGE_SOURCE
from clew.settings import find_workspace
from clew.store.ports import LOCAL, Snapshot

FUNCTIONS_MAX = 30  # that a commit which is kept may change
SOURCE_BYTES_MAX = 400_000  # of a file that is read; larger ones are written by programs
NOTHING = "0" * 40
LOG = ("log", "--no-merges", "--min-parents=1", "--raw", "-z", "--no-renames", "--abbrev=40", "--format=%x01%H")


class Function(msgspec.Struct, array_like=True):
    """A function at the commit: where it stands, its qualified name, its text, and whether it is a test's."""

    path: str
    name: str
    text: str
    is_test: bool


class Replayed(msgspec.Struct):
    """A repository at one commit.

    linked    pairs of functions of which one calls, uses or inherits the other, the smaller number first.
    together  pairs of files (path, path) with a co-change edge, sorted.
    past      the files that each known commit before it changed, newest first.
    earlier   functions that each of the last commits before it changed; later  those of the commits after it, newest first.
    """

    repo: str
    commit: str
    functions: list[Function]
    linked: list[tuple[int, int]]
    together: list[tuple[str, str]]
    past: list[list[str]]
    earlier: list[list[int]]
    later: list[list[int]]


def replay(git_dir: Path, repo: str, *, later: int, earlier: int) -> Replayed:
    """Read a repository at the commit after which `later` commits without merges follow, and what those changed."""
    git = Git(git_dir)
    head = git.text("rev-parse", "HEAD").strip()
    commit = _standpoint(git, head, later)
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        tree = Path(folder, "tree")
        write_tree(git_dir, commit, tree)
        with opened(Path(folder, "home"), jobs=1) as engine:
            engine.index(tree)
            key, _ = find_workspace(tree)
            with engine.store.snapshot(LOCAL, key) as snapshot:
                functions, numbers, linked = _functions(snapshot)
                table = read_table(snapshot.source_state(CO_CHANGE_SOURCE))
                past = decode_commits(snapshot.source_states(HISTORY_SOURCE))
    together = {(min(path, one.path), max(path, one.path)) for path, ones in table.items() for one in ones}
    changed = ChangedFunctions(git, numbers)
    return Replayed(
        repo, commit, functions, linked, sorted(together), [list(one.files) for one in past if 0 < len(one.files) <= COMMIT_FILES_MAX],
        list(changed.of(f"--max-count={earlier}", commit)), list(changed.of(f"{commit}..{head}")),
    )  # fmt: skip


def _functions(snapshot: Snapshot) -> tuple[list[Function], dict[tuple[str, str], int], list[tuple[int, int]]]:
    """All functions of an index, their numbers by (path, name), and which are linked."""
    documents = snapshot.documents
    docs = [doc for doc in np.flatnonzero(documents.search_scope("file:").mask).tolist() if documents.kind_of(doc) in FUNCTION_KINDS]
    records = {record.id: record for record in snapshot.records(documents.ids_of(docs))}
    originals = snapshot.originals({record.full_text.blob for record in records.values()})
    functions: list[Function] = []
    numbers: dict[tuple[str, str], int] = {}
    number_of: dict[int, int] = {}
    for doc in docs:
        record = records[documents.id_of(doc)]
        full = record.full_text
        text = originals[full.blob][full.start : full.end].decode("utf-8", "replace")
        key = (record.path, record.name)
        if key in numbers:  # overloads are one function here
            functions[numbers[key]].text += "\n" + text
        else:
            numbers[key] = len(functions)
            functions.append(Function(record.path, record.name, text, bool(documents.is_test[doc])))
        number_of[doc] = numbers[key]
    edges = snapshot.names.outgoing(np.array(docs, np.int32))
    linked: set[tuple[int, int]] = set()
    for tail, head in zip(edges.tails.tolist(), edges.heads.tolist(), strict=True):
        a, b = number_of.get(tail, -1), number_of.get(head, -1)
        if min(a, b) >= 0 and a != b:
            linked.add((min(a, b), max(a, b)))
    return functions, numbers, sorted(linked)


class Git:
    """A git directory that is only read."""

    def __init__(self, git_dir: Path) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        self._environment = kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        self._words = ["git", f"--git-dir={git_dir}", "-c", "safe.directory=*"]

    def bytes(self, *words: str, given: bytes = b"") -> bytes:
        """Return what a command prints."""
        return subprocess.run([*self._words, *words], env=self._environment, input=given, capture_output=True, check=True).stdout

    def text(self, *words: str) -> str:
        """Return what a command prints, as text."""
        return self.bytes(*words).decode("utf-8", "replace")

    def blobs(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the blobs of these names that are there."""
        told = self.bytes("cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode())
        found: dict[str, bytes] = {}
        at = 0
        while at < len(told):
            end = told.index(b"\n", at)
            name, kind, *size = told[at:end].split()
            at = end + 1
            if kind != b"missing":
                found[name.decode()] = told[at : at + int(size[0])]
                at += int(size[0]) + 1
        return found


class ChangedFunctions:
    """Says which functions commits changed; texts that were read once are remembered."""

    def __init__(self, git: Git, numbers: dict[tuple[str, str], int]) -> None:
        self._git, self._numbers = git, numbers
        self._known: dict[tuple[str, str], dict[str, str]] = {}

    def of(self, *words: str) -> Iterator[list[int]]:
        """Yield the changed functions of each commit that `git log` lists for these words, newest first; empty ones are left out."""
        commits = [list(_changes(block)) for block in self._git.text(*LOG, *words).split("\x01")[1:]]
        kept = [rows for rows in commits if 0 < len(rows) <= COMMIT_FILES_MAX]
        for at in range(0, len(kept), 100):
            batch = kept[at : at + 100]
            texts = self._git.blobs(sorted({name for rows in batch for _, old, new in rows for name in (old, new)}))
            for rows in batch:
                found = {number for path, old, new in rows for number in self._between(path, old, new, texts)}
                if 0 < len(found) <= FUNCTIONS_MAX:
                    yield sorted(found)

    def _between(self, path: str, old: str, new: str, texts: dict[str, bytes]) -> Iterator[int]:
        before, after = texts.get(old), texts.get(new)
        if before is None or after is None or max(len(before), len(after)) > SOURCE_BYTES_MAX:
            return
        was, now = self._bodies(path, old, before), self._bodies(path, new, after)
        for name, body in was.items():
            if now.get(name, body) != body and (path, name) in self._numbers:
                yield self._numbers[path, name]

    def _bodies(self, path: str, name: str, data: bytes) -> dict[str, str]:
        """Digests of the functions of a file by their qualified names."""
        key = (path, name)
        if key not in self._known:
            bodies: dict[str, str] = {}
            for symbol in parse_file(path, data).symbols:
                if symbol.kind in FUNCTION_KINDS:
                    body = b"".join(data[symbol.start : symbol.end].split())
                    bodies[symbol.qualname] = bodies.get(symbol.qualname, "") + hashlib.blake2b(body, digest_size=16).hexdigest()
            self._known[key] = bodies
        return self._known[key]


def _changes(block: str) -> Iterator[tuple[str, str, str]]:
    """(path, blob before, blob after) of each file of code that was there before a commit and after it."""
    _, *rest = block.split("\0")
    parts = [part.strip("\n") for part in rest if part.strip("\n")]
    at = 0
    while at + 1 < len(parts):
        if not parts[at].startswith(":"):
            at += 1
            continue
        _, mode, old, new, _ = parts[at].split()
        path = parts[at + 1]
        at += 2
        if NOTHING not in (old, new) and mode.startswith("100") and detect_language(path, b"") in LANGUAGES:
            yield path, old, new


def _standpoint(git: Git, head: str, later: int) -> str:
    """The nearest ancestor of the head, by first parents, that so many commits without merges follow."""
    line = git.text("rev-list", "--first-parent", head).split()
    low, high = 0, len(line) - 1
    while low < high:
        middle = (low + high) // 2
        if int(git.text("rev-list", "--count", "--no-merges", f"{line[middle]}..{head}")) >= later:
            high = middle
        else:
            low = middle + 1
    return line[low]
