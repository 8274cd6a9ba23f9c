"""Metrics: one answer judged against one row.

All-gold FILE, FUNCTION, WHOLE and LINE look at the lines shown; ranks look at every span of the answer, in order. What
is missing carries its cause. Pure; knows nothing about systems.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.localization.packing import Shown
from bench.localization.rows import CONTEXT, Gold, Row
from bench.localization.source import Tree, words_of
from bench.localization.systems import Answer, Span

LEVELS = ("file", "function", "whole", "line")
NEAR = 10  # places among the distinct functions that count as near the top: the largest k of the ranks that we print

# Why gold is not shown, the farthest from being shown first; a row has the first cause that any of its gold has.
FILE_NOT_RANKED = "file not ranked"
FILE_NOT_SHOWN = "file ranked, no line of it shown"
NOT_RANKED = "file shown, function not ranked"
FAR = f"function ranked below {NEAR}, not shown"
NEAR_NOT_SHOWN = f"function ranked in the first {NEAR}, not shown"
PART_SHOWN = "function shown in part, without the line"
OUTSIDE = "line outside functions"
CAUSES = (FILE_NOT_RANKED, FILE_NOT_SHOWN, NOT_RANKED, FAR, NEAR_NOT_SHOWN, PART_SHOWN, OUTSIDE)


@dataclass(frozen=True, slots=True)
class Missing:
    """Gold that the packet does not show at a level; `rank` is the first span that touches it, from 1, or None.

    `cause` is one of CAUSES; WHOLE has none of its own.
    """

    level: str
    what: str
    rank: int | None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """All-gold verdicts (None where the row has no such gold), ranks from 1 in row order, and what is missing.

    `coverage` is the share of the gold lines that are shown, 0 to 1. `file_ranks` count distinct files,
    `function_ranks` distinct functions, in order of first appearance; None is a gold that never appears.
    """

    file: bool
    function: bool | None
    whole: bool | None
    line: bool | None
    coverage: float
    file_ranks: tuple[int | None, ...]
    function_ranks: tuple[int | None, ...]
    missing: tuple[Missing, ...]


def judge(row: Row, answer: Answer, shown: Shown, tree: Tree) -> Score:
    """Return the verdicts of one answer.

    FILE      every gold file has a shown line.
    FUNCTION  every gold function has a shown line.
    WHOLE     every gold function is shown from its first line to its last.
    LINE      every changed line is shown; not judged where the lines are marked context and no change.
    """
    is_context = row.kind == CONTEXT
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
        line=None if is_context else all(found for _, _, found in by_level["line"]),
        coverage=_coverage(shown, row.lines),
        file_ranks=file_ranks(row.files, answer.spans),
        function_ranks=function_ranks(row.functions, answer.spans, tree),
        missing=tuple(
            Missing(level, what, _first_touching(answer.spans, gold), cause_of(level, gold, row, answer, shown, tree))
            for level, items in by_level.items()
            for what, gold, found in items
            if not found and not (is_context and level == "line")
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


def cause_of(level: str, gold: Gold, row: Row, answer: Answer, shown: Shown, tree: Tree) -> str:
    """Return why `gold` is not shown, one of CAUSES, or "" for WHOLE."""
    if level == "whole":
        return ""
    if not any(span.path == gold.path for span in answer.spans):
        return FILE_NOT_RANKED
    if not shown.lines.get(gold.path):
        return FILE_NOT_SHOWN
    holder = gold if level == "function" else next((owner for owner in row.functions if _overlap(owner, gold)), None)
    if holder is None and not any(unit.start <= gold.end and gold.start <= unit.end for unit in tree.functions(gold.path) or ()):
        return OUTSIDE
    holder = holder or gold
    if _has_any(shown, holder):
        return PART_SHOWN
    [place] = function_ranks([holder], answer.spans, tree)
    return NOT_RANKED if place is None else FAR if place > NEAR else NEAR_NOT_SHOWN


def names_gold(row: Row) -> bool:
    """Say whether the text has a gold function's or class's name, or the name of a gold file, as a word or an identifier."""
    words = set(words_of(row.query))
    names = {part.lower() for gold in row.functions for part in gold.qualname.replace("::", ".").split(".")}
    names |= {path.rsplit("/", 1)[-1].split(".")[0].lower() for path in row.files}
    return not words.isdisjoint(names)


def _overlap(a: Gold | Span, b: Gold | Span) -> bool:
    return a.path == b.path and a.start <= b.end and b.start <= a.end


def _has_any(shown: Shown, gold: Gold) -> bool:
    return any(gold.start <= line <= gold.end for line in shown.lines.get(gold.path, ()))


def _has_all(shown: Shown, gold: Gold) -> bool:
    return shown.lines.get(gold.path, frozenset[int]()).issuperset(range(gold.start, gold.end + 1))


def _coverage(shown: Shown, lines: Iterable[Gold]) -> float:
    wanted = {(gold.path, number) for gold in lines for number in range(gold.start, gold.end + 1)}
    found = sum(number in shown.lines.get(path, ()) for path, number in wanted)
    return found / len(wanted) if wanted else 0.0


def _first_touching(spans: Iterable[Span], gold: Gold) -> int | None:
    return next((rank for rank, span in enumerate(spans, start=1) if _overlap(span, gold)), None)


def _name(gold: Gold) -> str:
    return f"{gold.path}::{gold.qualname}" if gold.qualname else f"{gold.path}:{gold.start}-{gold.end}"
