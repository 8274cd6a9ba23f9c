"""Marks: what a reader found in real sessions that whoever goes on after a cut must not lose.

`list.jsonl` holds dead ends and standing constraints. It quotes nothing: a mark points into the session with spans, and a
digest beside each span says whether the session still reads there as it did. `find` turns pointers into the words
themselves; `is_kept` asks whether a window still holds them. Knows nothing of how clew detects either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

LIST = Path(__file__).parent / "list.jsonl"

Kind = Literal["dead_end", "constraint"]
FIELDS: dict[str, tuple[str, ...]] = {"dead_end": ("tried", "reason"), "constraint": ("said",)}
DIGEST_CHARACTERS = 8  # tells a moved span; 32 bits, as no two spans are ever compared with each other


class ListBroken(Exception):
    """A row of the list is not a mark."""

    def __init__(self, path: Path, row: int, found: str) -> None:
        self.path, self.row, self.found = path, row, found
        super().__init__(f"{path}:{row}: {found}\nhint: the form of a row is described in README.md beside the list")


class MarkMoved(Exception):
    """The session does not read, where a mark points, as it did when the mark was made."""

    def __init__(self, pointer: Pointer, field: str, span: Span, found: str) -> None:
        self.pointer, self.field, self.span, self.found = pointer, field, span, found
        super().__init__(
            f"{pointer.session}, cut {pointer.cut}, {pointer.kind} ({pointer.note}): {field} points to line {span.line}, "
            f"characters {span.start} to {span.end}, but {found}\nhint: is this the transcript that was marked, whole and unchanged?"
        )


@dataclass(frozen=True)
class Span:
    """A piece of one transcript line: characters `start` to `end` (end not included) of its `canonical` text."""

    line: int
    start: int
    end: int
    digest: str


@dataclass(frozen=True)
class Pointer:
    """A row of the list. The spans of a field are alternatives: any one of them will do."""

    session: str
    cut: int
    kind: Kind
    note: str
    tried: tuple[Span, ...] = ()
    reason: tuple[Span, ...] = ()
    said: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A pointer with its spans turned into the words of the session."""

    session: str
    cut: int
    kind: Kind
    note: str
    tried: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


def load(path: Path = LIST) -> tuple[Pointer, ...]:
    """Return the pointers of a list, in its order. Raises ListBroken, which names the row."""
    with path.open(encoding="utf-8") as lines:
        return tuple(_pointer(path, number, line) for number, line in enumerate(lines, start=1))


def canonical(line: str) -> str:
    """Return the text of one transcript line: every string value of its JSON in document order, keys not included, one a line.

    Raises ValueError when the line is no JSON.
    """
    return "\n".join(_strings(json.loads(line)))


def find(pointers: Sequence[Pointer], session: str, lines: Sequence[str]) -> tuple[Mark, ...]:
    """Return the marks of `session`, named `<owner>__<repo>/<file stem>`, whose transcript has these lines.

    Raises MarkMoved, which names the mark, when a line is missing or reads otherwise.
    Cost   parses each line that a span points to once for each span.
    """
    return tuple(_mark(pointer, lines) for pointer in pointers if pointer.session == session)


def is_kept(mark: Mark, window: str) -> bool:
    """Say whether a window still holds a mark: the attempt and why it failed, or the rule as it was said.

    Case counts, the amount of white space does not. Of each field one alternative is enough; a dead end without a marked
    reason needs only the attempt.
    """
    there = _spaced(window)
    needed = (mark.said,) if mark.kind == "constraint" else (mark.tried, mark.reason)
    return all(any(_spaced(words) in there for words in alternatives) for alternatives in needed if alternatives)


def digest(words: str) -> str:
    """Return what the list keeps of a span's words."""
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]


def _pointer(path: Path, number: int, line: str) -> Pointer:
    try:
        row: dict[str, Any] = json.loads(line)
        fields = FIELDS[row["kind"]]
        spans = {field: tuple(_span(row["cut"], given) for given in row[field]) for field in fields}
        pointer = Pointer(row["session"], row["cut"], row["kind"], row["note"], **spans)
    except (KeyError, TypeError, ValueError) as error:
        raise ListBroken(path, number, f"not a mark: {error!r}") from error
    if not spans[fields[0]]:
        raise ListBroken(path, number, f"a {pointer.kind} without any span in {fields[0]}")
    return pointer


def _span(cut: int, given: dict[str, Any]) -> Span:
    span = Span(given["line"], given["start"], given["end"], given["digest"])
    if not (0 <= span.line < cut and 0 <= span.start < span.end):
        message = f"a span must be a piece of a line before the cut at {cut}: {given}"
        raise ValueError(message)
    return span


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _mark(pointer: Pointer, lines: Sequence[str]) -> Mark:
    words = {field: tuple(_words(pointer, field, span, lines) for span in getattr(pointer, field)) for field in ("tried", "reason", "said")}
    return Mark(pointer.session, pointer.cut, pointer.kind, pointer.note, **words)


def _words(pointer: Pointer, field: str, span: Span, lines: Sequence[str]) -> str:
    if span.line >= len(lines):
        raise MarkMoved(pointer, field, span, f"the transcript has {len(lines)} lines")
    try:
        words = canonical(lines[span.line])[span.start : span.end]
    except ValueError as error:
        raise MarkMoved(pointer, field, span, f"that line is no JSON: {error}") from error
    if digest(words) != span.digest:
        raise MarkMoved(pointer, field, span, f"the words there have the digest {digest(words)}, not {span.digest}")
    return words


def _spaced(text: str) -> str:
    return " ".join(text.split())
