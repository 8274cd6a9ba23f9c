"""Faults: something around clew hangs, ends or cannot be written, and no session waits for it longer than an event may take.

Waits are counted on a clock of the tests' own, which moves only when somebody waits.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from clew.adapters.claude_code.plugin_files import TEMPLATE_DIR
from clew.adapters.daemon_files import DaemonPaths, read_problems
from clew.adapters.http import start
from clew.sessions.live import LiveSession
from clew.sessions.statusline import format_status_line
from tests.adapters.daemon import over_socket, pids, until
from tests.adapters.test_hooks import added, hooks, payload, repo, told_of  # noqa: F401  fixtures, and what they need
from tests.adapters.test_strangers import hook, rendered
from tests.faults import fault

PLUGIN = str(TEMPLATE_DIR / "clew")
EVENTS = {
    "hook/UserPromptSubmit": 0.15,
    "mod/prompt": 0.15,
    "hook/PostToolUse": 0.3,
    "mod/append": 0.3,
    "hook/SessionStart": 1.0,
    "statusline": 0.3,
}
LONG = ("mod/compact",)


class Clock:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Mute:
    """A listener that takes every connection and says nothing."""

    def __init__(self, place: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(place))
        self.listening.listen(64)
        self.listening.setblocking(False)

    def asked(self) -> int:
        """How many connections were made since the last time."""
        count = 0
        while select.select([self.listening], [], [], 0)[0]:
            self.listening.accept()[0].close()
            count += 1
        return count


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock()


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> ModuleType:
    """The module that asks the daemon, on the tests' clock: a wait for the socket takes all the time that it was given."""
    monkeypatch.syspath_prepend(PLUGIN)
    module = importlib.import_module("clew_ask")
    monkeypatch.setattr(module, "time", clock)

    class Environment(socket.socket):
        """A socket on that clock."""

        def settimeout(self, value: float | None) -> None:
            self.left = value or 0.0
            super().settimeout(0.01)

        def recv(self, *given: Any) -> bytes:
            try:
                return super().recv(*given)
            except TimeoutError:
                clock.now += self.left
                raise

    real = importlib.import_module("_socket")
    names = {name: getattr(real, name) for name in ("AF_UNIX", "SOCK_STREAM", "SOL_SOCKET", "SO_PEERCRED") if hasattr(real, name)}
    monkeypatch.setattr(module, "_socket", SimpleNamespace(**names, socket=Environment))
    return module


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[Mute]:
    made = Mute(tmp_path / "serve.sock")
    yield made
    made.listening.close()


@fault(
    "something listens at the daemon's place and says nothing", "the first event waits for its time and no longer; the next ones do not ask"
)
@pytest.mark.parametrize("route", [*EVENTS, *LONG])
def test_a_mute_listener_costs_one_event_its_time_and_the_next_nothing(
    ask: ModuleType, clock: Clock, mute: Mute, tmp_path: Path, route: str
) -> None:
    path = str(tmp_path / "serve.sock")
    began = clock.now
    with pytest.raises(ask.Unreachable, match="late"):
        ask.post(path, route, b"{}")
    assert clock.now - began <= EVENTS.get(route, 1.0)
    assert mute.asked() == 1

    for other in EVENTS:
        with pytest.raises(ask.Unreachable, match="left alone"):
            ask.post(path, other, b"{}")
    assert mute.asked() == 0


def test_a_fault_is_tried_again_later_and_later(ask: ModuleType, clock: Clock, mute: Mute, tmp_path: Path) -> None:
    path = str(tmp_path / "serve.sock")
    waited: list[float] = []
    for _ in range(6):
        with pytest.raises(ask.Unreachable, match="late"):
            ask.post(path, "hook/Stop", b"{}")
        until_s = ask.read_fault(path)[0]
        waited.append(round(until_s - clock.now))
        clock.now = until_s + 0.01

    assert waited == [30, 60, 120, 240, 300, 300]


def test_a_fault_noted_by_a_clock_that_ran_ahead_does_not_hold_for_ever(ask: ModuleType, clock: Clock, mute: Mute, tmp_path: Path) -> None:
    path = str(tmp_path / "serve.sock")
    (tmp_path / "fault").write_text(f"{clock.now + 10 * ask.FAULT_MAX_S:.3f} 30.000 late\n")

    with pytest.raises(ask.Unreachable, match="late"):
        ask.post(path, "hook/Stop", b"{}")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[DaemonPaths]:
    paths = DaemonPaths(tmp_path / "home")
    start.ensure_daemon(paths)
    yield paths
    start.stop_daemon(paths)


def started(paths: DaemonPaths) -> str:
    return json.dumps({"session_id": "s", "cwd": str(paths.home), "source": "startup", "hook_event_name": "SessionStart"})


@fault(
    "the daemon is stopped by a signal (SIGSTOP)",
    "one event waits for its time; when it runs on it takes the note of that away, and answers",
)
def test_a_stopped_daemon_is_left_alone_until_it_runs_on(own: DaemonPaths) -> None:
    command = rendered(own)
    stopped = pids(own)
    for pid in stopped.values():
        os.kill(pid, signal.SIGSTOP)
    try:
        assert hook(command, "hook/UserPromptSubmit", started(own)).stdout == ""
        assert own.fault.exists()
        assert "does not answer" in hook(command, "statusline", "{}").stdout
    finally:
        for pid in stopped.values():
            os.kill(pid, signal.SIGCONT)

    assert until(lambda: not own.fault.exists(), 60)
    assert hook(command, "statusline", json.dumps({"session_id": "s", "cwd": str(own.home)})).stdout.startswith("clew")


@fault(
    "the daemon is killed in the middle of a session",
    "the next event starts another one and does not wait for it; the status line says that it starts",
)
def test_a_killed_daemon_comes_back_with_the_next_event(own: DaemonPaths) -> None:
    command = rendered(own)
    for pid in pids(own).values():
        os.kill(pid, signal.SIGKILL)
    said = hook(command, "statusline", "{}")

    assert said.returncode == 0
    assert said.stdout.startswith("clew off: starting")
    assert until(lambda: start.find_running_daemon(own) is not None and not own.fault.exists(), 60)
    assert over_socket(own, "GET", "/health")[0] == 200


@fault("the daemon is killed while it answers an event", "that event starts another one, though it was connected")
def test_a_daemon_killed_in_the_middle_of_an_answer_comes_back_with_that_event(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path / "home")
    command = rendered(paths)
    paths.make_dirs()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(paths.socket))
        dying.listen(1)
        event = subprocess.Popen([*command, "statusline"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert event.stdin is not None
        event.stdin.close()
        dying.accept()[0].close()
    try:
        assert event.stdout is not None
        assert event.stdout.read().startswith(b"clew off: starting")
        assert event.wait(60) == 0
        assert until(lambda: start.find_running_daemon(paths) is not None, 60)
    finally:
        event.stdout.close()
        start.stop_daemon(paths)


@fault("a killed daemon still holds its lock when the next one starts", "the next one waits for it, and serves")
def test_a_daemon_waits_for_the_lock_of_one_that_is_ending(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path / "home")
    paths.make_dirs()
    hold = "import fcntl, sys, time; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); print('held', flush=True); time.sleep(0.5)"
    with subprocess.Popen([sys.executable, "-c", hold, str(paths.lock)], stdout=subprocess.PIPE) as ending:
        assert ending.stdout is not None
        assert ending.stdout.readline() == b"held\n"
        try:
            assert start.ensure_daemon(paths)["pid"]
        finally:
            start.stop_daemon(paths)


@fault("the data folder is gone", "nothing is made anew by a hook, and the status line says so")
def test_a_data_folder_that_is_gone_is_not_made_by_a_hook(tmp_path: Path) -> None:
    run = f"import sys; sys.path.insert(0, {PLUGIN!r}); import clew_hook; clew_hook.run(sys.argv[1:])"
    words = [sys.executable, "-I", "-S", "-c", run, str(tmp_path / "gone" / "run" / "serve.sock")]
    for route in ("hook/Stop", "statusline"):
        said = hook(words, route, "{}")
        assert (said.returncode, said.stderr) == (0, "")

    assert not (tmp_path / "gone").exists()


@fault("the data folder is read-only", "no daemon is started in vain, and the status line says so")
def test_a_read_only_data_folder_is_said(ask: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the question whether one may is answered here as for another user."""
    posix = importlib.import_module("posix")
    names = {name: getattr(posix, name) for name in dir(posix)}
    refused = {**names, "access": lambda _, mode: mode == 0, "fork": lambda: pytest.fail("a process was started")}
    monkeypatch.setattr(ask, "posix", SimpleNamespace(**refused))

    with pytest.raises(ask.Unreachable, match="read-only"):
        ask.post(str(tmp_path / "serve.sock"), "hook/Stop", b"{}", ("/bin/true",))


@fault("the files of the plugin are gone while a session runs", "its hooks do nothing and end with 0, so no prompt is refused")
def test_hooks_whose_files_are_gone_let_the_session_go_on(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path)
    command = rendered(paths)
    for file in (paths.home / "plugin").rglob("*.py"):
        file.unlink()
    said = hook(command, "hook/UserPromptSubmit", '{"prompt": "x"}')

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


# -- The relay of the mod -----------------------------------------------------------------------------


class Relay:
    """The process that the mod starts, and how it is asked."""

    def __init__(self, socket_path: Path) -> None:
        run = f"import sys; sys.path.insert(0, {PLUGIN!r}); import clew_relay; clew_relay.run(sys.argv[1:])"
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", run, str(socket_path)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.place = self.process.stdout.readline().strip()

    def asked(self, route: str, body: bytes = b"{}") -> bytes:
        with socket.socket(socket.AF_UNIX) as over:
            over.settimeout(30)
            over.connect(self.place)
            over.sendall(f"POST /{route} HTTP/1.1\r\nhost: clew\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            parts: list[bytes] = []
            while part := over.recv(65536):
                parts.append(part)
        return b"".join(parts).partition(b"\r\n\r\n")[2]


@fault("the daemon hangs, and a mod asks it", "the mod is answered `{}` by its relay in time: a question of a mod cannot be given up")
def test_the_mod_is_answered_where_the_daemon_says_nothing(mute: Mute, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    relay = Relay(tmp_path / "serve.sock")
    try:
        assert [relay.asked(f"mod/{door}") for door in ("prompt", "append", "compact")] == [b"{}"] * 3
        assert mute.asked() == 1
    finally:
        relay.process.kill()
        relay.process.communicate()


def test_the_relay_hands_on_what_the_daemon_says_and_ends_with_the_client(own: DaemonPaths) -> None:
    relay = Relay(own.socket)
    body = json.dumps({"session_id": "s", "cwd": str(own.home)}).encode()
    assert json.loads(relay.asked("mod/hello", body)) == {"is_ready": True}

    assert relay.process.stdout is not None
    relay.process.stdout.close()  # as the client's end does
    assert relay.process.wait(60) == 0
    assert not Path(relay.place).exists()


def test_a_relay_takes_away_what_killed_ones_have_left(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    killed = Relay(tmp_path / "serve.sock")
    killed.process.kill()
    killed.process.communicate()
    assert Path(killed.place).exists()
    first, second = Relay(tmp_path / "serve.sock"), Relay(tmp_path / "serve.sock")

    assert sorted(str(path) for path in tmp_path.iterdir()) == sorted([first.place, second.place])
    for each in (first, second):
        each.process.kill()
        each.process.communicate()


def test_the_relay_does_not_listen_where_others_may_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    relay = Relay(tmp_path / "serve.sock")
    relay.process.communicate(timeout=60)

    assert relay.place == ""


# -- What is late -------------------------------------------------------------------------------------


@fault("the machine is too slow for a hand-off at a session's start", "the hand-off comes with the next prompt, once")
def test_a_hand_off_that_reached_nobody_comes_with_the_next_prompt(hooks: Any, tmp_path: Path, repo: Path) -> None:  # noqa: F811
    told = told_of(tmp_path, repo)
    said = payload("SessionStart", told, source="compact")
    answer = hooks.handle_event("SessionStart", said)
    assert "OPS-7731" in added(answer)
    hooks.record_undelivered("SessionStart", said, answer)

    first = added(hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt="Go on, please.")))
    second = added(hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt="And then go on, please.")))
    assert "OPS-7731" in first
    assert "OPS-7731" not in second


def test_what_a_late_answer_would_have_shown_is_shown_later(hooks: Any, tmp_path: Path, repo: Path) -> None:  # noqa: F811
    told = told_of(tmp_path, repo)
    asked = payload("UserPromptSubmit", told, prompt="Why does `add_one` in calc.py add one?")
    answer = hooks.handle_event("UserPromptSubmit", asked)
    assert "add_one" in added(answer)
    hooks.record_undelivered("UserPromptSubmit", asked, answer)

    assert "add_one" in added(hooks.handle_event("UserPromptSubmit", {**asked, "prompt": "So why does `add_one` in calc.py add one?"}))


@fault(
    "prompts are too slow three times in a row, as in a repository that is too large", "two minutes of silence, and the status line says so"
)
def test_prompts_that_are_always_too_slow_are_not_asked_for_a_while(hooks: Any, tmp_path: Path, repo: Path) -> None:  # noqa: F811
    told = told_of(tmp_path, repo)
    for number in range(3):
        asked = payload("UserPromptSubmit", told, prompt=f"Why does `add_one` in calc.py add one, number {number}?")
        hooks.record_undelivered("UserPromptSubmit", asked, hooks.handle_event("UserPromptSubmit", asked))

    assert hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt="Why does `add_one` add one at all?")) == {}
    assert "3 too slow here" in hooks.format_statusline({"session_id": told.session})


def test_the_status_line_says_what_is_wrong_first() -> None:
    assert format_status_line(LiveSession("s"), "database is damaged").startswith("clew database is damaged (clew doctor says more)")


def test_what_is_missed_is_noted_for_the_doctor_once(mute: Mute, tmp_path: Path) -> None:
    run = f"import sys; sys.path.insert(0, {PLUGIN!r}); import clew_hook; clew_hook.run(sys.argv[1:])"
    for _ in range(3):
        hook([sys.executable, "-I", "-S", "-c", run, str(tmp_path / "serve.sock")], "hook/Stop", "{}")

    assert [each["what"] for each in read_problems(SimpleNamespace(journal=tmp_path / "problems.jsonl"))] == [  # type: ignore[arg-type]
        "the session went on without clew: it did not answer in time"
    ]
