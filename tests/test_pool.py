"""The pool: what becomes of its processes.

Each process holds the standard output that a test reads, so the end of that output is the end of them all. What is at
work would stay so for ten minutes: a test that goes on has not waited for it.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import pytest

from clew.pool import map_in_processes, run_in_process

SOURCE = Path(__file__).resolve().parents[1] / "src"

PROGRAM = """
import os, signal, sys, threading, time
from clew.pool import run_in_process, map_in_processes

def work(batch):
    if batch:
        os.write(1, b"at work\\n")  # at once: processes share this output
        time.sleep(600)
    return batch

def pause(seconds=None):
    os.write(1, b"in the body\\n")
    threading.Event().wait(seconds)

def fail():
    raise KeyError("the caller's own")

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
    try:
        {body}
    except KeyboardInterrupt:
        sys.exit(130)
    except KeyError:
        sys.exit(3)
"""
FIRST = "[0, 1, 1, 1, 1, 1, 1, 1]"
INTERRUPTED = {
    "while it waits for a result": "list(map_in_processes(work, [1] * 20, 2))",
    "while it waits for the second result": f"for done in map_in_processes(work, {FIRST}, 2): pause(0)",
    "while the caller is at work": f"for done in map_in_processes(work, {FIRST}, 2): pause()",
    "while it waits for a process apart": "run_in_process(work, 1)",
}
LEFT = {
    "an error of the caller": (f"for done in map_in_processes(work, {FIRST}, 2): fail()", 3),
    "a generator that is closed": (f"done = map_in_processes(work, {FIRST}, 2); next(done); done.close()", 0),
    "a generator that is forgotten": (f"done = map_in_processes(work, {FIRST}, 2); next(done); del done", 0),
    "a generator that is held until the end": (f"done = map_in_processes(work, {FIRST}, 2); next(done)", 0),
}


@contextmanager
def program(folder: Path, text: str) -> Generator[subprocess.Popen[str]]:
    """A program in a process group of its own, as a shell starts it."""
    path = folder / "program.py"
    path.write_text(text)
    pipe = subprocess.PIPE
    environment = {**os.environ, "CLEW_HOME": str(folder / "home"), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, str(path)]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env=environment) as running:
        try:
            yield running
        finally:
            if running.poll() is None:  # a test that failed leaves nothing behind
                os.killpg(running.pid, signal.SIGKILL)


def press_interrupt(running: subprocess.Popen[str]) -> None:
    """What a terminal does: it sends the signal to all of them."""
    os.killpg(running.pid, signal.SIGINT)


@pytest.mark.parametrize("body", INTERRUPTED.values(), ids=INTERRUPTED)
def test_an_interrupt_ends_all_processes_at_once_and_prints_nothing(tmp_path: Path, body: str) -> None:
    with program(tmp_path, PROGRAM.format(body=body)) as running:
        assert running.stdout is not None
        seen = {running.stdout.readline() for _ in range(1 + ("pause" in body))}
        press_interrupt(running)
        _, said = running.communicate()

    assert seen <= {"at work\n", "in the body\n"}
    assert (running.returncode, said) == (130, "")


@pytest.mark.parametrize(("body", "code"), LEFT.values(), ids=LEFT)
def test_who_leaves_early_ends_all_processes_and_prints_nothing(tmp_path: Path, body: str, code: int) -> None:
    with program(tmp_path, PROGRAM.format(body=body)) as running:
        _, said = running.communicate()

    assert (running.returncode, said) == (code, "")


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Also when it is killed and can tell them nothing; they would wait for work for ever, with 100 MB each."""
    with program(tmp_path, PROGRAM.format(body="list(map_in_processes(work, [1] * 20, 2))")) as running:
        assert running.stdout is not None
        assert [running.stdout.readline() for _ in range(2)] == ["at work\n"] * 2
        running.kill()
        _, said = running.communicate()

    assert said == ""


INDEX = """
import os, signal, sys, time
from clew.cli.outcome import run

def stop(event, arguments):
    if event == "open" and str(arguments[0]).endswith("knots_70.py"):
        os.write(1, b"a child\\n" if os.getpid() != int(os.environ["OUTER"]) else b"the command itself\\n")
        time.sleep(600)

if __name__ == "__main__":
    os.environ["OUTER"] = str(os.getpid())
    os.cpu_count = lambda: 2  # with one core there is no pool
sys.addaudithook(stop)  # in each process: whichever reads the file stops there
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(["index", {folder!r}]))
"""


def test_an_interrupt_of_an_index_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    for number in range(80):
        text = "".join(f"def knot_{number}_{at}(rope, metres):\n    return rope.tie(metres, {at})\n\n\n" for at in range(100))
        (folder / f"knots_{number}.py").write_text(text)
    with program(tmp_path, INDEX.format(folder=str(folder))) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "a child\n"
        press_interrupt(running)
        _, said = running.communicate()

    assert (running.returncode, said.strip()) == (130, "clew: interrupted; what was stored before stands")


UNGUARDED = """
import clew, sys
from pathlib import Path
from clew.settings import Settings

with clew.open(settings=Settings(Path({home!r}), jobs=2)) as engine:
    engine.index(Path({folder!r}))
    print(len(engine.rank_files(Path({folder!r}), "knot", limit=100).files))
"""


@pytest.mark.parametrize("how", ["a file", "standard input"])
def test_a_script_without_a_guard_indexes_in_its_own_process(tmp_path: Path, how: str) -> None:
    """Each process would begin with the script again, and cannot where it is read from standard input."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for number in range(80):
        text = "".join(f"def knot_{number}_{at}(rope, metres):\n    return rope.tie(metres, {at})\n\n\n" for at in range(100))
        (folder / f"knots_{number}.py").write_text(text)
    path = tmp_path / "script.py"
    path.write_text(UNGUARDED.format(home=str(tmp_path / "home"), folder=str(folder)))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}

    with path.open() as script:
        command = [sys.executable, "-"] if how == "standard input" else [sys.executable, str(path)]
        ran = subprocess.run(command, stdin=script, capture_output=True, text=True, env=environment, check=False)

    assert (ran.returncode, ran.stdout) == (0, "80\n")
    assert "__main__" in ran.stderr or how == "standard input"


def double(number: int) -> int:
    return 2 * number


def fail_at_two(number: int) -> int:
    if number == 2:
        raise ValueError("two")
    return number


def die_at_two(number: int) -> int:
    if number == 2:
        os._exit(9)
    return number


def unsendable(number: int) -> object:
    return threading.Lock() if number == 2 else number


def test_results_come_in_the_order_of_the_work() -> None:
    assert list(map_in_processes(double, range(50), 3)) == [2 * number for number in range(50)]
    assert run_in_process(double, 4) == 8


@pytest.mark.parametrize(
    ("work", "expected"),
    [(fail_at_two, ValueError), (die_at_two, BrokenProcessPool), (unsendable, TypeError)],
    ids=["raises", "dies", "cannot be sent"],
)
def test_a_batch_that_fails_says_so_at_its_place(work: Callable[[int], object], expected: type[Exception]) -> None:
    """What came before it arrives first, also where it killed its process."""
    done = map_in_processes(work, range(20), 3)

    assert [next(done), next(done)] == [0, 1]
    with pytest.raises(expected):
        next(done)


def test_an_error_of_the_work_says_where_it_was_raised() -> None:
    with pytest.raises(ValueError, match="two") as caught:
        list(map_in_processes(fail_at_two, range(4), 2))

    assert "in fail_at_two" in "".join(caught.value.__notes__)
    assert pickle.loads(pickle.dumps(caught.value)).args == ("two",)
