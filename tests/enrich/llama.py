"""A server on the loopback that speaks as llama.cpp's does, for a model that evaluates bytes: its state is the tokens that it has read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Llama:
    """What the slot holds, what was evaluated, and how it may misbehave.

    evaluated   numbers of tokens that were evaluated, request by request; asked  paths in order.
    forgets     what it writes depends on what it has just evaluated, so a restored state is not as good as a fresh one.
    """

    url: str
    model: Path
    folder: Path
    slot: list[int] = field(default_factory=list[int])
    evaluated: list[int] = field(default_factory=list[int])
    asked: list[str] = field(default_factory=list[str])
    forgets: bool = False
    is_busy: bool = False
    is_llama: bool = True

    def answer(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of an answer, None where llama.cpp would refuse."""
        action = path.partition("action=")[2]
        if not self.is_llama:
            return None
        if path == "/props":
            made = {"n_ctx": 8192, "params": {"lora": []}}
            return {"total_slots": 1, "model_path": str(self.model), "build_info": "b1", "default_generation_settings": made}
        if path == "/slots":
            return [{"id": 0, "is_processing": self.is_busy}]
        if path == "/apply-template":
            return {"prompt": render(body)}
        if path == "/tokenize":
            return {"tokens": list(body["content"].encode())}
        if path == "/v1/messages/count_tokens":
            return {"input_tokens": len(render(chat_of(body)).encode())}
        if path == "/completion":
            return self.complete(body["prompt"], is_fresh=not body["cache_prompt"], most=body["n_predict"])
        if path.startswith("/v1/"):
            return self.complete(list(render(chat_of(body)).encode()), is_fresh=False, most=1)
        name = body.get("filename", "")
        if action == "save":
            (self.folder / name).write_text(json.dumps(self.slot))
            return {"n_saved": len(self.slot)}
        self.slot = json.loads((self.folder / name).read_text()) if action == "restore" else []
        return {"n_restored": len(self.slot)}

    def complete(self, tokens: list[int], *, is_fresh: bool, most: int) -> dict[str, Any]:
        shared = 0
        while not is_fresh and shared < min(len(self.slot), len(tokens)) and self.slot[shared] == tokens[shared]:
            shared += 1
        self.slot = list(tokens)
        self.evaluated.append(len(tokens) - shared)
        seed = sum(tokens[shared:] if self.forgets else tokens)
        return {"content": "", "tokens": [seed + each for each in range(most)], "timings": {"cache_n": shared, "prompt_ms": 1.0}}


def chat_of(body: dict[str, Any]) -> dict[str, Any]:
    """A request in Anthropic's dialect as the template reads it."""
    system = [{"role": "system", "content": body["system"]}] if "system" in body else []
    return {"messages": [*system, *body["messages"]], "tools": body.get("tools", [])}


def render(body: dict[str, Any]) -> str:
    """The prompt of a chat: each message's words behind its role."""
    said = [
        f"<{message['role']}>"
        + (content if isinstance(content := message["content"], str) else "\n".join(part["text"] for part in content))
        for message in body["messages"]
    ]
    return "".join(f"[{(tool.get('function') or tool)['name']}]" for tool in body.get("tools") or ()) + "".join(said) + "<assistant>"


@contextmanager
def served(folder: Path) -> Iterator[Llama]:
    """A server while the block runs, which writes states to `folder`."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else {}
            with lock:
                llama.asked.append(self.path)
                told = llama.answer(self.path, body)
            data = json.dumps(told if told is not None else {"error": {"message": "no such thing"}}).encode()
            self.send_response(200 if told is not None else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    model = folder.parent / "small.gguf"
    model.parent.mkdir(parents=True, exist_ok=True)
    model.write_bytes(b"weights")
    llama = Llama(f"http://127.0.0.1:{server.server_address[1]}", model, folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield llama
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
