"""The log of a trial: its plan, each session's assignment as it is made, what came of it once that is final, and its end.

One file of JSON lines that only grows, in the data folder. Each line holds the digest of the line before it, so that a line that was
changed or taken out later is found; and an assignment is written to the disk before the session is treated by it.

Assignment: the sessions of each repository are drawn in blocks, in which each combination of parts stands equally often. Which of a
block's combinations a session gets is drawn from what is left of it, by a keyed hash of the session's id. A session that goes on
another one (a resume, a fork) is treated as that one is, and is counted with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import msgspec

from clew import __version__
from clew.errors import ClewError, UsageError
from clew.files import replace_file
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import Assumptions, Plan, digest

FOLDER_NAME = "trials"
BLOCK_MIN = 4  # sessions in a block: of two, the second one of each would be known in advance
_CURRENT = "current"


class Assignment(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one session is treated.

    without  parts that it does without.
    block    number of its block among those of its repository.
    origin   session that it goes on; "" for one that was drawn by itself.
    """

    session: str
    repository: str
    at_ns: int
    without: tuple[str, ...] = ()
    block: int = 0
    origin: str = ""

    @property
    def root(self) -> str:
        """The session that was drawn."""
        return self.origin or self.session


class _Line(msgspec.Struct, omit_defaults=True):
    """One line of the log; exactly one of its parts is there."""

    before: str = ""
    plan: Plan | None = None
    assigned: Assignment | None = None
    outcome: SessionOutcome | None = None
    stopped_ns: int = 0


class TrialDamaged(ClewError):
    """A line of the log does not follow from the line before it, or cannot be read."""

    def __init__(self, path: Path, line: int) -> None:
        self.path, self.line = path, line
        super().__init__(
            f"{path}: line {line} was changed, or one before it is missing, so nothing can be concluded from this trial\n"
            "hint: move the folder away to end it, and start another"
        )


class NoTrial(UsageError):
    """No trial was started."""

    def __init__(self) -> None:
        super().__init__("no trial was started\nhint: `clew trial start` plans one and begins")


@dataclass(slots=True)
class Trial:
    """A trial as its log tells it.

    plan_digest  of the log's first line, which holds the plan.
    assigned     by session, in the order of their assignment; outcomes  by the session that was drawn.
    """

    path: Path
    plan: Plan
    plan_digest: str
    assigned: dict[str, Assignment] = field(default_factory=dict[str, Assignment])
    outcomes: dict[str, SessionOutcome] = field(default_factory=dict[str, SessionOutcome])
    stopped_ns: int = 0

    @property
    def drawn(self) -> list[Assignment]:
        """The assignments of sessions that were drawn by themselves, in order."""
        return [each for each in self.assigned.values() if not each.origin]

    @property
    def is_full(self) -> bool:
        """Whether as many sessions as planned were drawn."""
        return len(self.drawn) >= self.plan.sessions

    def list_sessions(self, root: str) -> list[str]:
        """Return the sessions that are counted as one with the session `root`, itself included, in order."""
        return [each.session for each in self.assigned.values() if each.root == root]


class TrialLog:
    """The trials of one data folder. Thread-safe; other processes may write at the same time."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER_NAME
        self._lock = threading.Lock()
        self._read: tuple[tuple[str, int, int], Trial] | None = None

    def read_current(self) -> Trial | None:
        """Return the trial that was started last, also one that was stopped; None where there is none. Raises TrialDamaged."""
        path = self._find_current()
        if path is None:
            return None
        try:
            about = path.stat()
        except FileNotFoundError:
            return None
        stamp = (str(path), about.st_size, about.st_mtime_ns)
        with self._lock:
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, _read(path, path.read_bytes())
            return self._read[1]

    def start(self, parts: Sequence[str], sessions: int, *, margin: float, assumed: Assumptions, at_ns: int | None = None) -> Trial:
        """Write the plan of a new trial, and return it. Raises UsageError while another one runs, OSError."""
        running = self.read_current()
        if running is not None and not running.stopped_ns:
            raise UsageError(f"a trial runs already, of {', '.join(running.plan.parts)}\nhint: `clew trial stop` ends it")
        now = time.time_ns() if at_ns is None else at_ns
        secret = secrets.token_bytes(32)
        trial_id = f"{time.strftime('%Y%m%d', time.gmtime(now / 1e9))}-{secrets.token_hex(3)}"
        plan = Plan(
            trial_id, now, tuple(parts), sessions, margin=margin, secret_sha256=hashlib.sha256(secret).hexdigest(), assumed=assumed,
            version=__version__,
        )  # fmt: skip
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(self.folder / f"{trial_id}.secret", secret)
        _write_new(self.folder / f"{trial_id}.jsonl", msgspec.json.encode(_Line(plan=plan)) + b"\n")
        replace_file(self.folder / _CURRENT, trial_id.encode(), is_durable=True)
        found = self.read_current()
        assert found is not None
        return found

    def stop(self) -> Trial:
        """End the trial that runs: nothing is left out of any session any more. Raises NoTrial."""
        with self._open_current() as (trial, append):
            if not trial.stopped_ns:
                append(_Line(stopped_ns=time.time_ns()))
        return self._current()

    def assign(self, session: str, repository: str, *, origin: str = "") -> Assignment | None:
        """Return how a session is treated; one that is not known is drawn first, and written down.

        origin  the session that it goes on: it is treated as that one is, and not at all where that one is not in the trial.
        Returns None where no trial runs, and for a new session once as many as planned were drawn. Raises OSError, TrialDamaged.
        """
        current = self.read_current()
        if current is None or current.stopped_ns:
            return None
        if session in current.assigned:
            return current.assigned[session]
        if origin and origin not in current.assigned:
            return None
        if not origin and current.is_full:
            return None
        with self._open_current() as (trial, append):
            if trial.stopped_ns or session in trial.assigned or (not origin and trial.is_full):
                return trial.assigned.get(session)
            now = time.time_ns()
            if origin:
                before = trial.assigned[origin]
                made = Assignment(session, before.repository, now, before.without, before.block, before.root)
            else:
                secret = (self.folder / f"{trial.plan.id}.secret").read_bytes()
                without, block = draw(secret, session, repository, trial.plan.parts, trial.drawn)
                made = Assignment(session, repository, now, without, block)
            append(_Line(assigned=made))
        return made

    def record_outcome(self, outcome: SessionOutcome) -> None:
        """Write down what came of a session, once; a second time changes nothing. Raises NoTrial, OSError."""
        with self._open_current() as (trial, append):
            if outcome.session not in trial.outcomes and outcome.session in trial.assigned:
                append(_Line(outcome=outcome))

    def find_withheld(self, session: str) -> tuple[str, ...]:
        """Return the parts that a session does without now."""
        trial = self.read_current()
        if trial is None or trial.stopped_ns:
            return ()
        assigned = trial.assigned.get(session)
        return assigned.without if assigned else ()

    def _current(self) -> Trial:
        found = self.read_current()
        if found is None:
            raise NoTrial
        return found

    def _find_current(self) -> Path | None:
        try:
            name = (self.folder / _CURRENT).read_text("ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self.folder / f"{Path(name).name}.jsonl"

    @contextmanager
    def _open_current(self) -> Generator[tuple[Trial, Callable[[_Line], None]]]:
        """Lock the log against other processes; yield the trial as it is now, and what appends a line to it and to the disk."""
        path = self._find_current()
        if path is None:
            raise NoTrial
        with path.open("r+b") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            data = stream.read()
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data):  # a line that a killed process began
                stream.truncate(len(whole))
            trial = _read(path, whole)
            last = whole.rstrip(b"\n").rpartition(b"\n")[2]

            def append(line: _Line) -> None:
                line.before = digest(last)
                stream.seek(0, os.SEEK_END)
                stream.write(msgspec.json.encode(line) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())

            yield trial, append


def draw(secret: bytes, session: str, repository: str, parts: Sequence[str], drawn: Sequence[Assignment]) -> tuple[tuple[str, ...], int]:
    """Return which parts a new session does without, and the number of its block, from what earlier ones of its repository left over."""
    cells = [
        tuple(part for part, is_out in zip(parts, chosen, strict=True) if is_out) for chosen in product((False, True), repeat=len(parts))
    ]
    size = max(BLOCK_MIN, len(cells))
    here = [each for each in drawn if each.repository == repository]
    block = len(here) // size
    left = Counter({cell: size // len(cells) for cell in cells})
    left.subtract(each.without for each in here if each.block == block)
    open_cells = sorted(left.elements())
    number = int.from_bytes(hmac.new(secret, f"{repository}\n{session}".encode(), hashlib.sha256).digest(), "big")
    return open_cells[number % len(open_cells)], block


def _read(path: Path, data: bytes) -> Trial:
    """Return the trial that the whole lines of a log tell. Raises TrialDamaged."""
    lines = data[: data.rfind(b"\n") + 1].splitlines()
    trial: Trial | None = None
    before = b""
    for number, line in enumerate(lines, 1):
        try:
            told = _LINES.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise TrialDamaged(path, number) from error
        if trial is None:
            if told.plan is None:
                raise TrialDamaged(path, number)
            trial = Trial(path, told.plan, digest(line))
        elif told.before != digest(before):
            raise TrialDamaged(path, number)
        elif told.assigned is not None:
            trial.assigned[told.assigned.session] = told.assigned
        elif told.outcome is not None:
            trial.outcomes[told.outcome.session] = told.outcome
        trial.stopped_ns = trial.stopped_ns or told.stopped_ns
        before = line
    if trial is None:
        raise TrialDamaged(path, 1)
    return trial


def _write_new(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


_LINES = msgspec.json.Decoder(_Line)
