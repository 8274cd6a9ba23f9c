"""Background work through the engine and as processes: bounded, resumable after a kill, stopped by one command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import clew
from clew.adapters.idle_work import IdleWork
from clew.engine import Engine
from clew.enrich.models import ChatModel, Model
from clew.settings import Settings
from tests.adapters.daemon import until
from tests.enrich.compressing import SESSION, session_of, texts
from tests.enrich.model_server import Reply, Server

SOURCE = Path(clew.__file__).parents[1]
both_stores = pytest.mark.parametrize("engine", ["memory", "sqlite"], indirect=True)


def queue_session(engine: Engine, repo: Path, session: Path, model: Model) -> None:
    engine.compress(repo, [str(session)], model, tokenizer="claude", chunk_tokens=6000, seconds=0, is_queued=True)


@both_stores
def test_what_was_queued_is_done_later_and_once(engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Model) -> None:
    queue_session(engine, repo, session_of(tmp_path, 6), model)
    [queued] = engine.describe_queue()
    asked_before = len(server.asked)
    done = engine.work(model)
    again = engine.work(model)

    assert (queued.kind, queued.queued, queued.read_tokens >= 12_000, queued.write_tokens > 0) == ("compress", 1, True, True)
    assert (asked_before, done.done, done.left, again.done) == (0, 1, 0, 0)
    assert len(server.asked) == len(texts(engine, repo)) > 1
    assert not engine.has_queued_work()


@both_stores
def test_limits_end_a_run_and_the_next_goes_on(engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Model) -> None:
    queue_session(engine, repo, session_of(tmp_path, 9), model)
    [before] = engine.describe_queue()
    first = engine.work(model, tokens=1)
    [between] = engine.describe_queue()
    asked = len(server.asked)
    engine.work(model)

    assert (first.done, first.left, asked) == (0, 1, 1)
    assert 0 < between.read_tokens < before.read_tokens
    assert len(server.asked) == len(texts(engine, repo))


def test_a_model_that_fails_again_and_again_ends_the_run_and_its_jobs_wait(
    engine: Engine, repo: Path, tmp_path: Path, server: Server, model: Model
) -> None:
    queue_session(engine, repo, session_of(tmp_path, 3), model)
    reasons: list[str] = []
    for _ in range(3):
        server.script = [Reply("no", status=400)]
        reasons += [reason for _, _, reason in engine.work(model).failed]
    [counted] = engine.describe_queue()

    assert len(reasons) == 3
    assert "400" in reasons[0]
    assert (counted.failed, counted.queued) == (1, 0)
    queue_session(engine, repo, tmp_path / f"{SESSION}.jsonl", model)
    assert engine.work(model).done == 1


def home_with_work(tmp_path: Path, repo: Path, server: Server, turns: int = 6) -> Path:
    """A data folder on disk whose queue holds a session, for processes."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(f'model = "{server.url}#small"\nmodel_idle_s = 1\n')
    with clew.open(home) as engine:
        queue_session(engine, repo, session_of(tmp_path, turns), ChatModel(server.url, "small", timeout_s=20))
    return home


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "CLEW_HOME": str(home)}
    words = (sys.executable, "-m", "clew", "models", *words)
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_worker_that_is_killed_loses_one_request_and_the_next_goes_on(tmp_path: Path, repo: Path, server: Server) -> None:
    home = home_with_work(tmp_path, repo, server)
    server.script = [Reply(""), Reply("", waits=True)]  # the first is of no use, so the same part is asked for once more, and that waits
    killed = start(home, "work")
    assert until(lambda: len(server.asked) == 2, 30)
    killed.kill()
    killed.communicate()
    server.goes_on.set()

    rest = start(home, "work", "--json")
    said, complained = rest.communicate(timeout=60)

    assert rest.returncode == 0, complained
    with clew.open(home) as engine:
        assert not engine.has_queued_work()
        assert len(texts(engine, repo)) == len(server.asked) - 2, said


def test_one_command_stops_a_worker_and_none_begins_unasked(tmp_path: Path, repo: Path, server: Server) -> None:
    home = home_with_work(tmp_path, repo, server)
    server.script = [Reply("", waits=True)]
    worker = start(home, "work")
    assert until(lambda: len(server.asked) == 1, 30)
    shown = start(home, "--json").communicate(timeout=60)[0]
    second = start(home, "work")
    refused = second.communicate(timeout=60)[1]
    stopped = start(home, "stop", "--json").communicate(timeout=60)[0]
    complained = worker.communicate(timeout=60)[1]
    unasked = start(home, "work", "--idle").communicate(timeout=60)
    asked = len(server.asked)
    start(home, "work").communicate(timeout=60)

    assert f'"worker": {worker.pid}' in shown
    assert second.returncode == 1
    assert "another process" in refused
    assert '"was_at_work": true' in stopped
    assert "stopped" in complained
    assert worker.returncode == 0
    assert asked == 1, unasked
    assert len(server.asked) > 1


def test_the_daemon_has_work_done_while_it_is_idle_and_a_request_ends_it(tmp_path: Path, repo: Path, server: Server) -> None:
    home = home_with_work(tmp_path, repo, server)
    server.script = [Reply("", waits=True)]
    said: list[str] = []
    settings = Settings(home, model=f"{server.url}#small", model_idle_s=1)
    idle = IdleWork(settings, lambda: True, said.append, is_free=lambda: True)

    idle.advance(last_request_at=1e18)
    assert not idle.is_at_work
    idle.advance(last_request_at=0.0)
    assert idle.is_at_work
    assert until(lambda: len(server.asked) == 1, 30)
    idle.interrupt()
    assert until(lambda: not idle.is_at_work, 5)
    server.goes_on.set()
    idle.advance(last_request_at=0.0)

    assert not idle.is_at_work  # one run in an idle time
    assert said == []
    with clew.open(home) as engine:
        assert engine.has_queued_work()


def test_the_worker_of_a_daemon_that_is_killed_ends_as_well(tmp_path: Path, repo: Path, server: Server) -> None:
    home = home_with_work(tmp_path, repo, server)
    server.script = [Reply("", waits=True)]
    code = (
        "import sys, time; from pathlib import Path; from clew.adapters.idle_work import IdleWork; from clew.settings import Settings\n"
        "idle = IdleWork(Settings(Path(sys.argv[1]), model=sys.argv[2], model_idle_s=1), lambda: True, print, is_free=lambda: True)\n"
        "idle.advance(0.0); print(idle._process.pid, flush=True); time.sleep(300)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    words = [sys.executable, "-c", code, str(home), f"{server.url}#small"]
    daemon = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    assert daemon.stdout is not None
    pid = int(daemon.stdout.readline())
    assert until(lambda: len(server.asked) == 1, 30)
    daemon.send_signal(signal.SIGKILL)
    daemon.communicate()

    assert until(lambda: not is_running(pid), 10)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
