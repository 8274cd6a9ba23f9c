"""Sessions priced again: small transcripts whose bills can be added up by hand."""

from __future__ import annotations

import pytest

from bench.cost.arms import ARMS, UNBOUND
from clew.evaluation.repricing import BILLED, BOTH, NOTHING, SCHEDULE, Arm, Repriced, dollars_per_unit, reprice
from clew.records import Observation
from tests.bench.billed import Script

LOG = "".join(f"worker {number} took job-{number} from the queue and finished\n" for number in range(400))


def first_lines(result: Observation, _call: Observation | None, _handle: str) -> str:
    return result.text[:3000]


def last_lines(result: Observation, _call: Observation | None, _handle: str) -> str:
    return result.text[-3000:]


def units(told: Repriced, arm: str) -> float:
    """What an arm pays for input."""
    return told.arms[arm].units - told.arms[arm].output_units


def test_the_bill_is_added_up_once_for_each_reply_and_the_model_agrees_with_it() -> None:
    script = Script()
    script.prompt("look around")
    for name in "abc":
        script.read(f"/w/{name}.py")
    script.reply({"type": "thinking", "thinking": "so"}, {"type": "text", "text": "That is all."})

    told = script.priced()

    assert (told.requests, told.calls, told.compactions) == (4, 3, 0)
    assert units(told, BILLED) == pytest.approx(script.units)
    assert units(told, NOTHING) == pytest.approx(script.units)
    assert told.model_error == pytest.approx(0)
    assert told.arms[BILLED].dollars == pytest.approx(told.arms[BILLED].units * 5e-6)


@pytest.mark.parametrize(("ttl", "pause_s"), [("5m", 400), ("1h", 4000)])
def test_a_pause_that_outlasts_the_cache_is_foreseen_and_the_window_is_rewritten_then(ttl: str, pause_s: int) -> None:
    script = Script(ttl)
    script.prompt("look around")
    script.use("Bash", LOG, command="cat worker.log")
    for _ in range(12):
        script.say("The queue is drained. " * 100)
    script.say(pause_s=pause_s)

    told = script.priced(arms=(SCHEDULE,), may_owe_share=0.0)

    assert told.model_error == pytest.approx(0)
    assert (told.arms[SCHEDULE].rewrites, told.arms[SCHEDULE].unfolds) == (1, 0)
    assert told.against_nothing(SCHEDULE) < -0.02


def test_a_cache_that_was_missed_for_no_visible_reason_is_paid_by_every_arm() -> None:
    script = Script()
    script.prompt("look around")
    script.say()
    script.cached = 0
    script.say()

    told = script.priced()

    assert told.model_error < -0.2
    assert told.bill_error == pytest.approx(0)
    assert {told.against_nothing(arm) for arm in ARMS} == {0.0}


def test_an_output_that_enters_shorter_is_saved_in_every_later_request() -> None:
    script = Script()
    script.prompt("run it")
    script.use("Bash", LOG, command="make")
    for _ in range(5):
        script.say()

    told = script.priced(arms=("append",), shrink=first_lines)

    saved = told.arms["append"].shrunk_tokens
    assert saved == pytest.approx((len(LOG) - 3000) // 3, rel=0.05)
    assert told.arms[NOTHING].units - told.arms["append"].units == pytest.approx(saved * (1.25 + 4 * 0.1))


def test_what_turned_out_to_be_needed_is_paid_for_with_a_request_and_its_text() -> None:
    script = Script()
    script.prompt("run it")
    script.use("Bash", LOG, command="make")
    script.use("Grep", "nothing", pattern="job-399")

    told = script.priced(arms=("append",), shrink=first_lines)
    unfolded = told.arms["append"]

    assert (unfolded.unfolds, unfolded.unfolded_tokens) == (1, 4000)
    assert told.against_nothing("append") > 0
    assert script.priced(arms=("append",), shrink=last_lines).arms["append"].unfolds == 0


def test_an_edit_needs_the_text_that_it_replaces_unless_it_stands_elsewhere() -> None:
    def edited(*, is_quoted: bool) -> Arm:
        script = Script()
        script.prompt("fix `def total_400(rows): return sum(rows[400:])`" if is_quoted else "fix the last one")
        script.read("/w/a.py")
        old, new = "def total_400(rows): return sum(rows[400:])", "def total_400(rows): return 0"
        script.use("Edit", "updated", file_path="/w/a.py", old_string=old, new_string=new)
        return script.priced(arms=("append",), shrink=first_lines).arms["append"]

    assert edited(is_quoted=False).unfolds == 1
    assert edited(is_quoted=True).unfolds == 0


def test_only_the_real_session_pays_for_its_summary_and_all_go_on_with_a_window_of_one_size() -> None:
    script = Script()
    script.prompt("look around")
    script.read("/w/a.py")
    script.say()
    script.compact("We looked around. " * 100)
    script.say()

    told = script.priced(arms=("append",))

    assert told.compactions == 1
    assert told.arms[NOTHING].units - told.arms["append"].units == pytest.approx(told.summary_units)
    assert told.against_nothing("append", is_summary_paid=False) == pytest.approx(0)
    assert told.bill_error == pytest.approx(0)


@pytest.mark.parametrize("calls", [2, 15, 40, 80])
def test_however_a_session_ends_the_scheduler_owes_no_more_than_it_may(calls: int) -> None:
    """Cut off anywhere, a session in which nothing is needed again is never dearer than its share of debt."""
    script = Script("1h")
    script.prompt("look around")
    for number in range(calls):
        script.use("Bash", LOG[:6000], command=f"make part{number}")

    told = script.priced(arms=(SCHEDULE, BOTH, UNBOUND), may_owe_share=0.02, shrink=last_lines)

    assert told.against_nothing(SCHEDULE) <= 0.02
    assert told.against_nothing(BOTH) <= 0.02
    assert told.against_nothing(UNBOUND) < -0.05 or calls < 40


def test_the_same_session_has_the_same_price_and_broken_lines_cost_nothing() -> None:
    script = Script()
    script.prompt("look around")
    for name in "abcdefghijklmnop":
        script.read(f"/w/{name}.py")
    again = [*script.lines, b'{"type":"assistant","message":{"usage":', b"\xff\xfe"]

    assert reprice(script.lines) == reprice([line + b"\n" for line in script.lines]) == reprice(again)


def test_a_transcript_without_bills_has_no_price() -> None:
    script = Script()
    script.prompt("hello")

    assert reprice(script.lines) is None
    assert reprice([]) is None
    assert reprice([b'{"timestamp":"2026-03-01T10:00:00Z","type":"session_meta","payload":{"id":"x"}}']) is None


def test_dollars_are_told_for_known_models_alone() -> None:
    assert dollars_per_unit("claude-opus-4-6") == pytest.approx(5e-6)
    assert dollars_per_unit("claude-opus-4-20250514") == pytest.approx(15e-6)
    assert dollars_per_unit("claude-sonnet-4-5-20250929") == pytest.approx(3e-6)
    assert dollars_per_unit("claude-haiku-4-5-20251001") == pytest.approx(1e-6)
    assert dollars_per_unit("gpt-5-codex") is None
