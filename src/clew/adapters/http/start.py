"""Start, query and stop the daemon from the command line and from hook scripts."""

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
from clew.adapters.daemon_files import DaemonPaths, ensure_address, read_state, record_problem
from clew.adapters.http.peer import read_peer_uid
from clew.errors import ClewError
from clew.sessions.processes import is_alive

START_TIMEOUT_S, STOP_TIMEOUT_S = 10.0, 15.0
HEALTH_TIMEOUT_S = 2.0  # of a daemon that runs; guess
_started: list[subprocess.Popen[bytes]] = []  # by this process: one that ends is dead only once we have asked for it
SUPERVISOR_SCRIPT, WORKER_MODULE = Path(__file__).parent / "supervise.py", "clew.adapters.http.worker"
CLOCK_SKEW_S_MAX = 2.0  # by which a process's start as the system gives it may lie after the note of it


class DaemonUnavailable(ClewError):
    """Raised when the daemon does not run, does not start, does not answer or does not stop."""

    def __init__(self, paths: DaemonPaths, reason: str) -> None:
        self.paths = paths
        super().__init__(f"the daemon of {paths.home} {reason}\nhint: `clew doctor` says why; its log is {paths.log}")


def build_supervisor_command(paths: DaemonPaths, *, is_detached: bool, required_file: Path | None = None) -> list[str]:
    """Return the command line that starts the supervisor with a bare interpreter. Creates the run folder and the address.

    is_detached    its output goes to the log file.
    required_file  file without which it exits at once: the installation whose scripts start it. None where a person starts it.
    Raises NotReadable where those cannot be created.
    """
    paths.make_dirs()
    spec = {
        "home": str(paths.home), "socket": str(paths.socket), "lock": str(paths.lock), "state": str(paths.state),
        "problems": str(paths.journal), "log": str(paths.log), "port": ensure_address(paths).port, "is_detached": is_detached,
        "python": sys.executable, "path": str(Path(clew.__file__).parent.parent), "version": clew.__version__,
        "needs": "" if required_file is None else str(required_file),
    }  # fmt: skip
    return [sys.executable, "-I", "-S", str(SUPERVISOR_SCRIPT), json.dumps(spec)]


def ensure_daemon(paths: DaemonPaths, *, required_file: Path | None = None) -> dict[str, Any]:
    """Return the health answer of a daemon of this release, started in the background if none runs.

    required_file  as in `build_supervisor_command`.
    A running daemon of this release is kept, one of another release is replaced. Raises DaemonUnavailable where none answers within
    START_TIMEOUT_S, NotReadable where its folders cannot be created.
    """
    try:
        health = request(paths, "GET", "/health", timeout_s=HEALTH_TIMEOUT_S)
        if health.get("version") == clew.__version__:
            return health
        stop_daemon(paths)
    except DaemonUnavailable:
        pass  # so it is started now
    started = subprocess.Popen(
        build_supervisor_command(paths, is_detached=True, required_file=required_file),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=paths.home,
    )
    _started.append(started)
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return request(paths, "GET", "/health", timeout_s=max(0.1, deadline - time.monotonic()))
        except DaemonUnavailable:
            if time.monotonic() > deadline:
                record_problem(paths, "daemon", f"did not answer within {START_TIMEOUT_S:g} s of its start", "late")
                raise
            if started.poll() not in {None, 4}:  # 4: another one was quicker, and will answer
                raise DaemonUnavailable(paths, f"ended with {started.returncode} as it started") from None
            time.sleep(0.02)  # the socket appears when it is bound: nothing tells of that


def stop_daemon(paths: DaemonPaths) -> bool:
    """Stop the daemon and wait until it has ended. Returns whether one ran. Raises DaemonUnavailable after STOP_TIMEOUT_S.

    Signals only processes verified as this daemon's: a stored pid may belong to another process by now.
    """
    running = _pids(paths)
    if not running:
        return False
    signalled: set[int] = set()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while left := [pid for pid in running if is_alive(pid)]:
        if left[0] not in signalled:  # a supervisor tells its worker; one that is gone cannot
            signalled.add(left[0])
            with suppress(ProcessLookupError):
                os.kill(left[0], signal.SIGTERM)
                os.kill(left[0], signal.SIGCONT)  # one that was stopped acts on it now
        _started[:] = [child for child in _started if child.poll() is None]
        if time.monotonic() > deadline:
            raise DaemonUnavailable(paths, f"(pid {left[0]}) was asked to stop and did not within {STOP_TIMEOUT_S:g} s")
        time.sleep(0.02)  # it is nobody's child that could be waited for
    paths.state.unlink(missing_ok=True)
    paths.fault.unlink(missing_ok=True)
    return True


def _pids(paths: DaemonPaths) -> list[int]:
    """Return the pids of supervisor and worker of this data folder that are alive."""
    known = read_state(paths) or {}
    noted = [known.get(name) for name in ("pid", "worker")]
    since = known.get("started")
    found = [
        pid for pid in noted if isinstance(pid, int) and is_daemon_process(paths, pid, recorded_at_s=since if isinstance(since, int) else 0)
    ]
    if not found:
        with suppress(DaemonUnavailable):
            found = [int(request(paths, "GET", "/health", timeout_s=1.0)["pid"])]
    return [pid for pid in found if is_alive(pid)]


def is_daemon_process(paths: DaemonPaths, pid: int, *, recorded_at_s: int) -> bool:
    """Return whether a pid is a supervisor or worker of this data folder, by its user, start time and command line.

    recorded_at_s  when the daemon stored the pid, in seconds since the epoch: a process that started later only reuses the pid.
    """
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.uids().real != os.getuid() or process.create_time() > recorded_at_s + CLOCK_SKEW_S_MAX:
                return False
            words = process.cmdline()
    except psutil.Error:
        return False
    is_ours = any(Path(word).name == SUPERVISOR_SCRIPT.name or word == WORKER_MODULE for word in words[:-1])
    try:
        return is_ours and json.loads(words[-1]).get("home") == str(paths.home)
    except (ValueError, IndexError, AttributeError, RecursionError):  # no command line of ours
        return False


class _UnixSocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))
        if read_peer_uid(self.sock) != os.geteuid():
            self.sock.close()
            raise PermissionError("another user listens there")


def request(paths: DaemonPaths, method: str, path: str, body: object = None, *, timeout_s: float) -> dict[str, Any]:
    """Return the JSON object that the daemon answers over its Unix socket.

    Raises DaemonUnavailable where it does not run, exceeds `timeout_s`, or answers with another status than 200 or no JSON object.
    """
    connection = _UnixSocketConnection(paths.socket, timeout_s)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body), headers={"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        value = json.loads(text) if answer.status == 200 else None
    except (FileNotFoundError, ConnectionRefusedError):
        raise DaemonUnavailable(paths, "does not run") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise DaemonUnavailable(paths, f"does not answer ({error or type(error).__name__})") from error
    finally:
        connection.close()
    if not isinstance(value, dict):
        raise DaemonUnavailable(paths, f"answered {answer.status}")
    return cast("dict[str, Any]", value)


@dataclass(frozen=True, slots=True)
class RunningDaemon:
    """Pids and health of the daemon that serves a data folder.

    health  its answer to /health; None where it did not answer in time.
    """

    pid: int
    worker_pid: int
    health: dict[str, Any] | None


def find_running_daemon(paths: DaemonPaths) -> RunningDaemon | None:
    """Return the daemon that serves this data folder, asked for its health within HEALTH_TIMEOUT_S; None where none runs."""
    try:
        health = request(paths, "GET", "/health", timeout_s=HEALTH_TIMEOUT_S)
    except DaemonUnavailable:
        health = None
    known = read_state(paths)
    if known is None or not _pids(paths):
        return None if health is None else RunningDaemon(0, int(health["pid"]), health)
    return RunningDaemon(int(known.get("pid", 0)), int(known.get("worker", 0)), health)
