"""The trial on the page: what to do without one, nothing of either arm before its end, and then what its intervals bear."""

from __future__ import annotations

import re
import time
from html import unescape

from clew.trial.log import TrialLog
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import Assumptions
from tests.page.conftest import SESSION, Page


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def start(page: Page, sessions: int = 64, *, final: int | None = None, dear: str = "", parts: tuple[str, ...] = ("prompts",)) -> TrialLog:
    """A trial whose sessions are all completed; those with the part `dear` cost three times as much."""
    log = page.context.trial
    log.start(parts, sessions, margin=0.2, assumed=Assumptions())
    for number in range(sessions):
        made = log.assign(f"s{number}", "/r")
        assert made is not None
        if final is None or number < final:
            is_with = "prompts" not in made.without
            units = 1000.0 * (1 + number / 20_000) * (3.0 if dear and dear not in made.without else 1.0)
            log.record_outcome(
                SessionOutcome(f"s{number}", 0, is_completed=True, units=units, additions=2 * is_with, additions_used=int(is_with))
            )
    return log


def test_without_a_trial_it_is_said_what_to_do(page: Page) -> None:
    text = words(page.get("/trial"))

    assert "No trial was started" in text
    assert "clew trial start" in text
    assert "584 sessions for one part" in text
    assert not (page.context.settings.data_dir / "trials").exists()


def test_before_the_planned_number_the_plan_stands_first_and_nothing_of_either_arm(page: Page) -> None:
    start(page, final=63, dear="prompts")
    text = words(page.get("/trial"))

    assert text.index("Registered ") < text.index("64 sessions drawn, 63 final")
    assert "Not yet: 1 session is still needed" in text
    for told in ("with − without", "Additions used", "prompts: ", "Intervals"):
        assert told not in text.partition("How this is judged")[0]


def test_harm_is_said_in_its_place_with_intervals_and_how_much_was_used(page: Page) -> None:
    start(page, dear="prompts", parts=("prompts", "compaction"))
    text = words(page.get("/trial"))

    assert "prompts: harm Sessions cost more with it." in text
    assert re.search(r"billed, with against without \+(19|20)\d\.\d % \[", text)
    assert re.search(r"compaction: (no effect|not shown either way) ", text)
    assert "margin −20 points" in text
    assert "Additions used: 32 of 64 files named beside prompts were read or changed afterwards, 50 % [" in text


def test_no_effect_is_said_where_cost_is_the_same(page: Page) -> None:
    start(page, 200)

    assert "prompts: no effect No work is lost by it, and the cost is the same." in words(page.get("/trial"))


def test_the_sessions_that_have_ended_are_read_by_a_button_alone(page: Page) -> None:
    log = start(page, 8, final=6)
    log.stop()
    assert "2 without an outcome yet" in words(page.get("/trial"))
    before = log.read_current()
    assert before is not None
    assert len(before.outcomes) == 6
    page.post("/trial/measure", now="yes")
    until = time.monotonic() + 60
    while len((log.read_current() or before).outcomes) < 8 and time.monotonic() < until:
        time.sleep(0.05)  # another process writes them
    text = words(page.get("/trial"))

    assert "8 sessions drawn, 8 final" in text
    assert "without an outcome yet" not in text


def test_a_log_that_was_changed_is_said_and_concludes_nothing(page: Page) -> None:
    log = start(page, 8)
    trial = log.read_current()
    assert trial is not None
    trial.path.write_bytes(trial.path.read_bytes().replace(b'"is_completed":true', b'"is_completed":false', 1))

    assert "was changed" in words(page.get("/trial", 500))


def test_a_session_that_was_drawn_to_work_without_additions_says_so(page: Page) -> None:
    log = page.context.trial
    log.start(("prompts",), 64, margin=0.2, assumed=Assumptions())
    log.assign(SESSION, "/r")
    trial = log.read_current()
    assert trial is not None
    text = words(page.get(f"/sessions/{SESSION}/prompts"))

    is_without = "prompts" in trial.assigned[SESSION].without
    assert ("drew this session to work without additions" in text) is is_without
    assert ("Nothing is logged of this session" in text) is not is_without
