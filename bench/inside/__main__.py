"""Command: `python -m bench.inside [--repo DIR]`. What a prompt, a tool call and a request wait for, and what the daemon takes.

The client is the real one, against a scripted API on loopback (see `tests/real_client`); with and without clew run side by side, a
prompt in turn, so that what else the machine does falls on both. Differences are between the n-th prompt of one and the n-th of the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp

from bench.machine import REPOSITORY, provenance, write_result
from clew.adapters.claude_code.install import build_gateway_url
from clew.adapters.claude_code.plugin_files import TEMPLATE_DIR
from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.adapters.http import certificate, start
from clew.adapters.mcp.tools import SERVER_INSTRUCTIONS, TOOL_DEFINITIONS
from clew.text.tokens import make_counter
from tests.real_client.client import VERSIONS, Place, Session, installed, numbered
from tests.real_client.scripted_api import ScriptedAPI, use

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("aiohttp", "apsw", "httptools", "mcp", "numpy", "starlette", "uvicorn", "uvloop")
PROMPTS, SHIMS, STARTS, REQUESTS, CHUNKS = 40, 100, 7, 60, 400
SHORT, FAULT_PROMPTS, LARGE_FILES = 20, 6, 100_000
NOUNS = (
    "account",
    "invoice",
    "ledger",
    "order",
    "cart",
    "token",
    "route",
    "worker",
    "queue",
    "cache",
    "index",
    "event",
    "metric",
    "policy",
)
VERBS = ("parse", "render", "fetch", "store", "update", "delete", "create", "merge", "split", "batch", "audit", "grant")
REQUEST_BYTES = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.inside", description=__doc__)
    parser.add_argument("--repo", type=Path, default=REPOSITORY, help="the repository that the sessions are held in (this one)")
    parser.add_argument("--parts", default="hooks,short,faults,gateway,daemon", metavar="NAME,…")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    repo = given.repo.resolve()
    words = ("--repo", repo.name) if repo != REPOSITORY else ()
    source = provenance(("python", "-m", "bench.inside", *words, "--parts", given.parts), PACKAGES)
    parts: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
        "hooks": hooks, "large": large, "short": short, "faults": faults, "gateway": gateway, "daemon": daemon,
    }  # fmt: skip
    result: dict[str, Any] = {
        "name": source.name,
        **source.as_json(),
        "repository": "clew" if repo == REPOSITORY else repo.name,
        "rows": [],
    }
    for name in given.parts.split(","):
        result["rows"] += parts[name](repo)
        write_result(given.results / f"{source.name}-{result['repository']}.json", result)
        text = table(result)
        (given.results / f"{source.name}-{result['repository']}.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


# -- Prompts and tool calls -------------------------------------------------------------------------


def names_in(repo: Path) -> list[str]:
    """Names to ask for: functions of the repository, spread over its files."""
    done = subprocess.run(
        ["git", "grep", "-hoP", r"(?<=^def )[a-z_]{8,30}(?=\()", "--", "*.py"], cwd=repo, capture_output=True, text=True, check=False
    )
    found = sorted(set(done.stdout.split()))
    return found[:: max(1, len(found) // PROMPTS)][:PROMPTS] or ["something"]


def hooks(repo: Path) -> list[dict[str, Any]]:
    """Added wall time per prompt and per tool call, with clew and with a command hook that does nothing, by client."""
    rows: list[dict[str, Any]] = []
    for version in dict.fromkeys(map(numbered, VERSIONS)):
        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder, ScriptedAPI() as api, ExitStack() as stack:
            arms = {arm: Place(Path(folder) / arm, version, repo=repo) for arm in ("without", "clew", "python hook")}
            arms["clew"].clew("init")
            stack.callback(lambda place=arms["clew"]: place.clew("serve", "--stop", check=False))
            _python_hook(arms["python hook"])
            sessions = {arm: stack.enter_context(place.session(url=api.url)) for arm, place in arms.items()}
            took = {arm: _Took([], []) for arm in arms}
            names = names_in(repo)
            for number in range(PROMPTS + 3):
                for arm, session in sessions.items():
                    one = _prompt(api, session, f"Step {number}: what does `{names[number % len(names)]}` return, and who calls it?")
                    if number >= 3:  # the first ones load what is loaded once
                        took[arm].prompts.append(one[0])
                        took[arm].tools.append(one[1])
        rows += [
            _added(version, arm, what, getattr(took[arm], what), getattr(took["without"], what))
            for arm in ("clew", "python hook")
            for what in ("prompts", "tools")
        ]
    return rows


class _Took:
    def __init__(self, prompts: list[float], tools: list[float]) -> None:
        self.prompts, self.tools = prompts, tools


def _python_hook(place: Place) -> None:
    """The rival: a hook that starts Python and does nothing, as most memory plugins do before they begin."""
    hook = {"type": "command", "command": f"{sys.executable} -c 'import json,sys; json.load(sys.stdin)'"}
    (place.home / ".claude").mkdir()
    events = {event: [{"hooks": [hook]}] for event in ("UserPromptSubmit", "PostToolUse")}
    (place.home / ".claude" / "settings.json").write_text(json.dumps({"hooks": events}))


def _prompt(api: ScriptedAPI, session: Session, prompt: str) -> tuple[float, float]:
    """Milliseconds from the prompt to the request that carries it, and from the model's call of a tool to the request with its result."""
    api.main[:] = [[use("Bash", command="true", description="nothing")], "Done."]
    before = len(api.asked)
    started = time.perf_counter()
    session.ask(prompt)
    first, second = [asked for asked in api.asked[before:] if asked.kind == "main"][:2]
    return (first.at - started) * 1000, (second.at - first.answered_at) * 1000


def _added(version: str, arm: str, what: str, own: Sequence[float], without: Sequence[float]) -> dict[str, Any]:
    added = sorted(each - plain for each, plain in zip(own, without, strict=True))
    return {
        "part": "hooks", "client": version, "arm": arm, "what": f"added per {what[:-1]}", "n": len(added), "unit": "ms",
        "p50": round(statistics.median(added), 1), "p95": round(added[int(0.95 * len(added))], 1),
        "without_p50": round(statistics.median(without), 1), "medians_apart": round(statistics.median(own) - statistics.median(without), 1),
    }  # fmt: skip


def large(repo: Path) -> list[dict[str, Any]]:
    """The same in a repository of 100,000 small files, which is made for it."""
    del repo
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        made = Path(folder) / "repo"
        for number in range(LARGE_FILES):
            place = made / f"part_{number % 100}" / f"piece_{number // 100 % 50}"
            place.mkdir(parents=True, exist_ok=True)
            noun, verb = NOUNS[number % len(NOUNS)], VERBS[number // 7 % len(VERBS)]
            (place / f"{verb}_{noun}_{number}.py").write_text(
                f'"""{verb.title()} the {noun}."""\n\n\ndef {verb}_{noun}_{number}({noun}):\n    return {noun} + {number}\n'
            )
        git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "start"]):
            subprocess.run([*git, *words], cwd=made, check=True, capture_output=True)
        return [{**row, "part": "large"} for row in hooks(made) if row["arm"] == "clew"]


# -- Short calls ------------------------------------------------------------------------------------


def short(repo: Path) -> list[dict[str, Any]]:
    """`claude -p "hi"`: the whole call with clew, with an empty mod, and without either; and the tokens of tools and instructions."""
    rows: list[dict[str, Any]] = []
    for version in dict.fromkeys(map(numbered, VERSIONS)):
        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder, ScriptedAPI() as api, ExitStack() as stack:
            arms = {arm: Place(Path(folder) / arm, version, repo=repo) for arm in ("without", "clew", "empty mod")}
            for arm in ("clew", "empty mod"):
                arms[arm].clew("init")
                stack.callback(lambda place=arms[arm]: place.clew("serve", "--stop", check=False))
            _empty_mod(arms["empty mod"])
            took: dict[str, list[float]] = {arm: [] for arm in arms}
            for number in range(SHORT + 2):
                for arm, place in arms.items():
                    api.main[:] = ["Hello."]
                    began = time.perf_counter()
                    place.claude("-p", "hi", url=api.url)
                    if number >= 2:
                        took[arm].append((time.perf_counter() - began) * 1000)
            rows += [
                {**_added(version, arm, "prompts", took[arm], took["without"]), "part": "short", "what": "added to a call of one prompt"}
                for arm in ("clew", "empty mod")
            ]
    tools = [
        {"name": f"mcp__plugin_clew_clew__{each['name']}", "description": each["description"], "input_schema": each["inputSchema"]}
        for each in TOOL_DEFINITIONS
    ]
    count = make_counter("claude").count
    tokens = count(json.dumps(tools, separators=(",", ":"))) + count(SERVER_INSTRUCTIONS)
    rows.append(_row("short", "tools and instructions in each request", [tokens], "tokens"))
    return rows


def _empty_mod(place: Place) -> None:
    """Of clew's plugin, a mod that does nothing is left: what the client itself takes to load one."""
    for file in [*place.home.rglob("hooks.json"), *place.clew_home.rglob("hooks.json")]:
        file.write_text(json.dumps({"hooks": {}, "modules": ["./register.js"]}))
        (file.parent / "register.js").write_text("export function register() {}\n")
        (file.parent.parent / ".mcp.json").write_text('{"mcpServers": {}}')


# -- Faults -----------------------------------------------------------------------------------------


def _killed(place: Place) -> None:
    for pid in place.daemon().values():
        if isinstance(pid, int):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _stopped(place: Place) -> None:
    for name in ("pid", "worker"):
        os.kill(place.daemon()[name], signal.SIGSTOP)


def _mute(place: Place) -> None:
    place.clew("serve", "--stop")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(DaemonPaths(place.clew_home).socket))
    listening.listen(64)
    _held.append(listening)


def _read_only(place: Place) -> None:
    place.clew("serve", "--stop")
    folder = str(place.clew_home)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)


_held: list[socket.socket] = []
FAULTS: dict[str, Callable[[Place], None]] = {"killed": _killed, "stopped": _stopped, "mute": _mute, "read-only": _read_only}


def faults(repo: Path) -> list[dict[str, Any]]:
    """What the first prompt after a fault waits for, and the median of those after it, more than the same prompts without clew."""
    rows: list[dict[str, Any]] = []
    for version in dict.fromkeys(map(numbered, VERSIONS)):
        for name, breaks in FAULTS.items():
            with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder, ScriptedAPI() as api, ExitStack() as stack:
                arms = {arm: Place(Path(folder) / arm, version, repo=repo) for arm in ("without", "clew")}
                arms["clew"].clew("init")
                stack.callback(lambda place=arms["clew"]: _mended(place))
                sessions = {arm: stack.enter_context(place.session(url=api.url)) for arm, place in arms.items()}
                took: dict[str, list[float]] = {arm: [] for arm in arms}
                for number in range(3 + FAULT_PROMPTS):
                    if number == 3:
                        breaks(arms["clew"])
                    for arm, session in sessions.items():
                        one = _prompt(api, session, f"Step {number}: what does `main` return?")
                        if number >= 3:
                            took[arm].append(sum(one))
            added = [own - plain for own, plain in zip(took["clew"], took["without"], strict=True)]
            rows += [
                {**_row("faults", f"{name}: first prompt and tool call", added[:1], "ms"), "client": version},
                {**_row("faults", f"{name}: later prompts and tool calls", added[1:], "ms"), "client": version},
            ]
    return rows


def _mended(place: Place) -> None:
    subprocess.run(["umount", str(place.clew_home)], capture_output=True, check=False)
    for name in ("pid", "worker"):
        with suppress(KeyError, TypeError, ProcessLookupError):
            os.kill(place.daemon()[name], signal.SIGCONT)
    while _held:
        _held.pop().close()
    place.clew("serve", "--stop", check=False)


# -- Gateway ----------------------------------------------------------------------------------------


@contextmanager
def streaming() -> Iterator[str]:
    """An upstream that answers a request at once with many small chunks, each with the time when it left."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # as the servers that stream do; else the second small write waits 40 ms for the first one's ACK

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for _ in range(CHUNKS if self.headers.get("x-many") else 1):
                data = f"data: {time.perf_counter_ns():020d}\n\n".encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
                if self.headers.get("x-many"):
                    time.sleep(0.002)
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def body_of(size: int) -> bytes:
    """A request of a long session: many turns, long outputs of tools."""
    text = "\n".join(f"line {number} of a file that a session read" for number in range(120))
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Begin."}]
    while len(messages) * len(text) < 2 * size:
        at = len(messages)
        messages.append(
            {"role": "assistant", "content": [{"type": "tool_use", "id": f"t{at}", "name": "Bash", "input": {"command": f"cat {at}"}}]}
        )
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{at}", "content": f"{at}\n{text}"}]})
    return json.dumps({"model": "claude-opus-5-5", "max_tokens": 9, "stream": True, "messages": messages}).encode()


def gateway(repo: Path) -> list[dict[str, Any]]:
    """Time to the first byte, and delay of a chunk, through the gateway, through a bare pass-through, and without either."""
    del repo
    body = body_of(REQUEST_BYTES)
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder, streaming() as upstream, _passing(upstream) as passing:
        paths = DaemonPaths(Path(folder))
        os.environ["CLEW_GATEWAY_UPSTREAM"] = upstream
        start.ensure_daemon(paths)
        try:
            where = ensure_address(paths)
            urls = {"direct": upstream, "clew": build_gateway_url(where), "pass-through": passing}
            trusted = certificate.create_client_context(paths)
            first = asyncio.run(_first_bytes(urls, body, trusted))
            delays = asyncio.run(_delays(urls, trusted))
        finally:
            start.stop_daemon(paths)
            del os.environ["CLEW_GATEWAY_UPSTREAM"]
    rows: list[dict[str, Any]] = []
    for arm in ("clew", "pass-through"):
        for what, told in (("to first byte", first), ("per chunk", delays)):
            added = sorted(each - plain for each, plain in zip(told[arm], told["direct"], strict=True))
            rows.append({
                "part": "gateway", "client": "", "arm": arm, "what": f"added {what}", "n": len(added), "unit": "ms",
                "p50": round(statistics.median(added), 2), "p95": round(added[int(0.95 * len(added))], 2),
                "without_p50": round(statistics.median(told["direct"]), 2),
                "medians_apart": round(statistics.median(told[arm]) - statistics.median(told["direct"]), 2),
            })  # fmt: skip
    rows[0]["request_bytes"] = len(body)
    return rows


@contextmanager
def _passing(upstream: str) -> Iterator[str]:
    """The rival: the same libraries, handing on and looking at nothing."""
    code = (
        "import sys, aiohttp, uvicorn\n"
        "client = None\n"
        "async def app(scope, receive, send):\n"
        "    global client\n"
        "    if scope['type'] != 'http': return\n"
        "    client = client or aiohttp.ClientSession(auto_decompress=False)\n"
        "    parts = []\n"
        "    while True:\n"
        "        told = await receive(); parts.append(told.get('body', b''))\n"
        "        if not told.get('more_body'): break\n"
        "    kept = {n.decode(): v.decode() for n, v in scope['headers'] if n in (b'x-many', b'content-type')}\n"
        "    async with client.post(sys.argv[1] + scope['path'], data=b''.join(parts), headers=kept) as answer:\n"
        "        told = [(b'content-type', b'text/event-stream')]\n"
        "        await send({'type': 'http.response.start', 'status': answer.status, 'headers': told})\n"
        "        async for chunk in answer.content.iter_any():\n"
        "            await send({'type': 'http.response.body', 'body': chunk, 'more_body': True})\n"
        "    await send({'type': 'http.response.body', 'body': b''})\n"
        "uvicorn.run(app, port=int(sys.argv[2]), log_level='error', lifespan='off')\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        port = ensure_address(DaemonPaths(Path(folder))).port
    process = subprocess.Popen([sys.executable, "-c", code, upstream, str(port)])
    try:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(OSError):
                connection = HTTPConnection("127.0.0.1", port, timeout=1)
                connection.connect()
                connection.close()
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def _first_bytes(urls: Mapping[str, str], body: bytes, trusted: ssl.SSLContext) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {arm: [] for arm in urls}
    headers = {"x-claude-code-session-id": "bench", "content-type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as client:
        for number in range(REQUESTS + 3):
            for arm, url in urls.items():
                started = time.perf_counter()
                async with client.post(f"{url}/v1/messages", data=body, headers=headers) as answer:
                    await answer.content.readany()
                    if number >= 3:
                        took[arm].append((time.perf_counter() - started) * 1000)
                    await answer.read()
    return took


async def _delays(urls: Mapping[str, str], trusted: ssl.SSLContext) -> dict[str, list[float]]:
    """Milliseconds from a chunk's leaving to its coming, of each chunk."""
    took: dict[str, list[float]] = {arm: [] for arm in urls}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as client:
        for _ in range(2):
            for arm, url in urls.items():
                async with client.post(
                    f"{url}/v1/messages", data=b"{}", headers={"x-many": "1", "content-type": "application/json"}
                ) as answer:
                    got = [(time.perf_counter_ns() - int(line[6:])) / 1e6 async for line in answer.content if line.startswith(b"data: ")]
                took[arm] += got[:CHUNKS]
    return took


# -- Daemon -----------------------------------------------------------------------------------------


def daemon(repo: Path) -> list[dict[str, Any]]:
    """Start, memory and idle time of the daemon with this repository indexed; the shim beside a bare interpreter."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        paths = DaemonPaths(Path(folder))
        env = {**os.environ, "CLEW_HOME": folder}
        subprocess.run([sys.executable, "-m", "clew", "index", str(repo)], env=env, check=True, capture_output=True)
        starts: list[float] = []
        for _ in range(STARTS):
            started = time.perf_counter()
            start.ensure_daemon(paths)
            starts.append((time.perf_counter() - started) * 1000)
            start.stop_daemon(paths)
        rows.append(_row("daemon", "start to first answer", starts, "ms"))
        start.ensure_daemon(paths)
        try:
            _ask_tools(paths, repo)
            shim, bare = _shims(paths)
            pids = start.find_running_daemon(paths)
            assert pids is not None
            memory = [_resident_mb(pids.worker_pid), _resident_mb(pids.pid)]
            before = _cpu_s(pids.worker_pid) + _cpu_s(pids.pid)
            time.sleep(20)
            idle = (_cpu_s(pids.worker_pid) + _cpu_s(pids.pid) - before) / 20 * 100
        finally:
            start.stop_daemon(paths)
    rows.append(_row("daemon", "resident, worker, after a prompt and each tool", [memory[0]], "MB"))
    rows.append(_row("daemon", "resident, supervisor", [memory[1]], "MB"))
    rows.append(_row("daemon", "CPU while idle, of one core", [round(idle, 3)], "%"))
    added = [each - plain for each, plain in zip(shim, bare, strict=True)]
    rows.append({**_row("daemon", "shim, added to a bare interpreter", added, "ms"), "without_p50": round(statistics.median(bare), 1)})
    return rows


def _ask_tools(paths: DaemonPaths, repo: Path) -> None:
    """A prompt, and each tool that answers from the index: so that everything that is loaded once is loaded."""
    name = names_in(repo)[0]
    hook = {"session_id": "bench", "cwd": str(repo), "prompt": f"What does `{name}` do, and who calls it?"}
    start.request(paths, "POST", "/hook/UserPromptSubmit", hook, timeout_s=20)
    start.request(paths, "POST", "/hook/UserPromptSubmit", {**hook, "prompt": f"Where else is `{name}`?"}, timeout_s=20)
    for tool, arguments in (
        ("recall", {"question": hook["prompt"], "repo": str(repo)}),
        ("recall", {"question": "how are errors handled?", "repo": str(repo)}),
    ):
        connection = HTTPSConnection("127.0.0.1", ensure_address(paths).port, timeout=60, context=certificate.create_client_context(paths))
        headers = {
            "Authorization": f"Bearer {ensure_address(paths).token}", "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }  # fmt: skip
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        connection.request("POST", "/mcp/", body=json.dumps(message), headers=headers)
        assert b"error" not in connection.getresponse().read()[:60]
        connection.close()


def _shims(paths: DaemonPaths) -> tuple[list[float], list[float]]:
    run = f"import sys; sys.path.insert(0, {str(TEMPLATE_DIR / 'clew')!r}); import clew_hook; clew_hook.run(sys.argv[1:])"
    words = [sys.executable, "-I", "-S", "-c", run, str(paths.socket), "hook/Unheard"]
    bare = [sys.executable, "-I", "-S", "-c", "import sys; sys.stdin.buffer.read()"]
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(SHIMS):
        for each, into in ((words, took[0]), (bare, took[1])):
            started = time.perf_counter()
            subprocess.run(each, input=b'{"session_id": "bench"}', stdout=subprocess.DEVNULL, check=True)
            into.append((time.perf_counter() - started) * 1000)
    return took


def _row(part: str, what: str, values: Sequence[float], unit: str) -> dict[str, Any]:
    ordered = sorted(values)
    return {
        "part": part, "client": "", "arm": "clew", "what": what, "n": len(ordered), "unit": unit,
        "p50": round(statistics.median(ordered), 2), "p95": round(ordered[int(0.95 * len(ordered))], 2),
    }  # fmt: skip


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6, 1)


def _cpu_s(pid: int) -> float:
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def table(result: Mapping[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    machine = result["machine"]
    columns = ("part", "client", "arm", "what", "n", "p50", "p95", "unit", "without_p50", "medians_apart")
    lines = [f"{result['name']}, {result['repository']}: {machine['cpu']}, {machine['cores']} cores, {machine['python']}", ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in columns) + " |" for row in result["rows"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for each in VERSIONS:
        installed(numbered(each))
    sys.exit(main())
