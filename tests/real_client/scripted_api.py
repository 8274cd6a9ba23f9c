"""A scripted Messages API on loopback: the model's side of an end-to-end test, without a model.

Speaks as much of the API as Claude Code asks for: streamed and plain answers, token counts, errors. Answers come from a script, in order,
by the kind of request; every request is kept. Prompt caching is simulated: a prefix up to a marked block that was sent before is read,
so a test can see whether somebody has changed what was sent already.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

CHARS_PER_TOKEN = 4
SUMMARY = ("create a detailed summary of", "CRITICAL: Respond with TEXT ONLY")


@dataclass
class Asked:
    """One request: its kind ("main", "subagent", "compact", "other"), its body and headers, when it came, and what it was billed."""

    kind: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    read: int = 0
    written: int = 0
    answered_at: float = 0.0

    @property
    def text(self) -> str:
        """All of the body, as it can be searched."""
        return json.dumps(self.body, ensure_ascii=False)

    @property
    def session(self) -> str:
        """The session that asked."""
        return self.headers.get("x-claude-code-session-id", "")


@dataclass
class Failure:
    """An answer that is an error."""

    status: int
    kind: str
    message: str
    headers: dict[str, str] = field(default_factory=dict[str, str])


Turn = str | Sequence[Mapping[str, Any]] | Failure


def use(tool: str, **arguments: Any) -> dict[str, Any]:
    """A block in which the model calls a tool."""
    return {"type": "tool_use", "name": tool, "input": arguments}


def text(words: str) -> dict[str, Any]:
    """A block in which the model says something."""
    return {"type": "text", "text": words}


class ScriptedAPI:
    """A server for one test. `limit_tokens` is the longest prompt that it takes, 0 for any."""

    def __init__(
        self, main: Sequence[Turn] = (), *, subagent: Sequence[Turn] = (), compact: str = "A MODEL'S SUMMARY", limit_tokens: int = 0
    ) -> None:
        self.main, self.subagent, self.compact, self.limit_tokens = list(main), list(subagent), compact, limit_tokens
        self.asked: list[Asked] = []
        self.by_session: dict[str, list[Turn]] = {}
        self._cached: set[str] = set()
        self._lock = threading.Lock()
        self._calls = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api._answer(self)

            def do_GET(self) -> None:
                api._say(self, 200, {"data": []})

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                """Nothing: the requests are kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def of(self, kind: str, session: str = "") -> list[Asked]:
        """The requests of a kind, in order."""
        return [asked for asked in self.asked if asked.kind == kind and session in ("", asked.session)]

    def hit_rate(self, kind: str = "main") -> float:
        """The share of all tokens sent that the simulated cache held."""
        asked = self.of(kind)
        read = sum(each.read for each in asked)
        return read / max(1, read + sum(each.written for each in asked))

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers.get("content-length") or 0)) or b"{}")
        path = handler.path.partition("?")[0]
        tokens = len(json.dumps(body)) // CHARS_PER_TOKEN
        if path.endswith("/count_tokens"):
            self._say(handler, 200, {"input_tokens": tokens})
            return
        if not path.endswith("/v1/messages"):
            self._say(handler, 404, {"type": "error", "error": {"type": "not_found_error", "message": path}})
            return
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            asked = Asked(_kind(body, headers), body, headers, time.perf_counter())
            self.asked.append(asked)
            turn = self._turn(asked)
            if self.limit_tokens and tokens > self.limit_tokens and asked.kind == "main":
                turn = Failure(400, "invalid_request_error", f"prompt is too long: {tokens} tokens > {self.limit_tokens} maximum")
            if not isinstance(turn, Failure):
                asked.read, asked.written = self._billed(body)
        if isinstance(turn, Failure):
            self._say(handler, turn.status, {"type": "error", "error": {"type": turn.kind, "message": turn.message}}, turn.headers)
            return
        blocks = [text(turn)] if isinstance(turn, str) else [dict(block) for block in turn]
        for block in blocks:
            if block["type"] == "tool_use":
                with self._lock:
                    self._calls += 1
                    block.setdefault("id", f"toolu_{self._calls:024d}")
        usage = {"input_tokens": 3, "cache_read_input_tokens": asked.read, "cache_creation_input_tokens": asked.written, "output_tokens": 9}
        (self._stream if body.get("stream") else self._whole)(handler, body, blocks, usage)
        asked.answered_at = time.perf_counter()

    def _turn(self, asked: Asked) -> Turn:
        if asked.kind == "compact":
            return f"<summary>{self.compact}</summary>"
        if asked.kind == "other":
            return "ok"
        script = self.by_session.get(asked.session) or (self.subagent if asked.kind == "subagent" else self.main)
        return script.pop(0) if script else "Nothing more is in the script."

    def _billed(self, body: Mapping[str, Any]) -> tuple[int, int]:
        """Tokens read of the simulated cache, and written to it: by the longest prefix up to a mark that was sent before."""
        # The real cache looks back over some blocks before a mark; here every prefix that ends at a block counts as written.
        read = 0
        running, size = hashlib.sha256(), 0
        prefixes: list[str] = []
        is_any_marked = False
        for block, is_marked in _blocks(body):
            is_any_marked = is_any_marked or is_marked
            running.update(block)
            size += len(block)
            name = running.hexdigest()
            prefixes.append(name)
            if name in self._cached:
                read = size // CHARS_PER_TOKEN
        if is_any_marked:
            self._cached.update(prefixes)
        return read, size // CHARS_PER_TOKEN - read

    def _say(self, handler: BaseHTTPRequestHandler, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        handler.send_response(status)
        for name, told in {"content-type": "application/json", **(headers or {}), "content-length": str(len(data))}.items():
            handler.send_header(name, told)
        handler.end_headers()
        handler.wfile.write(data)

    def _whole(self, handler: BaseHTTPRequestHandler, body: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]], usage: object) -> None:
        self._say(handler, 200, {**_message(body, usage), "content": list(blocks), "stop_reason": _reason(blocks)})

    def _stream(
        self, handler: BaseHTTPRequestHandler, body: Mapping[str, Any], blocks: Sequence[Mapping[str, Any]], usage: dict[str, int]
    ) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()

        def event(name: str, **told: object) -> None:
            data = f"event: {name}\ndata: {json.dumps({'type': name, **told})}\n\n".encode()
            handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            handler.wfile.flush()

        event("message_start", message={**_message(body, usage), "content": [], "stop_reason": None})
        for at, block in enumerate(blocks):
            if block["type"] == "text":
                event("content_block_start", index=at, content_block={"type": "text", "text": ""})
                event("content_block_delta", index=at, delta={"type": "text_delta", "text": block["text"]})
            elif block["type"] == "thinking":
                event("content_block_start", index=at, content_block={"type": "thinking", "thinking": "", "signature": ""})
                event("content_block_delta", index=at, delta={"type": "thinking_delta", "thinking": block["thinking"]})
                event("content_block_delta", index=at, delta={"type": "signature_delta", "signature": "c2lnbmVk"})
            else:
                event("content_block_start", index=at, content_block={**block, "input": {}})
                event("content_block_delta", index=at, delta={"type": "input_json_delta", "partial_json": json.dumps(block["input"])})
            event("content_block_stop", index=at)
        event("message_delta", delta={"stop_reason": _reason(blocks), "stop_sequence": None}, usage=usage)
        event("message_stop")
        handler.wfile.write(b"0\r\n\r\n")


def _kind(body: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    users = [message for message in body.get("messages", []) if message.get("role") == "user"]
    last = json.dumps(users[-1]) if users else ""
    if any(mark in last for mark in SUMMARY):
        return "compact"
    if headers.get("x-claude-code-agent-id"):
        return "subagent"
    return "main" if body.get("tools") else "other"


def _blocks(body: Mapping[str, Any]) -> list[tuple[bytes, bool]]:
    """What is cached, block by block, and whether it is marked. The first block of the system prompt changes and is never cached."""
    system = body.get("system") or []
    found: list[Any] = [body.get("tools"), *(system[1:] if isinstance(system, list) else [system])]
    for message in body.get("messages", []):
        content = message["content"]
        found.extend({"role": message["role"], **block} for block in ([text(content)] if isinstance(content, str) else content))
    told: list[tuple[bytes, bool]] = []
    for block in found:
        is_marked = isinstance(block, dict) and "cache_control" in block
        bare = {name: value for name, value in block.items() if name != "cache_control"} if isinstance(block, dict) else block
        told.append((json.dumps(bare, sort_keys=True).encode(), is_marked))
    return told


def _message(body: Mapping[str, Any], usage: object) -> dict[str, Any]:
    return {
        "id": f"msg_{time.time_ns()}",
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "stop_sequence": None,
        "usage": usage,
    }


def _reason(blocks: Sequence[Mapping[str, Any]]) -> str:
    return "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
