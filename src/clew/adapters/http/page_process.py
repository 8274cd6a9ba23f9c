"""The page in a process of its own, at low priority, so that a view that takes long keeps no hook waiting: they would share an interpreter.

The daemon starts it when the page is first asked for, and ends it; it ends by itself when the daemon is gone. It has its own connection to
the store. Which sessions run, and how long hooks took, it asks the daemon; codes that let a browser in are asked of it.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias, cast

import msgspec
import uvloop

from clew.adapters.daemon_files import DaemonPaths, record_problem
from clew.adapters.http.server import GC_THRESHOLDS, DaemonServer, make_config, serve_without_signals
from clew.adapters.page.access import CODE_S, HOST_NAME, PageAccess
from clew.errors import ClewError
from clew.pool import end_with_parent
from clew.sessions.context import DaemonContext
from clew.sessions.live import LiveSession
from clew.settings import Settings

NICENESS = 5  # hooks go first; guess
START_S = 30.0  # for the process to answer; guess
STOP_S = 6.0  # for the answers that it is making when it is to end
FRESH_S = 0.25  # for which what the daemon said is not asked again: a live view shows a change within a second
AWAKE_S = 5.0  # between two signs to the daemon that somebody reads
Latencies: TypeAlias = Mapping[str, tuple[list[float], float]]


class PageFailed(ClewError):
    """The page's process could not be started, or has ended."""


class PageProcess:
    """The daemon's side: starts the page's process, answers what it asks, and ends it. Thread-safe."""

    def __init__(
        self, settings: Settings, list_live: Callable[[], list[LiveSession]], latencies: Callable[[], Latencies],
        on_request: Callable[[], None],
    ) -> None:  # fmt: skip
        """Answer with what `list_live` and `latencies` return; `on_request` is called while somebody reads the page."""
        self._settings, self._list_live, self._latencies, self._on_request = settings, list_live, latencies, on_request
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._commands: Connection | None = None
        self._port = 0

    def open(self) -> dict[str, Any]:
        """Return the page's `url`, its `plain_url` for browsers that do not know that name, and a `code` that lets one in.

        Raises PageFailed where the process does not answer within START_S.
        """
        with self._lock:
            if self._process is None or not self._process.is_alive():
                self._start()
            code = self._command("code")
        return {
            "url": f"http://{HOST_NAME}:{self._port}/", "plain_url": f"http://127.0.0.1:{self._port}/", "code": code, "expires_s": CODE_S,
        }  # fmt: skip

    def close(self) -> None:
        """End the process, after the answers that it is making, if they are soon made."""
        with self._lock:
            if self._process is not None and self._process.is_alive():
                with suppress(PageFailed):
                    self._command("stop")
                self._process.join(STOP_S)
                if self._process.is_alive():
                    self._process.kill()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        commands, their_commands = context.Pipe()
        asks, their_asks = context.Pipe()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self._port = listening.getsockname()[1]
            self._process = context.Process(target=run_page, args=(self._settings, listening, their_commands, their_asks), name="page")
            self._process.start()
        their_commands.close()
        their_asks.close()
        self._commands = cast("Connection", commands)
        threading.Thread(target=self._answer, args=(cast("Connection", asks),), name="page asks", daemon=True).start()

    def _command(self, what: str) -> str:
        connection = self._commands
        try:
            if connection is not None:
                connection.send(what)
                if connection.poll(START_S):
                    return str(connection.recv())
        except (EOFError, OSError) as error:
            raise PageFailed(f"the page's process has ended: {error}\nhint: clew doctor says why, as far as it is known") from error
        raise PageFailed("the page's process does not answer\nhint: try again, or clew doctor")

    def _answer(self, asks: Connection) -> None:
        """Answer the process until it ends."""
        with suppress(EOFError, OSError), asks:
            while True:
                what = asks.recv()
                self._on_request()
                if what == "live":
                    asks.send([msgspec.structs.replace(live, seen=[]) for live in self._list_live()])
                elif what == "latencies":
                    asks.send(self._latencies())


class AskedDaemon:
    """The page's side: what only the daemon knows. Thread-safe; when the daemon is gone, what it said last."""

    def __init__(self, asks: Connection) -> None:
        self._asks, self._lock = asks, threading.Lock()
        self._live: list[LiveSession] = []
        self._live_at, self._awake_at = 0.0, 0.0

    def list_recent(self) -> list[LiveSession]:
        """Return all known sessions, the last used first."""
        with self._lock:
            if time.monotonic() - self._live_at > FRESH_S:
                self._live = self._ask("live", self._live)
                self._live_at = time.monotonic()
            return self._live

    def latencies(self) -> Latencies:
        """Return (seconds of each answer, budget in seconds) by handler."""
        with self._lock:
            nothing: Latencies = {}
            return self._ask("latencies", nothing)

    def note_request(self) -> None:
        """Keep the daemon from resting."""
        with self._lock, suppress(OSError):
            if time.monotonic() - self._awake_at > AWAKE_S:
                self._awake_at = time.monotonic()
                self._asks.send("read")

    def _ask(self, what: str, otherwise: Any) -> Any:
        try:
            self._asks.send(what)
            return self._asks.recv()
        except (EOFError, OSError):  # the daemon ends, and this process with it
            return otherwise


def run_page(settings: Settings, listening: socket.socket, commands: Connection, asks: Connection) -> None:
    """Serve the page until the daemon says "stop", or ends. For a process of its own."""
    os.nice(NICENESS)
    threading.Thread(target=end_with_parent, daemon=True).start()
    context = DaemonContext(settings, partial(record_problem, DaemonPaths(settings.data_dir)))
    access, daemon = PageAccess(listening.getsockname()[1]), AskedDaemon(asks)
    from clew.adapters.page.app import PageApp  # lazy: the daemon, which imports this module, needs no templates

    app = PageApp(context, daemon, access, on_request=daemon.note_request, latencies=daemon.latencies)
    server = DaemonServer(make_config(app))

    def obey() -> None:
        with suppress(EOFError, OSError):
            while (what := commands.recv()) != "stop":
                commands.send(access.issue_code() if what == "code" else "")
            commands.send("stopping")
        access.is_closed = True
        server.stop()

    threading.Thread(target=obey, daemon=True).start()
    threading.Thread(target=app.warm_up, daemon=True).start()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_without_signals(server, listening))
    context.close()
    os._exit(0)  # threads that a view left at work end with it: what they wrote is whole or absent
