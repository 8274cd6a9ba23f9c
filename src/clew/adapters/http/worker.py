"""Worker: the process that answers. It owns the store and the warm indexes, and rests when nobody asks.

Started by `supervise` with the listening sockets inherited. Ends with 0 when it was asked to stop, or idle with no client left that
could ask; with RESTING when it was idle and clients still run.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

import clew
from clew.adapters.claude_code.install import read_manifest
from clew.adapters.daemon_files import DaemonPaths, rotate_token
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.adapters.http import certificate
from clew.adapters.http.app import DaemonApp
from clew.adapters.http.guard import OwnerOnlyProtocol, RequestGuard
from clew.adapters.http.supervise import EXIT_IDLE
from clew.errors import ClewError
from clew.sessions.context import DaemonContext
from clew.settings import load_settings_leniently

# A request of a long conversation makes thousands of objects at once: by the usual thresholds each would have the heap looked through.
GC_THRESHOLDS = (50_000, 20, 20)


class DaemonServer(uvicorn.Server):
    """A server that can be asked to stop from its own routes, and that stops by itself when idle."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_idle = False

    def stop(self) -> None:
        """End after the answers under way."""
        self.should_exit = True


class LazyApp:
    """An ASGI application that is made at its first request: its imports take longer than the daemon may take to start."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make, self._made, self._making = make, None, asyncio.Lock()
        self._made: ASGIApp | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        await self._made(scope, receive, send)


def main(spec: dict[str, object]) -> int:
    """Serve until stopped or idle. Returns the exit code."""
    home = Path(str(spec["home"]))
    chosen = load_settings_leniently({**os.environ, "CLEW_HOME": str(home)})
    settings = replace(chosen.settings, data_dir=home)
    context = create_daemon_context(settings)
    for problem in (*chosen.warnings, *map(str, chosen.errors)):  # the session goes on, with the default
        context.problem("settings", problem)
    hooks = HookHandlers(context)
    address = rotate_token(DaemonPaths(home))
    mounts: dict[str, ASGIApp] = {
        "/mcp": LazyApp(partial(_mcp, context, hooks)),
        f"/gateway/{address.gateway}": LazyApp(partial(_gateway, context, hooks)),
    }
    app = DaemonApp(context, hooks, mounts=mounts)
    sockets = [socket.socket(fileno=number) for number in spec["sockets"]]  # type: ignore[attr-defined]
    private = DaemonServer(_config(RequestGuard(app, address)))
    app.stop_server = private.stop
    loopback = _loopback(context, RequestGuard(app, address)) if len(sockets) > 1 else None
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    context.later("open", partial(_open, context))
    context.later("hand over", partial(_hand_over, context))
    context.later("load", _load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(private, loopback, app, hooks, sockets, settings.serve_idle_s))
    context.close()
    return EXIT_IDLE if private.is_idle else 0


def _config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app, loop="none", http=OwnerOnlyProtocol, ws="none", lifespan="off", access_log=False, log_level="warning", server_header=False,
        date_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=5, **more,
    )  # fmt: skip


def _loopback(context: DaemonContext, app: ASGIApp) -> DaemonServer | None:
    """The server of loopback, None where its certificate can neither be read nor made: nothing is said there without it."""
    try:
        public, secret = certificate.ensure_certificate(DaemonPaths(context.settings.data_dir))
    except OSError as error:
        context.problem("daemon", f"no certificate for loopback: {error}; only the Unix socket is served")
        return None
    return DaemonServer(_config(app, ssl_certfile=str(public), ssl_keyfile=str(secret)))


async def _serve(
    private: DaemonServer, loopback: DaemonServer | None, app: DaemonApp, hooks: HookHandlers, sockets: list[socket.socket], idle_s: int
) -> None:  # fmt: skip
    watching = asyncio.ensure_future(_stop_when_idle(private, app, hooks, idle_s))
    beside = None if loopback is None else asyncio.ensure_future(_serve_loopback(loopback, sockets[1]))
    serving = asyncio.ensure_future(private.serve(sockets=sockets[:1]))
    while not private.started and not serving.done():
        await asyncio.sleep(0.005)
    app.clear_fault()
    await serving
    watching.cancel()
    if loopback is not None and beside is not None:
        loopback.stop()
        await beside


async def _serve_loopback(server: DaemonServer, listening: socket.socket) -> None:
    """Serve without signals of its own, which are the private server's."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    await server.main_loop()
    await server.shutdown(sockets=[listening])


async def _stop_when_idle(server: DaemonServer, app: DaemonApp, hooks: HookHandlers, idle_s: int) -> None:
    """Stop the server once nobody has asked for so long. Sleeps until then, and looks no oftener than needed."""
    while True:
        left = app.last_request_at + idle_s - time.monotonic()
        if left <= 0 and not app.active_requests:
            break
        await asyncio.sleep(max(left, 0.2))
    server.is_idle = bool(await asyncio.to_thread(hooks.sessions.alive_clients))
    server.stop()


def _open(context: DaemonContext) -> None:
    """Open the store before somebody waits for it."""
    try:
        context.engine()
    except ClewError as error:
        context.problem("store", error)


def _hand_over(context: DaemonContext) -> None:
    """Have the clew that is installed take our place, where that is another one than we are.

    A session that began before an upgrade, or before clew was installed anew from another folder, starts the daemon of its own time.
    What is started asks which release answers here, and has it stop.
    """
    starter = read_manifest(DaemonPaths(context.settings.data_dir)).starter
    source = Path(clew.__file__).parent.parent
    if starter and json.loads(starter[-1]).get("path") != str(source):
        context.problem("daemon", f"clew {clew.__version__} of {source} is not the one that is installed, and hands over to that")
        nothing = subprocess.DEVNULL
        subprocess.Popen(
            starter, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, cwd=DaemonPaths(context.settings.data_dir).home
        )


def _load() -> None:
    """Import what the first prompt, output and compaction would wait for, and read its tables."""
    for name in ("recall", "compact", "write", "ingest"):
        import_module(f"clew.usecases.{name}")
    from clew.transcript.reduce.reduce import reduce_output  # lazy: so that the daemon answers before

    reduce_output("nothing happened here\n" * 100)


def _mcp(context: DaemonContext, hooks: HookHandlers) -> ASGIApp:
    from clew.adapters.mcp.server import McpApp  # lazy: the SDK's import takes a second

    return McpApp(context, hooks)


def _gateway(context: DaemonContext, hooks: HookHandlers) -> ASGIApp:
    from clew.adapters.gateway.proxy import GatewayApp  # lazy: only who chose the gateway needs it

    return GatewayApp(context, hooks.sessions)


if __name__ == "__main__":
    code = main(json.loads(sys.argv[1]))
    sys.stdout.flush()
    os._exit(code)  # threads that a handler left at work end with us; what they wrote is whole or absent
