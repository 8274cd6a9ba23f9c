"""App: which request goes to which door, and how long it may take.

The doors are plain functions; they run in threads here, each with the time that its caller can spare. A door that is slow or
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
from typing import Any, Protocol, cast

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from clew import __version__
from clew.adapters.serving import Serving

THREADS = 12  # doors at work at once: more wait on the store's lock anyway; guess
WAITING_MAX = 64  # doors that wait for a thread; beyond it the answer is {} at once; guess
BODY_BYTES_MAX = 64 * 2**20  # of a hook: a tool's whole answer; the client cuts its own long before
# Seconds that each door may take: less than the shims wait (`clew_ask.WITHIN_S`), so that an answer that comes too late is known here.
WITHIN_S = {
    "hook/SessionStart": 0.85, "mod/compact": 8.5,
    "hook/UserPromptSubmit": 0.1, "mod/prompt": 0.1, "hook/PostToolUse": 0.25, "mod/append": 0.25, "statusline": 0.25,
}  # fmt: skip
WITHIN_OTHER_S = 1.0

Answer = dict[str, Any] | str


class Doors(Protocol):
    """What the client's hooks and the mod ask, and what a person's status shows. See `clew.adapters.claude_code.doors`."""

    def hook(self, event: str, payload: dict[str, Any], *, client_pid: int | None = None) -> Answer:
        """Answer a hook: an object, or plain text where the client reads that."""
        ...

    def mod(self, door: str, payload: dict[str, Any], *, client_pid: int | None = None) -> dict[str, Any]:
        """Answer a call of the mod."""
        ...

    def statusline(self, payload: dict[str, Any]) -> str:
        """Return the lines for the client's status line."""
        ...

    def status(self, path: str) -> dict[str, Any]:
        """Return what is known of the running sessions, of all repositories or of the one that holds `path`."""
        ...

    def undelivered(self, name: str, payload: dict[str, Any], answer: Answer) -> None:
        """Be told that an answer has reached nobody."""
        ...

    def session_of(self, client_pid: int) -> str:
        """Return the id of the session that a client is in now, "" where that is not known."""
        ...

    def alive_clients(self) -> list[int]:
        """Return the pids of the clients whose sessions are known and that still run."""
        ...


class App:
    """The routes of one daemon. `asked_at` is when the last request came, of the monotonic clock; `stop` is what ends the server."""

    def __init__(self, serving: Serving, doors: Doors, *, mounts: dict[str, ASGIApp] | None = None) -> None:
        self.serving, self.doors = serving, doors
        self.stop: Callable[[], None] = lambda: None
        self.started_at = self.asked_at = time.monotonic()
        self.under_way = 0
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="door")
        self._background: set[asyncio.Future[Any]] = set()
        self.routes = Starlette(
            routes=[
                Route("/health", self._health, methods=["GET"]),
                Route("/hook/{event}", self._hook, methods=["POST"]),
                Route("/mod/{door}", self._mod, methods=["POST"]),
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
            self.serving.places.fault.unlink()

    async def _hook(self, request: Request) -> Response:
        event = request.path_params["event"]
        payload = await _object(request)
        if payload is None:
            self.serving.problem(f"hook {event}", "the client sent what is no JSON object")
            return _json({})
        pid = _client_pid(request)
        return await self._answered(request, "hook", event, payload, lambda: self.doors.hook(event, payload, client_pid=pid))

    async def _mod(self, request: Request) -> Response:
        door = request.path_params["door"]
        payload = await _object(request)
        if payload is None:
            self.serving.problem(f"mod {door}", "the mod sent what is no JSON object")
            return _json({})
        pid = _client_pid(request)
        return await self._answered(request, "mod", door, payload, lambda: self.doors.mod(door, payload, client_pid=pid))

    async def _answered(self, request: Request, kind: str, name: str, payload: dict[str, Any], door: Callable[[], Answer]) -> Response:
        """A door's answer; the doors are told of one that reaches nobody, because it came too late or who asked has gone."""

        def missed(answer: Answer) -> None:
            self.doors.undelivered(name, payload, answer)

        answer = await self._through(f"{kind}/{name}", door, missed)
        if answer and await request.is_disconnected():
            await asyncio.get_running_loop().run_in_executor(self.threads, missed, answer)
        return _said(answer)

    async def _statusline(self, request: Request) -> Response:
        payload = await _object(request)
        answer = await self._through("statusline", lambda: self.doors.statusline(payload or {}))
        return PlainTextResponse(answer if isinstance(answer, str) else "")

    async def _status(self, request: Request) -> Response:
        path = request.query_params.get("path", "")
        return _said(await self._through("status", lambda: {**self._about(), **self.doors.status(path)}))

    async def _health(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        return _json(self._about())

    def _about(self) -> dict[str, Any]:
        return {"version": __version__, "pid": os.getpid(), "uptime_s": round(time.monotonic() - self.started_at, 3)}

    async def _stop(self, request: Request) -> Response:
        if not request.scope["is_private"]:
            return Response(status_code=403)
        self.stop()
        return _json({"stopping": True})

    async def _through(self, name: str, door: Callable[[], Answer], missed: Callable[[Answer], None] | None = None) -> Answer:
        """The door's answer, or {} when it raises or takes longer than it may; then `missed` is told what it was, later."""
        if len(self._background) >= WAITING_MAX:
            self.serving.problem(name, "too much waits already; nothing was done")
            return {}
        within = WITHIN_S.get(name, WITHIN_OTHER_S)
        started = time.monotonic()
        future = asyncio.get_running_loop().run_in_executor(self.threads, door)
        self._background.add(future)
        future.add_done_callback(self._background.discard)
        done, _ = await asyncio.wait((future,), timeout=within)
        if not done:
            future.add_done_callback(lambda ended: self._late(name, started, ended, missed))
            return {}
        error = future.exception()
        if error is not None:
            self.serving.problem(name, error)
            return {}
        return future.result()

    def _late(self, name: str, started: float, ended: asyncio.Future[Answer], missed: Callable[[Answer], None] | None) -> None:
        took = time.monotonic() - started
        self.serving.problem(name, f"took longer than the {WITHIN_S.get(name, WITHIN_OTHER_S)} s that its caller waits")
        error = ended.exception() if not ended.cancelled() else None
        if error is not None:
            self.serving.problem(name, error)
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
