"""Metrics: one answer judged against one row.

All-gold FILE, FUNCTION, WHOLE and LINE look at the lines shown; ranks look at every span of the answer, in order.
Pure; knows nothing about systems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.localization.packing import Shown
from bench.localization.rows import Gold, Row
from bench.localization.source import Tree
from bench.localization.systems import Answer, Span

LEVELS = ("file", "function", "whole", "line")


@dataclass(frozen=True, slots=True)
class Missing:
    """Gold that the packet does not show at a level; `rank` is the first span that touches it, from 1, or None."""

    level: str
    what: str
    rank: int | None


@dataclass(frozen=True, slots=True)
class Score:
    """All-gold verdicts (None where the row has no gold functions), ranks from 1 in row order, and what is missing.

    `file_ranks` count distinct files, `function_ranks` distinct functions, in order of first appearance; None is a
    gold that never appears.
    """

    file: bool
    function: bool | None
    whole: bool | None
    line: bool
    file_ranks: tuple[int | None, ...]
    function_ranks: tuple[int | None, ...]
    missing: tuple[Missing, ...]


def judge(row: Row, answer: Answer, shown: Shown, tree: Tree) -> Score:
    """Return the verdicts of one answer.

    FILE      every gold file has a shown line.
    FUNCTION  every gold function has a shown line.
    WHOLE     every gold function is shown from its first line to its last.
    LINE      every changed line is shown.
    """
    by_level: dict[str, list[tuple[str, Gold, bool]]] = {
        "file": [(path, Gold(path, 1, 2**31), bool(shown.lines.get(path))) for path in row.files],
        "function": [(_name(gold), gold, _has_any(shown, gold)) for gold in row.functions],
        "whole": [(_name(gold), gold, _has_all(shown, gold)) for gold in row.functions],
        "line": [(_name(gold), gold, _has_all(shown, gold)) for gold in row.lines],
    }
    return Score(
        file=all(found for _, _, found in by_level["file"]),
        function=all(found for _, _, found in by_level["function"]) if row.functions else None,
        whole=all(found for _, _, found in by_level["whole"]) if row.functions else None,
        line=all(found for _, _, found in by_level["line"]),
        file_ranks=file_ranks(row.files, answer.spans),
        function_ranks=function_ranks(row.functions, answer.spans, tree),
        missing=tuple(
            Missing(level, what, _first_touching(answer.spans, gold))
            for level, items in by_level.items()
            for what, gold, found in items
            if not found
        ),
    )


def file_ranks(files: Iterable[str], spans: Iterable[Span]) -> tuple[int | None, ...]:
    """Return, for each file, its place among the distinct files of `spans`."""
    places = {path: place for place, path in enumerate(dict.fromkeys(span.path for span in spans), start=1)}
    return tuple(places.get(path) for path in files)


def function_ranks(functions: Iterable[Gold], spans: Iterable[Span], tree: Tree) -> tuple[int | None, ...]:
    """Return, for each gold function, its place among the distinct functions that `spans` touch.

    A span that touches several functions (a class, a window) lists them from top to bottom. Where no parser knows
    the functions of a file, each span there counts as one.
    """
    listed: dict[tuple[str, int, int], None] = {}
    for span in spans:
        known = tree.functions(span.path)
        if known is None:
            listed.setdefault((span.path, span.start, span.end))
            continue
        for unit in known:
            if unit.start <= span.end and span.start <= unit.end:
                listed.setdefault((unit.path, unit.start, unit.end))
    places = [(Gold(*key), place) for place, key in enumerate(listed, start=1)]
    return tuple(next((place for unit, place in places if _overlap(unit, gold)), None) for gold in functions)


def _overlap(a: Gold | Span, b: Gold | Span) -> bool:
    return a.path == b.path and a.start <= b.end and b.start <= a.end


def _has_any(shown: Shown, gold: Gold) -> bool:
    return any(gold.start <= line <= gold.end for line in shown.lines.get(gold.path, ()))


def _has_all(shown: Shown, gold: Gold) -> bool:
    return shown.lines.get(gold.path, frozenset[int]()).issuperset(range(gold.start, gold.end + 1))


def _first_touching(spans: Iterable[Span], gold: Gold) -> int | None:
    return next((rank for rank, span in enumerate(spans, start=1) if _overlap(span, gold)), None)


def _name(gold: Gold) -> str:
    return f"{gold.path}::{gold.qualname}" if gold.qualname else f"{gold.path}:{gold.start}-{gold.end}"
