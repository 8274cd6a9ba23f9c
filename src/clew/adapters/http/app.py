"""App: what answers which request, and how long it may take.

Handlers are plain functions; they run in threads here, each with the time that its caller can spare. One that is slow or
raises answers `{}`, which to the client means that there is nothing to say: its session goes on as without clew, the work goes on
behind it, and the journal tells `clew doctor`.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
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
from clew.adapters.clients import DEFAULT, Answer
from clew.adapters.hooks import HookHandlers
from clew.adapters.places import Places
from clew.sessions.context import DaemonContext

THREADS = 12  # handlers at work at once: more wait on the store's lock anyway; guess
WAITING_MAX = 64  # handlers that wait for a thread; beyond it the answer is {} at once; guess
BODY_BYTES_MAX = 64 * 2**20  # of a hook: a tool's whole answer; the client cuts its own long before
# Seconds that each handler may take: less than the shims wait (`clew_ask.WITHIN_S`), so that an answer that comes too late is known here.
WITHIN_S = {
    "hook/SessionStart": 0.85, "mod/compact": 8.5,
    "hook/UserPromptSubmit": 0.1, "mod/prompt": 0.1, "hook/PostToolUse": 0.25, "mod/append": 0.25, "statusline": 0.25,
}  # fmt: skip
WITHIN_OTHER_S = 1.0


class App:
    """The routes of one daemon. `asked_at` is when the last request came, of the monotonic clock; `stop` is what ends the server."""

    def __init__(self, context: DaemonContext, hooks: HookHandlers, *, mounts: dict[str, ASGIApp] | None = None) -> None:
        self.context, self.hooks = context, hooks
        self.places = Places(context.settings.home)
        self.stop: Callable[[], None] = lambda: None
        self.started_at = self.asked_at = time.monotonic()
        self.under_way = 0
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="handler")
        self._background: set[asyncio.Future[Any]] = set()
        self.routes = Starlette(
            routes=[
                Route("/health", self._health, methods=["GET"]),
                Route("/hook/{event}", self._hook, methods=["POST"]),
                Route("/hook/{client}/{event}", self._hook, methods=["POST"]),
                Route("/mod/{question}", self._mod, methods=["POST"]),
                Route("/statusline", self._statusline, methods=["POST"]),
                Route("/status", self._status, methods=["GET"]),
                Route("/stop", self._stop, methods=["POST"]),
                *(Mount(path, app) for path, app in (mounts or {}).items()),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self.asked_at = time.monotonic()
        self.under_way += 1
        try:
            await self.routes(scope, receive, send)
        finally:
            self.under_way -= 1
            self.asked_at = time.monotonic()
            self.answers()

    def answers(self) -> None:
        """Take away the note of a shim that it was not answered: a daemon that comes to an end with a question is slow, and not ill."""
        with suppress(OSError):  # there is none, which is the rule
            self.places.fault.unlink()

    async def _hook(self, request: Request) -> Response:
        return await self._answered(request, "hook", request.path_params["event"])

    async def _mod(self, request: Request) -> Response:
        return await self._answered(request, "", f"mod/{request.path_params['question']}")

    async def _answered(self, request: Request, kind: str, event: str) -> Response:
        """What a hook, or a question of a mod, is answered. An answer that came late, or whose reader has gone, is noted as undelivered."""
        name = f"{kind}/{event}" if kind else event
        client = request.path_params.get("client", DEFAULT)
        payload = await _object(request)
        if payload is None:
            self.context.problem(name.replace("/", " "), "the client sent what is no JSON object")
            return _json({})
        pid = _client_pid(request)

        def missed(answer: Answer) -> None:
            self.hooks.undelivered(event, payload, answer, client=client)

        answer = await self._through(name, lambda: self.hooks.hook(event, payload, client=client, client_pid=pid), missed)
        if answer and await request.is_disconnected():
            await asyncio.get_running_loop().run_in_executor(self.threads, missed, answer)
        return _said(answer)

    async def _statusline(self, request: Request) -> Response:
        payload = await _object(request)
        answer = await self._through("statusline", lambda: self.hooks.statusline(payload or {}))
        return PlainTextResponse(answer if isinstance(answer, str) else "")

    async def _status(self, request: Request) -> Response:
        path = request.query_params.get("path", "")
        return _said(await self._through("status", lambda: {**self._about(), **self.hooks.status(path)}))

    async def _health(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        return _json(self._about())

    def _about(self) -> dict[str, Any]:
        return {"version": __version__, "pid": os.getpid(), "uptime_s": round(time.monotonic() - self.started_at, 3)}

    async def _stop(self, request: Request) -> Response:
        if not request.scope["is_private"]:
            return Response(status_code=403)
        self.stop()
        return _json({"stopping": True})

    async def _through(self, name: str, handler: Callable[[], Answer], missed: Callable[[Answer], None] | None = None) -> Answer:
        """The handler's answer, or {} when it raises or takes longer than it may; then `missed` is told what it was, later."""
        if len(self._background) >= WAITING_MAX:
            self.context.problem(name, "too much waits already; nothing was done")
            return {}
        within = WITHIN_S.get(name, WITHIN_OTHER_S)
        started = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(self.threads, handler)
        self._background.add(future)
        future.add_done_callback(self._background.discard)
        done, _ = await asyncio.wait((future,), timeout=within)
        if not done:
            future.add_done_callback(lambda ended: self._late(name, started, ended, missed))
            return {}
        error = future.exception()
        if error is not None:
            self.context.problem(name, error)
            return {}
        return future.result()

    def _late(self, name: str, started: float, ended: asyncio.Future[Answer], missed: Callable[[Answer], None] | None) -> None:
        took = time.monotonic() - started
        self.context.problem(name, f"took longer than the {WITHIN_S.get(name, WITHIN_OTHER_S)} s that its caller waits")
        error = ended.exception() if not ended.cancelled() else None
        if error is not None:
            self.context.problem(name, error)
            return
        if missed is not None:
            self.threads.submit(missed, ended.result())
        self.answers()
        if took > 1:
            print(f"{name} took {took:.1f} s", flush=True)  # noqa: T201 - the daemon's log


def _client_pid(request: Request) -> int | None:
    told = request.headers.get("x-clew-client-pid", "")
    return int(told) if told.isdecimal() else None


async def _object(request: Request) -> dict[str, Any] | None:
    """The JSON object of a request, None for anything else."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            return None
        chunks.append(chunk)
    try:
        told = msgspec.json.decode(b"".join(chunks))
    except msgspec.DecodeError:  # whoever asked journals it
        return None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else None


def _said(answer: Answer) -> Response:
    return PlainTextResponse(answer) if isinstance(answer, str) else _json(answer)


def _json(value: dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
