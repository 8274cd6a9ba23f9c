"""Load: agents on several processes ask and write at one server at a steady rate; the wait of each request counts from when it was due."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from bench.store.data import Vocabulary, make_session, make_sources
from bench.store.measures import SPACE, ask_recall, ask_retrieve, percentiles
from clew.errors import StoreBusy
from clew.store.ports import LOCAL
from clew.store.postgres import PostgresStore

TENANT = "load"
KINDS = ("retrieve", "recall", "write", "state", "touch")
_SHARES = (40, 15, 20, 15, 10)
_PROCESSES = 5


def fill(address: str, folder: Path, records: int) -> None:
    """Store what the agents will ask about."""
    store = PostgresStore(address, folder, tenant=TENANT)
    store.open_workspace(SPACE, "/w")
    store.apply(SPACE, list(make_sources(Vocabulary(), records)))
    store.close()


def run(address: str, agents: int, a_second: float, seconds: float) -> dict[str, object]:
    """Run the agents, and return the waits by kind of request, and the errors."""
    command = [sys.executable, "-m", "bench.store.load", address, str(agents // _PROCESSES), str(a_second / _PROCESSES), str(seconds)]
    workers = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(_PROCESSES)]
    waits: dict[str, list[float]] = {kind: [] for kind in KINDS}
    errors = Counter[str]()
    for worker in workers:
        found = json.loads(worker.communicate()[0])
        errors.update(found["errors"])
        for kind, more in found["waits"].items():
            waits[kind] += more
    every = [wait for kind in KINDS for wait in waits[kind]]
    shown = {kind: {"requests": len(waits[kind]), **percentiles(waits[kind])} for kind in KINDS if waits[kind]}
    head = {
        "agents": agents,
        "processes": _PROCESSES,
        "requests_a_second": round(len(every) / seconds, 1),
        "minutes": round(seconds / 60, 1),
    }
    return {**head, "all": {"requests": len(every), **percentiles(every)}, **shown, "errors": dict(errors)}


def _work(address: str, agents: int, a_second: float, seconds: float, number: int) -> None:
    vocabulary, rng = Vocabulary(), random.Random(number)
    waits: dict[str, list[float]] = {kind: [] for kind in KINDS}
    errors = Counter[str]()
    lock, turn = threading.Lock(), [0]
    questions = vocabulary.questions(500, number)
    with tempfile.TemporaryDirectory(prefix="clew-load-") as folder:
        store = PostgresStore(address, Path(folder), tenant=TENANT)
        for question in questions[:5]:
            ask_retrieve(store, question)
            ask_recall(store, question)
        began = time.perf_counter()
        due = began

        def request(kind: str, at: int) -> None:
            question = questions[at % len(questions)]
            if kind == "retrieve":
                ask_retrieve(store, question)
            elif kind == "recall":
                ask_recall(store, question)
            elif kind == "write":
                store.apply(SPACE, [make_session(vocabulary, 1_000_001 + number * 100 + at % agents, at + 1, 1)])
            else:
                with store.snapshot(LOCAL, SPACE) as snapshot:
                    ids = snapshot.documents.ids_of(range(at % 100, at % 100 + 8))
                    snapshot.source_states("session:1")
                if kind == "touch":
                    try:
                        store.touch(SPACE, list(ids), time.time_ns())
                    except StoreBusy:  # counted as a use or not at all: that is what it promises
                        errors["touch not counted"] += 1

        def agent() -> None:
            nonlocal due
            while True:
                with lock:
                    due += rng.expovariate(a_second)
                    mine, turn[0] = due, turn[0] + 1
                    at, kind = turn[0], rng.choices(KINDS, _SHARES)[0]
                if mine > began + seconds:
                    return
                time.sleep(max(0.0, mine - time.perf_counter()))
                try:
                    request(kind, at)
                except Exception as error:  # noqa: BLE001  # every one is a figure
                    errors[type(error).__name__] += 1
                with lock:
                    waits[kind].append(time.perf_counter() - mine)

        threads = [threading.Thread(target=agent) for _ in range(agents)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.close()
    print(json.dumps({"waits": waits, "errors": errors}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("agents", type=int)
    parser.add_argument("a_second", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("number", type=int)
    given = parser.parse_args()
    _work(given.address, given.agents, given.a_second, given.seconds, given.number)
