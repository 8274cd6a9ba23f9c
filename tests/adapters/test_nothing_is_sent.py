"""Nothing is sent anywhere but to what the user named: a day's work, with every other connection refused and counted in every process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.claude_code import plugin_files
from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.adapters.http import certificate
from clew.samples import TIES
from tests.adapters.daemon import repository, until
from tests.adapters.test_gateway import Upstream

SOURCE = Path(__file__).parents[2] / "src"
FILES = {"calc.py": "def add_one(x):\n    return x + 1\n", "use.py": "from calc import add_one\n\nprint(add_one(1))\n"}
SESSION = "11111111-2222-4333-8444-555555555555"
NOWHERE = "192.0.2.1"  # an address for documents, which belongs to nobody: RFC 5737
DELIBERATE = {
    "a connection": f"import socket; socket.create_connection(('{NOWHERE}', 443), 1)",
    "a name": "import socket; socket.getaddrinfo('clew.example', 443)",
    "a datagram": f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{NOWHERE}', 53))",
    "another port of this machine": "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
    "IPv6": "import socket; socket.create_connection(('2001:db8::1', 443), 1)",
    "an event loop": f"import asyncio, uvloop; uvloop.run(asyncio.open_connection('{NOWHERE}', 443))",
}


@dataclass(frozen=True)
class Watched:
    """A user's machine on which each process has the library loaded that refuses and counts."""

    root: Path
    environment: dict[str, str]
    upstream: Upstream
    paths: DaemonPaths

    def run(self, *words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, words)),
            input=given,
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment,
            timeout=120,
            check=False,
        )

    def clew(self, *words: str | Path, given: str = "") -> str:
        done = self.run(sys.executable, "-m", "clew", *words, given=given)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def lines(self, variable: str) -> list[str]:
        path = Path(self.environment[variable])
        return path.read_text(errors="replace").splitlines() if path.exists() else []

    @property
    def attempts(self) -> list[str]:
        return self.lines("CLEW_TEST_ATTEMPTS")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if sys.platform != "linux":
        pytest.skip(f"LD_PRELOAD is Linux's: on {sys.platform} nobody shows that nothing is sent")
    if compiler is None:
        pytest.skip("no C compiler `cc` is here, so nobody shows that nothing is sent")
    made = tmp_path_factory.mktemp("refusing") / "refusing.so"
    source = Path(__file__).with_name("refusing.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True, capture_output=True)
    return made


@pytest.fixture
def watched(library: Path, tmp_path: Path) -> Iterator[Watched]:
    root = repository(tmp_path / "repo", FILES)
    paths = DaemonPaths(tmp_path / "data")
    upstream = Upstream()
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "claude").write_text("#!/bin/sh\necho '2.1.332 (Claude Code)'\n")
    (programs / "claude").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLEW_", "CLAUDE_", "ANTHROPIC_"))}
    environment = {
        **kept, "HOME": str(tmp_path / "user"), "CLEW_HOME": str(paths.home), "PYTHONPATH": str(SOURCE),
        "PATH": f"{programs}:{os.environ['PATH']}", "CLEW_GATEWAY_UPSTREAM": upstream.url, "LD_PRELOAD": str(library),
        "CLEW_TEST_ATTEMPTS": str(tmp_path / "attempts"), "CLEW_TEST_LOADED": str(tmp_path / "loaded"),
        "CLEW_TEST_PORTS": f",{upstream.url.rpartition(':')[2]},{ensure_address(paths).port},",
    }  # fmt: skip
    made = Watched(root, environment, upstream, paths)
    yield made
    made.run(sys.executable, "-m", "clew", "serve", "--stop")
    upstream.close()


def plugin_hooks(watched: Watched) -> dict[str, list[str]]:
    """The command of each hook, as the client would run it."""
    told = json.loads((plugin_files.marketplace_dir(watched.paths) / "clew" / "hooks" / "hooks.json").read_text())["hooks"]
    found: dict[str, list[str]] = {}
    for event, groups in told.items():
        hook = groups[0]["hooks"][0]
        found[event] = [hook["command"], *hook.get("args", [])]
    return found


def session_with(watched: Watched, transcript: Path) -> None:
    """What the client's hooks say in one session, each in a process of its own, and what its tools ask."""
    told: dict[str, Any] = {"session_id": SESSION, "cwd": str(watched.root), "transcript_path": str(transcript)}
    more: dict[str, dict[str, Any]] = {
        "SessionStart": {"source": "startup"},
        "UserPromptSubmit": {"prompt": "where is add_one called, and what does it return?"},
        "PostToolUse": {"tool_name": "Bash", "tool_input": {"command": "pytest"}, "tool_response": {"stdout": "ok\n" * 2000, "stderr": ""}},
        "PreCompact": {"trigger": "auto"},
        "Stop": {"last_assistant_message": "done"},
        "SessionEnd": {"reason": "other"},
    }
    for event, words in plugin_hooks(watched).items():
        done = watched.run(*words, given=json.dumps({**told, "hook_event_name": event, **more.get(event, {})}))
        assert (done.returncode, done.stderr) == (0, ""), (event, done.stderr)
    server = json.loads((plugin_files.marketplace_dir(watched.paths) / "clew" / ".mcp.json").read_text())["mcpServers"]["clew"]
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        *({"jsonrpc": "2.0", "id": at, "method": "tools/call", "params": each} for at, each in enumerate(TOOLS, 2)),
    ]
    done = watched.run(server["command"], *server["args"], given="".join(json.dumps(each) + "\n" for each in asked))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["result"].get("isError", False) for each in answers if "result" in each] == [False] * (len(TOOLS) + 1), answers


TOOLS = (
    {"name": "recall", "arguments": {"question": "which rope is stronger?"}},
    {"name": "impact", "arguments": {"names": ["calc.py"]}},
    {"name": "remember", "arguments": {"text": "the tests run with pytest"}},
)


def through_gateway(watched: Watched) -> int:
    """Status of a request as the client sends it."""
    where = ensure_address(watched.paths)
    connection = HTTPSConnection("127.0.0.1", where.port, timeout=20, context=certificate.create_client_context(watched.paths))
    body = json.dumps({"model": "claude-opus-4-7", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}).encode()
    try:
        connection.request("POST", f"/gateway/{where.gateway}/v1/messages", body, {"content-type": "application/json", "x-api-key": "k"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def test_a_days_work_sends_nothing_but_to_the_upstream_that_was_named(watched: Watched, tmp_path: Path) -> None:
    """Every process is watched: the daemon and its worker, the pool's, git, hooks, the tools' shim."""
    projects = tmp_path / "user" / ".claude" / "projects" / re.sub("[^a-zA-Z0-9]", "-", str(watched.root))
    projects.mkdir(parents=True)
    transcript = projects / f"{SESSION}.jsonl"
    shutil.copy(TIES, transcript)
    for number in range(60):  # as many as are read by several processes
        (watched.root / f"module{number}.py").write_text(f"def made_{number}():\n    return {number}\n" * 300)

    watched.clew("init", "--gateway")
    watched.clew("index")
    watched.clew("ingest")
    watched.clew("retrieve", "where is add_one called?", "--budget", "2000")
    watched.clew("map", "--budget", "1000")
    handle = json.loads(watched.clew("remember", "the upstream is named by the user", "--json"))["handle"]
    for command in ("unfold", "explain"):
        watched.clew(command, handle)
    watched.clew("impact", "calc.py")
    watched.clew("compact", transcript, "--budget", "4000")
    watched.clew("eval", projects)
    watched.clew("forget", "--dry-run")
    session_with(watched, transcript)
    assert through_gateway(watched) == 200
    watched.clew("status")
    assert watched.run(sys.executable, "-m", "clew", "doctor").returncode in {0, 1}
    watched.clew("purge", handle, "--reason", "a test", "--yes")
    watched.clew("repair")
    watched.clew("uninstall")

    assert watched.attempts == []
    assert [path for _, path, _, _ in watched.upstream.asked] == ["/v1/messages"]
    seen = "\n".join(watched.lines("CLEW_TEST_LOADED"))
    for process in (
        "supervise.py",
        "clew.adapters.http.worker",
        "clew_hook",
        "clew_mcp",
        "git --no-pager",
        "-m clew index",
        "multiprocessing",
    ):
        assert process in seen, process


@pytest.mark.parametrize("name", DELIBERATE)
def test_an_attempt_would_be_seen(watched: Watched, name: str) -> None:
    done = watched.run(sys.executable, "-c", DELIBERATE[name])

    assert done.returncode != 0
    assert len(watched.attempts) >= 1


def test_an_attempt_of_git_would_be_seen(watched: Watched) -> None:
    done = watched.run("git", "ls-remote", f"http://{NOWHERE}/rope.git")

    assert done.returncode != 0
    assert until(lambda: any(NOWHERE in line and "git" in line for line in watched.attempts))


def test_an_attempt_of_the_daemon_would_be_seen(watched: Watched) -> None:
    """Its upstream is one that nobody has let through."""
    watched.environment["CLEW_GATEWAY_UPSTREAM"] = f"http://{NOWHERE}:8080"
    watched.clew("serve", "--detach")

    assert through_gateway(watched) >= 500
    assert any(f"{NOWHERE}:8080" in line and "clew.adapters.http.worker" in line for line in watched.attempts)
