"""Guard: who may ask? Other users of the machine and web pages get nothing.

The kernel tells which user is at the other end of the Unix socket: others are refused (`OwnerOnlyProtocol`). On loopback every user
and every web page can connect: there the token is asked for, the Host must be loopback's own name (else a page whose name was bound to
127.0.0.1 could ask), a request that carries an Origin comes from a page and is refused, and hooks are not answered at all.
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
SOCKET_ONLY_PREFIXES = ("/hook/", "/mod/", "/statusline", "/stop")  # asked over the socket alone


class RequestGuard:
    """An ASGI application that hands on what may pass to another. Marks a request over the Unix socket with `is_private`."""

    def __init__(self, app: ASGIApp, address: DaemonAddress) -> None:
        self.app, self.token, self.gateway = app, address.token.encode(), address.gateway.encode()
        port = address.port
        self.hosts = {f"127.0.0.1:{port}".encode(), f"localhost:{port}".encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it with 403 (a foreign page), 401 (no token) and no further word."""
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
        """In the path for the gateway, whose Authorization is the upstream's; else as a bearer token."""
        path: str = scope["path"]
        if path.startswith(GATEWAY_PREFIX):
            return hmac.compare_digest(path.removeprefix(GATEWAY_PREFIX).partition("/")[0].encode(), self.gateway)
        given = [value for name, value in headers if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], b"Bearer " + self.token)


class OwnerOnlyProtocol(HttpToolsProtocol):
    """The server's side of one connection, which ends at once where another user's process has made it over the Unix socket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Serve the connection, or end it."""
        over = transport.get_extra_info("socket")
        if over is not None and over.family == socket.AF_UNIX and read_peer_uid(over) != os.geteuid():
            transport.abort()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, if it was served."""
        if self in self.connections:
            super().connection_lost(exc)
