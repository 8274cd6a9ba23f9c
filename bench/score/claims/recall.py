"""Questions about earlier sessions: are the turns found that answer them, and is nothing said where nothing does?"""

from __future__ import annotations

from collections.abc import Mapping

from bench.doors import opened
from bench.recall.__main__ import asked
from bench.recall.report import Row
from bench.recall.source import SETS, haystacks
from bench.recall.store import remember
from bench.score.figure import Context, Figure, Value

QUICK_HAYSTACKS = {"longmemeval_s": 3, "locomo": 1}
HAYSTACKS = {"longmemeval_s": 60, "locomo": 4}


def measure(context: Context) -> Mapping[str, Value]:
    """Ask both sets."""
    folder = context.of_data("memory")
    values: dict[str, Value] = {}
    with opened(context.work / "home", jobs=1) as engine:
        for name in SETS:
            place = context.work / name
            place.mkdir()
            rows: list[Row] = []
            for haystack in haystacks(folder, name, (QUICK_HAYSTACKS if context.is_quick else HAYSTACKS)[name]):
                remember(engine, place, haystack)
                rows += asked(engine, place, name, haystack)
            answerable = [row for row in rows if not row.is_unanswerable]
            clusters = {row.question: row.haystack for row in rows}
            for mark, label in (("turns", "turns among the first ten"), ("all_sessions", "all sessions among the first five")):
                values[f"{name}: {label}"] = Value.of_rows({row.question: row.marks["clew"].get(mark) for row in answerable}, clusters)
    return values


FIGURE = Figure("recall", "What earlier sessions said is found again.", measure)
