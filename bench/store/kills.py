"""Kill drills: a client, or the server, is killed with signal 9 while writes go on; is every acknowledged write there, and there once?

A writer appends one record a call to a session, says its number when the call has returned, and makes a call that failed again. Whoever
comes after a killed writer begins with the call that was not acknowledged.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.store.data import Vocabulary, make_session
from bench.store.servers import Server
from clew.errors import StoreBusy, StoreUnreachable
from clew.store.ports import LOCAL
from clew.store.postgres import PostgresStore

SESSION, SPACE = 7, "w"
_RETRY_S = 0.05


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a drill found: kills, acknowledged writes, those that are not there, and records that are there twice or too many."""

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    seconds: float


def write(address: str, cache: Path, first: int) -> None:
    """Append record after record for ever, from number `first` on, and print the number of each that was acknowledged."""
    vocabulary = Vocabulary()
    store: PostgresStore | None = None
    number = first
    while True:
        try:
            if store is None:
                store = PostgresStore(address, cache)
                store.open_workspace(SPACE, "/w")
            store.apply(SPACE, [make_session(vocabulary, SESSION, number, 1)])
        except (StoreUnreachable, StoreBusy):
            time.sleep(_RETRY_S)
            continue
        print(number, flush=True)
        number += 1


def drill_clients(server: Server, cache: Path, kills: int, seed: int = 1) -> DrillResult:
    """Kill a writing client again and again, at random moments."""
    rng, began, last = random.Random(seed), time.perf_counter(), 0
    for _ in range(kills):
        writer = _Writer(server.address, cache, last + 1)
        writer.wait_for(last + rng.randint(2, 12))
        time.sleep(rng.uniform(0, 0.01))
        last = writer.kill()
    return _check(server, cache, kills, last, began)


def drill_server(server: Server, cache: Path, kills: int, seed: int = 1) -> DrillResult:
    """Kill the server again and again, at random moments, under one client that goes on."""
    rng, began = random.Random(seed), time.perf_counter()
    writer = _Writer(server.address, cache, 1)
    for _ in range(kills):
        writer.wait_for(writer.last + rng.randint(2, 20))
        time.sleep(rng.uniform(0, 0.01))
        server.kill()
        server.start()
    writer.wait_for(writer.last + 5)
    return _check(server, cache, kills, writer.kill(), began)


class _Writer:
    """A process that runs `write`, and the last number that it said."""

    def __init__(self, address: str, cache: Path, first: int) -> None:
        command = [sys.executable, "-m", "bench.store.kills", address, str(cache), str(first)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.last = first - 1
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, number: int) -> None:
        """Wait until a number was acknowledged. Raises TimeoutError after a minute."""
        with self._said:
            if not self._said.wait_for(lambda: self.last >= number, 60):
                raise TimeoutError(f"no write was acknowledged after {self.last}")

    def kill(self) -> int:
        """Kill the process, and return the last number that it acknowledged."""
        self._process.kill()
        self._reader.join()
        self._process.wait()
        return self.last

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                with self._said:
                    self.last = int(line)
                    self._said.notify_all()


def _check(server: Server, cache: Path, kills: int, last: int, began: float) -> DrillResult:
    seconds = time.perf_counter() - began
    vocabulary = Vocabulary()
    wanted = [make_session(vocabulary, SESSION, number, 1).records[0] for number in range(1, last + 1)]
    store = PostgresStore(server.address, cache)
    with store.snapshot(LOCAL, SPACE) as snapshot:
        held = snapshot.records_of_sources(f"session:{SESSION}")
        found = {record.id for record in snapshot.records([record.id for record in wanted])}
        documents = snapshot.documents
        indexed = [documents.id_of(doc) for doc in range(documents.size) if documents.alive[doc]]
    store.close()
    lost = len([record for record in wanted if record.id not in found or record.id not in indexed])
    doubled = len(held) - len({record.id for record in held}) + len(indexed) - len(set(indexed)) + max(0, len(held) - last - 1)
    return DrillResult(kills, last, lost, doubled, round(seconds, 1))


def as_json(result: DrillResult) -> dict[str, object]:
    """Return the result as JSON values."""
    return asdict(result)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("cache", type=Path)
    parser.add_argument("first", type=int)
    given = parser.parse_args()
    write(given.address, given.cache, given.first)
