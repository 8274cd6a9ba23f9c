"""Daemon context: what everything inside the daemon shares. One engine, one thread for later work, one journal.

The store is opened when it is first needed, and again when that failed: a database that is locked, too new or on a full disk is
an answer for whoever asked, never the end of the daemon.
"""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import clew
from clew.codebase.private_paths import find_refusal_reason
from clew.engine import Engine
from clew.errors import ClewError, SchemaTooNew, StoreBusy, StoreUnusable, StoreUnwritable
from clew.settings import Settings
from clew.text.secrets import mask_text

_REOPEN_AFTER_S = 2.0  # a store that could not be opened is not tried again at once: each try may wait for a lock; guess
_SAME_ERROR_AFTER_S = 60.0  # the same words are journalled once in this time; guess
_RECENT_ERRORS_MAX = 64
_WARM_UP_PROMPT = "which names and files are in this repository?"  # words enough to be looked for
FREE_BYTES_MIN = 16 * 2**20  # less than this, and the database can soon take nothing more: guess
_STORE_ERROR_LABELS: tuple[tuple[type[ClewError], str], ...] = (
    (SchemaTooNew, "database is newer than clew"), (StoreBusy, "database is locked"), (StoreUnusable, "database is damaged"),
    (StoreUnwritable, "data folder cannot be written"), (ClewError, "database cannot be opened"),
)  # fmt: skip


class DaemonContext:
    """The settings, the engine and the later work of one daemon. Safe with threads.

    journal  notes a problem for `clew doctor`: where it arose, and what it is.
    refused  why folders that a session was held in are not indexed, by their path.
    """

    def __init__(self, settings: Settings, journal: Callable[[str, str], None]) -> None:
        self.settings = settings
        self.journal = journal
        self.refusals: dict[str, str] = {}
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._failed: tuple[float, ClewError] | None = None
        self._jobs: OrderedDict[str, tuple[float, Callable[[], object]]] = OrderedDict()
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._is_busy = self._is_closed = False
        self._journalled: OrderedDict[str, float] = OrderedDict()
        self._damaged: tuple[int, int] | None = None  # the file that was found damaged in use, whatever its name holds by now

    def get_engine(self) -> Engine:
        """Return the engine over the user's store. Raises StoreError, or what opening raised less than REOPEN_AFTER_S ago."""
        with self._opening:
            if self._engine is not None:
                return self._engine
            if self._failed is not None and time.monotonic() - self._failed[0] < _REOPEN_AFTER_S:
                raise self._failed[1]
            try:
                self._engine = clew.open(settings=self.settings)
            except ClewError as error:
                self._failed = (time.monotonic(), error)
                raise
            return self._engine

    def find_problem(self) -> str:
        """Return what keeps sessions from being remembered, in two or three words, "" for nothing."""
        if self._failed is not None and self._engine is None:
            return next(words for kind, words in _STORE_ERROR_LABELS if isinstance(self._failed[1], kind))
        if self._damaged is not None and self._damaged == self._file_identity():
            return "database is damaged"
        if self._engine is not None and self._engine.is_read_only:
            return "data folder is read-only"
        with suppress(OSError):
            if shutil.disk_usage(self.settings.data_dir).free < FREE_BYTES_MIN:
                return "disk is full"
        return ""

    def record_damage(self, error: BaseException) -> None:
        """Take note of damage that showed in the middle of a question: `trouble` says so until another file stands there."""
        if isinstance(error, StoreUnusable) and error.is_damaged:
            self._damaged = self._file_identity()

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            about = self.settings.database_path.stat()
        except OSError:  # it is gone, which whoever opens the next one is told
            return None
        return about.st_dev, about.st_ino

    def schedule(self, key: str, job: Callable[[], object], *, after_s: float = 0.0) -> None:
        """Do a job in the background, not before `after_s`. One that waits under the same key is replaced, and waits anew.

        What takes long waits until nobody is in a hurry: it would hold the interpreter that answers.
        """
        with self._changed:
            if self._is_closed:
                return
            self._jobs[key] = (time.monotonic() + after_s, job)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="later", daemon=True)
                self._worker.start()
            self._changed.notify_all()

    def schedule_index(self, root: Path) -> None:
        """Have a repository indexed in the background. A folder that is no repository is passed over, and `refused` says why."""
        if why := find_refusal_reason(root):
            self.refusals[str(root)] = why
        else:
            self.schedule(f"index:{root}", lambda: self._index(root))

    def _index(self, root: Path) -> None:
        """Bring an index up to date, and load it as a prompt would: the first one of a large repository waits half a second for it."""
        engine = self.get_engine()
        engine.index(root)
        engine.augment_prompt(root, _WARM_UP_PROMPT, budget_tokens=1, tokenizer=self.settings.tokenizer)

    def run_pending_jobs(self, timeout_s: float) -> bool:
        """Have all waiting jobs done now, and wait until none is left, at most so long. Returns whether none is."""
        with self._changed:
            self._jobs = OrderedDict((key, (0.0, job)) for key, (_, job) in self._jobs.items())
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._jobs and not self._is_busy, timeout_s)

    def record_error(self, where: str, error: BaseException | str) -> None:
        """Journal what went wrong, for `clew doctor`. A defect leaves its trace in the log as well."""
        if isinstance(error, BaseException):
            self.record_damage(error)
        what = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        if not isinstance(error, str | ClewError | OSError):
            traceback.print_exception(error)
        key, now = f"{where}\n{what}", time.monotonic()
        if now - self._journalled.get(key, -_SAME_ERROR_AFTER_S) < _SAME_ERROR_AFTER_S:
            return
        self._journalled[key] = now
        while len(self._journalled) > _RECENT_ERRORS_MAX:
            self._journalled.popitem(last=False)
        self.journal(where, mask_text(what))

    def close(self, timeout_s: float = 5.0) -> None:
        """Finish the waiting jobs, as far as the time goes, and close the store. What was written stands in any case."""
        is_settled = self.run_pending_jobs(timeout_s)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        with self._opening:
            if self._engine is not None and is_settled:
                self._engine.close()
            self._engine = None

    def _work(self) -> None:
        while (found := self._next()) is not None:
            key, job = found
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the reader of the journal sees it; the jobs behind it go on
                self.record_error(key.partition(":")[0], error)

    def _next(self) -> tuple[str, Callable[[], object]] | None:
        """The next job whose time has come, waited for; None when there will be none."""
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()
            while True:
                key, (due, job) = min(self._jobs.items(), key=lambda item: item[1][0], default=("", (0.0, None)))
                if job is not None and due <= time.monotonic():
                    del self._jobs[key]
                    self._is_busy = True
                    return key, job
                if job is None and self._is_closed:
                    return None
                self._changed.wait(max(0.0, due - time.monotonic()) if job is not None else None)
