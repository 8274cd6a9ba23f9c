"""MCP, by raw JSON-RPC: through the stdio shim to a daemon of its own, and over loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.claude_code import plugin_files
from clew.adapters.claude_code.file_changes import apply_changes
from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.adapters.http import certificate, start
from clew.settings import Settings
from tests.adapters.daemon import bearer, repository, until
from tests.fences import opened


class Client:
    """A client of its own making, over standard input and output."""

    def __init__(self, paths: DaemonPaths, repo: Path, *command: str) -> None:
        apply_changes(plugin_files.plan_tree_changes(plugin_files.marketplace_dir(paths), plugin_files.render_plugin(paths)))
        run = f"import sys; sys.path.insert(0, {str(plugin_files.marketplace_dir(paths) / 'clew')!r}); import clew_mcp; clew_mcp.run(sys.argv[1:])"
        words = [sys.executable, "-I", "-S", "-c", run, str(paths.socket), *command]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=repo)
        self.number = 0

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        told = json.loads(self.process.stdout.readline())
        assert told["id"] == self.number
        return told

    def call(self, tool: str, **arguments: Any) -> tuple[str, bool]:
        """Text and whether it is an error."""
        result = self.ask("tools/call", name=tool, arguments=arguments)["result"]
        assert "structuredContent" not in result
        [part] = result["content"]
        return part["text"], bool(result.get("isError"))

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(20)
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DaemonPaths, Path]]:
    folder = tmp_path_factory.mktemp("mcp")
    paths = DaemonPaths(folder / "home")
    start.ensure_daemon(paths)
    yield paths, repository(folder / "repo")
    start.stop_daemon(paths)


@pytest.fixture(scope="module")
def client(place: tuple[DaemonPaths, Path]) -> Iterator[Client]:
    made = Client(*place)
    made.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "raw", "version": "1"})
    made.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    yield made
    assert made.close() == 0


def test_the_tools_are_few_loaded_from_the_start_and_say_what_they_change(client: Client) -> None:
    tools = {tool["name"]: tool for tool in client.ask("tools/list")["result"]["tools"]}

    assert list(tools) == ["recall", "unfold", "impact", "remember", "explain", "state"]
    for name, tool in tools.items():
        assert (tool.get("_meta") == {"anthropic/alwaysLoad": True}) is (name != "state")  # it is looked for when it is needed
        assert tool["annotations"]["readOnlyHint"] is (name != "remember")
        assert "outputSchema" not in tool


def test_what_is_remembered_is_recalled_unfolded_explained_and_doubted_when_its_file_changes(
    client: Client, place: tuple[DaemonPaths, Path]
) -> None:
    _, repo = place
    said, is_error = client.call("remember", text="add_one must stay pure, see OPS-7731", kind="constraint", about=["calc.py"])
    assert not is_error
    handle = said.partition("[")[2][:8]

    assert "add_one must stay pure" in client.call("recall", question="must add_one stay pure?", where="history")[0]
    assert opened(client.call("unfold", handle=f"[{handle}]")[0]).inside == ("add_one must stay pure, see OPS-7731",)
    assert "true now" in client.call("explain", handle=handle)[0]
    (repo / "calc.py").write_text("def add_one(x):\n    print(x)\n    return x + 1\n")

    def is_doubted() -> bool:
        client.call("recall", question="where is `add_one` in calc.py?", where="code")  # what it shows is read anew, once it is indexed
        return "suspect: calc.py, which it cites, has changed" in client.call("explain", handle=handle)[0]

    assert until(is_doubted)


def test_recall_and_state_answer_as_of_a_time_and_say_so(client: Client) -> None:
    client.call("remember", text="add_one must stay pure, see OPS-7731", kind="constraint")
    today = time.strftime("%Y-%m-%d")
    said, is_error = client.call("recall", question="must add_one stay pure?", as_of=today)
    assert not is_error
    assert "OPS-7731" in said
    assert said.count("as of 20") == 2  # over what was said, and over the code
    assert "as of now (generation " in client.call("recall", question="must add_one stay pure?")[0]
    for tool, arguments in (("recall", {"question": "add_one"}), ("state", {"session": "s1"})):
        said, is_error = client.call(tool, as_of="2001-01-01", **arguments)
        assert is_error
        assert "nothing had been stored" in said


def test_an_answer_can_be_asked_for_by_lines(client: Client) -> None:
    said, _ = client.call("remember", text="first\nsecond\nthird\nfourth", kind="fact")
    handle = said.partition("[")[2][:8]

    assert opened(client.call("unfold", handle=handle, lines="2-3")[0]).inside == ("second\nthird",)
    said, is_error = client.call("unfold", handle=handle, lines="9-10")
    assert is_error
    assert "it has lines 1-4" in said


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("unfold", {"handle": "zzzzzzzz"}, "Handles are printed in brackets"),
        ("unfold", {}, "handle is missing"),
        ("recall", {"question": "x", "as_of": "nosuch"}, "a date (2026-11-02)"),
        ("recall", {"question": " "}, "question is missing"),
        ("impact", {"names": ["no/such.py"]}, "no/such.py"),
        ("impact", {}, "names: paths such as"),
        ("remember", {"text": "x", "about": ["../outside.py"]}, "outside.py"),
        ("remember", {"text": "x", "kind": "rumour"}, "one of fact, decision"),
        ("recall", {"question": "x y z", "repo": "/no/such/folder"}, "give the absolute path"),
        ("nothing", {}, "one of recall, unfold"),
    ],
)
def test_an_error_is_an_answer_to_act_on(client: Client, tool: str, arguments: dict[str, Any], says: str) -> None:
    said, is_error = client.call(tool, **arguments)

    assert is_error
    assert says in said


def test_a_method_that_is_not_known_is_a_proper_error(client: Client) -> None:
    assert client.ask("server/discover")["error"]["code"] == -32601


def test_over_loopback_who_does_not_say_where_it_stands_is_asked(place: tuple[DaemonPaths, Path]) -> None:
    paths, repo = place

    def call(**arguments: str) -> dict[str, Any]:
        connection = HTTPSConnection("127.0.0.1", ensure_address(paths).port, timeout=20, context=certificate.create_client_context(paths))
        headers = bearer(paths, **{"Content-Type": "application/json", "Accept": "application/json, text/event-stream"})
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "recall", "arguments": arguments}}
        connection.request("POST", "/mcp/", body=json.dumps(message), headers=headers)
        told = json.loads(connection.getresponse().read())["result"]
        connection.close()
        return told

    assert "give the absolute path of the repository" in call(question="what is add_one?")["content"][0]["text"]
    assert not call(question="what is add_one?", repo=str(repo)).get("isError")


def test_the_state_of_a_session_is_told_and_a_repository_without_one_says_so(client: Client, place: tuple[DaemonPaths, Path]) -> None:
    text, is_error = client.call("state")
    assert is_error
    assert "no session of this repository is known" in text


def test_a_daemon_that_cannot_be_reached_is_an_error_of_each_call_and_the_client_goes_on(tmp_path: Path) -> None:
    client = Client(DaemonPaths(tmp_path / "home"), repository(tmp_path / "repo"))
    told = client.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "raw", "version": "1"})

    assert told["result"]["serverInfo"]["name"] == "clew"
    assert len(client.ask("tools/list")["result"]["tools"]) == 6
    assert client.ask("tools/call", name="recall", arguments={"question": "x"})["error"]["code"] == -32000
    assert client.close() == 0


def test_a_daemon_that_was_started_anew_is_found_again(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path / "home")
    repo = repository(tmp_path / "repo")
    command = start.build_supervisor_command(paths, is_detached=True)
    client = Client(paths, repo, *command)
    try:
        client.ask("initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "raw", "version": "1"})
        start.stop_daemon(paths)
        assert "Remembered as" in client.call("remember", text="after the restart")[0]
    finally:
        client.close()
        start.stop_daemon(paths)


def test_a_call_asks_for_an_index_only_where_there_never_was_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a repository in which no file is left, and without reading the states of its files."""
    from clew.adapters.mcp.server import McpApp

    context = create_daemon_context(Settings(tmp_path / "home", jobs=1))
    asked: list[Path] = []
    monkeypatch.setattr(context, "schedule_index", asked.append)
    repo = repository(tmp_path / "repo")
    server = McpApp(context, HookHandlers(context))

    server._answer("recall", {"question": "where is one added?"}, str(repo), 0)
    for file in [file for file in repo.rglob("*") if file.is_file() and ".git" not in file.parts]:
        file.unlink()
    context.get_engine().index(repo)
    server._answer("recall", {"question": "where is one added?"}, str(repo), 0)
    context.close()

    assert asked == [repo]
