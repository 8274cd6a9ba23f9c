"""Refuse requests of other users and of web pages.

The kernel tells which user is at the other end of the Unix socket: others are refused (`OwnerOnlyProtocol`). On loopback every user and
every web page can connect: there a token is required, Host must be loopback's own name (else a page whose name was bound to 127.0.0.1
could ask), requests with an Origin come from a page and are refused, and hooks are refused in any case.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from clew.adapters.daemon_files import DaemonAddress
from clew.adapters.http.peer import read_peer_uid

GATEWAY_PREFIX = "/gateway/"
SOCKET_ONLY_PREFIXES = ("/hook/", "/mod/", "/statusline", "/stop", "/page")  # asked over the socket alone


class RequestGuard:
    """ASGI middleware that checks who sent a request before it reaches the app.

    Sets `is_private` in the scope: True for a request over the Unix socket.
    """

    def __init__(self, app: ASGIApp, address: DaemonAddress) -> None:
        self.app, self.token, self.gateway = app, address.token.encode(), address.gateway.encode()
        port = address.port
        self.hosts = {f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it: 403 for a foreign page or a path served on the socket alone, 401 for a wrong token."""
        if scope["type"] != "http":
            return
        scope["is_private"] = scope.get("client") is None or not scope["client"][0]
        if not scope["is_private"]:
            headers: list[tuple[bytes, bytes]] = scope["headers"]
            if not self._is_from_loopback_client(headers) or scope["path"].startswith(SOCKET_ONLY_PREFIXES):
                await Response(status_code=403)(scope, receive, send)
                return
            if not self._has_token(scope, headers):
                await Response(status_code=401)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_from_loopback_client(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        hosts = [value for name, value in headers if name == b"host"]
        return len(hosts) == 1 and hosts[0] in self.hosts and not any(name == b"origin" for name, _ in headers)

    def _has_token(self, scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Compare the key in the gateway's path (its Authorization is the upstream's), elsewhere the bearer token."""
        path: str = scope["path"]
        if path.startswith(GATEWAY_PREFIX):
            return hmac.compare_digest(path.removeprefix(GATEWAY_PREFIX).partition("/")[0].encode(), self.gateway)
        given = [value for name, value in headers if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], b"Bearer " + self.token)


class OwnerOnlyProtocol(HttpToolsProtocol):
    """HTTP connection that is closed at once when a process of another user made it over the Unix socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or abort it where the peer is another user."""
        over = transport.get_extra_info("socket")
        if over is not None and over.family == socket.AF_UNIX and read_peer_uid(over) != os.geteuid():
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up the connection, if it was accepted."""
        if self in self.connections:
            super().connection_lost(exc)
