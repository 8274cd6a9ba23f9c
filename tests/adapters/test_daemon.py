"""The daemon, as a process of its own: who gets in, what a kill does, how it starts, rests and stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from clew.adapters.claude_code.plugin_files import TEMPLATE_DIR
from clew.adapters.daemon_files import DaemonPaths, ensure_address, read_problems, record_problem
from clew.adapters.http import start
from clew.sessions.processes import is_alive
from tests.adapters.daemon import bearer, over_loopback, over_socket, pids, until

PLUGIN = TEMPLATE_DIR / "clew"
RUN_HOOK = f"import sys; sys.path.insert(0, {str(PLUGIN)!r}); import clew_hook; clew_hook.run(sys.argv[1:])"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonPaths]:
    paths = DaemonPaths(tmp_path_factory.mktemp("home"))
    start.ensure_daemon(paths)
    yield paths
    start.stop_daemon(paths)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[DaemonPaths]:
    """One that a test may kill."""
    paths = DaemonPaths(tmp_path)
    start.ensure_daemon(paths)
    yield paths
    start.stop_daemon(paths)


def shim(paths: DaemonPaths, route: str, body: str, *command: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-I", "-S", "-c", RUN_HOOK, str(paths.socket), route, *command]
    return subprocess.run(words, input=body, capture_output=True, text=True, timeout=60, check=False)


def test_the_owner_gets_in_over_the_socket_without_a_token(served: DaemonPaths) -> None:
    status, body = over_socket(served, "GET", "/health")

    assert status == 200
    assert json.loads(body)["pid"] == pids(served)["worker"]
    assert served.socket.stat().st_mode & 0o777 == 0o600
    assert served.run_dir.stat().st_mode & 0o777 == 0o700
    assert served.address.stat().st_mode & 0o777 == 0o600


def test_loopback_asks_for_the_token(served: DaemonPaths) -> None:
    assert over_loopback(served, "/health") == 401
    assert over_loopback(served, "/health", headers={"Authorization": "Bearer wrong"}) == 401
    assert over_loopback(served, "/gateway/wrong/v1/messages", method="POST") == 401
    assert over_loopback(served, "/health", headers=bearer(served)) == 200


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Origin": "http://127.0.0.1"}, {"Origin": "null"}])
def test_a_page_of_a_browser_gets_nothing_even_with_the_token(served: DaemonPaths, headers: dict[str, str]) -> None:
    assert over_loopback(served, "/health", headers=bearer(served, **headers)) == 403


def test_only_the_owner_may_stop_it(served: DaemonPaths) -> None:
    assert over_loopback(served, "/stop", method="POST", headers=bearer(served)) == 403


@pytest.mark.parametrize("body", [b"", b"no json", b"[1, 2]", b'"text"', b"{"])
def test_a_hook_that_says_nothing_sensible_is_answered_with_nothing(served: DaemonPaths, body: bytes) -> None:
    assert over_socket(served, "POST", "/hook/PostToolUse", body) == (200, b"{}")


def test_an_event_that_nobody_knows_is_answered_with_nothing(served: DaemonPaths) -> None:
    assert over_socket(served, "POST", "/hook/Unheard", {"session_id": "s"}) == (200, b"{}")
    assert over_socket(served, "GET", "/hook/Stop")[0] == 405
    assert over_socket(served, "GET", "/nothing")[0] == 404


def test_a_second_one_for_the_same_folder_says_who_serves(served: DaemonPaths) -> None:
    before = pids(served)
    done = subprocess.run(start.build_supervisor_command(served, is_detached=False), capture_output=True, timeout=20, check=False)

    assert done.returncode == 4
    assert pids(served) == before


def test_the_shim_hands_on_what_it_reads_and_prints_what_it_hears(served: DaemonPaths, tmp_path: Path) -> None:
    done = shim(served, "hook/SessionStart", json.dumps({"session_id": "s", "cwd": str(tmp_path), "source": "startup"}))

    assert (done.returncode, done.stderr) == (0, "")


def test_the_shim_says_nothing_and_notes_it_where_nobody_listens(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path)
    paths.make_dirs()
    done = shim(paths, "hook/PreCompact", "{}")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [told["where"] for told in read_problems(paths)] == ["hook/PreCompact"]


def test_the_shim_starts_the_daemon_where_it_may(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path)
    command = start.build_supervisor_command(paths, is_detached=True)
    try:
        done = shim(paths, "hook/SessionStart", json.dumps({"session_id": "s", "cwd": str(tmp_path)}), *command)

        assert done.returncode == 0
        assert until(lambda: start.find_running_daemon(paths) is not None)
    finally:
        start.stop_daemon(paths)


def test_a_worker_that_is_killed_is_started_again_and_who_asks_meanwhile_is_answered(own: DaemonPaths) -> None:
    before = pids(own)
    os.kill(before["worker"], signal.SIGKILL)
    status, body = over_socket(own, "GET", "/health")

    assert status == 200
    assert json.loads(body)["pid"] != before["worker"]
    assert pids(own)["pid"] == before["pid"]
    assert any("started again" in told["what"] for told in read_problems(own))


def test_both_killed_at_once_leave_nothing_that_hinders_the_next(own: DaemonPaths) -> None:
    before = pids(own)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: not any(is_alive(pid) for pid in before.values()))
    start.ensure_daemon(own)

    assert over_socket(own, "GET", "/health")[0] == 200
    assert any("without stopping" in told["what"] for told in read_problems(own))


def test_a_worker_serves_on_when_its_supervisor_is_killed_and_can_be_stopped(own: DaemonPaths) -> None:
    before = pids(own)
    os.kill(before["pid"], signal.SIGKILL)

    assert over_socket(own, "GET", "/health")[0] == 200
    assert start.stop_daemon(own)
    assert not is_alive(before["worker"])


def test_a_port_that_somebody_else_has_leaves_the_socket(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", ensure_address(paths).port))
        other.listen()
        start.ensure_daemon(paths)
        try:
            assert over_socket(paths, "GET", "/health")[0] == 200
            assert any("cannot be had" in told["what"] for told in read_problems(paths))
        finally:
            start.stop_daemon(paths)


def test_it_ends_by_itself_when_nobody_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_SERVE_IDLE_S", "1")
    paths = DaemonPaths(tmp_path)
    start.ensure_daemon(paths)

    assert until(lambda: not paths.state.exists())
    assert start.find_running_daemon(paths) is None
    assert not paths.socket.exists()


def test_it_rests_while_a_client_runs_and_wakes_when_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLEW_SERVE_IDLE_S", "1")
    paths = DaemonPaths(tmp_path)
    start.ensure_daemon(paths)
    try:
        shim(paths, "hook/SessionStart", json.dumps({"session_id": "s", "cwd": str(tmp_path)}))  # its parent, this process, is the client
        first = pids(paths)["worker"]
        assert until(lambda: not is_alive(first))
        assert json.loads(over_socket(paths, "GET", "/health")[1])["pid"] != first
    finally:
        start.stop_daemon(paths)


def test_a_folder_with_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path / ("long-" * 30))
    start.ensure_daemon(paths)
    try:
        assert len(str(paths.socket)) < 100
        assert over_socket(paths, "GET", "/health")[0] == 200
    finally:
        start.stop_daemon(paths)


def test_the_journal_stays_short(tmp_path: Path) -> None:
    paths = DaemonPaths(tmp_path)
    paths.make_dirs()
    for number in range(400):
        record_problem(paths, "test", f"{number} " + "x" * 1900)

    assert paths.journal.stat().st_size < 300_000
    assert list(read_problems(paths))[-1]["what"].startswith("399 ")


def test_many_at_once_are_all_answered(served: DaemonPaths) -> None:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(over_socket(served, "GET", "/health")[0])) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 40
