"""Pool: the same work on many batches, on all cores, in order, with a bound on what waits.

Used by both pipelines; knows neither. Processes are spawned, because a fork of a process that has threads
(a daemon, numpy) may hang.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any, TypeVar

Batch = TypeVar("Batch")
Result = TypeVar("Result")
AHEAD = 3  # batches per worker under way at once: enough to keep it busy, few enough to bound memory
# A reader makes a hundred thousand small tuples a second and hardly a cycle: looking for cycles less often saves 6 % of its time.
GC_THRESHOLD = 100_000


def spread(
    work: Callable[[Batch], Result],
    batches: Sequence[Batch],
    workers: int,
    *,
    start: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Iterator[Result]:
    """Yield work(batch) for each batch, in order; in this process when one worker is enough.

    work, start  module-level functions, since they are sent by name; `start(*given)` runs once in each process.
    Raises       what `work` raises; BrokenProcessPool when a worker was killed.
    """
    if workers <= 1 or len(batches) <= 1:
        if start:
            start(*given)
        for batch in batches:
            yield work(batch)
        return
    with _pool(min(workers, len(batches)), start, given) as pool:
        with _deaf_to_interrupts():
            pending = deque(pool.submit(work, batch) for batch in batches[: workers * AHEAD])
        try:
            for at in range(len(batches)):
                result = pending.popleft().result()
                if at + workers * AHEAD < len(batches):
                    pending.append(pool.submit(work, batches[at + workers * AHEAD]))
                yield result
        finally:
            for left in pending:
                left.cancel()


def isolated(
    work: Callable[[Batch], Result], batch: Batch, *, start: Callable[..., None] | None = None, given: tuple[Any, ...] = ()
) -> Result:
    """Return work(batch), done in a process of its own. Raises BrokenProcessPool when that process died."""
    with _pool(1, start, given) as pool:
        with _deaf_to_interrupts():
            pending = pool.submit(work, batch)
        return pending.result()


@contextmanager
def _pool(workers: int, start: Callable[..., None] | None, given: tuple[Any, ...]) -> Generator[ProcessPoolExecutor]:
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (start, given)) as pool:
        try:
            yield pool
        except KeyboardInterrupt:
            # What they are at is of no use to anybody, and may take many seconds.
            for child in multiprocessing.active_children():
                if child not in others:
                    child.terminate()
            raise


def _begin(start: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    """What each process does first: see to it that it ends with the one that started it, which may be killed without a word."""
    gc.set_threshold(GC_THRESHOLD)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()
    if start:
        start(*given)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _deaf_to_interrupts() -> Generator[None]:
    """Processes started meanwhile never see the terminal's interrupt; this one sees it when the block ends.

    A terminal sends it to all of them: the parent answers for it, and its children would each print a stack trace.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # whoever starts it lets interrupts through again, so it is started before
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
