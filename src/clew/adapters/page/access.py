"""Let one browser of this user in, and nobody else.

A loopback port can be reached by every user and by every web page that the user visits. So a one-time code, which only the owner of the
data folder can ask the daemon for, is exchanged for a cookie; and each request is judged before it is routed, by its Host (else a page
whose name was bound to 127.0.0.1 could ask), its Origin, where the browser says that it comes from, and its path as it was sent.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST_NAME = "clew.localhost"  # a name of its own: cookies know no ports, and other programs serve on localhost
COOKIE = "clew_page"
ENTER_PATH = "/enter"
STATIC_PREFIX = "/static/"
CODE_S = 120.0  # seconds for which a code can be exchanged
CODE_TRIES_MAX = 5  # wrong codes before the one that waits is void
COOKIE_S = 12 * 3600  # guess: a day of work
COOKIES_MAX = 16  # browsers that are let in at a time; the oldest goes first
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # nothing that is mistaken for another
_CODE_CHARS = 12  # 58 bits
_METHODS = ("GET", "HEAD", "POST")
_SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with "no-referrer" a browser would send its own forms with the Origin "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class PageAccess:
    """The one-time code that waits, and the cookies that were given for earlier ones. All is gone when the daemon ends.

    port   loopback port of the page, which Host and Origin must name.
    clock  monotonic time in seconds. is_closed  the daemon stops, so live views end.
    """

    def __init__(self, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.port, self._clock = port, clock
        self.hosts = frozenset((f"{HOST_NAME}:{port}", f"127.0.0.1:{port}"))
        self._code, self._code_until, self._tries = "", 0.0, 0
        self._cookies: dict[str, float] = {}
        self.is_closed = False

    def issue_code(self) -> str:
        """Return a new code that can be exchanged once, within CODE_S; one that waited is void."""
        self._code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS))
        self._code_until, self._tries = self._clock() + CODE_S, CODE_TRIES_MAX
        return "-".join(self._code[at : at + 4] for at in range(0, _CODE_CHARS, 4))

    def exchange_code(self, given: str) -> str:
        """Return a cookie's value for the code that waits, "" for any other; a few wrong ones void it."""
        plain = "".join(letter for letter in given.upper() if letter in _ALPHABET)
        if not self._code or self._clock() > self._code_until:
            return ""
        if not hmac.compare_digest(plain.encode(), self._code.encode()):
            self._tries -= 1
            if self._tries <= 0:
                self._code = ""
            return ""
        self._code = ""
        value = secrets.token_urlsafe(32)
        self._cookies[value] = self._clock() + COOKIE_S
        while len(self._cookies) > COOKIES_MAX:
            del self._cookies[next(iter(self._cookies))]
        return value

    def knows_cookie(self, given: str) -> bool:
        """Return whether a cookie's value was given out and holds still."""
        found = next((value for value in self._cookies if hmac.compare_digest(value.encode(), given.encode("utf-8", "replace"))), None)
        if found is not None and self._clock() > self._cookies[found]:
            del self._cookies[found]
            return False
        return found is not None

    def set_cookie(self, response: Response, value: str) -> None:
        """Give the browser its cookie: not for scripts, and not sent by anything that another site began."""
        response.set_cookie(COOKIE, value, max_age=COOKIE_S, path="/", httponly=True, samesite="strict")

    def allows_code_of(self, request: Request) -> bool:
        """Return whether a form with a code may come from here: from the page itself, or from the file that `clew page` opens."""
        return request.headers.get("origin") in {"null", *(f"http://{host}" for host in self.hosts)}


class PageGuard:
    """ASGI middleware that judges each request by its headers and its path before it is routed, and hardens each answer."""

    def __init__(self, app: ASGIApp, access: PageAccess, refuse: Callable[[Scope], Response]) -> None:
        """Guard `app`; `refuse` makes the answer to a browser that has no cookie yet."""
        self.app, self.access, self.refuse = app, access, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it: 400 for a crooked path, 403 for another site, 401 without a cookie."""
        if scope["type"] != "http":
            return
        await self._judge(scope)(scope, receive, _hardened(send))

    def _judge(self, scope: Scope) -> ASGIApp:
        headers, path = Headers(scope=scope), str(scope["path"])
        if scope["method"] not in _METHODS:
            return Response(status_code=405)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0] not in self.access.hosts:
            return Response("This address belongs to clew, and the name in it does not.\n", 403, media_type="text/plain")
        if not is_plain_path(path, bytes(scope.get("raw_path") or b"")):
            return Response("The path is not in its plain form.\n", 400, media_type="text/plain")
        if scope["method"] == "POST" and path == ENTER_PATH:  # whoever sends a code proves itself by that; the view looks at the Origin
            return self.app
        if not self._is_own(headers, is_changing=scope["method"] == "POST"):
            return Response("Only clew's own pages may ask this.\n", 403, media_type="text/plain")
        if path.startswith(STATIC_PREFIX) or self.access.knows_cookie(Request(scope).cookies.get(COOKIE, "")):
            return self.app
        return self.refuse(scope)

    def _is_own(self, headers: Headers, *, is_changing: bool) -> bool:
        """Return whether the browser says that the page itself, or its user, asks; of what changes something it must say so."""
        origins, own = headers.getlist("origin"), f"http://{headers['host']}"
        if any(origin != own for origin in origins) or len(origins) > 1 or (is_changing and not origins):
            return False
        return headers.get("sec-fetch-site", "same-origin") in (("same-origin",) if is_changing else ("same-origin", "none"))


def is_plain_path(path: str, raw: bytes) -> bool:
    """Return whether a path has one form alone: no empty, `.` or `..` parts, no escaped slash, backslash or control character."""
    lowered = raw.lower()
    if any(code in lowered for code in (b"%2f", b"%5c", b"%00")) or "\\" in path or not path.isprintable():
        return False
    parts = path.split("/")
    return path == "/" or (parts[0] == "" and all(part not in ("", ".", "..") for part in parts[1:]))


def _hardened(send: Send) -> Send:
    async def send_hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            for name, value in _SAFE_HEADERS.items():
                headers[name] = value
            message = {**message, "headers": headers.raw}
        await send(message)

    return send_hardened
