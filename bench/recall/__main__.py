"""Command: `python -m bench.recall`. Asks questions about long conversations, and questions that nothing answers.

Every conversation is written by the door that a client's live observations take, and asked through the engine, so that what is
measured is what ships. Beside it: a random order, naive BM25, and an oracle; intervals are clustered by haystack.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.doors import opened
from bench.machine import REPOSITORY, provenance, write_result
from bench.recall import arms, report
from bench.recall.arms import Answer, NaiveBm25
from bench.recall.report import Row
from bench.recall.source import LONGMEMEVAL, SETS, Haystack, Question, haystacks
from bench.recall.store import SESSIONS, TURNS, answer_of, recalled, remember
from clew.engine import Engine
from clew.settings import find_workspace

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "recall"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    given = _parser().parse_args(arguments)
    source = provenance(("python", "-m", "bench.recall", "--sets", given.sets), ("numpy", "PyStemmer"))
    with opened(given.work / "home", jobs=1) as engine:
        for name in given.sets.split(","):
            place = given.work / name
            place.mkdir(parents=True, exist_ok=True)
            many = list(haystacks(given.data, name, given.limit))
            written = sum(remember(engine, place, haystack) for haystack in many)
            print(f"{name}: {len(many)} haystacks, {written} sessions were new", file=sys.stderr)
            if written:
                engine.store.refresh(find_workspace(place)[0])
            rows = [row for haystack in many for row in asked(engine, place, name, haystack)]
            summary = report.summary(rows)
            write_result(
                given.results / f"{source.name}-{name}.json",
                source.as_json() | {"summary": summary, "rows": [row.as_json() for row in rows]},
            )
            table = report.table(summary)
            (given.results / f"{source.name}-{name}.md").write_text(table, encoding="utf-8")
            print(table)
    return 0


def asked(engine: Engine, place: Path, name: str, haystack: Haystack) -> list[Row]:
    """Ask all questions of a haystack, each with its gold sessions and without them, beside the other arms."""
    naive = NaiveBm25(haystack)
    rows: list[Row] = []
    for question in haystack.questions:
        started = time.perf_counter()
        found = recalled(engine, place, haystack, question)
        seconds = time.perf_counter() - started
        empty = recalled(engine, place, haystack, question, without=question.gold_sessions)
        everywhere = 0.0
        if name == LONGMEMEVAL:
            started = time.perf_counter()
            engine.recall(place, question.text, asked_ns=question.asked_ns, confidence_min=0.0)
            everywhere = time.perf_counter() - started
        answers = {
            "random": arms.random(haystack, question),
            "bm25": naive.answer(question),
            "clew": answer_of(found, haystack),
            "oracle": arms.oracle(haystack, question),
        }
        marks = {arm: _marks(question, answer, haystack) for arm, answer in answers.items()}
        rows.append(
            Row(
                name, haystack.id, question.id, question.kind, question.is_unanswerable, marks, found.confidence, empty.confidence,
                seconds * 1000, everywhere * 1000,
            )
        )  # fmt: skip
    return rows


def _marks(question: Question, answer: Answer, haystack: Haystack) -> dict[str, float]:
    sessions, turns = answer.sessions[:SESSIONS], answer.turns[:TURNS]
    held = len(question.gold_sessions.intersection(sessions))
    marks = {
        "all_sessions": float(held == len(question.gold_sessions)),
        "any_session": float(held > 0),
        "first_session": float(bool(sessions) and sessions[0] in question.gold_sessions),
    }
    if question.gold_turns:
        marks["turns"] = len(question.gold_turns.intersection(turns)) / len(question.gold_turns)
    if question.kind == "knowledge-update":
        # Of the sessions that speak of it, does the one that says how it is now come first?
        newest = max((s for s in haystack.sessions if s.id in question.gold_sessions), key=lambda session: (session.at_ns, session.id)).id
        marks["newest_first"] = float(next((name for name in sessions if name in question.gold_sessions), "") == newest)
    return marks


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.recall", description="Recall over sessions, and silence where there is nothing.")
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEW_BENCH_MEMORY"), help="folder with both sets")
    parser.add_argument("--sets", default=",".join(SETS), help="which of them, with commas between")
    parser.add_argument("--limit", type=int, help="haystacks of each set at most")
    parser.add_argument("--work", type=Path, default=WORK, help="where the store is kept between runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
