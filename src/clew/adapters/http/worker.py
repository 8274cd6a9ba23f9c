"""Run the daemon's worker: the process that owns the store and the loaded indexes, and answers requests until idle.

Started by `supervise` with the listening sockets inherited. Exits with 0 when asked to stop, or when idle with no client process left;
with EXIT_IDLE when idle while clients still run.
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

import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

import clew
from clew.adapters.claude_code.manifest import read_manifest
from clew.adapters.daemon_files import DaemonPaths, rotate_token
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.adapters.http import certificate
from clew.adapters.http.app import DaemonApp
from clew.adapters.http.guard import RequestGuard
from clew.adapters.http.page_process import PageProcess
from clew.adapters.http.server import GC_THRESHOLDS, DaemonServer, make_config, serve_without_signals
from clew.adapters.http.supervise import EXIT_IDLE
from clew.adapters.idle_work import IdleWork
from clew.errors import ClewError
from clew.sessions.context import DaemonContext
from clew.settings import load_settings_leniently

FORGET_IDLE_S = 30.0  # without a request before a pass of forgetting, and between two passes; guess
FORGET_AGAIN_S = 6 * 3600.0  # after all was looked at: what ages, ages by days


class LazyApp:
    """ASGI application that is built at its first request, because its imports take longer than the daemon's start may."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make, self._made, self._making = make, None, asyncio.Lock()
        self._made: ASGIApp | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Build the application if necessary, and serve one request."""
        if self._made is None:
            async with self._making:
                if self._made is None:
                    self._made = await asyncio.to_thread(self._make)
        await self._made(scope, receive, send)


def main(spec: dict[str, object]) -> int:
    """Serve requests until stopped or idle, and return the exit code.

    spec  `home` (the data folder) and `sockets` (descriptors of the inherited listening sockets: Unix, then loopback).
    """
    home = Path(str(spec["home"]))
    chosen = load_settings_leniently({**os.environ, "CLEW_HOME": str(home)})
    settings = replace(chosen.settings, data_dir=home)
    context = create_daemon_context(settings)
    for problem in (*chosen.warnings, *map(str, chosen.errors)):  # the session goes on, with the default
        context.record_error("settings", problem, "setting")
    hooks = HookHandlers(context)
    address = rotate_token(DaemonPaths(home))
    mounts: dict[str, ASGIApp] = {
        "/mcp": LazyApp(partial(_mcp, context, hooks)),
        f"/gateway/{address.gateway}": LazyApp(partial(_gateway, context, hooks)),
    }
    app = DaemonApp(context, hooks, mounts=mounts)
    sockets = [socket.socket(fileno=number) for number in spec["sockets"]]  # type: ignore[attr-defined]
    private = DaemonServer(make_config(RequestGuard(app, address)))
    app.stop_server = private.stop
    page = PageProcess(settings, hooks.sessions.list_recent, app.list_latencies, app.note_request)
    app.open_page = lambda: asyncio.to_thread(page.open)
    idle = IdleWork(settings, lambda: context.get_engine().has_queued_work(), lambda said: context.record_error("background work", said))
    app.on_request = idle.interrupt
    loopback = _loopback(context, RequestGuard(app, address)) if len(sockets) > 1 else None
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    context.schedule("open", partial(_open, context))
    context.schedule("hand over", partial(_hand_over, context))
    context.schedule("load", _load)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(private, loopback, page, app, hooks, idle, sockets, settings.serve_idle_s))
    context.close()
    return EXIT_IDLE if private.is_idle else 0


def _loopback(context: DaemonContext, app: ASGIApp) -> DaemonServer | None:
    """Return the loopback server; None where its certificate can neither be read nor created."""
    try:
        public, secret = certificate.ensure_certificate(DaemonPaths(context.settings.data_dir))
    except OSError as error:
        context.record_error("daemon", f"no certificate for loopback: {error}; only the Unix socket is served")
        return None
    return DaemonServer(make_config(app, ssl_certfile=str(public), ssl_keyfile=str(secret)))


async def _serve(
    private: DaemonServer, loopback: DaemonServer | None, page: PageProcess, app: DaemonApp, hooks: HookHandlers, idle: IdleWork,
    sockets: list[socket.socket], idle_s: int,
) -> None:  # fmt: skip
    watching = [asyncio.ensure_future(_stop_when_idle(private, app, hooks, idle, idle_s))]
    if idle.is_on:
        watching.append(asyncio.ensure_future(_work_when_idle(app, idle)))
    watching.append(asyncio.ensure_future(_forget_when_idle(app)))
    beside = None if loopback is None else asyncio.ensure_future(serve_without_signals(loopback, sockets[1]))
    serving = asyncio.ensure_future(private.serve(sockets=sockets[:1]))
    while not private.started and not serving.done():
        await asyncio.sleep(0.005)
    app.clear_fault()
    await serving
    for each in watching:
        each.cancel()
    await asyncio.to_thread(idle.close)
    await asyncio.to_thread(page.close)
    if loopback is not None and beside is not None:
        loopback.stop()
        await beside


async def _stop_when_idle(server: DaemonServer, app: DaemonApp, hooks: HookHandlers, idle: IdleWork, idle_s: int) -> None:
    """Stop the server once no request came for `idle_s` seconds and no queued work is done. Sleeps until then."""
    while True:
        left = app.last_request_at + idle_s - time.monotonic()
        if left <= 0 and not app.active_requests and not idle.is_at_work:
            break
        await asyncio.sleep(max(left, 5.0 if idle.is_at_work else 0.2))
    server.is_idle = bool(await asyncio.to_thread(hooks.sessions.list_client_pids))
    server.stop()


async def _work_when_idle(app: DaemonApp, idle: IdleWork) -> None:
    """Have queued work done while nobody asks for anything. A request ends it by itself; a second later it is gone."""
    while True:
        if idle.is_at_work or not app.active_requests:
            await asyncio.to_thread(idle.advance, app.last_request_at)
        await asyncio.sleep(1.0 if idle.is_at_work else 5.0)


async def _forget_when_idle(app: DaemonApp) -> None:
    """Make a pass of forgetting each time nobody asked anything for FORGET_IDLE_S; once all is done, the next in FORGET_AGAIN_S."""
    context = app.context
    while context.settings.forget_seconds:
        quiet_s = time.monotonic() - app.last_request_at
        if app.active_requests or quiet_s < FORGET_IDLE_S:
            await asyncio.sleep(max(FORGET_IDLE_S - quiet_s, 1.0))
            continue
        is_done = await asyncio.to_thread(_forget, app)
        await asyncio.sleep(FORGET_AGAIN_S if is_done else FORGET_IDLE_S)


def _forget(app: DaemonApp) -> bool:
    """Make one pass, and return whether it came to the end of what is stored, or cannot be made."""
    begun = app.last_request_at

    def may_go_on() -> bool:
        return not app.active_requests and app.last_request_at == begun

    try:
        engine = app.context.get_engine()
        return engine.is_read_only or not engine.forget_when_idle(may_go_on).workspace
    except Exception as error:  # noqa: BLE001 - the reader of the journal sees it; the daemon goes on
        app.context.record_error("forget", error)
        return True


def _open(context: DaemonContext) -> None:
    """Open the store before the first request waits for it."""
    try:
        context.get_engine()
    except ClewError as error:
        context.record_error("store", error)


def _hand_over(context: DaemonContext) -> None:
    """Start the installed clew in place of this one, where the installation is another.

    A session that began before an upgrade or reinstallation starts the daemon of its own time. The daemon started here asks which
    release answers
    and has it stop.
    """
    starter = read_manifest(DaemonPaths(context.settings.data_dir)).starter
    source = Path(clew.__file__).parent.parent
    if starter and json.loads(starter[-1]).get("path") != str(source):
        context.record_error("daemon", f"clew {clew.__version__} of {source} is not the one that is installed, and hands over to that")
        nothing = subprocess.DEVNULL
        subprocess.Popen(
            starter, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, cwd=DaemonPaths(context.settings.data_dir).home
        )


def _load() -> None:
    """Import the modules that the first prompt, output and compaction need, and read their tables."""
    for name in ("recall", "compact", "write", "ingest"):
        import_module(f"clew.usecases.{name}")
    from clew.task.prompts import find_stated_rules  # lazy: so that the daemon answers before
    from clew.task.runners.formats import load_runners  # lazy: as above
    from clew.transcript.reduce.reduce import reduce_output  # lazy: as above

    find_stated_rules("Never touch the migrations.")
    load_runners()
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
