"""Serve the page's views to the one browser that is let in.

A view is a plain function that runs in a thread: it asks the engine, and returns HTML. At most HEAVY_VIEWS_MAX work at a time: the page's
process has an interpreter of its own, but hooks share the machine's cores with it. Whatever fails becomes a page that says so.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from clew.adapters.page.access import ENTER_PATH, PageAccess, PageGuard
from clew.adapters.page.actions import Action, LongActions
from clew.adapters.page.render import HERE, render
from clew.adapters.page.sessions import NotFound, RunningSessions, SessionCatalogue
from clew.adapters.page.views import POSTS, VIEWS, health, now, sessions
from clew.adapters.page.views.view import NAVIGATION, Form, Query, View, Viewer
from clew.errors import ClewError, UnknownHandle, UnknownPath, UnknownRecord, UsageError
from clew.sessions.context import DaemonContext

HEAVY_VIEWS_MAX = 2  # one at a time kept hooks waiting as long: bench/LOG.md
FORM_BYTES_MAX, FORM_FIELDS_MAX = 256 << 10, 50
LIVE_CHECK_S = 0.5  # seconds between two looks at what a live view shows
ACTION_CHECK_S = 0.3  # seconds between two looks at how far a long action is
STREAMS_MAX = 12  # tabs that follow a live view
_TITLES = {400: "That cannot be asked", 404: "Not found", 413: "Too long", 500: "This view failed"}
_UNKNOWN = (UnknownHandle, UnknownPath, UnknownRecord, NotFound)


class PageApp:
    """ASGI application of the page, guard included.

    access     decides which browser is let in.
    on_request called at each request, so that the daemon does not rest while somebody reads.
    """

    def __init__(
        self, context: DaemonContext, live: RunningSessions, access: PageAccess, *, on_request: Callable[[], None] = lambda: None,
        latencies: Callable[[], Mapping[str, tuple[list[float], float]]] = dict,
    ) -> None:  # fmt: skip
        """Serve what `context` and `live` know; `latencies` returns (seconds of each answer, budget in seconds) by handler."""
        self._context, self._live, self._access, self._on_request, self._latencies = context, live, access, on_request, latencies
        self._busy = threading.BoundedSemaphore(HEAVY_VIEWS_MAX)
        self._streams = 0
        self._viewer: Viewer | None = None
        self.actions = LongActions(context.record_error)
        routes: list[BaseRoute] = [
            Route(ENTER_PATH, self._enter, methods=["POST"]),
            Route("/events/{name}", self._events, methods=["GET"]),
            Route("/actions/{action}/events", self._action_events, methods=["GET"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            *(Route(path, partial(self._answer_get, view), methods=["GET"]) for path, view in VIEWS),
            *(Route(path, partial(self._answer_post, view), methods=["POST"]) for path, view in POSTS),
        ]
        made = Starlette(routes=routes, exception_handlers={404: self._missing})
        made.router.redirect_slashes = False
        self._app = PageGuard(made, access, lambda _: self._ask_for_code(401))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self._on_request()
        await self._app(scope, receive, send)

    def warm_up(self) -> None:
        """Make what first views wait for: the list of sessions, the scoring networks, the doctor's findings. For a thread of its own."""
        for view in (sessions.list_sessions, now.show_now, health.show_health):
            with suppress(ClewError, OSError):  # the view itself says so when it is asked for
                view(self._open(), Query({}), Form())

    # -- the door ---------------------------------------------------------------------------------

    def _ask_for_code(self, status: int, *, problem: str = "") -> Response:
        return render("enter.html", status, problem=problem)

    async def _enter(self, request: Request) -> Response:
        if not self._access.allows_code_of(request):
            return self._ask_for_code(403, problem="Another site sent this.")
        form = await _read_form(request)
        value = self._access.exchange_code(form.get("code", "")) if form else ""
        if not value:
            return self._ask_for_code(403, problem="That code is not the latest one, was used already, or is older than two minutes.")
        # No redirect: the browser would not send the new cookie with one that a file's form began.
        answer = render("entered.html")
        self._access.set_cookie(answer, value)
        return answer

    # -- views ------------------------------------------------------------------------------------

    async def _answer_get(self, view: View, request: Request) -> Response:
        return await run_in_threadpool(self._run, view, request, Form())

    async def _answer_post(self, view: View, request: Request) -> Response:
        form = await _read_form(request)
        if form is None:
            return _problem(413, "The form is too long, or no form at all.")
        return await run_in_threadpool(self._run, view, request, form)

    def _run(self, view: View, request: Request, form: Form) -> Response:
        """Return what a view answers; an error becomes a page."""
        query = Query(dict(request.query_params), {name: str(value) for name, value in request.path_params.items()})
        try:
            with self._busy:
                started = time.perf_counter()
                answer = view(self._open(), query, form)
        except _UNKNOWN as error:
            return _problem(404, str(error))
        except UsageError as error:
            return _problem(400, str(error))
        except (ClewError, OSError) as error:
            self._context.record_error("page", error)
            return _problem(500, str(error))
        except Exception as error:  # noqa: BLE001 - the reader of the page and of the journal see it
            self._context.record_error("page", error)
            return _problem(500, f"clew failed here ({type(error).__name__}); the daemon's log has the details, and `clew doctor` its name")
        if isinstance(answer, str):
            return RedirectResponse(answer, 303)
        answer.headers["server-timing"] = f"view;dur={(time.perf_counter() - started) * 1e3:.1f}"
        return answer

    def _open(self) -> Viewer:
        engine = self._context.get_engine()
        if self._viewer is None or self._viewer.engine is not engine:
            self._viewer = Viewer(engine, self._context, self._live, SessionCatalogue(engine, self._live), self._latencies, self.actions)
        return self._viewer

    async def _missing(self, request: Request, error: Exception) -> Response:  # noqa: ARG002 - starlette's signature
        return _problem(404, "There is no such page.")

    # -- live -------------------------------------------------------------------------------------

    async def _events(self, request: Request) -> Response:
        if self._streams >= STREAMS_MAX:
            return Response("Too many tabs follow this already.\n", 503)
        session = request.path_params["name"]
        return StreamingResponse(self._follow(session), media_type="text/event-stream")

    async def _follow(self, session: str) -> AsyncIterator[str]:
        """Yield an event whenever what a live view shows has changed."""
        self._streams += 1
        try:
            before = await run_in_threadpool(self._stamp, session)
            yield "retry: 3000\n\n"
            while not self._access.is_closed:
                await asyncio.sleep(LIVE_CHECK_S)
                now = await run_in_threadpool(self._stamp, session)
                if now != before:
                    before = now
                    yield "event: changed\ndata: \n\n"
        finally:
            self._streams -= 1

    async def _action_events(self, request: Request) -> Response:
        action = self.actions.find(request.path_params["action"])
        if action is None:
            return Response("There is no such action any more.\n", 404)
        if self._streams >= STREAMS_MAX:
            return Response("Too many tabs follow this already.\n", 503)
        return StreamingResponse(self._follow_action(action), media_type="text/event-stream")

    async def _follow_action(self, action: Action) -> AsyncIterator[str]:
        """Yield an event at each step of a long action, and one at its end."""
        self._streams += 1
        try:
            before: dict[str, object] = {}
            while not self._access.is_closed:
                self._on_request()  # who waits for it keeps the daemon from resting
                if (now := action.as_event()) != before:
                    before = now
                    yield f"event: {'step' if action.is_running else 'ended'}\ndata: {json.dumps(now)}\n\n"
                if not action.is_running:
                    return
                await asyncio.sleep(ACTION_CHECK_S)
        finally:
            self._streams -= 1

    def _stamp(self, session: str) -> tuple[tuple[str, float, int], ...]:
        found: list[tuple[str, float, int]] = []
        for live in self._live.list_recent():
            if session in {"all", live.id} and not live.ended:
                try:
                    about = Path(live.transcript).stat()
                    found.append((live.id, about.st_mtime, about.st_size))
                except OSError:  # not written yet
                    found.append((live.id, 0.0, 0))
        return tuple(found)


def _problem(status: int, message: str) -> Response:
    what, _, hint = message.partition("\nhint: ")
    return render("problem.html", status, navigation=NAVIGATION, here="", title=_TITLES[status], what=what, hint=hint)


async def _read_form(request: Request) -> Form | None:
    """Return the fields of a form, the first value of each; None where it is too long or no form."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return None
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > FORM_BYTES_MAX:
            return None
    try:
        fields = parse_qs(data.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:  # more fields than that
        return None
    return Form({name: values[0] for name, values in fields.items()})
