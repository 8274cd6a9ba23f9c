"""The sessions of a daemon obey the trial that runs: what was drawn is left out, from a session's start through its resumes and forks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.hooks import HookHandlers, create_daemon_context
from clew.settings import load_settings
from clew.transcript.vocabulary import HANDOFF_HEADING
from clew.trial.log import TrialLog
from clew.trial.plan import PARTS, Assumptions
from tests.adapters.daemon import repository
from tests.adapters.test_hooks import LONG, Told, added, bash, payload, told_of

PROMPT = "make `add_one` in calc.py add two"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo", {"calc.py": "def add_one(x):\n    return x + 1\n", "notes.txt": "alpha\n"})


@pytest.fixture
def hooks(tmp_path: Path, repo: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HookHandlers]:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    (tmp_path / "home").mkdir()
    made = start_daemon(tmp_path)
    made.context.get_engine().index(repo)
    yield made
    made.context.close()


def start_daemon(tmp_path: Path) -> HookHandlers:
    context = create_daemon_context(replace(load_settings({}), data_dir=tmp_path / "home"))
    DaemonPaths(context.settings.data_dir).make_dirs()
    return HookHandlers(context)


def begin(tmp_path: Path, *parts: str) -> TrialLog:
    log = TrialLog(tmp_path / "home")
    log.start(parts, 100, margin=0.1, assumed=Assumptions())
    return log


def start(hooks: HookHandlers, told: Told, source: str = "startup") -> str:
    return added(hooks.handle_event("SessionStart", payload("SessionStart", told, source=source)))


def ask(hooks: HookHandlers, told: Told) -> str:
    return added(hooks.handle_event("UserPromptSubmit", payload("UserPromptSubmit", told, prompt=PROMPT)))


def is_shortened(hooks: HookHandlers, told: Told) -> bool:
    return bool(hooks.handle_event("PostToolUse", bash(told, LONG)))


def drawn(log: TrialLog, session: str) -> tuple[str, ...]:
    trial = log.read_current()
    assert trial is not None
    return trial.assigned[session].without


def test_each_part_is_left_out_where_it_was_drawn_and_nowhere_else(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    log = begin(tmp_path, *PARTS)
    seen: set[tuple[str, ...]] = set()
    for number in range(8):
        told = told_of(tmp_path, repo, f"s{number}")
        start(hooks, told)
        without = drawn(log, told.session)
        seen.add(without)

        assert bool(ask(hooks, told)) is ("prompts" not in without)
        assert is_shortened(hooks, told) is ("reduction" not in without)
        told.boundary()
        assert start(hooks, told, "compact").startswith(HANDOFF_HEADING) is ("compaction" not in without)
        answer = hooks.handle_event("mod/compact", {**payload("compact", told), "window_chars": 0})
        assert (answer["messages"] is not None) is ("compaction" not in without)
    assert len(seen) == 8


def test_without_a_trial_every_session_has_all_of_clew(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    told = told_of(tmp_path, repo)
    start(hooks, told)

    assert ask(hooks, told)
    assert is_shortened(hooks, told)
    assert not (tmp_path / "home" / "trials").exists()


def test_an_assignment_is_written_before_the_session_is_treated(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    log = begin(tmp_path, "prompts")
    told = told_of(tmp_path, repo)
    start(hooks, told)
    trial = log.read_current()

    assert trial is not None
    line = json.loads(trial.path.read_bytes().splitlines()[1])
    assert line["assigned"]["session"] == told.session
    assert line["assigned"]["repository"] == str(repo)
    assert line["assigned"]["at_ns"] > trial.plan.started_ns


def test_a_session_stays_as_it_was_drawn_after_a_restart_and_a_resume(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    log = begin(tmp_path, "prompts")
    sessions = [told_of(tmp_path, repo, f"s{number}") for number in range(4)]
    for told in sessions:
        start(hooks, told)
    again = start_daemon(tmp_path)
    try:
        for told in sessions:
            start(again, told, "resume")
            assert bool(ask(again, told)) is ("prompts" not in drawn(log, told.session))
    finally:
        again.context.close()


@pytest.mark.parametrize("how", ["named", "copied"])
def test_a_fork_is_treated_as_its_origin(hooks: HookHandlers, tmp_path: Path, repo: Path, how: str) -> None:
    """The client copies the lines of the other session: it names that one, or the lines keep their ids."""
    log = begin(tmp_path, "prompts")
    for number in range(4):
        told = told_of(tmp_path, repo, f"s{number}")
        start(hooks, told)
        fork = Told(tmp_path / f"f{number}.jsonl", repo, f"f{number}")
        start(hooks, fork, "resume")  # the client has not written its transcript yet
        lines = [json.loads(line) for line in told.path.read_text().splitlines()]
        for at, line in enumerate(lines):
            line["sessionId"] = fork.session
            if how == "named":
                line["forkedFrom"] = {"sessionId": told.session, "messageUuid": line["uuid"]}
                line["uuid"] = f"new{number}-{at}"
        fork.path.write_text("".join(json.dumps(line) + "\n" for line in lines))

        assert bool(ask(hooks, fork)) is ("prompts" not in drawn(log, told.session))
        assert drawn(log, fork.session) == drawn(log, told.session)
    trial = log.read_current()
    assert trial is not None
    assert len(trial.drawn) == 4


def test_a_session_of_before_the_trial_is_not_in_it(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    old = told_of(tmp_path, repo)
    start(hooks, old)
    log = begin(tmp_path, *PARTS)
    start(hooks, old, "resume")

    assert ask(hooks, old)
    assert is_shortened(hooks, old)
    trial = log.read_current()
    assert trial is not None
    assert trial.assigned == {}


def test_a_session_whose_start_was_missed_is_drawn_with_its_first_prompt(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    log = begin(tmp_path, "prompts")
    told = Told(tmp_path / "s.jsonl", repo, "s")

    assert bool(ask(hooks, told)) is ("prompts" not in drawn(log, "s"))


def test_stopping_gives_a_running_session_all_of_clew(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    log = begin(tmp_path, *PARTS)
    sessions = [told_of(tmp_path, repo, f"s{number}") for number in range(8)]
    for told in sessions:
        start(hooks, told)
    log.stop()

    assert all(ask(hooks, told) and is_shortened(hooks, told) for told in sessions)


def test_a_trial_that_cannot_be_read_or_written_withholds_nothing_and_is_reported(hooks: HookHandlers, tmp_path: Path, repo: Path) -> None:
    log = begin(tmp_path, *PARTS)
    trial = log.read_current()
    assert trial is not None
    trial.path.write_bytes(b"nothing of it\n")
    told = told_of(tmp_path, repo)
    start(hooks, told)

    assert ask(hooks, told)
    assert is_shortened(hooks, told)
    assert "trial" in DaemonPaths(tmp_path / "home").journal.read_text()
