"""Hostile messages: every hook event, request of a mod, MCP tool, route of the daemon, request at the gateway and view of the page.

Whatever comes, there is an answer that the other side understands, nothing raises, nothing outside the data folder changes, and a hook
ends with 0.
"""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from clew.adapters.claude_code.plugin_files import TEMPLATE_DIR
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.gateway.folding import RequestRewriter
from clew.adapters.hooks import HookHandlers
from clew.adapters.http.app import DaemonApp
from clew.adapters.mcp.server import McpApp
from clew.adapters.mcp.tools import TOOL_DEFINITIONS
from clew.adapters.page.access import PageAccess
from clew.adapters.page.app import PageApp
from clew.adapters.page.views import POSTS, VIEWS
from clew.errors import NotReadable
from clew.samples import TIES
from clew.sessions.context import DaemonContext
from clew.settings import Settings
from clew.store.sqlite.repair import find_damage
from tests.adapters.daemon import repository
from tests.drills import doors
from tests.drills.inputs import BODIES, DEEP, NUL, TEXTS, VALUES, every_second, make_files
from tests.page.conftest import ORIGIN, PORT, SESSION

WELL_MEANT = {
    "prompt": "why does add_one add one?", "tool_name": "Bash", "tool_input": {"command": "git commit -m x"}, "tool_use_id": "t1",
    "tool_response": {"stdout": "x\n" * 40, "stderr": ""}, "source": "startup", "reason": "clear", "file_path": "/x", "path": "/x",
    "new_cwd": "/", "last_assistant_message": "done", "text": "y\n" * 40, "is_error": False, "window_chars": 5000, "said_last": "x",
    "instructions": "i", "context_window": {"current_usage": {"input_tokens": 5}}, "prompt_cache": {"warm": True}, "agent_id": "a",
}  # fmt: skip
WELL_ASKED = {
    "question": "add_one", "where": "all", "budget_tokens": 300, "handle": "zzzzzzzz", "lines": "1-2", "names": ["calc.py"], "limit": 3,
    "text": "t", "kind": "fact", "about": ["calc.py"], "subject": "s", "session": SESSION, "at": "3", "as_of": "2026-01-01",
}  # fmt: skip


@dataclass
class Place:
    """What the daemon has, in this process, with a repository, a session and hostile files beside them."""

    folder: Path
    repo: Path
    context: DaemonContext
    hooks: HookHandlers
    files: dict[str, Path]
    problems: list[str] = field(default_factory=list[str])

    def outside(self) -> set[tuple[str, int]]:
        """Every file outside the data folder, and when it was written."""
        home = self.context.settings.data_dir
        return {(str(path), path.lstat().st_mtime_ns) for path in self.folder.rglob("*") if not path.is_relative_to(home)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("messages")
    repo = repository(folder / "repo")
    problems: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": "user", "CLAUDE_CONFIG_DIR": "claude"}.items():
            patch.setenv(name, str(folder / value))
        context = DaemonContext(Settings(folder / "home", jobs=1), lambda where, what, _: problems.append(f"{where}: {what!r}"[:300]))
        DaemonPaths(folder / "home").make_dirs()
        (folder / "home" / "run" / "address.json").write_text("{}")
        context.get_engine().index(repo)
        context.get_engine().ingest([TIES], repo=repo)
        yield Place(folder, repo, context, HookHandlers(context), make_files(folder / "hostile"), problems)
        context.close()
    assert find_damage(folder / "home" / "clew.db") == []


# -- Hooks and mods -----------------------------------------------------------------------------------


def test_every_event_that_the_plugin_registers_has_a_handler() -> None:
    assert doors.registered_events() <= {event for client, event in doors.events() if client == "claude_code"}


@pytest.mark.parametrize(("client", "event"), [*doors.events(), ("claude_code", "statusline")])
def test_an_event_with_a_hostile_field_is_answered(place: Place, client: str, event: str) -> None:
    """A transcript that is none is a NotReadable, which the daemon records and answers with {}."""
    before = place.outside()
    about = {"session_id": "s1", "cwd": str(place.repo), "transcript_path": str(TIES), "hook_event_name": event}
    tried: list[dict[str, Any]] = [{**about, **WELL_MEANT, name: value} for name in about for value in (*VALUES[::5], NUL)]
    tried += [{**about, **WELL_MEANT, **dict.fromkeys(WELL_MEANT, value)} for value in every_second(VALUES, event)]
    files = every_second([*map(str, place.files.values())], event)
    tried += [{**about, **WELL_MEANT, "agent_id": "", "transcript_path": path, "cwd": path} for path in files]
    tried += [about, {"session_id": "s1"}, {}]
    for sent in tried[:: 3 if event == "mod/compact" else 1]:  # each of which may read a transcript
        payload = msgspec.json.decode(json.dumps(sent))
        try:
            if event == "statusline":
                assert isinstance(place.hooks.format_statusline(payload, client=client), str)
            else:
                msgspec.json.encode(place.hooks.handle_event(event, payload, client=client))
        except NotReadable:
            continue

    assert place.outside() == before
    assert all(file.parent == place.hooks.sessions.folder for file in place.hooks.sessions.folder.rglob("*"))
    assert (place.folder / "home" / "run" / "address.json").exists()


@pytest.mark.parametrize("route", [f"hook/{event}" for event in sorted(doors.registered_events())] + ["statusline"])
def test_a_hook_without_a_daemon_ends_with_0_whatever_it_is_sent(tmp_path: Path, route: str) -> None:
    run = f"import sys; sys.path.insert(0, {str(TEMPLATE_DIR / 'clew')!r}); import clew_hook; clew_hook.run(sys.argv[1:])"
    for body in (b"\xff\0" * 999, DEEP)[: 1 if route.endswith("SessionStart") else 2]:  # at a start it waits for a daemon
        words = [sys.executable, "-I", "-S", "-c", run, str(tmp_path / "serve.sock"), route]
        done = subprocess.run(words, input=body, capture_output=True, check=False, timeout=20)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"clew off") == (route == "statusline")


# -- The daemon, MCP and the gateway --------------------------------------------------------------------


@pytest.fixture(scope="module")
def daemon(place: Place) -> Iterator[TestClient]:
    app = DaemonApp(place.context, place.hooks, mounts={"/mcp": McpApp(place.context, place.hooks)})
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_every_route_of_the_daemon_answers_hostile_bodies_and_queries(place: Place, daemon: TestClient) -> None:
    app = DaemonApp(place.context, place.hooks)
    for route in app.routes.routes:
        path, methods = route.path, route.methods  # type: ignore[attr-defined]
        if path in ("/stop", "/page"):  # they read nothing of a request but who sent it
            continue
        for event in ("Stop", "prompt", "nobody", "..", "%00", "x" * 2000):
            filled = path.replace("{client}", event).replace("{event}", event).replace("{question}", event)
            for body in BODIES if "POST" in methods and event in ("Stop", "prompt") else BODIES[:1]:
                headers = {"x-clew-client-pid": "9" * 400}
                answer = daemon.request("POST" if "POST" in methods else "GET", filled, content=body, headers=headers)
                assert answer.status_code in (200, 404), (filled, body[:20], answer.text)
        for text in (*TEXTS, NUL) if "GET" in methods else ():
            assert daemon.get(path, params={"path": text, "session": text}).status_code == 200


@pytest.mark.parametrize(("tool", "argument"), [*doors.tools()])
def test_a_tool_answers_a_hostile_argument_with_words_that_help(place: Place, daemon: TestClient, tool: str, argument: str) -> None:
    """Either it answers, or its error says what was wrong; never that something in clew failed."""
    wanted = next(each for each in TOOL_DEFINITIONS if each["name"] == tool)["inputSchema"]["properties"]
    well = {name: WELL_ASKED[name] for name in wanted}
    for value in every_second(VALUES, f"{tool} {argument}"):
        told = ask_tool(daemon, place.repo, tool, {**well, argument: value})
        assert "could not answer" not in told["content"][0]["text"], value
        assert not told["isError"] or "\nTry: " in told["content"][0]["text"] or "was not read" in told["content"][0]["text"], told


def ask_tool(daemon: TestClient, folder: Path | str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    headers = {"accept": "application/json, text/event-stream", "x-clew-cwd": str(folder), "x-clew-client-pid": "9" * 400}
    answer = daemon.post("/mcp/", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    return {"isError": False, **result}


def test_mcp_answers_hostile_requests_with_errors_of_the_protocol(place: Place, daemon: TestClient) -> None:
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    methods = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": value}).encode()
        for name in ("tools/call", "initialize", "x") for value in VALUES[:11]
    ]  # fmt: skip
    for body in (*BODIES, *methods):
        answer = daemon.post("/mcp/", content=body, headers=headers)
        assert answer.status_code in (200, 202, 400), answer.text
        assert "Traceback" not in answer.text
    for folder in ("", "../..", "/nowhere", "/etc/passwd", "/" + "n" * 5000):
        assert "Try: " in ask_tool(daemon, folder, "recall", {"question": "x"})["content"][0]["text"]


def test_mcp_over_standard_input_goes_on_after_hostile_lines(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    for name in ("clew_mcp.py", "clew_ask.py"):
        (plugin / name).write_bytes((TEMPLATE_DIR / "clew" / name).read_bytes())
    (plugin / "tools.json").write_text('{"server": {}, "instructions": "", "tools": []}')
    run = f"import sys; sys.path.insert(0, {str(plugin)!r}); import clew_mcp; clew_mcp.run(sys.argv[1:])"
    lines = [body.replace(b"\n", b"") for body in BODIES if body.strip()]
    ping = b'{"jsonrpc":"2.0","id":"last","method":"ping"}'
    words = [sys.executable, "-I", "-S", "-c", run, str(tmp_path / "serve.sock")]
    done = subprocess.run(words, input=b"\n".join([*lines, ping, b""]), capture_output=True, check=False, timeout=30)
    answers = [json.loads(line) for line in done.stdout.splitlines()]

    assert (done.returncode, done.stderr) == (0, b"")
    assert {answer["error"]["code"] for answer in answers if "error" in answer} == {-32700, -32600}
    assert [answer["id"] for answer in answers if "result" in answer] == ["last"]
    assert len(answers) == len(lines) + 1


def test_the_gateway_sends_on_what_it_cannot_read_byte_for_byte(place: Place) -> None:
    rewriter = RequestRewriter(place.context, place.hooks.sessions)
    result = {"type": "tool_result", "tool_use_id": [], "content": {"a": 1}}
    wrong = (None, 1, [1], [{}], [{"role": 1, "content": 2}], [{"role": "user", "content": [result, None, 3]}])
    bodies = [*BODIES, *(json.dumps({"model": value, "messages": value}).encode() for value in (*wrong, *VALUES[:8]))]
    for body in (*bodies, b'{"messages":[' + DEEP_MESSAGE + b"]}"):
        for session in ("s1", "../../etc/passwd", "x" * 5000):
            for is_counting in (False, True):
                assert rewriter.rewrite(body, session=session, agent="a/b", is_counting=is_counting) == body
    assert not [problem for problem in place.problems if problem.startswith("gateway")]


DEEP_MESSAGE = b'{"role":"user","content":' + b"[" * 5000 + b"]" * 5000 + b"}"


# -- The page -------------------------------------------------------------------------------------------


@cache
def asked_names() -> list[str]:
    """Return the names of all query and form fields that a view asks for."""
    found: set[str] = set()
    for _, view in (*VIEWS, *POSTS):
        for node in ast.walk(ast.parse(Path(inspect.getfile(view)).read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="get" | "number"), args=[ast.Constant(value=str() as name), *_]):
                    found.add(name)
                case _:
                    pass
    return sorted(found)


@pytest.fixture(scope="module")
def browser(place: Place) -> Iterator[TestClient]:
    access = PageAccess(PORT)
    app = PageApp(place.context, place.hooks.sessions, access)
    client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
    client.post("/enter", data={"code": access.issue_code()}, headers={"origin": ORIGIN})
    yield client
    app.actions.close()


@pytest.mark.parametrize("path", doors.page_paths()[0])
def test_a_view_answers_hostile_paths_and_queries(browser: TestClient, path: str) -> None:
    names = asked_names()
    for text in every_second((*TEXTS[1:4], *TEXTS[6:], NUL), path):
        shown = browser.get(filled(path, SESSION), params=dict.fromkeys(names, text[:200]))
        assert shown.status_code in (200, 400, 404), (path, text, shown.text)
        assert "\x1b" not in shown.text
    for part in ("..", "%2e%2e", "%00", "%ff", "a%2fb", "x" * 3000, "-1", "<script>") if "{" in path else ():
        assert browser.get(filled(path, part)).status_code in (200, 400, 404), part


@pytest.mark.parametrize("path", doors.page_paths()[1])
def test_a_form_of_the_page_takes_hostile_bodies(browser: TestClient, place: Place, path: str) -> None:
    before = place.outside()
    names = asked_names()
    forms = [*BODIES, b"a=1&" * 100, b"text=" + b"y" * 300_000, b"text=%ff%fe"]
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    for body in every_second(forms, path):
        answer = browser.post(filled(path, SESSION), content=body, headers=headers, follow_redirects=False)
        assert answer.status_code in (303, 400, 404, 413)
    for text in every_second((*TEXTS[1:], NUL), path):
        given = {name: text for name in names if name not in ("budget", "limit")}
        answer = browser.post(filled(path, "x"), data=given, headers={"origin": ORIGIN}, follow_redirects=False)
        assert answer.status_code in (303, 400, 404, 413), (text, answer.text)
    assert place.outside() == before


def filled(path: str, value: str) -> str:
    for name in ("session", "workspace", "handle", "action"):
        path = path.replace(f"{{{name}}}", value)
    return path
