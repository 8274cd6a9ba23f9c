"""Daemon context: the engine, background thread and error journal that all parts of the daemon share.

The store is opened on first use, and tried again after a failure: a database that is locked, too new or on a full disk fails the
request that needed it, never the daemon.
"""

from __future__ import annotations

import shutil
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path

import clew
from clew.codebase.private_paths import find_refusal_reason
from clew.engine import Engine
from clew.errors import ClewError, SchemaTooNew, StoreBusy, StoreUnreachable, StoreUnusable, StoreUnwritable
from clew.settings import BadSetting, Settings
from clew.text.secrets import mask_text
from clew.trial.log import TrialLog

_REOPEN_AFTER_S = 2.0  # a store that could not be opened is not tried again at once: each try may wait for a lock; guess
_SAME_ERROR_AFTER_S = 60.0  # an error with the same text is journalled once in this time; guess
_RECENT_ERRORS_MAX = 64
_WARM_UP_PROMPT = "which names and files are in this repository?"  # enough words to run every search channel
FREE_BYTES_MIN = 16 * 2**20  # less than this, and the database can soon take nothing more: guess
_STORE_ERROR_LABELS: tuple[tuple[type[ClewError], str], ...] = (
    (SchemaTooNew, "database is newer than clew"), (StoreBusy, "database is locked"), (StoreUnusable, "database is damaged"),
    (StoreUnwritable, "data folder cannot be written"), (StoreUnreachable, "database server is away"),
    (ClewError, "database cannot be opened"),
)  # fmt: skip


_KINDS: tuple[tuple[type[ClewError], str], ...] = (
    (StoreBusy, "busy"), (StoreUnwritable, "full"), (SchemaTooNew, "newer"), (BadSetting, "setting"),
)  # fmt: skip


class DaemonContext:
    """The settings, engine, background jobs and error journal of one daemon. Thread-safe.

    journal   the error log: called with where an error occurred, its text and its kind; `clew doctor` shows the entries.
    refusals  folder path → why a folder in which a session runs is not indexed.
    """

    def __init__(self, settings: Settings, journal: Callable[[str, str, str], None]) -> None:
        self.settings = settings
        self.journal = journal
        self.trial = TrialLog(settings.data_dir)
        self.refusals: dict[str, str] = {}
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._failed: tuple[float, ClewError] | None = None
        self._jobs: OrderedDict[str, tuple[float, Callable[[], object]]] = OrderedDict()
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._is_busy = self._is_closed = False
        self._journalled: OrderedDict[str, float] = OrderedDict()
        self._damaged: tuple[int, int] | None = None  # (device, inode) of the database file that was found damaged

    def get_engine(self) -> Engine:
        """Return the engine over the user's store, opening it on first use.

        Raises StoreError or BadSetting when it cannot be opened, and the same error again for _REOPEN_AFTER_S seconds.
        """
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

    def withholds(self, session: str, part: str) -> bool:
        """Return whether a session does without a part of clew, because a trial drew it so; False where its log cannot be read."""
        try:
            return part in self.trial.find_withheld(session)
        except (ClewError, OSError) as error:
            self.record_error("trial", error)
            return False

    def find_problem(self) -> str:
        """Return a label of two to four words for what keeps sessions from being stored, such as "disk is full"; "" for nothing."""
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
        """Record that the database file is damaged if `error` says so; `find_problem` reports it until the file is replaced."""
        if isinstance(error, StoreUnusable) and error.is_repairable:
            self._damaged = self._file_identity()

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            status = self.settings.database_path.stat()
        except OSError:  # it is gone: the next attempt to open it says so
            return None
        return status.st_dev, status.st_ino

    def schedule(self, key: str, job: Callable[[], object], *, after_s: float = 0.0) -> None:
        """Run `job` on the background thread after at least `after_s` seconds; a waiting job of the same `key` is replaced by it.

        Long work is delayed until the session is idle, because it would hold the interpreter that answers requests.
        After `close` nothing is scheduled. An exception of the job is journalled under the key's part before ":".
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
        """Schedule indexing of the repository at `root`; for a folder that must not be indexed, record why in `refusals` instead."""
        if why := find_refusal_reason(root):
            self.refusals[str(root)] = why
        else:
            self.schedule(f"index:{root}", lambda: self._index(root))

    def _index(self, root: Path) -> None:
        """Update an index, then search it once so that it is loaded: the first prompt of a large repository would wait 0.5 s for that."""
        engine = self.get_engine()
        engine.index(root)
        engine.augment_prompt(root, _WARM_UP_PROMPT, budget_tokens=1, tokenizer=self.settings.tokenizer)

    def run_pending_jobs(self, timeout_s: float) -> bool:
        """Run all waiting jobs now, whatever their delay, and wait for them at most `timeout_s`; return whether all have ended."""
        with self._changed:
            self._jobs = OrderedDict((key, (0.0, job)) for key, (_, job) in self._jobs.items())
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._jobs and not self._is_busy, timeout_s)

    def record_error(self, where: str, error: BaseException | str, kind: str = "") -> None:
        """Journal an error that occurred in `where`, secrets masked, unless the same was journalled in the last minute.

        kind  what mends it (`clew.adapters.daemon_files.record_problem`); "" for what an exception says of itself.
        An exception that is neither a ClewError nor an OSError is a defect: its stack trace goes to standard error as well.
        """
        if isinstance(error, BaseException):
            self.record_damage(error)
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        if not isinstance(error, str | ClewError | OSError):
            traceback.print_exception(error)
        key, now = f"{where}\n{text}", time.monotonic()
        if now - self._journalled.get(key, -_SAME_ERROR_AFTER_S) < _SAME_ERROR_AFTER_S:
            return
        self._journalled[key] = now
        while len(self._journalled) > _RECENT_ERRORS_MAX:
            self._journalled.popitem(last=False)
        self.journal(where, mask_text(text), kind or _find_kind(error))

    def close(self, timeout_s: float = 5.0) -> None:
        """Run the waiting jobs for at most `timeout_s`, then close the store; it stays open under a job that has not ended."""
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
        """Wait for the next due job; None after `close` when no job is left."""
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


def _find_kind(error: BaseException | str) -> str:
    """Return the kind of a journalled error, "" for one that only its text describes."""
    if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
        return "full"
    return next((kind for kinds, kind in _KINDS if isinstance(error, kinds)), "")
