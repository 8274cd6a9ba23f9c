"""Start: how the command line and the shims bring the daemon up, ask it, and take it down."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

import clew
from clew.adapters.http.peer import peer_uid
from clew.adapters.places import Places, address, journal, state
from clew.errors import ClewError
from clew.sessions.processes import is_alive

START_WITHIN_S, STOP_WITHIN_S = 10.0, 15.0
_started: list[subprocess.Popen[bytes]] = []  # by this process: one that ends is dead only once we have asked for it
SUPERVISE, WORKER = Path(__file__).parent / "supervise.py", "clew.adapters.http.worker"
CLOCK_S = 2.0  # by which a process's start as the system gives it may lie after the note of it


class NotServed(ClewError):
    """The daemon did not start, or does not answer."""

    def __init__(self, places: Places, reason: str) -> None:
        self.places = places
        super().__init__(f"the daemon of {places.home} {reason}\nhint: `clew doctor` says why; its log is {places.log}")


def command(places: Places, *, is_detached: bool, needs: Path | None = None) -> list[str]:
    """Return the command line of the supervisor: this interpreter, without site packages. Makes the run folder and the address.

    is_detached  what it says goes to the log.
    needs        a file without which it ends at once: the installation whose shims start it. None where a person does.
    Raises NotReadable.
    """
    places.make()
    spec = {
        "home": str(places.home), "socket": str(places.socket), "lock": str(places.lock), "state": str(places.state),
        "problems": str(places.problems), "log": str(places.log), "port": address(places).port, "is_detached": is_detached,
        "python": sys.executable, "path": str(Path(clew.__file__).parent.parent), "version": clew.__version__,
        "needs": "" if needs is None else str(needs),
    }  # fmt: skip
    return [sys.executable, "-I", "-S", str(SUPERVISE), json.dumps(spec)]


def detach(places: Places, *, within_s: float = START_WITHIN_S, needs: Path | None = None) -> dict[str, Any]:
    """Have a daemon run in the background, and return what it says of itself. Raises NotServed, NotReadable.

    needs  as `command` has it.
    One of this release that runs already is left alone, one of another release is replaced.
    """
    try:
        answers = ask(places, "GET", "/health", within_s=2.0)
        if answers.get("version") == clew.__version__:
            return answers
        stop(places)
    except NotServed:
        pass  # so it is started now
    started = subprocess.Popen(
        command(places, is_detached=True, needs=needs),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=places.home,
    )
    _started.append(started)
    until = time.monotonic() + within_s
    while True:
        try:
            return ask(places, "GET", "/health", within_s=max(0.1, until - time.monotonic()))
        except NotServed:
            if time.monotonic() > until:
                journal(places, "daemon", f"did not answer within {within_s:g} s of its start")
                raise
            if started.poll() not in {None, 4}:  # 4: another one was quicker, and will answer
                raise NotServed(places, f"ended with {started.returncode} as it started") from None
            time.sleep(0.02)  # the socket appears when it is bound: nothing tells of that


def stop(places: Places) -> bool:
    """Have the daemon stop, and wait for it. Returns whether one ran. Raises NotServed where it does not end.

    Only processes that are this daemon's are asked: a number that was noted may be another process's by now.
    """
    running = _pids(places)
    if not running:
        return False
    told: set[int] = set()
    until = time.monotonic() + STOP_WITHIN_S
    while left := [pid for pid in running if is_alive(pid)]:
        if left[0] not in told:  # a supervisor tells its worker; one that is gone cannot
            told.add(left[0])
            with suppress(ProcessLookupError):
                os.kill(left[0], signal.SIGTERM)
                os.kill(left[0], signal.SIGCONT)  # one that was stopped acts on it now
        _started[:] = [child for child in _started if child.poll() is None]
        if time.monotonic() > until:
            raise NotServed(places, f"(pid {left[0]}) was asked to stop and did not within {STOP_WITHIN_S:g} s")
        time.sleep(0.02)  # it is nobody's child that could be waited for
    places.state.unlink(missing_ok=True)
    places.fault.unlink(missing_ok=True)
    return True


def _pids(places: Places) -> list[int]:
    """The supervisor and the worker that serve this data folder, those that run."""
    known = state(places) or {}
    noted = [known.get(name) for name in ("pid", "worker")]
    since = known.get("started")
    found = [pid for pid in noted if isinstance(pid, int) and is_daemon(places, pid, since_s=since if isinstance(since, int) else 0)]
    if not found:
        with suppress(NotServed):
            found = [int(ask(places, "GET", "/health", within_s=1.0)["pid"])]
    return [pid for pid in found if is_alive(pid)]


def is_daemon(places: Places, pid: int, *, since_s: int) -> bool:
    """Whether a process is a supervisor or a worker of this data folder: by its user, its start and its command line.

    since_s  when the daemon noted its number, in seconds since the epoch: a process that began later has got the number of one that ended.
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.uids().real != os.getuid() or process.create_time() > since_s + CLOCK_S:
                return False
            words = process.cmdline()
    except psutil.Error:
        return False
    is_ours = any(Path(word).name == SUPERVISE.name or word == WORKER for word in words[:-1])
    try:
        return is_ours and json.loads(words[-1]).get("home") == str(places.home)
    except (ValueError, IndexError, AttributeError):  # no command line of ours
        return False


class _OverUnixSocket(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))
        if peer_uid(self.sock) != os.geteuid():
            self.sock.close()
            raise PermissionError("another user listens there")


def ask(places: Places, method: str, path: str, body: object = None, *, within_s: float) -> dict[str, Any]:
    """Ask the daemon over its Unix socket, and return the JSON object that it answers. Raises NotServed."""
    connection = _OverUnixSocket(places.socket, within_s)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body), headers={"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        told = json.loads(text) if answer.status == 200 else None
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotServed(places, "does not run") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotServed(places, f"does not answer ({error or type(error).__name__})") from error
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise NotServed(places, f"answered {answer.status}")
    return cast("dict[str, Any]", told)


@dataclass(frozen=True, slots=True)
class Running:
    """Who serves. `answers` is None where nobody answers within the time."""

    pid: int
    worker: int
    answers: dict[str, Any] | None


def running(places: Places, *, within_s: float = 2.0) -> Running | None:
    """Return who serves this data folder, None when nobody does."""
    try:
        answers = ask(places, "GET", "/health", within_s=within_s)
    except NotServed:
        answers = None
    known = state(places)
    if known is None or not _pids(places):
        return None if answers is None else Running(0, int(answers["pid"]), answers)
    return Running(int(known.get("pid", 0)), int(known.get("worker", 0)), answers)
