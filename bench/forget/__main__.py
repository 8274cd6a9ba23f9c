"""Command: `python -m bench.forget --data DATA`. A year of sessions, forgotten month by month, beside the same year with nothing forgotten.

read back   of all archived records, those whose text is what it is where nothing was forgotten
searched    of sampled archived records, those that a search for their own rarest words finds; likewise where nothing was forgotten
recalled    likewise, those that `recall` answers with
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from bench.doors import ingest_into, opened, retrieve
from bench.forget.year import BEGIN, COPIES, STEP_DAYS, list_sessions, make_questions, write_copy
from bench.machine import provenance, write_result
from clew.engine import Engine
from clew.lifecycle.forget import DAY_NS, ForgetRules, forget_idle, record_use
from clew.packet.options import OriginalCache
from clew.ranking.question import Question
from clew.records import Record, Tier
from clew.settings import Settings
from clew.store.ports import LOCAL, Snapshot
from clew.usecases.places import find_memory

RESULTS = Path(__file__).parent / "results"
SPEECH = frozenset({"prompt", "message", "answer", "output"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.forget", description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("CLEW_BENCH_DATA"), help="folder with the data sets")
    parser.add_argument("--sessions", type=int, default=8, help="recorded sessions, each ten times")
    parser.add_argument("--bytes-max", type=int, default=160_000, help="of a recorded session, compressed")
    parser.add_argument("--asked", type=int, default=150, help="archived records that are asked for")
    parser.add_argument("--timed", type=int, default=60, help="questions that are timed")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        figures = measure(Path(folder), list_sessions(given.data, given.sessions, given.bytes_max), given.asked, given.timed)
    options = ("--sessions", str(given.sessions), "--bytes-max", str(given.bytes_max), "--asked", str(given.asked))
    source = provenance(("python", "-m", "bench.forget", *options, "--timed", str(given.timed)), ("apsw", "numpy", "zstandard"))
    write_result(given.results / f"{source.name}.json", {"name": source.name, **source.as_json(), "figures": figures})
    print(json.dumps(figures, indent=1))
    return 0


def measure(folder: Path, sessions: Sequence[Path], asked: int, timed: int) -> dict[str, Any]:
    """Fill a store with a year, forget in a copy of it month by month, and compare the two."""
    tree, files = folder / "tree", folder / "sessions"
    tree.mkdir()
    files.mkdir()
    (tree / "README.md").write_text("# A year of one repository\n")
    started = time.perf_counter()
    with opened(folder / "kept", jobs=1) as engine:
        for copy in range(COPIES):
            for number, source in enumerate(sessions):
                ingest_into(engine, tree, write_copy(source, files, copy, number % int(STEP_DAYS)))
    filled_s = time.perf_counter() - started
    raw_bytes = sum(path.stat().st_size for path in files.iterdir())
    shutil.copytree(folder / "kept", folder / "forgotten")
    with opened(folder / "kept", jobs=1) as kept, opened(folder / "forgotten", jobs=1) as forgotten:
        told = forget(forgotten, tree)
        found = compare(kept, forgotten, tree, asked, timed)
    sizes = {name: measure_bytes(folder / name / "clew.db") for name in ("kept", "forgotten")}
    return {
        "load_average": round(os.getloadavg()[0], 1),
        "year": {"sessions": len(sessions) * COPIES, "transcript_bytes": raw_bytes, "fill_s": round(filled_s, 1)},
        "forgetting": told,
        "database_bytes": sizes,
        "saved_share": {name: round(1 - sizes["forgotten"][name] / sizes["kept"][name], 3) for name in ("used", "dense")},
        **found,
    }


def measure_bytes(database: Path) -> dict[str, int]:
    """Return the bytes of a database's pages that hold something, and of a copy that is written anew without gaps inside its pages."""
    dense = database.with_name("dense.db")
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
        pages, free, size = (connection.pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        connection.execute("VACUUM INTO ?", (str(dense),))
    return {"used": (pages - free) * size, "dense": dense.stat().st_size}


def forget(engine: Engine, tree: Path) -> dict[str, Any]:
    """Make a pass of forgetting at each month's end, with some uses before it, by the rules of the settings."""
    store, chance, key = engine.store, random.Random(1), find_memory(engine.store, tree)[0]
    chosen = Settings(Path())
    rules = ForgetRules(chosen.folded_after_days, chosen.archived_after_days)
    told, started = {"folded": 0, "archived": 0, "shortened": 0, "packed": 0, "saved_bytes": 0, "lost": 0}, time.perf_counter()
    for month in range(1, 13):
        now_ns = int((BEGIN + timedelta(days=month * 365 / 12)).timestamp()) * 10**9
        with store.snapshot(LOCAL, key) as snapshot:
            recent = [record.id for record in records_of(snapshot) if 0 < now_ns - record.at_ns < 60 * DAY_NS]
        record_use(store, key, chance.sample(recent, min(20, len(recent))), now_ns=now_ns - DAY_NS)
        report = forget_idle(store, key, rules, now_ns=now_ns)
        told["folded"] += len(report.folded)
        told["archived"] += len(report.archived)
        told["shortened"] += report.shortened
        told["packed"] += report.packed
        told["saved_bytes"] += report.saved
        told["lost"] += len(report.lost)
    store.refresh(key)
    return {**told, "seconds": round(time.perf_counter() - started, 1)}


def records_of(snapshot: Snapshot) -> list[Record]:
    """Return all records of sessions."""
    return snapshot.records_of_sources(*(state.source for state in snapshot.source_states("session:")))


def compare(kept: Engine, forgotten: Engine, tree: Path, asked: int, timed: int) -> dict[str, Any]:
    """Return what is read back and found of the archive, and how long questions take, in both stores."""
    chance, key = random.Random(2), find_memory(forgotten.store, tree)[0]
    with forgotten.store.snapshot(LOCAL, key) as snapshot, kept.store.snapshot(LOCAL, key) as whole:
        records = records_of(snapshot)
        tiers = [status.tier for status in snapshot.statuses([record.id for record in records])]
        archived = [record for record, tier in zip(records, tiers, strict=True) if tier == Tier.ARCHIVED]
        texts, before = texts_of(snapshot, archived), texts_of(whole, whole.records([record.id for record in archived]))
        read_back = sum(before.get(name) == text for name, text in texts.items())
        spoken = [record for record in archived if record.kind in SPEECH and len(texts[record.id].split()) > 12]
        sampled = chance.sample(spoken, min(asked, len(spoken)))
        questions = make_questions([texts[record.id] for record in sampled])
    result: dict[str, Any] = {
        "records": len(records),
        "archived": len(archived),
        "read_back": round(read_back / max(len(archived), 1), 5),
        "asked": len(sampled),
    }
    for name, find in (("searched", searched), ("recalled", recalled)):
        hits = {
            store: [record.id in find(engine, tree, question) for record, question in zip(sampled, questions, strict=True)]
            for store, engine in (("kept", kept), ("forgotten", forgotten))
        }
        still = [there for there, was in zip(hits["forgotten"], hits["kept"], strict=True) if was]
        result[name] = {
            **{store: round(float(np.mean(each)), 4) for store, each in hits.items()},
            "of_those_found_before": round(float(np.mean(still)), 4),
        }
    result["ms"] = {
        store: {name: timing(partial(ask, engine, tree), questions[:timed]) for name, ask in (("retrieve", packet), ("recall", recalled))}
        for store, engine in (("kept", kept), ("forgotten", forgotten))
    }
    return result


def texts_of(snapshot: Snapshot, records: Sequence[Record]) -> dict[str, str]:
    """Return the full text of each record by its id."""
    found: dict[str, str] = {}
    for at in range(0, len(records), 500):  # all originals at once may not fit into memory
        some = records[at : at + 500]
        originals = OriginalCache(snapshot)
        originals.read(record.full_text for record in some)
        found |= {record.id: originals.text_of(record.full_text) for record in some}
    return found


def searched(engine: Engine, tree: Path, question: str) -> frozenset[str]:
    """Return the ids of the records of sessions that a search finds."""
    with engine.store.snapshot(LOCAL, find_memory(engine.store, tree)[0]) as snapshot:
        found = snapshot.search(Question.of(question).query(None), lambda _: True)
        return frozenset(snapshot.documents.ids_of(found.sessions.docs.tolist()))


def packet(engine: Engine, tree: Path, question: str) -> object:
    """Return a packet of 4,000 tokens."""
    return retrieve(engine, tree, question, 4000)


def recalled(engine: Engine, tree: Path, question: str) -> frozenset[str]:
    """Return the ids of the turns that are recalled, however unlikely they are to answer."""
    return frozenset(turn.record.id for turn in engine.recall(tree, question, turns_max=10, confidence_min=0.0).turns)


def timing(ask: Callable[[str], object], questions: Sequence[str]) -> dict[str, float]:
    """Return the median and the 95th percentile of milliseconds of each question, asked a second time."""
    taken: list[float] = []
    for question in questions:
        ask(question)
        started = time.perf_counter()
        ask(question)
        taken.append((time.perf_counter() - started) * 1e3)
    return {"p50": round(float(np.percentile(taken, 50)), 1), "p95": round(float(np.percentile(taken, 95)), 1)}


if __name__ == "__main__":
    sys.exit(main())
