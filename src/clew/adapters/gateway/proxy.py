"""Forward the client's requests to the model's API, and stream its answers back byte for byte.

Only the body of a request for messages is rewritten (`folding`); before the first one of a session a self-hosted model's state may be
restored (`prefix_states`). An upstream's error is passed on with its status, headers and bytes;
an
upstream that cannot be reached becomes a 502 in the API's own form, which the client retries; an answer that breaks off breaks off
here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import aiohttp
from starlette.types import Receive, Scope, Send

from clew.adapters.gateway.folding import RequestRewriter
from clew.adapters.gateway.prefix_states import PrefixStates, find_key
from clew.sessions.context import DaemonContext
from clew.sessions.live import LiveSessions

BODY_BYTES_MAX = 64 * 2**20  # twice what the API takes
CONNECT_TIMEOUT_S = 30.0
_DROPPED_REQUEST_HEADERS = frozenset(
    (b"host", b"content-length", b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade")
)
_DROPPED_RESPONSE_HEADERS = frozenset((b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"))


class UpstreamInterrupted(ConnectionError):
    """Raised when the upstream ends in the middle of an answer, so that the client's connection ends as well."""


class GatewayApp:
    """ASGI application that forwards every request to the model's API, with old tool outputs in it shortened."""

    def __init__(self, context: DaemonContext, sessions: LiveSessions) -> None:
        self.context = context
        self.rewriter = RequestRewriter(context, sessions)
        self.states = PrefixStates(context)
        self._client: aiohttp.ClientSession | None = None

    @property
    def upstream_url(self) -> str:
        """Base URL of the API, without a final slash: the one the client used before `clew init`, else the setting."""
        try:
            before = (self.context.settings.data_dir / "run" / "upstream").read_text("utf-8").strip()
        except OSError:  # nothing was noted: the setting holds
            before = ""
        return (before or self.context.settings.gateway_upstream).rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _read_body(receive)
        if body is None:
            await _send_error(send, 413, "request_too_large", f"clew's gateway takes {BODY_BYTES_MAX} bytes at most")
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if scope["method"] == "POST" and path in ("/v1/messages", "/v1/messages/count_tokens"):
            body = await self._rewrite(body, headers, is_counting=path.endswith("count_tokens"))
        upstream = self.upstream_url
        if scope["method"] == "POST" and self.states.is_for(upstream, path):
            await asyncio.to_thread(self.states.prepare, upstream, body, key=find_key(dict(headers)))
        query = scope["query_string"].decode("latin-1")
        url = f"{upstream}{path}{'?' + query if query else ''}"
        handing = asyncio.ensure_future(self._forward(scope["method"], url, headers, body, send))
        leaving = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await asyncio.wait((handing, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not handing.done():  # the client has hung up: the upstream need not go on
                handing.cancel()
        if handing.done() and not handing.cancelled():
            await handing

    async def _rewrite(self, body: bytes, headers: Iterable[tuple[bytes, bytes]], *, is_counting: bool) -> bytes:
        told = {name: value.decode("latin-1") for name, value in headers if name.startswith(b"x-claude-code-")}
        session, agent = told.get(b"x-claude-code-session-id", ""), told.get(b"x-claude-code-agent-id", "")
        try:
            if self.rewriter.is_fast(session=session, agent=agent):
                return self.rewriter.rewrite(body, session=session, agent=agent, is_counting=is_counting)
            return await asyncio.to_thread(self.rewriter.rewrite, body, session=session, agent=agent, is_counting=is_counting)
        except Exception as error:  # noqa: BLE001 - the journal tells of it; the request goes out as it came
            self.context.record_error("gateway", error)
            return body

    async def _forward(self, method: str, url: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, send: Send) -> None:
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S)
            self._client = aiohttp.ClientSession(
                auto_decompress=False, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=True
            )
        sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers if name not in _DROPPED_REQUEST_HEADERS]
        has_begun = False
        try:
            async with self._client.request(
                method, url, headers=sent, data=body if body or method in ("POST", "PUT", "PATCH") else None, allow_redirects=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            ) as answer:  # fmt: skip
                kept = [(name, value) for name, value in answer.raw_headers if name.lower() not in _DROPPED_RESPONSE_HEADERS]
                await send({"type": "http.response.start", "status": answer.status, "headers": kept})
                has_begun = True
                async for chunk in answer.content.iter_any():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (aiohttp.ClientError, TimeoutError) as error:
            self.context.record_error("gateway", f"the upstream failed: {type(error).__name__}")
            if has_begun:
                raise UpstreamInterrupted(str(error)) from None
            await _send_error(send, 502, "api_error", f"clew's gateway could not reach {self.upstream_url}: {type(error).__name__}")


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body of a request; None where it exceeds BODY_BYTES_MAX."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_error(send: Send, status: int, kind: str, text: str) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": text}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
