"""`clew trial`: what a person is told when a trial is planned, waits, and ends."""

from __future__ import annotations

from pathlib import Path

from calling import Call

from clew.trial.log import TrialLog
from clew.trial.outcome import SessionOutcome


def test_a_plan_opens_what_is_said_and_nothing_of_the_difference_is_said_before_its_end(clew: Call, home: Path) -> None:
    started = clew("trial", "start", "--parts", "prompts", "--sessions", "8")
    log = TrialLog(home)
    for number in range(8):
        log.assign(f"s{number}", "/r")
        if number < 7:
            log.record_outcome(SessionOutcome(f"s{number}", 0, is_completed=True, units=1000.0 + number))
    waiting = clew("trial", "status")

    assert started.code == waiting.code == 0
    for said in (started.text, waiting.text):
        assert said.startswith("Registered ")
        assert "sha256" in said.splitlines()[0]
        assert "Hypothesis: with prompts" in " ".join(said.split())
    assert "Not yet: 1 session is still needed" in " ".join(waiting.text.split())
    assert "with − without" not in waiting.text
    value = clew("trial", "status", "--json").json
    assert value["parts"] == [
        {
            "part": "prompts", "verdict": "not yet", "why": "7 of 8 sessions are final", "completed": None, "cost": None, "judged": None,
            "secondary": {}, "needed": 0,
        }
    ]  # fmt: skip
    assert len(value["plan"]["sha256"]) == 64


def test_at_its_end_each_part_has_a_verdict_with_intervals(clew: Call, home: Path) -> None:
    clew("trial", "start", "--parts", "prompts,compaction", "--sessions", "64", "--margin", "20")
    log = TrialLog(home)
    for number in range(64):
        made = log.assign(f"s{number}", "/r")
        assert made is not None
        units = 1000.0 * (1 + number / 200) * (3.0 if "prompts" in made.without else 1.0)
        log.record_outcome(SessionOutcome(f"s{number}", 0, is_completed=True, units=units, requests=number))
    called = clew("trial", "report")
    said = " ".join(called.text.split())

    assert called.code == 0
    assert "prompts: HELPS. No work is lost by it, and sessions cost less." in said
    assert "compaction: " in said
    assert "margin −20 points" in said
    assert "billed, with against without: -6" in said
    assert "Only the first two measures decide" in said


def test_stop_ends_it_and_says_that_fewer_conclude_nothing(clew: Call, home: Path) -> None:
    clew("trial", "start")
    called = clew("trial", "stop")

    assert called.code == 0
    assert "fewer conclude nothing" in " ".join(called.text.split())
    assert clew("trial", "start", "--sessions", "9").code == 0


def test_what_cannot_be_asked_is_refused_in_words(clew: Call, home: Path) -> None:
    assert "no trial was started" in clew("trial", "status").err
    assert clew("trial", "start", "--parts", "memory").code == 2
    assert clew("trial", "status", "--parts", "prompts").code == 2
    assert clew("trial", "start", "--margin", "0").code == 2
    assert not (home / "trials").exists()
    clew("trial", "start")
    assert "runs already" in clew("trial", "start").err
