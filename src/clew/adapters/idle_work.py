"""Idle work: have a process of its own do queued work with the model while nobody asks the daemon for anything.

It begins after `model_idle_s` seconds without a request, on mains power, while the machine has little else to do; it ends with its limits,
with the next request, or with the daemon. What it has made by then stands, and the rest stays queued.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

import clew
from clew.settings import Settings
from clew.usecases.worker import is_work_stopped

LOAD_MAX = 0.5  # processes that want to run, for each core: above it the machine is in use; guess
QUEUE_LOOK_S = 60.0  # between two looks into an empty queue, or at a machine that is in use; guess
KILL_AFTER_S = 2.0  # a worker that was told to end and does not is killed


class IdleWork:
    """The one process that works while the daemon is idle.

    has_jobs  says whether anything is queued; asked only while nobody waits for the daemon.
    report    is called with what went wrong, for the journal.
    is_free   says whether the machine has little else to do.
    """

    def __init__(
        self, settings: Settings, has_jobs: Callable[[], bool], report: Callable[[str], None], is_free: Callable[[], bool] | None = None
    ) -> None:
        self._settings, self._has_jobs, self._report = settings, has_jobs, report
        self._is_free = is_free or is_machine_free
        self._process: subprocess.Popen[bytes] | None = None
        self._told_at = 0.0  # when the process was told to end
        self._look_at = 0.0  # when the queue is looked into again
        self._served = -1.0  # time of the last request before the latest run: each idle time has one run

    @property
    def is_on(self) -> bool:
        """Whether a model is named and may work unasked."""
        return bool(self._settings.model) and self._settings.model_idle_s > 0

    @property
    def is_at_work(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def interrupt(self) -> None:
        """Tell the process to end, because somebody asks for something. Returns at once."""
        if self.is_at_work and not self._told_at:
            assert self._process is not None
            self._told_at = time.monotonic()
            self._process.terminate()

    def advance(self, last_request_at: float) -> None:
        """Start the process where it is time for it, and see to the end of one that was told to end. Called every second or so."""
        now = time.monotonic()
        if self.is_at_work:
            assert self._process is not None
            if last_request_at > self._served:  # it came while the process was started
                self.interrupt()
            if self._told_at and now - self._told_at > KILL_AFTER_S:
                self._process.kill()
            return
        if self._process is not None:
            self._reap()
        if last_request_at <= self._served or now - last_request_at < self._settings.model_idle_s or now < self._look_at:
            return
        self._look_at = now + QUEUE_LOOK_S
        if not is_work_stopped(self._settings.data_dir) and self._is_free() and self._has_jobs():
            self._served = last_request_at
            self._start()

    def close(self) -> None:
        """End the process, and wait for its end."""
        self.interrupt()
        if self._process is not None:
            try:
                self._process.wait(KILL_AFTER_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._reap()

    def _start(self) -> None:
        limits = ["--seconds", str(self._settings.model_work_s), "--tokens", str(self._settings.model_work_tokens)]
        code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from clew.cli import main; main()"
        words = [sys.executable, "-c", code, str(Path(clew.__file__).parent.parent), "models", "work", "--idle", "--quiet", *limits]
        environment = {**os.environ, "CLEW_HOME": str(self._settings.data_dir)}
        self._told_at = 0.0
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=self._settings.data_dir
        )

    def _reap(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        said = b""
        with suppress(OSError, ValueError):
            said = process.communicate()[1]
        if process.returncode and not self._told_at:
            self._report(said.decode("utf-8", "replace").strip().partition("\n")[0] or f"the worker ended with {process.returncode}")


def is_machine_free() -> bool:
    """Return whether the machine is on mains power, or has no battery, and has little to do."""
    battery = getattr(psutil, "sensors_battery", lambda: None)()
    return getattr(battery, "power_plugged", True) is not False and psutil.getloadavg()[0] <= LOAD_MAX * (os.cpu_count() or 1)
