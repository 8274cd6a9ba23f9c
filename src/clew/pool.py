"""Process pool: apply a function to many batches on all cores, with results in order and bounded memory.

Processes are spawned, because a fork of a process that has threads (a daemon, numpy) may hang. One thread per process starts
it, sends it a batch and waits for the result. If the caller stops early, for whatever reason, the processes are killed, and each
thread finds its pipe closed. The executor of the standard library cannot do that: CPython 3.11 prints a traceback when its
processes are killed after a future was cancelled.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

Batch = TypeVar("Batch")
Result = TypeVar("Result")
BATCHES_PER_WORKER = 3  # batches per worker under way at once: enough to keep it busy, few enough to bound memory
# A reader makes a hundred thousand small tuples a second and hardly a cycle: looking for cycles less often saves 6 % of its time.
GC_THRESHOLD = 100_000


def map_in_processes(
    work: Callable[[Batch], Result],
    batches: Sequence[Batch],
    workers: int,
    *,
    initializer: Callable[..., None] | None = None,
    initializer_args: tuple[Any, ...] = (),
) -> Generator[Result]:
    """Yield work(batch) for each batch, in order, computed by `workers` processes; in this one for one worker or batch.

    work, initializer  module-level functions, since they are sent by name; `initializer(*initializer_args)` runs once per process.
    Raises  what `work` raises; BrokenProcessPool at the batch whose process was killed.
    An interrupt, an error of the caller and closing the generator end the processes at once.
    Where no process can be started, all is computed in this one: each begins with the caller's main module, which may be read from
    standard input, or be a script that calls this without `if __name__ == "__main__":`.
    """
    done = 0
    if workers > 1 and len(batches) > 1:
        with suppress(_NotStarted), _pool(work, min(workers, len(batches)), initializer, initializer_args) as pool:
            pending = deque(pool.submit(batch) for batch in batches[: workers * BATCHES_PER_WORKER])
            while done < len(batches):
                result = pending.popleft().result()
                if done + workers * BATCHES_PER_WORKER < len(batches):
                    pending.append(pool.submit(batches[done + workers * BATCHES_PER_WORKER]))
                done += 1
                yield result
    if initializer and done < len(batches):
        initializer(*initializer_args)
    for batch in batches[done:]:
        yield work(batch)


def run_in_process(
    work: Callable[[Batch], Result], batch: Batch, *, initializer: Callable[..., None] | None = None, initializer_args: tuple[Any, ...] = ()
) -> Result:
    """Return work(batch), computed in a new process. Raises what `work` raises, BrokenProcessPool if the process dies."""
    with _pool(work, 1, initializer, initializer_args) as pool:
        return pool.submit(batch).result()


class _NotStarted(BrokenProcessPool):
    """Raised where a process ended before it could take a batch."""


@contextmanager
def _pool(
    work: Callable[[Batch], Result], workers: int, start: Callable[..., None] | None, given: tuple[Any, ...]
) -> Generator[_Pool[Batch, Result]]:
    pool = _Pool(work, workers, start, given)
    try:
        yield pool
    finally:
        pool.end()


class _Pool(Generic[Batch, Result]):
    """Processes, each with the thread that it belongs to."""

    def __init__(self, work: Callable[[Batch], Result], workers: int, start: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
        self._setup = (work, start, given)
        self._todo: SimpleQueue[tuple[Batch, Future[Result]] | None] = SimpleQueue()
        self._lock = threading.Lock()  # a process is started and listed, or the pool ended, never both at once
        self._processes: list[SpawnProcess] = []
        self._is_ended = False
        self._workers = workers
        for number in range(workers):
            threading.Thread(target=self._serve, name=f"pool {number}", daemon=True).start()

    def submit(self, batch: Batch) -> Future[Result]:
        """Queue a batch for the next free process and return the future of its result."""
        done: Future[Result] = Future()
        self._todo.put((batch, done))
        return done

    def end(self) -> None:
        """Kill all processes, also busy ones."""
        with self._lock:
            self._is_ended = True
        for process in self._processes:
            process.kill()
        for _ in range(self._workers):
            self._todo.put(None)
        for process in self._processes:
            process.join()

    def _serve(self) -> None:
        """Give one process batch after batch until the pool ends or the process dies."""
        connection: Connection | None = None
        while (entry := self._todo.get()) is not None and not self._is_ended:
            batch, done = entry
            try:
                if connection is None:
                    connection = self._started()
                    _await_start(connection)
                connection.send(batch)
                is_done, result = connection.recv()
            except (EOFError, ConnectionError):
                done.set_exception(BrokenProcessPool("a process of the pool was killed"))
                return
            except BaseException as problem:  # noqa: BLE001  whoever waits for the batch gets it
                # What was sent cannot be pickled, or what came cannot be unpickled; or no process could be started.
                done.set_exception(problem)
            else:
                done.set_result(result) if is_done else done.set_exception(result)

    def _started(self) -> Connection:
        """Start a process and return the connection to it. Runs in a thread, where no interrupt can stop it halfway."""
        resource_tracker.ensure_running()  # whoever starts it lets interrupts through again, so it is started before
        if hasattr(signal, "pthread_sigmask"):
            # Processes inherit this. A terminal sends an interrupt to all of them: the parent answers for it, and its
            # children would each print a stack trace.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        with self._lock, there:
            if self._is_ended:
                raise EOFError
            process = context.Process(target=_work, args=(there,), daemon=True)  # daemon: ended with the interpreter in any case
            process.start()
            self._processes.append(process)
        # Sent apart from the start, which would wait until the process reads it, and could not be stopped.
        here.send(self._setup)
        return cast("Connection", here)


def _await_start(connection: Connection) -> None:
    """Wait until a process is ready for its first batch. Raises _NotStarted where it has ended instead."""
    try:
        connection.recv()
    except (EOFError, ConnectionError) as problem:
        raise _NotStarted("a process of the pool could not be started") from problem


def _work(connection: Connection) -> None:
    """What each process does: see to it that it ends with the one that started it, then one batch after the other."""
    gc.set_threshold(GC_THRESHOLD)
    threading.Thread(target=end_with_parent, name="end with parent", daemon=True).start()
    try:
        connection.send(None)  # it is ready
        work, start, given = connection.recv()
        is_begun = start is None
        while True:
            batch = connection.recv()
            try:
                if not is_begun:
                    start(*given)
                    is_begun = True
                answer = (True, work(batch))
            except Exception as problem:  # noqa: BLE001  raised again where the result is waited for
                answer = (False, _with_trace(problem))
            try:
                connection.send(answer)
            except (EOFError, ConnectionError):
                raise
            except Exception as problem:  # noqa: BLE001  a result that cannot be pickled: raised where it is waited for
                connection.send((False, TypeError(f"{type(problem).__name__}: {problem}")))
    except (EOFError, ConnectionError):  # nobody is left who waits for anything
        os._exit(1)


def _with_trace(problem: Exception) -> Exception:
    """The error with a note of where it was raised, which does not travel by itself."""
    problem.add_note("".join(traceback.format_exception(problem)).rstrip())
    return problem


def end_with_parent() -> None:
    """End this process at once when the one that started it has ended. For a thread of a child process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
