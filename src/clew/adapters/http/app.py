"""Route HTTP requests of hooks, mods and the command line to handlers, each within the time that its caller can wait.

Handlers are plain functions that run in threads. One that raises or is late is answered with `{}`, on which the client's session goes on
as without clew; a late handler finishes in the background, and the problem is recorded for `clew doctor`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from clew import __version__
from clew.adapters.clients import DEFAULT_CLIENT, HookAnswer
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.hooks import HookHandlers
from clew.sessions.context import DaemonContext

HANDLER_THREADS = 12  # handlers at work at once: more wait on the store's lock anyway; guess
PENDING_HANDLERS_MAX = 64  # handlers that wait for a thread; beyond it the answer is {} at once; guess
BODY_BYTES_MAX = 64 * 2**20  # of a hook: a tool's whole answer; the client cuts its own long before
# Seconds that each handler may take: less than hook scripts wait (`clew_ask.TIMEOUTS_S`), so that a late answer is known here.
TIMEOUTS_S = {
    "hook/SessionStart": 0.85, "mod/compact": 8.5,
    "hook/UserPromptSubmit": 0.1, "mod/prompt": 0.1, "hook/PostToolUse": 0.25, "mod/append": 0.25, "statusline": 0.25,
}  # fmt: skip
DEFAULT_TIMEOUT_S = 1.0
LATENCIES_KEPT_MAX = 500  # of each handler, for the page; guess


class DaemonApp:
    """ASGI application with all routes of the daemon: hooks, mods, status line, status, health, stop.

    last_request_at  time of the latest request on the monotonic clock, for the idle timeout.
    on_request       callback that each request begins with, for what is done only while nobody asks.
    stop_server      callback of the /stop route, set by the worker; open_page  that of /page, which returns its address and a code.
    latencies        seconds of the latest answers by handler, late ones included.
    mounts           further ASGI applications by their path prefix.
    """

    def __init__(self, context: DaemonContext, hooks: HookHandlers, *, mounts: dict[str, ASGIApp] | None = None) -> None:
        self.context, self.hooks = context, hooks
        self.paths = DaemonPaths(context.settings.data_dir)
        self.on_request: Callable[[], None] = lambda: None
        self.stop_server: Callable[[], None] = lambda: None
        self.open_page: Callable[[], Awaitable[dict[str, Any]]] | None = None
        self.latencies: dict[str, deque[float]] = {}
        self.started_at = self.last_request_at = time.monotonic()
        self.active_requests = 0
        self.executor = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler")
        self._background: set[asyncio.Future[Any]] = set()
        self.routes = Starlette(
            routes=[
                Route("/health", self._health, methods=["GET"]),
                Route("/hook/{event}", self._hook, methods=["POST"]),
                Route("/hook/{client}/{event}", self._hook, methods=["POST"]),
                Route("/mod/{question}", self._mod, methods=["POST"]),
                Route("/statusline", self._statusline, methods=["POST"]),
                Route("/status", self._status, methods=["GET"]),
                Route("/state", self._state, methods=["GET"]),
                Route("/stop", self._stop, methods=["POST"]),
                Route("/page", self._page, methods=["POST"]),
                *(Mount(path, app) for path, app in (mounts or {}).items()),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self.note_request()
        self.active_requests += 1
        try:
            await self.routes(scope, receive, send)
        finally:
            self.active_requests -= 1
            self.last_request_at = time.monotonic()
            self.clear_fault()

    def note_request(self) -> None:
        """Note that somebody asks for something."""
        self.last_request_at = time.monotonic()
        self.on_request()

    def clear_fault(self) -> None:
        """Delete the fault file, so that hook scripts ask the daemon again; called when it has answered, so was slow and not hung."""
        with suppress(OSError):  # there is none, which is the rule
            self.paths.fault.unlink()

    async def _hook(self, request: Request) -> Response:
        return await self._answer_event(request, "hook", request.path_params["event"])

    async def _mod(self, request: Request) -> Response:
        return await self._answer_event(request, "", f"mod/{request.path_params['question']}")

    async def _answer_event(self, request: Request, kind: str, event: str) -> Response:
        """Answer a hook, or a mod's request. An answer that is late, or whose reader has gone, is recorded as undelivered."""
        name = f"{kind}/{event}" if kind else event
        client = request.path_params.get("client", DEFAULT_CLIENT)
        payload = await _read_object(request)
        if payload is None:
            self.context.record_error(name.replace("/", " "), "the client sent what is no JSON object")
            return _json_response({})
        pid = _client_pid(request)

        def missed(answer: HookAnswer) -> None:
            self.hooks.record_undelivered(event, payload, answer, client=client)

        answer = await self._run_handler(name, lambda: self.hooks.handle_event(event, payload, client=client, client_pid=pid), missed)
        if answer and await request.is_disconnected():
            await asyncio.get_running_loop().run_in_executor(self.executor, missed, answer)
        return _to_response(answer)

    async def _statusline(self, request: Request) -> Response:
        payload = await _read_object(request)
        answer = await self._run_handler("statusline", lambda: self.hooks.format_statusline(payload or {}))
        return PlainTextResponse(answer if isinstance(answer, str) else "")

    async def _status(self, request: Request) -> Response:
        path = request.query_params.get("path", "")
        return _to_response(await self._run_handler("status", lambda: {**self._describe(), **self.hooks.describe_sessions(path)}))

    async def _state(self, request: Request) -> Response:
        query = request.query_params
        return _to_response(
            await self._run_handler(
                "state", lambda: self.hooks.describe_state(query.get("path", ""), query.get("session", ""), query.get("as_of", ""))
            )
        )

    async def _health(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        return _json_response(self._describe())

    def _describe(self) -> dict[str, Any]:
        return {"version": __version__, "pid": os.getpid(), "uptime_s": round(time.monotonic() - self.started_at, 3)}

    async def _stop(self, request: Request) -> Response:
        if not request.scope["is_private"]:
            return Response(status_code=403)
        self.stop_server()
        return _json_response({"stopping": True})

    async def _page(self, request: Request) -> Response:
        if not request.scope["is_private"] or self.open_page is None:
            return Response(status_code=403)
        return _json_response(await self.open_page())

    async def _run_handler(
        self, name: str, handler: Callable[[], HookAnswer], missed: Callable[[HookAnswer], None] | None = None
    ) -> HookAnswer:
        """Return the handler's answer; {} when it raises or exceeds its time, and then call `missed` with the late answer."""
        if len(self._background) >= PENDING_HANDLERS_MAX:
            self.context.record_error(name, "too much waits already; nothing was done")
            return {}
        within = TIMEOUTS_S.get(name, DEFAULT_TIMEOUT_S)
        started = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(self.executor, handler)
        self._background.add(future)
        future.add_done_callback(self._background.discard)
        future.add_done_callback(lambda _: self._note_latency(name, time.monotonic() - started))
        done, _ = await asyncio.wait((future,), timeout=within)
        if not done:
            future.add_done_callback(lambda ended: self._finish_late(name, started, ended, missed))
            return {}
        error = future.exception()
        if error is not None:
            self.context.record_error(name, error)
            return {}
        return future.result()

    def _note_latency(self, name: str, seconds: float) -> None:
        self.latencies.setdefault(name, deque(maxlen=LATENCIES_KEPT_MAX)).append(seconds)

    def list_latencies(self) -> dict[str, tuple[list[float], float]]:
        """Return (seconds of the latest answers, seconds that the caller waits) by handler since the daemon started."""
        return {name: (list(taken), TIMEOUTS_S.get(name, DEFAULT_TIMEOUT_S)) for name, taken in sorted(self.latencies.items())}

    def _finish_late(
        self, name: str, started: float, ended: asyncio.Future[HookAnswer], missed: Callable[[HookAnswer], None] | None
    ) -> None:
        took = time.monotonic() - started
        self.context.record_error(name, f"took longer than the {TIMEOUTS_S.get(name, DEFAULT_TIMEOUT_S)} s that its caller waits", "late")
        error = ended.exception() if not ended.cancelled() else None
        if error is not None:
            self.context.record_error(name, error)
            return
        if missed is not None:
            self.executor.submit(missed, ended.result())
        self.clear_fault()
        if took > 1:
            print(f"{name} took {took:.1f} s", flush=True)  # noqa: T201 - the daemon's log


def _client_pid(request: Request) -> int | None:
    told = request.headers.get("x-clew-client-pid", "")
    return int(told) if told.isdecimal() else None


async def _read_object(request: Request) -> dict[str, Any] | None:
    """Return the JSON object in the body of a request; None for anything else."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            return None
        chunks.append(chunk)
    try:
        told = msgspec.json.decode(b"".join(chunks))
    except (msgspec.DecodeError, RecursionError):  # whoever asked journals it
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None


def _to_response(answer: HookAnswer) -> Response:
    return PlainTextResponse(answer) if isinstance(answer, str) else _json_response(answer)


def _json_response(value: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
