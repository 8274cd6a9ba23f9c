"""A process that is killed loses nothing that it had acknowledged; two that write at once take turns."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import apsw
import pytest

from clew.records import make_id
from clew.store.sqlite import SqliteStore
from tests.looking import look
from tests.store.conformance import make_delta

ROUNDS = 20
SOURCES = 7

# Forks a writer for each line that it reads, and answers with its process id: twenty starts of the interpreter would
# take longer than the test itself. A writer prints the number of each delta once it is acknowledged.
NURSERY = """
import os, sys
from pathlib import Path
from clew.records import Tier
from tests.store.conformance import make_delta
from clew.store.sqlite import SqliteStore
for line in sys.stdin:
    number = int(line)
    child = os.fork()
    if child:
        print(f"child {child}", flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)
        continue
    store = SqliteStore(Path(sys.argv[1]))
    store.open_workspace("w", "/w")
    while True:
        bulk = [(f"bulk {place}", f"{number} " * 500) for place in range(10)]
        applied = store.apply("w", [make_delta(f"file:{number % 7}", [("s", f"body {number}"), *bulk])])
        os.write(1, f"acknowledged {number}\\n".encode())
        if number % 5 == 0:
            store.move("w", [applied_id for applied_id in store.snapshot("local", "w").find("0", 3)], Tier(number % 3))
        if number % 9 == 0:
            store.refresh("w")
        number += 1
"""


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}


@contextlib.contextmanager
def nursery_of(path: Path) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-c", NURSERY, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def kill_after(nursery: subprocess.Popen, first: int, delay_s: float) -> list[int]:
    """Let a writer run from delta `first` on, kill it, and return the numbers that it acknowledged."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    nursery.stdin.write(f"{first}\n")
    nursery.stdin.flush()
    acknowledged: list[int] = []
    child = int(nursery.stdout.readline().removeprefix("child "))
    sleep(delay_s)  # not a wait for something: the moment of the kill is what is tried
    os.kill(child, signal.SIGKILL)
    for line in nursery.stdout:
        if line == "dead\n":
            return acknowledged
        acknowledged.append(int(line.removeprefix("acknowledged ")))
    raise AssertionError("the nursery ended")


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """In twenty rounds at random moments, the first of them while the database is made."""
    path = tmp_path / "clew.db"
    rng = random.Random(7)
    acknowledged: list[int] = []
    with nursery_of(path) as nursery:
        for round_number in range(ROUNDS):
            first = max(acknowledged, default=0) + 2  # one more may have been stored and not acknowledged
            acknowledged += kill_after(nursery, first, 0.01 if round_number == 0 else rng.uniform(0.02, 0.3))
            if not path.exists():
                continue
            with contextlib.closing(apsw.Connection(str(path))) as connection:
                assert connection.pragma("integrity_check") == "ok"
            with contextlib.closing(SqliteStore(path)) as store:
                ids = [make_id("s", f"body {number}") for number in acknowledged]
                assert [record.id for record in look(store, "w").records(ids)] == ids
                assert [look(store, "w").original(record.digest) for record in look(store, "w").records(ids[-3:])] == [
                    f"body {number}".encode() for number in acknowledged[-3:]
                ]
                index = look(store, "w").documents
                held = {
                    record.id for state in look(store, "w").source_states() for record in look(store, "w").records_of_sources(state.source)
                }
                assert {index.id_of(doc) for doc in range(index.size) if index.alive[doc]} == held
    assert len(acknowledged) > ROUNDS
    assert len(acknowledged) == len(set(acknowledged))


WRITER = """
import sys
from pathlib import Path
from tests.store.conformance import make_delta
from clew.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.open_workspace("w", "/w")
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    store.apply("w", [make_delta(f"file:{sys.argv[2]}{number}", [("s", f"{sys.argv[2]} {number}")])])
store.refresh("w")
store.close()
"""


def test_two_processes_that_write_at_once_both_succeed(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        for name in ("x", "y")
    ]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)

    assert [writer.returncode for writer in writers] == [0, 0]
    with contextlib.closing(SqliteStore(path)) as store:
        assert (look(store, "w").generation, len(look(store, "w").source_states()), look(store, "w").documents.count) == (50, 50, 50)


def fail_half_way(store: SqliteStore) -> None:
    with store._writing() as connection:
        connection.execute("workspaces.advance", 1)
        raise ZeroDivisionError


@pytest.mark.parametrize("how", ["raise", "kill"])
def test_a_write_that_does_not_end_leaves_nothing(tmp_path: Path, how: str) -> None:
    """Half of a call is never seen, whether it fails or its process dies in the middle."""
    path = tmp_path / "clew.db"
    store = SqliteStore(path)
    store.open_workspace("w", "/w")
    store.apply("w", [make_delta("file:a", [("s", "body")])])
    if how == "raise":
        with pytest.raises(ZeroDivisionError):
            fail_half_way(store)
    else:
        script = (
            "import os, sys; from pathlib import Path; from clew.store.sqlite import SqliteStore; s = SqliteStore(Path(sys.argv[1]))\n"
            "with s._writing() as c: c.write('workspaces.advance', 1); c.raw.cache_flush(); os._exit(1)"
        )
        subprocess.run([sys.executable, "-c", script, str(path)], env=environment(), check=False)
    assert look(store, "w").generation == 1
    assert store.apply("w", [make_delta("file:b", [("t", "body")])]).generation == 2
    store.close()
