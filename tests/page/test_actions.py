"""What takes long runs in a process of its own, tells how far it is, and can be cancelled; the evaluation is the first such thing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.page.actions import Action, ActionState, LongActions, Report
from clew.errors import ClewError, UsageError
from tests.evaluation.conftest import work as write_session
from tests.page.conftest import ORIGIN, SESSION, Page

WAIT_S = 60.0
CLONE = Path(__file__).parents[2]


def count_up(steps: int, report: Report) -> int:
    for step in range(steps + 1):
        report(step, steps)
    return steps * 2


def wait_for_ever(marker: str, report: Report) -> None:
    report(1, 3)
    Path(marker).write_text(str(os.getpid()))
    time.sleep(600)


def refuse(_: None, report: Report) -> None:
    report(0, 1)
    raise ClewError("the thing is gone\nhint: look elsewhere")


def be_defective(_: None, report: Report) -> None:
    report(0, 1)
    raise ZeroDivisionError


def die(_: None, report: Report) -> None:
    report(0, 1)
    os._exit(3)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds; what is awaited is another process."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def journal() -> list[str]:
    return []


@pytest.fixture
def actions(journal: list[str]) -> Iterator[LongActions]:
    made = LongActions(lambda where, error: journal.append(f"{where}: {error}"))
    yield made
    made.close()


def start(actions: LongActions, work: Callable[[Any, Report], Any], argument: Any = None, key: str = "") -> Action:
    return actions.start("test", key, work, argument, title="A test", address="/eval")


def test_an_action_returns_what_its_function_returned(actions: LongActions) -> None:
    action = start(actions, count_up, 7)
    until(lambda: not action.is_running)

    assert (action.state, action.result, action.done, action.total) == (ActionState.DONE, 14, 7, 7)
    assert actions.find(action.id) is action
    assert action.address == f"/eval?run={action.id}"


def test_a_cancelled_action_ends_its_process_at_once(actions: LongActions, tmp_path: Path) -> None:
    action = start(actions, wait_for_ever, str(tmp_path / "marker"))
    until(lambda: (tmp_path / "marker").exists() and (tmp_path / "marker").read_text())
    process = action.process
    actions.cancel(action.id)

    assert process is not None
    until(lambda: not process.is_alive())  # the action waits for it too, and who is second to ask sees its end later
    assert (action.state, action.result) == (ActionState.CANCELLED, None)


def test_one_runs_at_a_time_and_the_same_is_not_started_twice(actions: LongActions, tmp_path: Path) -> None:
    action = start(actions, wait_for_ever, str(tmp_path / "marker"), key="a")

    assert start(actions, wait_for_ever, str(tmp_path / "other"), key="a") is action
    with pytest.raises(UsageError, match="A test"):
        start(actions, count_up, 1, key="b")
    actions.cancel(action.id)
    until(lambda: not action.is_running)
    assert start(actions, count_up, 1, key="b") is not action


def test_a_refusal_a_defect_and_a_death_are_told_in_words(actions: LongActions, journal: list[str]) -> None:
    told: list[str] = []
    for work in (refuse, be_defective, die):
        action = start(actions, work)
        until(lambda action=action: not action.is_running)
        assert action.state is ActionState.FAILED
        told.append(action.problem)

    assert told == ["the thing is gone", "clew failed here (ZeroDivisionError)", "its process was ended by something else"]
    assert len(journal) == 1
    assert "ZeroDivisionError" in journal[0]


def test_only_the_latest_actions_are_held(actions: LongActions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.adapters.page.actions.KEPT_MAX", 2)
    ids: list[str] = []
    for number in range(3):
        action = start(actions, count_up, 1, key=str(number))
        until(lambda action=action: not action.is_running)
        ids.append(action.id)

    assert [actions.find(each) is not None for each in ids] == [False, True, True]


def test_after_closing_nothing_runs_and_nothing_starts(actions: LongActions, tmp_path: Path) -> None:
    action = start(actions, wait_for_ever, str(tmp_path / "marker"))
    actions.close()

    assert action.state is ActionState.CANCELLED
    with pytest.raises(UsageError, match="stopping"):
        start(actions, count_up, 1)


def test_the_page_shows_the_figures_of_the_command_line_cut_by_cut(page: Page, tmp_path: Path) -> None:
    file = write_session(with_summary=True).save(page.projects / "-home-dev-ledger")
    page.post("/eval/start", session=file.stem)
    [action] = page.app.actions._actions.values()
    until(lambda: not action.is_running)
    text = page.get(action.address)
    environment = {**os.environ, "CLEW_HOME": str(tmp_path / "elsewhere"), "PYTHONPATH": str(CLONE / "src")}
    said = subprocess.run(
        [sys.executable, "-m", "clew", "eval", str(file), "--json"], capture_output=True, text=True, check=True, env=environment
    ).stdout
    report = json.loads(said)

    assert action.state is ActionState.DONE, action.problem
    assert report["cuts"] == 1
    at = next(each for each in report["budgets"] if each["budget"] == "summary")
    shown = re.findall(r'data-label="(clew|summary|recency)">([^<]*)</td>', text)
    wanted = [
        (arm, "–" if found[measure] is None else f"{round(found[measure] * 100)}")
        for measure in ("files", "verbatim", "folded", "terms", "named", "repeats", "constraints", "dead_ends")
        for arm, found in at["means"].items()
    ]
    assert shown == wanted
    assert "All that was folded comes back, byte for byte" in text
    assert "What this does not say" in text


def test_a_running_evaluation_shows_progress_and_a_button_that_cancels_it(page: Page) -> None:
    action = page.app.actions.start("eval", "", wait_for_ever, str(page.repo / "marker"), title="Replaying <b>", address="/eval")
    until(lambda: action.total)
    text = page.get(action.address)

    assert "1 of 3" in text
    assert "Replaying &lt;b&gt;" in text
    assert f'action="/actions/{action.id}/cancel"' in text
    assert "Cancelled after 1 of 3" in page.post(f"/actions/{action.id}/cancel", button="")
    assert action.state is ActionState.CANCELLED


def test_progress_is_followed_to_its_end(page: Page) -> None:
    action = page.app.actions.start("eval", "", count_up, 3, title="Counting", address="/eval")
    text = page.get(f"/actions/{action.id}/events")
    events = re.findall(r"event: (\w+)\ndata: (.+)", text)

    assert events[-1][0] == "ended"
    assert json.loads(events[-1][1]) == {"state": "done", "done": 3, "total": 3}
    assert page.client.get("/actions/nothing/events").status_code == 404


def test_no_other_site_cancels_or_starts_anything(page: Page) -> None:
    action = page.app.actions.start("eval", "", wait_for_ever, str(page.repo / "marker"), title="Waiting", address="/eval")
    for path in (f"/actions/{action.id}/cancel", "/eval/start"):
        assert page.client.post(path, headers={"origin": "https://site.example"}).status_code == 403
        assert page.client.get(path).status_code in (404, 405)
        assert page.stranger().post(path, headers={"origin": ORIGIN}).status_code == 401

    assert action.is_running


def test_what_cannot_be_replayed_is_said(page: Page) -> None:
    assert "Nothing was replayed" in page.get("/eval")
    assert "not held any more" in page.get("/eval?run=nothing")
    for fields in ({"limit": "many"}, {"w": "nowhere"}, {"session": "nowhere"}, {"session": "../../etc/passwd"}):
        assert page.client.post("/eval/start", data=fields, headers={"origin": ORIGIN}).status_code in (400, 404)
    (page.projects / "-home-dev-clew" / f"{SESSION}.jsonl").unlink()
    answer = page.client.post("/eval/start", data={"w": ""}, headers={"origin": ORIGIN})
    assert "no transcript to judge" in answer.text
