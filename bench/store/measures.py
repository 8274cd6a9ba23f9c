"""Measures of one store at one size, in a process of its own so that memory is that of this store alone."""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter, process_time

import psutil

from bench.store.data import BEGIN_NS, Vocabulary, make_session, make_sources
from clew.packet.retrieve import retrieve
from clew.ranking.question import Question
from clew.recall.recall import recall
from clew.records import Delta
from clew.store.ports import LOCAL, Writer
from clew.text.tokens import make_counter

SPACE = "w"
ASKED = 200
BUDGET_TOKENS = 2000
_SOURCES_A_CALL = 20


def percentiles(seconds: Sequence[float], own: Sequence[float] = ()) -> dict[str, float]:
    """Return p50, p99 and the worst of waits in milliseconds, and those of the time on a core that this process took, if given."""
    ordered = sorted(seconds)
    at = {"p50_ms": len(ordered) // 2, "p99_ms": min(len(ordered) - 1, len(ordered) * 99 // 100), "worst_ms": len(ordered) - 1}
    of_core = {f"core_{name}": value for name, value in percentiles(own).items()} if own else {}
    return {name: round(1000 * ordered[index], 2) for name, index in at.items()} | of_core


def time_each(calls: Iterator[Callable[[], object]]) -> dict[str, float]:
    """Call one after the other, and return the percentiles of what each took."""
    waits: list[float] = []
    own: list[float] = []
    for call in calls:
        began, began_own = perf_counter(), process_time()
        call()
        waits.append(perf_counter() - began)
        own.append(process_time() - began_own)
    return percentiles(waits, own)


def ask_retrieve(store: Writer, question: str) -> object:
    """Assemble a packet from a snapshot that is opened for it."""
    with store.snapshot(LOCAL, SPACE) as snapshot:
        return retrieve(snapshot, Question.of(question), budget_tokens=BUDGET_TOKENS, counter=make_counter("claude"))


def ask_recall(store: Writer, question: str) -> object:
    """Find turns in a snapshot that is opened for it."""
    with store.snapshot(LOCAL, SPACE) as snapshot:
        return recall(snapshot, Question.of(question), asked_ns=BEGIN_NS, confidence_min=0.0)


def measure(open_store: Callable[[], Writer], records: int) -> dict[str, object]:
    """Fill a store unless an earlier run did, and return what that and questions took."""
    vocabulary = Vocabulary()
    store = open_store()
    is_filled = bool(store.workspaces())
    store.open_workspace(SPACE, "/w")
    sources = iter(()) if is_filled else make_sources(vocabulary, records)
    seconds = 0.0
    while batch := list(islice(sources, _SOURCES_A_CALL)):
        began = perf_counter()
        store.apply(SPACE, batch)
        seconds += perf_counter() - began
    began = perf_counter()
    store.refresh(SPACE)
    refresh_s = perf_counter() - began
    store.close()
    began = perf_counter()
    store = open_store()
    with store.snapshot(LOCAL, SPACE) as snapshot:
        count = snapshot.documents.count
    cold_s = perf_counter() - began
    questions = vocabulary.questions(2 * ASKED + 50, 5)
    for question in questions[-50:]:  # what is made once a process: names, statistics
        ask_retrieve(store, question)
        ask_recall(store, question)
    figures: dict[str, object] = {
        "records": count,
        "fill_records_a_second": round(records / seconds) if seconds else None,
        "refresh_s": round(refresh_s, 2),
        "open_with_index_s": round(cold_s, 3),
        "retrieve": time_each(lambda q=q: ask_retrieve(store, q) for q in questions[:ASKED]),
        "recall": time_each(lambda q=q: ask_recall(store, q) for q in questions[ASKED : 2 * ASKED]),
        "write_of_one_record": time_each(_writes(store, vocabulary, 1)),
        "retrieve_after_a_write": _after_writes(store, vocabulary, questions),
        "bytes_a_record": round(store.describe().size / records),
        "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
    }
    store.close()
    return figures


def _writes(store: Writer, vocabulary: Vocabulary, session: int) -> Iterator[Callable[[], object]]:
    for number in range(ASKED):
        delta: Delta = make_session(vocabulary, session, 1000 + number, 1)
        yield lambda delta=delta: store.apply(SPACE, [delta])


def _after_writes(store: Writer, vocabulary: Vocabulary, questions: Sequence[str]) -> dict[str, float]:
    rng = random.Random(3)

    def calls() -> Iterator[Callable[[], object]]:
        for number, question in enumerate(questions[:50]):
            store.apply(SPACE, [make_session(vocabulary, 3 + 2 * rng.randrange(50), 5000 + number, 1)])
            yield lambda question=question: ask_retrieve(store, question)

    return time_each(calls())


def main() -> None:
    """Measure one store at one size, and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("records", type=int)
    parser.add_argument("--address", default="")
    parser.add_argument("--kept", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:

        def open_store() -> Writer:
            if given.address:
                from clew.store.postgres import PostgresStore

                return PostgresStore(given.address, Path(folder), tenant=f"bench {given.records}")
            from clew.store.sqlite import SqliteStore

            kept = Path(given.kept or folder, str(given.records))
            kept.mkdir(parents=True, exist_ok=True)
            return SqliteStore(kept / "clew.db")

        print(json.dumps(measure(open_store, given.records)))


if __name__ == "__main__":
    main()
