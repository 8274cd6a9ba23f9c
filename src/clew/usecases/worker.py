"""Worker: let one process at a time do background work on this machine, and have it stopped by one command.

Two files of the data folder: `work.lock`, which the worker holds and in which its number stands, and `work.stopped`, which stands there
from `clew models stop` until a person has work done again.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from clew.errors import WorkTaken

STOP_WAIT_S = 10.0  # for a worker that was told to end


class WorkStopped(BaseException):
    """Raised in a worker that is told to end. No error: whatever it does is left as it is, and its job is queued again."""


def is_work_stopped(folder: Path) -> bool:
    """Return whether background work was stopped, and nobody has had any done since."""
    return (folder / "work.stopped").exists()


def find_worker(folder: Path) -> int:
    """Return the process id of the worker that holds the lock of a data folder; 0 for none."""
    try:
        descriptor = os.open(folder / "work.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(descriptor, 32, 0)
        return int(said) if said.isdigit() else 0
    finally:
        os.close(descriptor)
    return 0


def stop_work(folder: Path) -> bool:
    """End the worker of a data folder and let no other begin unasked; return whether one was at work.

    It has STOP_WAIT_S to put down what it holds; then it is killed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "work.stopped").touch()
    pid = find_worker(folder)
    if not pid:
        return False
    ends_at = time.monotonic() + STOP_WAIT_S
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while find_worker(folder) == pid:
            if time.monotonic() >= ends_at:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    return True


@contextmanager
def working(folder: Path, *, is_asked: bool, ends_with_input: bool = False) -> Generator[None]:
    """Hold the lock of a data folder while the block runs; a signal to end raises WorkStopped in it. For the main thread.

    is_asked         a person asks for it, so it is no longer stopped.
    ends_with_input  it also ends when standard input does, as it does with the process that started this one.
    Raises    WorkTaken where another process holds the lock, WorkStopped at once where work is stopped and nobody asks for it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / "work.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkTaken("background work") from None
        if is_asked:
            (folder / "work.stopped").unlink(missing_ok=True)
        elif is_work_stopped(folder):
            raise WorkStopped
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        before = signal.signal(signal.SIGTERM, _stop)
        if ends_with_input:
            threading.Thread(target=_wait_for_end_of_input, name="input", daemon=True).start()
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
    finally:
        os.close(descriptor)


def _wait_for_end_of_input() -> None:
    while os.read(0, 512):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise WorkStopped
