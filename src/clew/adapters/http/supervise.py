"""Supervise: hold the sockets and the lock, and keep one worker behind them.

Run as a script of its own by a bare interpreter, so that what waits all day weighs little: standard library alone, nothing of
clew. The worker inherits the listening sockets. Where it dies it is started again, and whoever asks meanwhile waits in the
sockets' queue; where it rests, having been idle, the next connection wakes another. The lock is the worker's as well: a
worker whose supervisor was killed serves on, and nobody takes its place.

Arguments: one JSON object, made by `build_supervisor_command` of `clew.adapters.http.start`.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

# Exit codes: of a worker that may be woken; of ours: another one serves, a worker dies at each start, there is no installation.
EXIT_IDLE, EXIT_ALREADY_RUNNING, EXIT_WORKER_CRASHES, EXIT_NOT_INSTALLED = 3, 4, 5, 6
CRASHES_MAX, CRASH_WINDOW_S = 5, 60.0  # guess: a worker that dies so often will not get better
IDLE_S_MAX = 24 * 3600.0  # a client that sleeps for so long is taken for gone; guess
WORKER_STOP_TIMEOUT_S = 10.0
WORKER_START_TIMEOUT_S = 10.0  # of a worker, on a machine that is busy; it needs 0.6 s on a quiet one. Guess
KILLED_EXIT_TIMEOUT_S = 2.0  # a process that was killed, until its files are closed: milliseconds on a quiet machine. Guess
OTHER_DAEMON_TIMEOUT_S = 5.0  # the daemon of another release, for its version: guess


class Supervisor:
    """Process that holds the lock and the listening sockets and keeps one worker alive behind them."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.crashes: list[float] = []
        self.is_stopping = False
        self.worker: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Take the lock, bind the sockets and run workers until a stop signal or the end of the idle time. Returns the exit code: 0 or one
        of the EXIT constants.
        """
        if not self._is_installed():
            return EXIT_NOT_INSTALLED
        lock = self._take_lock()
        if lock is None:
            lock = self._replace_other_release()
        if lock is None:
            return EXIT_ALREADY_RUNNING
        if self.spec["is_detached"]:
            log = os.open(self.spec["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
        self._record_unclean_exit()
        listening = [self._bind_unix_socket()]
        tcp = self._bind_loopback_socket()
        if tcp is not None:
            listening.append(tcp)
        wake_in, wake_out = os.pipe()
        for end in (wake_in, wake_out):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_out, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGCHLD, self._on_worker_exit)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            return self._serve(listening, lock, wake_in)
        finally:
            for path in (self.spec["socket"], self.spec["state"]):
                with suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108 - pathlib costs a third of this process's start

    def _serve(self, listening: list[socket.socket], lock: int, wake_in: int) -> int:
        while not self.is_stopping:
            if not self._is_installed():
                return EXIT_NOT_INSTALLED
            self._start_worker(listening, lock)
            code = self._wait_for_worker(wake_in)
            if self.is_stopping or code == 0:
                break
            if code == EXIT_IDLE:
                if not self._wait_for_connection(listening, wake_in):
                    break
                continue
            self._record_problem(f"the worker ended with {code}; it is started again")
            now = time.monotonic()
            self.crashes = [*(at for at in self.crashes if now - at < CRASH_WINDOW_S), now]
            if len(self.crashes) >= CRASHES_MAX:
                self._record_problem(
                    f"the worker ended {CRASHES_MAX} times within {CRASH_WINDOW_S:.0f} s; the daemon gives up. See {self.spec['log']}"
                )
                return EXIT_WORKER_CRASHES
            self._pause(0.05 * 4 ** (len(self.crashes) - 1), wake_in)
        return 0

    def _start_worker(self, listening: list[socket.socket], lock: int) -> None:
        self._record_start()
        descriptors = [each.fileno() for each in listening]
        told = json.dumps({"home": self.spec["home"], "sockets": descriptors})
        self.worker = subprocess.Popen(
            [self.spec["python"], "-P", "-m", "clew.adapters.http.worker", told],  # -P: nothing is imported from a folder that we stand in
            pass_fds=[*descriptors, lock],
            cwd=self.spec["home"],
            env={**os.environ, "PYTHONPATH": self.spec["path"]},
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # what a terminal sends to its processes is for the supervisor, who passes it on
        )
        state = {"pid": os.getpid(), "worker": self.worker.pid, "version": self.spec["version"], "started": int(time.time())}
        beside = f"{self.spec['state']}.{os.getpid()}"
        with suppress(OSError), os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(json.dumps(state) + "\n")
            stream.flush()
            os.replace(beside, self.spec["state"])  # noqa: PTH105 - as above

    def _record_start(self) -> None:
        """Write a fault file that says a worker starts, so that hook scripts do not take it for hung; the worker deletes it."""
        fault = self.spec["socket"].rpartition("/")[0] + "/fault"
        with suppress(OSError), os.fdopen(os.open(fault, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            stream.write(f"{time.time() + WORKER_START_TIMEOUT_S:.3f} {WORKER_START_TIMEOUT_S:.3f} starting\n")

    def _wait_for_worker(self, wake_in: int) -> int:
        """Wait for the worker's exit and return its code; stop it when a stop signal arrives."""
        assert self.worker is not None
        asked_at: float | None = None
        while self.worker.poll() is None:
            if self.is_stopping and asked_at is None:
                asked_at = time.monotonic()
                self.worker.terminate()
            if asked_at is not None and time.monotonic() - asked_at > WORKER_STOP_TIMEOUT_S:
                self.worker.kill()
            self._pause(1.0 if asked_at is not None else None, wake_in)
        return self.worker.returncode

    def _wait_for_connection(self, listening: list[socket.socket], wake_in: int) -> bool:
        """Return True when a client connects, False when IDLE_S_MAX is over or a stop signal arrives."""
        until = time.monotonic() + IDLE_S_MAX
        while not self.is_stopping and (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([*listening, wake_in], [], [], left)
            self._drain(wake_in)
            if any(each is not wake_in for each in ready):
                return True
        return False

    def _pause(self, seconds: float | None, wake_in: int) -> None:
        select.select([wake_in], [], [], seconds)
        self._drain(wake_in)

    def _drain(self, wake_in: int) -> None:
        with suppress(BlockingIOError):
            while os.read(wake_in, 512):
                pass

    def _on_worker_exit(self, *_: object) -> None:
        """Do nothing: SIGCHLD is only written to the wakeup descriptor while it has a handler."""

    def _on_stop_signal(self, *_: object) -> None:
        self.is_stopping = True

    def _take_lock(self) -> int | None:
        """Return the descriptor of the lock; None where another process holds it."""
        descriptor = os.open(self.spec["lock"], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _is_installed(self) -> bool:
        """Return whether the installation that this daemon was started for still exists.

        Command lines of an earlier release name no file: for those it is the plugin itself.
        """
        needs = self.spec.get("needs", f"{self.spec['home']}/plugin/clew/.claude-plugin/plugin.json")
        return not needs or os.path.exists(needs)  # noqa: PTH110 - pathlib costs a third of this process's start

    def _replace_other_release(self) -> int | None:
        """Return the lock, once a daemon of another release has been asked to stop, or one that ends anyway has ended.

        None where the daemon that serves is of our release, hangs, or does not stop in time.
        """
        timeout_s = WORKER_STOP_TIMEOUT_S
        try:
            if json.loads(self._request("GET", "/health")).get("version") == self._version():
                return None
            self._request("POST", "/stop")
        except TimeoutError:  # it starts, or hangs: whoever called tells of that
            return None
        except (OSError, ValueError, AttributeError, RecursionError):  # it was killed a moment ago, or has the lock and no socket yet
            timeout_s = KILLED_EXIT_TIMEOUT_S
        until = time.monotonic() + timeout_s
        while (lock := self._take_lock()) is None and time.monotonic() < until:
            time.sleep(0.02)  # a lock is polled: waiting for it could not be given up
        return lock

    def _version(self) -> str:
        """Return the release of the worker to start, read from disk: it may have been upgraded since the command line was written."""
        with suppress(OSError), open(f"{self.spec['path']}/clew/__init__.py") as stream:  # noqa: PTH123 - as above
            for line in stream:
                if line.startswith("__version__"):
                    return line.partition("=")[2].strip().strip("\"'")
        return str(self.spec["version"])

    def _request(self, method: str, path: str) -> bytes:
        """Return the body of the answer of the daemon that listens on the socket. Raises OSError."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as over:
            over.settimeout(OTHER_DAEMON_TIMEOUT_S)
            over.connect(self.spec["socket"])
            over.sendall(f"{method} {path} HTTP/1.0\r\ncontent-length: 0\r\n\r\n".encode())
            parts: list[bytes] = []
            while part := over.recv(65536):
                parts.append(part)
        return b"".join(parts).partition(b"\r\n\r\n")[2]

    def _record_unclean_exit(self) -> None:
        """Record a problem where an earlier daemon left its state file: one that stops in order deletes it."""
        with suppress(OSError, ValueError, AttributeError, RecursionError), open(self.spec["state"]) as stream:  # noqa: PTH123 - as above
            told = json.loads(stream.read())
            self._record_problem(
                f"an earlier daemon (pid {told.get('pid')}) ended without stopping: it was killed, or the machine went down", "killed"
            )

    def _bind_unix_socket(self) -> socket.socket:
        self._make_private_dir(self.spec["socket"].rpartition("/")[0])
        with suppress(FileNotFoundError):
            os.unlink(self.spec["socket"])  # noqa: PTH108 - we hold the lock, so nobody listens there
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            made.bind(self.spec["socket"])
        finally:
            os.umask(before)
        made.listen(256)
        return made

    def _make_private_dir(self, folder: str) -> None:
        """Create the socket's folder where /tmp was cleaned. Raises PermissionError where it belongs to another user."""
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)  # noqa: PTH102 - as above
        about = os.lstat(folder)
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            self._record_problem(f"{folder} belongs to another user, or others may enter it: nothing is served")
            raise PermissionError(folder)

    def _bind_loopback_socket(self) -> socket.socket | None:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is accepted inherits it; without it a small answer waits 40 ms
        try:
            made.bind(("127.0.0.1", self.spec["port"]))
            made.listen(256)
        except OSError as error:
            self._record_problem(f"port {self.spec['port']} of loopback cannot be had ({error.strerror}); only the Unix socket is served")
            made.close()
            return None
        return made

    def _record_problem(self, what: str, kind: str = "") -> None:
        line = json.dumps({"at": int(time.time()), "where": "daemon", "what": what, "kind": kind}) + "\n"
        with suppress(OSError):  # a full disk: `clew doctor` sees that by itself
            descriptor = os.open(self.spec["problems"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(descriptor, line.encode())
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(Supervisor(json.loads(sys.argv[1])).run())
