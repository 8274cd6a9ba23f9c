"""What is said of a trial: nothing before the planned number, and then what the intervals bear, harm included."""

from __future__ import annotations

from math import exp
from pathlib import Path

import msgspec
import numpy as np
import pytest

from clew.trial.log import Assignment, Trial, draw
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import Plan
from clew.trial.report import Verdict, build_report, decide
from clew.trial.statistics import Interval

PLAN = Plan("t", 0, ("prompts",), 400, margin=0.1)


def trial_of(
    sessions: int = 400, *, parts: tuple[str, ...] = ("prompts",), cost: float = 1.0, completed: tuple[float, float] = (0.8, 0.8),
    judged: tuple[float, float] = (1.0, 1.0), final: int | None = None, log_sd: float = 0.3, seed: int = 1,
) -> Trial:  # fmt: skip
    """A trial whose first part multiplies the cost, with shares of completed and judged sessions with it and without it."""
    random = np.random.default_rng(seed)
    trial = Trial(Path("log"), Plan("t", 0, parts, sessions, margin=0.1), "d" * 64)
    for number in range(sessions):
        repository = f"/r{number % 3}"
        here = [each for each in trial.drawn if each.repository == repository]
        without, block = draw(b"k" * 32, f"s{number}", repository, parts, here)
        trial.assigned[f"s{number}"] = Assignment(f"s{number}", repository, number, without, block)
        if final is not None and number >= final:
            continue
        is_with = parts[0] not in without
        is_judged = random.random() < judged[0 if is_with else 1]
        is_completed = bool(random.random() < completed[0 if is_with else 1]) if is_judged else None
        units = exp(13 + log_sd * random.standard_normal()) * (cost if is_with else 1.0)
        trial.outcomes[f"s{number}"] = SessionOutcome(f"s{number}", 0, is_completed, "", units, requests=int(random.integers(10, 90)))
    return trial


def test_before_the_planned_number_no_figure_of_either_arm_is_shown() -> None:
    report = build_report(trial_of(final=399, cost=0.1, completed=(0.1, 0.9)))

    [part] = report.parts
    assert (report.is_decided, report.still, part.verdict) == (False, 1, Verdict.NOT_YET)
    assert (part.completed, part.cost, part.judged, part.secondary) == (None, None, None, ())
    assert part.why == "399 of 400 sessions are final"
    assert report.progress.judged == 399


def test_a_part_that_saves_and_loses_no_work_helps() -> None:
    [part] = build_report(trial_of(cost=0.7, completed=(0.85, 0.8))).parts

    assert part.verdict is Verdict.HELPS
    assert part.cost is not None
    assert part.cost.low < -0.3 < part.cost.high or abs(part.cost.value + 0.3) < 0.08
    assert part.completed is not None
    assert part.completed.low > -0.1
    assert [name for name, _ in part.secondary] == ["requests", "prompts", "rereads", "repeated_failures", "compactions"]


def test_a_saving_that_loses_work_is_harm_whatever_it_saves() -> None:
    [part] = build_report(trial_of(cost=0.3, completed=(0.5, 0.8))).parts

    assert part.verdict is Verdict.HARMS
    assert "completed less often" in part.why


def test_a_part_that_costs_more_is_harm() -> None:
    [part] = build_report(trial_of(cost=1.5)).parts

    assert part.verdict is Verdict.HARMS
    assert "cost more" in part.why


def test_no_effect_is_said_where_both_intervals_are_narrow() -> None:
    [part] = build_report(trial_of(1200, completed=(0.9, 0.9), log_sd=0.05)).parts

    assert part.verdict is Verdict.NO_EFFECT
    assert part.needed == 0


def test_what_is_not_shown_is_called_so_with_the_sessions_that_would_show_it() -> None:
    [part] = build_report(trial_of(80, log_sd=1.2)).parts

    assert part.verdict is Verdict.NOT_SHOWN
    assert part.needed > 80


def test_arms_that_could_be_judged_unequally_often_do_not_compare() -> None:
    [part] = build_report(trial_of(1200, cost=0.5, completed=(0.9, 0.9), judged=(0.9, 0.6))).parts

    assert part.verdict is Verdict.NOT_SHOWN
    assert "could be judged" in part.why


def test_sessions_without_a_bill_leave_the_cost_unknown() -> None:
    trial = trial_of(1200, completed=(0.9, 0.9))
    trial.outcomes = {name: SessionOutcome(name, 0, of.is_completed) for name, of in trial.outcomes.items()}
    [part] = build_report(trial).parts

    assert part.cost is None
    assert "of its cost nothing is known" in part.why


def test_only_the_part_that_does_something_is_claimed_to() -> None:
    parts = ("prompts", "reduction", "compaction")
    first, *others = build_report(trial_of(1600, parts=parts, cost=0.6, completed=(0.92, 0.92), log_sd=0.5)).parts

    assert first.verdict is Verdict.HELPS
    assert {part.verdict for part in others} <= {Verdict.NOT_SHOWN, Verdict.NO_EFFECT}


def test_only_the_sessions_that_were_planned_count() -> None:
    trial = trial_of(40)
    wider = trial_of(40)
    for number in range(40, 60):
        wider.assigned[f"s{number}"] = Assignment(f"s{number}", "/r0", number, (), 99)
        wider.outcomes[f"s{number}"] = SessionOutcome(f"s{number}", 0, False, units=1e9)

    assert build_report(trial).parts == build_report(wider).parts


def test_a_stopped_trial_concludes_nothing() -> None:
    trial = trial_of(final=300, cost=0.2)
    trial.stopped_ns = 5
    report = build_report(trial)

    assert report.parts[0].verdict is Verdict.NOT_YET
    assert "stopped" in report.parts[0].why


@pytest.mark.parametrize(
    ("completed", "cost", "wanted"),
    [
        ((-0.05, 0.05), (-0.3, -0.1), Verdict.HELPS), ((-0.05, 0.05), (-0.04, 0.04), Verdict.NO_EFFECT),
        ((-0.05, 0.05), (-0.2, 0.1), Verdict.NOT_SHOWN), ((-0.12, 0.05), (-0.3, -0.1), Verdict.NOT_SHOWN),
        ((-0.09, -0.01), (-0.3, -0.1), Verdict.HARMS), ((-0.05, 0.05), (0.01, 0.3), Verdict.HARMS), (None, (-0.3, -0.1), Verdict.NOT_SHOWN),
    ],
)  # fmt: skip
def test_completed_work_comes_first_and_harm_is_called_harm(
    completed: tuple[float, float] | None, cost: tuple[float, float], wanted: Verdict
) -> None:
    def interval(ends: tuple[float, float]) -> Interval:
        return Interval(sum(ends) / 2, *ends, 200, 200)

    assert decide(interval(completed) if completed else None, interval(cost), PLAN)[0] is wanted


def test_additions_used_are_told_at_the_end_and_not_before() -> None:
    def with_additions(final: int | None) -> Trial:
        trial = trial_of(40, final=final)
        for session, outcome in trial.outcomes.items():
            if "prompts" not in trial.assigned[session].without:
                trial.outcomes[session] = msgspec.structs.replace(outcome, additions=4, additions_used=1)
        return trial

    share = build_report(with_additions(None)).additions
    assert share is not None
    assert (share.value, share.used, share.whole, share.groups) == (0.25, 21, 84, 21)
    assert share.low < 0.25 < share.high
    assert build_report(with_additions(39)).additions is None
