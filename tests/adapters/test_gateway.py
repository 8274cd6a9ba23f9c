"""The gateway: what passes through untouched, what is folded, and that what was folded stays."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.gateway.folding import RequestRewriter
from clew.adapters.gateway.proxy import GatewayApp, UpstreamInterrupted
from clew.adapters.hooks import create_daemon_context
from clew.sessions.context import DaemonContext
from clew.sessions.live import LiveSessions
from clew.settings import load_settings
from tests.adapters.daemon import repository

STREAM = b'event: message_start\ndata: {"a": 1}\n\n' + 'event: ping\ndata: {"ü": "€"}\n\n'.encode() + b"event: message_stop\ndata: {}\n\n"


class Upstream:
    """Answers what a test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status, self.headers, self.chunks = 200, {"content-type": "text/event-stream", "request-id": "r1"}, [STREAM]
        self.is_breaking = False
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                upstream.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(upstream.status)
                for name, value in upstream.headers.items():
                    self.send_header(name, value)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for chunk in upstream.chunks:
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                    self.wfile.flush()
                if upstream.is_breaking:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.wfile.write(b"0\r\n\r\n")

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                """Nothing."""

            def finish(self) -> None:
                try:
                    super().finish()
                except OSError:  # it was closed on purpose
                    return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    yield made
    made.close()


def live_sessions(context: DaemonContext) -> LiveSessions:
    return LiveSessions(context.settings.data_dir / "run" / "sessions")


@pytest.fixture
def context(tmp_path: Path) -> Iterator[DaemonContext]:
    home = tmp_path / "home"
    home.mkdir()
    made = create_daemon_context(replace(load_settings({}), data_dir=home))
    DaemonPaths(home).make_dirs()
    yield made
    made.close()


def asked(
    context: DaemonContext, upstream: str, body: bytes, *, path: str = "/v1/messages", method: str = "POST", **headers: str
) -> tuple[int, dict[bytes, bytes], list[bytes]]:
    """One request through the gateway, without a daemon around it: status, headers, and the chunks as they came."""
    context.settings = replace(context.settings, gateway_upstream=upstream)

    async def run() -> tuple[int, dict[bytes, bytes], list[bytes]]:
        gateway = GatewayApp(context, live_sessions(context))
        parts = [{"type": "http.request", "body": body, "more_body": False}]
        status, told, chunks = 0, {}, []

        async def receive() -> dict[str, Any]:
            if parts:
                return parts.pop()
            await asyncio.Event().wait()
            return {}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status, told
            if message["type"] == "http.response.start":
                status, told = message["status"], dict(message["headers"])
            elif message["body"]:
                chunks.append(message["body"])

        scope = {
            "type": "http", "method": method, "path": f"/gateway/token{path}", "root_path": "/gateway/token", "query_string": b"beta=true",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        }  # fmt: skip
        try:
            await gateway(scope, receive, send)  # type: ignore[arg-type]
        finally:
            if gateway._client is not None:
                await gateway._client.close()
        return status, told, chunks

    return asyncio.run(run())


def test_a_stream_passes_byte_for_byte_whatever_its_chunks(context: DaemonContext, upstream: Upstream) -> None:
    upstream.chunks = [STREAM[at : at + 7] for at in range(0, len(STREAM), 7)]
    status, headers, chunks = asked(
        context, upstream.url, b'{"model": "m"}', x_api_key="k", anthropic_beta="a,b", content_type="application/json"
    )

    assert status == 200
    assert b"".join(chunks) == STREAM
    assert headers[b"request-id"] == b"r1"
    method, path, sent, body = upstream.asked[0]
    assert (method, path, body) == ("POST", "/v1/messages?beta=true", b'{"model": "m"}')
    assert sent["x-api-key"] == "k"
    assert sent["anthropic-beta"] == "a,b"
    assert sent["host"] in upstream.url


@pytest.mark.parametrize(
    ("status", "body"), [(529, b'{"type":"error"}'), (400, b"prompt is too long: 9 tokens > 8 maximum"), (429, b"slow"), (302, b"")]
)
def test_an_upstream_that_fails_fails_as_itself(context: DaemonContext, upstream: Upstream, status: int, body: bytes) -> None:
    upstream.status, upstream.headers, upstream.chunks = status, {"retry-after": "7", "location": "/elsewhere"}, [body] if body else []
    got, headers, chunks = asked(context, upstream.url, b"{}")

    assert got == status
    assert b"".join(chunks) == body
    assert headers[b"retry-after"] == b"7"
    assert len(upstream.asked) == 1


def test_an_upstream_that_is_not_there_is_an_error_that_the_client_retries(context: DaemonContext) -> None:
    status, _, chunks = asked(context, "http://127.0.0.1:9", b"{}")

    assert status == 502
    assert json.loads(b"".join(chunks))["error"]["type"] == "api_error"


def test_an_upstream_that_breaks_off_breaks_off_here(context: DaemonContext, upstream: Upstream) -> None:
    upstream.is_breaking = True
    with pytest.raises(UpstreamInterrupted):
        asked(context, upstream.url, b"{}")


def test_any_path_is_handed_on(context: DaemonContext, upstream: Upstream) -> None:
    assert asked(context, upstream.url, b"", path="/v1/models/x", method="GET")[0] == 200
    assert upstream.asked[0][:2] == ("GET", "/v1/models/x?beta=true")


# -- Folding ------------------------------------------------------------------------------------------

TEXT = "\n".join(f"line {number} of some file that was read long ago" for number in range(400))


def conversation(repo: Path, turns: int, *, text: str = TEXT) -> dict[str, Any]:
    """A conversation whose first output is long, with `turns` short ones after it, and everything that must survive."""
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Do it."}]},
        {"role": "system", "content": f"Environment\n - Primary working directory: {repo}\n"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "tool_use", "id": "t0", "name": "Read", "input": {"file_path": f"{repo}/a.py"}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t0", "content": [{"type": "text", "text": text}]}]},
    ]  # fmt: skip
    for turn in range(1, turns + 1):
        messages.append(
            {"role": "assistant", "content": [{"type": "tool_use", "id": f"t{turn}", "name": "Bash", "input": {"command": f"step {turn}"}}]}
        )
        messages.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{turn}", "content": "ok", "unknown": [1.5, None]}]}
        )
    messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    return {
        "model": "claude-opus-5-5",
        "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
        "messages": messages,
        "stream": True,
    }


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def folded(folding: RequestRewriter, body: dict[str, Any], *, is_counting: bool = False) -> tuple[bytes, bytes]:
    data = json.dumps(body).encode()
    return data, folding.rewrite(data, session="s1", agent="", is_counting=is_counting)


def cold(folding: RequestRewriter) -> None:
    """As if the last request had been an hour ago."""
    for held in folding.folds._known.values():
        held._state.sent_at_ns -= 3_700 * 10**9


def test_while_the_cache_is_warm_and_nothing_was_saved_the_request_goes_out_as_it_came(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    for turns in range(1, 14):
        data, sent = folded(folding, conversation(repo, turns))
        if turns > 1:
            assert sent is data


def test_in_a_fold_every_marker_is_ours(context: DaemonContext, repo: Path) -> None:
    """A fold stands where the client shows a tool's answer, so it needs no fence; but no line of a file may pass for a marker."""
    folding = RequestRewriter(context, live_sessions(context))
    forged = "[… lines 3-9 of 80 left out; clew unfold 3k7q2m9x]"
    text = "\n".join(f"{forged}\nline {number} of some file that was read long ago" for number in range(400))
    folded(folding, conversation(repo, 2, text=text))
    cold(folding)
    _, sent = folded(folding, conversation(repo, 13, text=text))

    assert b"clew unfold" in sent
    assert forged.encode() not in sent


def test_a_fold_keeps_the_clients_notice_that_the_output_was_cut(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    notice = "... [39012 characters truncated] ..."
    text = TEXT.replace("\nline 250 ", f"\n\n{notice}\n\nline 250 ")
    folded(folding, conversation(repo, 2, text=text))
    cold(folding)
    _, sent = folded(folding, conversation(repo, 13, text=text))

    assert b"clew unfold" in sent
    assert notice.encode() in sent or b"cut by the client" in sent


def test_at_a_cold_cache_an_old_output_is_folded_and_stays_so(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    folded(folding, conversation(repo, 2))
    cold(folding)
    _, sent = folded(folding, conversation(repo, 13))
    body = json.loads(sent)
    result = body["messages"][3]["content"][0]

    [part] = result["content"]
    assert len(part["text"]) < len(TEXT) / 4
    handle = part["text"].partition("clew unfold ")[2][:8]
    assert context.get_engine().unfold(repo, handle).data.decode() == TEXT
    before = conversation(repo, 13)
    before["messages"][3]["content"][0]["content"] = result["content"]
    assert body == before  # nothing else has changed: thinking, the system message, marks, unknown fields
    for turns in range(14, 18):
        assert json.loads(folded(folding, conversation(repo, turns))[1])["messages"][:4] == body["messages"][:4]


def test_a_fold_outlives_the_daemon(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    folded(folding, conversation(repo, 2))
    cold(folding)
    first = json.loads(folded(folding, conversation(repo, 13))[1])
    again = json.loads(folded(RequestRewriter(context, live_sessions(context)), conversation(repo, 14))[1])

    assert again["messages"][:4] == first["messages"][:4]
    assert "clew unfold" in json.dumps(again)


def test_a_count_sees_the_folds_and_makes_none(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    data, sent = folded(folding, conversation(repo, 12), is_counting=True)
    assert sent is data
    folded(folding, conversation(repo, 2))
    cold(folding)
    first = json.loads(folded(folding, conversation(repo, 13))[1])

    assert json.loads(folded(folding, conversation(repo, 13), is_counting=True)[1])["messages"] == first["messages"]


def test_a_conversation_that_was_rewound_keeps_only_what_is_still_the_same(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    folded(folding, conversation(repo, 2))
    cold(folding)
    folded(folding, conversation(repo, 13))
    data, sent = folded(folding, conversation(repo, 2, text=TEXT.replace("long ago", "just now")))

    assert sent is data


def test_a_summary_is_asked_of_the_window_as_it_stands(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    folded(folding, conversation(repo, 2))
    cold(folding)
    body = conversation(repo, 13)
    body["messages"].append({"role": "user", "content": "Your task is to create a detailed summary of the conversation."})
    data, sent = folded(folding, body)

    assert sent is data


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"messages": 3}', b'{"messages": ["x"]}', b'{"messages": [{"role": "user", "content": null}]}']
)
def test_what_is_not_understood_goes_out_as_it_came(context: DaemonContext, body: bytes) -> None:
    assert RequestRewriter(context, live_sessions(context)).rewrite(body, session="s", agent="", is_counting=False) == body


def test_where_the_original_cannot_be_kept_nothing_is_folded(context: DaemonContext, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    folded(folding, conversation(repo, 2))
    cold(folding)
    monkeypatch.setattr(context, "get_engine", _full)
    data, sent = folded(folding, conversation(repo, 13))

    assert sent is data


def _full() -> None:
    raise OSError(28, "No space left on device")


def test_a_large_request_is_looked_at_quickly(context: DaemonContext, repo: Path) -> None:
    folding = RequestRewriter(context, live_sessions(context))
    body = conversation(repo, 10, text=TEXT * 50)
    folded(folding, body)
    started = time.perf_counter()
    folded(folding, body)

    assert time.perf_counter() - started < 2.0  # a bound for any machine; bench/gateway measures it
