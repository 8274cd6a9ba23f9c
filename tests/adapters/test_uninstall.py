"""`clew uninstall` from outside: a removed installation starts nothing, and what remains is said, or erased."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clew
from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start
from tests.adapters.daemon import repository, until
from tests.faults import fault

SOURCE = Path(clew.__file__).parent.parent


class Machine:
    """A user's HOME with a repository, and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, DaemonPaths(folder / "data" / "clew")
        self.root = repository(folder / "repo")
        self.client = folder / "home" / ".claude"
        self.client.mkdir(parents=True)
        (self.client / "settings.json").write_text('{"theme": "dark"}')

    def clew(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLEW_", "CLAUDE_", "ANTHROPIC_"))}
        env = {**kept, "HOME": str(self.folder / "home"), "CLEW_HOME": str(self.paths.home), "PYTHONPATH": str(SOURCE)}
        words = (sys.executable, "-m", "clew", *words)
        return subprocess.run(words, cwd=self.root, env=env, capture_output=True, text=True, timeout=60, check=False)

    def done(self, *words: str) -> dict[str, Any]:
        said = self.clew(*words, "--json")
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def shims(self) -> tuple[list[str], list[str]]:
        """The command lines of the MCP server and of the first hook, as the client has read them, with their scripts kept aside.

        A client that runs holds its MCP server's process: its script may be gone from the disk.
        """
        plugin, kept = self.paths.home / "plugin" / "clew", self.folder / "kept"
        server = json.loads((plugin / ".mcp.json").read_text())["mcpServers"]["clew"]
        hook = json.loads((plugin / "hooks" / "hooks.json").read_text())["hooks"]["SessionStart"][0]["hooks"][0]
        shutil.copytree(plugin, kept)
        lines = [[told["command"], *told["args"]] for told in (server, hook)]
        return [word.replace(str(plugin), str(kept)) for word in lines[0]], [word.replace(str(plugin), str(kept)) for word in lines[1]]

    def starter(self) -> list[str]:
        """The command by which the plugin starts the daemon."""
        return json.loads((self.paths.home / "installed.json").read_text())["starter"]

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in (self.folder / "data").rglob("*"))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    assert made.clew("init").returncode == 0
    yield made
    start.stop_daemon(made.paths)


INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
CALL = (
    json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "recall", "arguments": {"question": "add_one"}}})
    + "\n"
)
REQUEST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}) + "\n"


@fault("clew is uninstalled while a session runs", "its tools answer with an error, and start and make nothing")
def test_an_old_sessions_tools_start_no_daemon_after_uninstall(machine: Machine) -> None:
    server, _ = machine.shims()
    session = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=machine.root)
    assert session.stdin is not None
    assert session.stdout is not None
    session.stdin.write(REQUEST)
    session.stdin.flush()
    assert "result" in json.loads(session.stdout.readline())
    machine.done("uninstall")
    was = machine.files()
    said = session.communicate(CALL, timeout=60)[0]

    answer = json.loads(said)
    assert answer["id"] == 2
    assert answer["error"]["code"] == -32000
    assert start.find_running_daemon(machine.paths) is None
    assert machine.files() == was


def test_an_old_sessions_hook_starts_no_daemon_after_uninstall(machine: Machine) -> None:
    _, hook = machine.shims()
    machine.done("uninstall")
    was = machine.files()
    body = json.dumps({"session_id": "s", "cwd": str(machine.root), "hook_event_name": "SessionStart", "source": "startup"})
    done = subprocess.run(hook, input=body, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert start.find_running_daemon(machine.paths) is None
    assert machine.files() == was


def test_the_command_that_starts_the_daemon_ends_at_once_without_an_installation(machine: Machine) -> None:
    command = machine.starter()
    machine.done("uninstall")
    was = machine.files()

    assert subprocess.run(command, timeout=30, check=False).returncode == 6
    spec = json.loads(command[-1])
    del spec["needs"]  # as the plugin of an earlier release says it
    assert subprocess.run([*command[:-1], json.dumps(spec)], timeout=30, check=False).returncode == 6
    assert machine.files() == was


def test_a_daemon_whose_installation_goes_wakes_no_worker_again(machine: Machine) -> None:
    running = start.find_running_daemon(machine.paths)
    assert running is not None
    (machine.paths.home / "plugin" / "clew" / ".claude-plugin" / "plugin.json").unlink()
    os.kill(running.worker_pid, signal.SIGKILL)

    assert until(lambda: start.find_running_daemon(machine.paths) is None and not machine.paths.socket.exists())


def test_serve_needs_no_installation(machine: Machine) -> None:
    machine.done("uninstall")

    assert machine.done("serve", "--detach")["answers"]


def test_what_remains_is_said_with_its_size(machine: Machine) -> None:
    told = machine.done("uninstall")

    [note] = told["notes"]
    assert f"kept in {machine.paths.home}: clew.db (" in note
    assert "`clew uninstall --all` erases them" in note
    kept = {Path(each["path"]).name for each in told["kept"]}
    assert "clew.db" in kept
    assert kept == {path.name for path in machine.paths.home.iterdir()}
    assert all(name.startswith("clew.db") for name in kept)


def test_all_takes_the_data_as_well(machine: Machine) -> None:
    (machine.paths.home / "config.toml").write_text("jobs = 1\n")
    (machine.paths.home / "clew.db.bak-1").write_bytes(b"x" * 5000)
    dry = machine.done("uninstall", "--all", "--dry-run")
    assert f"erased {machine.paths.home / 'clew.db.bak-1'} (5.0 kB)" in dry["did"]
    assert (machine.paths.home / "clew.db").exists()
    assert start.find_running_daemon(machine.paths) is not None
    told = machine.done("uninstall", "--all")

    erased = {Path(step.removeprefix("erased ").partition(" (")[0]).name for step in told["did"] if step.startswith("erased")}
    assert erased >= {"clew.db", "clew.db.bak-1", "config.toml"}
    assert told["notes"] == []
    assert told["kept"] == []
    assert not machine.paths.home.exists()
    assert start.find_running_daemon(machine.paths) is None
    assert (machine.client / "settings.json").read_text() == '{"theme": "dark"}'


def test_what_others_put_into_the_data_folder_stays(machine: Machine) -> None:
    mine = machine.paths.home / "notes" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("not clew's")
    (machine.paths.home / "clew-notes.md").write_text("neither")
    told = machine.done("uninstall", "--all")

    assert sorted(path.name for path in machine.paths.home.rglob("*")) == ["clew-notes.md", "mine.txt", "notes"]
    assert [note.partition(" is not")[0] for note in told["notes"]] == [
        str(machine.paths.home / name) for name in ("clew-notes.md", "notes")
    ]


def test_an_entry_that_could_not_be_taken_back_keeps_the_data_until_it_is(machine: Machine) -> None:
    """Settings that cannot be written: `uninstall` says so, and finishes once they can."""
    settings = machine.client / "settings.json"
    settings.chmod(0o444)
    told = machine.done("uninstall", "--all")
    assert any("cannot be written" in note and "take statusLine out" in note for note in told["notes"])
    assert (machine.paths.home / "clew.db").exists()
    settings.chmod(0o644)
    machine.done("uninstall", "--all")

    assert settings.read_text() == '{"theme": "dark"}'
    assert not machine.paths.home.exists()


def test_init_that_cannot_write_makes_no_database_and_starts_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.client / "settings.json").chmod(0o444)
    said = machine.clew("init")

    assert said.returncode == 1
    assert "settings.json is read-only" in said.stderr
    assert not machine.paths.home.exists()
    assert [path.name for path in machine.client.iterdir()] == ["settings.json"]
