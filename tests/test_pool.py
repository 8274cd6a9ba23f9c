"""The pool: what becomes of its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os, time
from clew.pool import spread

def work(batch):
    print(os.getpid(), flush=True)
    time.sleep(0.1)
    return batch

if __name__ == "__main__":
    for done in spread(work, range(10_000), 2):
        pass
"""


def is_running(pid: int) -> bool:
    """The process exists, and is no corpse that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc whether a process is running")
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Also when it is killed and can tell them nothing; they would wait for work for ever, with 100 MB each."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers: set[int] = set()
        while len(workers) < 2:
            workers.add(int(parent.stdout.readline()))
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()

        until = time.monotonic() + 10
        while any(map(is_running, workers)) and time.monotonic() < until:
            time.sleep(0.02)

        assert not any(map(is_running, workers))


SLOW = """
import time
from clew.pool import spread

def work(batch):
    print("begun", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    for done in spread(work, range(4), 2):
        pass
"""


def test_an_interrupt_does_not_wait_for_what_is_under_way(tmp_path: Path) -> None:
    """Who interrupts a long work gets the prompt back at once, also where a batch takes a minute."""
    program = tmp_path / "program.py"
    program.write_text(SLOW)
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.stdout.readline()
        started = time.monotonic()
        os.kill(parent.pid, signal.SIGINT)
        parent.wait()

    assert time.monotonic() - started < 30
