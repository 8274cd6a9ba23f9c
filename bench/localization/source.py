"""Source: files, symbols and windows of a tree: Python read with its own `ast`, other languages by their `outline`.

The rivals and the judge use this, never clew's parser, so that a fault in that parser cannot hide itself. The judge
counts functions by `ast` alone; the outline serves the rivals' units. What neither reads is known by windows.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Generic, TypeVar

from bench.localization.outline import LANGUAGES, outline

WINDOW_LINES = 50  # the usual window of published BM25 baselines; about 450 tokens of Python
SUFFIXES = (".py", ".pyi", ".pyx", *LANGUAGES)  # source code of the rows' languages and their neighbours; no prose, no data
FILE_BYTES_MAX = 2_000_000  # guess; larger "source" files are data, and no rival should drown in one

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a file that can be ranked: `kind` is function, class, rest (lines outside functions) or window."""

    path: str
    start: int
    end: int
    kind: str
    qualname: str = ""


class Tree:
    """The text files of a folder, each read at most once. Paths are relative, with slashes."""

    def __init__(
        self, root: Path, suffixes: Sequence[str] = SUFFIXES, parsed: dict[tuple[str, bytes], tuple[Unit, ...] | None] | None = None
    ) -> None:
        self.root, self._suffixes = root, tuple(suffixes)
        self._parsed = {} if parsed is None else parsed  # by path and bytes: shared by the trees of one repository
        self._lines: dict[str, tuple[str, ...]] = {}
        self._units: dict[str, tuple[Unit, ...] | None] = {}

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """All source files in sorted order: no links, nothing in `.git`, nothing above FILE_BYTES_MAX."""
        found: list[str] = []
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name != ".git")
            for name in files:
                path = Path(folder, name)
                if name.endswith(self._suffixes) and not path.is_symlink() and path.stat().st_size <= FILE_BYTES_MAX:
                    found.append(path.relative_to(self.root).as_posix())
        return tuple(sorted(found))

    def digest(self, path: str) -> bytes:
        """Return a digest of the file's bytes, of nothing where there is no file."""
        file = self.root / path
        return hashlib.sha256(file.read_bytes() if file.is_file() else b"").digest()

    def lines(self, path: str) -> tuple[str, ...]:
        """Return the file's lines as git counts them (only line feeds end one), or nothing if there is no such file."""
        if path not in self._lines:
            file = self.root / path
            text = file.read_bytes().decode("utf-8", errors="replace") if file.is_file() else ""
            parts = text.split("\n")
            self._lines[path] = tuple(line.removesuffix("\r") for line in (parts[:-1] if parts[-1] == "" else parts))
        return self._lines[path]

    def symbols(self, path: str) -> tuple[Unit, ...] | None:
        """Return functions, methods and classes in order of lines, or None when the file cannot be parsed.

        A function inside a function belongs to the outer one. Decorators belong to what they decorate.
        """
        if path not in self._units:
            key = (path, self.digest(path)) if path.endswith(".py") else (path, b"")
            if key not in self._parsed:
                self._parsed[key] = _parse(path, self.lines(path))
            self._units[path] = self._parsed[key]
        return self._units[path]

    def functions(self, path: str) -> tuple[Unit, ...] | None:
        """Return the functions and methods of a file, or None when it cannot be parsed."""
        symbols = self.symbols(path)
        return None if symbols is None else tuple(unit for unit in symbols if unit.kind == "function")

    def windows(self, path: str, lines_max: int = WINDOW_LINES) -> tuple[Unit, ...]:
        """Return the file cut into windows that touch and do not overlap."""
        count = len(self.lines(path))
        return tuple(Unit(path, start, min(start + lines_max - 1, count), "window") for start in range(1, count + 1, lines_max))

    def units(self, path: str) -> tuple[Unit, ...]:
        """Return functions whole and the lines outside them, which a class begins anew; windows for an unreadable file.

        A class is not a unit of its own: it would stand in an answer beside its methods and be too large to be shown.
        """
        symbols = self.symbols(path)
        if symbols is None:
            blocks = outline(path, self.lines(path))
            symbols = None if blocks is None else tuple(Unit(path, block.start, block.end, block.kind, block.qualname) for block in blocks)
        if symbols is None:
            return self.windows(path)
        functions = _apart([unit for unit in symbols if unit.kind == "function"])
        classes = {unit.start: unit.qualname for unit in symbols if unit.kind == "class"}
        covered = {line for unit in functions for line in range(unit.start, unit.end + 1)}
        outside = [line for line in range(1, len(self.lines(path)) + 1) if line not in covered]
        rest: list[Unit] = []
        for first, last in runs_of(outside):
            cuts = [first, *(start for start in classes if first < start <= last), last + 1]
            for begin, end in pairwise(sorted(cuts)):
                rest += [
                    Unit(path, start, min(start + WINDOW_LINES, end) - 1, "rest", classes.get(begin, ""))
                    for start in range(begin, end, WINDOW_LINES)
                    if any(line.strip() for line in self.lines(path)[start - 1 : min(start + WINDOW_LINES, end) - 1])
                ]
        return tuple(sorted((*functions, *rest), key=lambda unit: unit.start))

    def text(self, unit: Unit) -> str:
        """Return the unit's lines, joined."""
        return "\n".join(self.lines(unit.path)[unit.start - 1 : unit.end])


class Kept(Generic[T]):
    """What `make` says of each file of a tree, asked again only where a file's path or bytes are new since the last tree."""

    def __init__(self, make: Callable[[Tree, str], T]) -> None:
        self._make = make
        self._known: dict[str, tuple[bytes, T]] = {}

    def of(self, tree: Tree) -> list[T]:
        """Return it for all paths of the tree, in their order; what is kept is of this tree alone."""
        known: dict[str, tuple[bytes, T]] = {}
        for path in tree.paths:
            digest, before = tree.digest(path), self._known.get(path)
            known[path] = before if before and before[0] == digest else (digest, self._make(tree, path))
        self._known = known
        return [made for _, made in known.values()]


def runs_of(lines: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last line of each run of consecutive numbers; `lines` ascends."""
    first = last = None
    for line in lines:
        if last is not None and line == last + 1:
            last = line
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = line
    if first is not None and last is not None:
        yield first, last


def words_of(text: str) -> list[str]:
    """Return the lower-case words of a text: each identifier's parts, and the identifier itself if it has several.

    `getHTTPResponse_2` gives get, http, response, 2, gethttpresponse_2.
    """
    words: list[str] = []
    for identifier in _IDENTIFIER.findall(text):
        words.extend(_words_of_one(identifier))
    return words


@lru_cache(maxsize=200_000)  # a tree repeats its identifiers; this holds all of a large one
def _words_of_one(identifier: str) -> tuple[str, ...]:
    parts = [part.lower() for part in _PART.findall(identifier)]
    return (*parts, identifier.lower()) if len(parts) > 1 else tuple(parts)


def _apart(functions: Sequence[Unit]) -> list[Unit]:
    """Return the functions without those that begin inside an earlier one: each line belongs to one unit."""
    kept: list[Unit] = []
    for unit in sorted(functions, key=lambda unit: (unit.start, -unit.end)):
        if not kept or unit.start > kept[-1].end:
            kept.append(unit)
    return kept


def _parse(path: str, lines: Sequence[str]) -> tuple[Unit, ...] | None:
    if not path.endswith(".py"):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # old code is full of stray backslashes; none of our business
            # A lone carriage return would be a line end to Python but not to git.
            module = ast.parse("\n".join(lines).replace("\r", " "))
    except (SyntaxError, ValueError, RecursionError):
        return None  # Python 2, a null byte, or nesting beyond the parser: the caller falls back to windows
    return tuple(_symbols(path, module, ""))


def _symbols(path: str, node: ast.AST, prefix: str) -> Iterator[Unit]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield _unit(path, child, "function", prefix)
        elif isinstance(child, ast.ClassDef):
            yield _unit(path, child, "class", prefix)
            yield from _symbols(path, child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _symbols(path, child, prefix)  # a definition under `if` or `try` is still a definition


def _unit(path: str, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, kind: str, prefix: str) -> Unit:
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return Unit(path, start, node.end_lineno or node.lineno, kind, prefix + node.name)
