"""A model's server on the loopback, which speaks both dialects and answers as it is told to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = re.compile(r"^## (\w+)[^\n]*\n((?:L\d+\| [^\n]*\n)+)", re.MULTILINE)
_LINE = re.compile(r"^L(\d+)\| ([^\n]*)$", re.MULTILINE)


@dataclass(slots=True)
class Reply:
    """One answer: `text` in the asked dialect, the first token's `choices`; or `raw` bytes; or half of it, and then nothing."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    raw: bytes | None = None
    hangs_up: bool = False
    waits: bool = False
    is_cut: bool = False
    read: int | None = None
    choices: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])


def pieces_of(text: str) -> list[tuple[str, list[tuple[int, str]]]]:
    """The pieces that a request shows: each one's kind, and its lines with their numbers."""
    return [(kind, [(int(number), line) for number, line in _LINE.findall(lines)]) for kind, lines in _PIECE.findall(text)]


def honest(text: str) -> str:
    """Keep the first line of each piece; of a longer one say what its last line says."""
    pieces = [lines for _, lines in pieces_of(text)]
    kept = ", ".join(f"L{lines[0][0]}" for lines in pieces)
    said = [f"drop L{lines[1][0]}-L{lines[-1][0]}: {lines[-1][1].strip()[:80]}" for lines in pieces if len(lines) > 3]
    return "\n".join([f"keep: {kept}", *said])


@dataclass(slots=True)
class Server:
    """What was asked, and what is answered next: the script first, then `answer` of each request's text."""

    url: str
    script: list[Reply] = field(default_factory=list[Reply])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    answer: Callable[[str], str] = honest
    goes_on: threading.Event = field(default_factory=threading.Event)
    was_asked: threading.Event = field(default_factory=threading.Event)
    most_at_once: int = 0
    models: list[str] | None = None
    at_once: int = 0

    @property
    def texts(self) -> list[str]:
        """What the model was told about, of each request."""
        return [payload["messages"][-1]["content"] for payload in self.asked]


@contextmanager
def served() -> Iterator[Server]:
    """A server while the block runs."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            body = json.dumps({"data": [{"id": name} for name in server.models or ()]}).encode()
            self.send_response(200 if self.path.endswith("/models") and server.models is not None else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.asked.append(payload)
                server.headers.append(dict(self.headers))
                server.was_asked.set()
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
                reply = server.script.pop(0) if server.script else Reply(server.answer(payload["messages"][-1]["content"]))
            if reply.waits:
                server.goes_on.wait(30)
            body = reply.raw if reply.raw is not None else json.dumps(self.in_dialect(payload, reply)).encode()
            with lock:
                server.at_once -= 1
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(body)), "Connection": "close", **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if reply.hangs_up else body)
            except ConnectionError:  # who asked did not wait
                pass
            self.close_connection = True

        def in_dialect(self, payload: dict[str, Any], reply: Reply) -> dict[str, Any]:
            words = sum(len(str(part)) for part in payload["messages"]) // 3
            read = words if reply.read is None else reply.read
            if reply.status != 200:
                return {"type": "error", "error": {"type": "some_error", "message": reply.text}}
            if self.path.endswith("/messages"):
                return {
                    "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": reply.text}],
                    "stop_reason": "max_tokens" if reply.is_cut else "end_turn",
                    "usage": {"input_tokens": read, "output_tokens": len(reply.text) // 3},
                }
            alternatives = [{"token": token, "logprob": value} for token, value in reply.choices]
            choice = {"message": {"role": "assistant", "content": reply.text}, "finish_reason": "length" if reply.is_cut else "stop"}
            if alternatives and payload.get("logprobs"):
                choice["logprobs"] = {"content": [{**alternatives[0], "top_logprobs": alternatives}]}
            return {
                "choices": [choice],
                "usage": {"prompt_tokens": read, "completion_tokens": len(reply.text) // 3},
            }

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    server = Server(f"http://127.0.0.1:{web.server_address[1]}")
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.goes_on.set()
        web.shutdown()
        web.server_close()
        thread.join()
