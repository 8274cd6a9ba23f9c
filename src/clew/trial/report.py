"""Report: what a trial shows, once as many sessions as were planned are final; until then, how many there are and nothing of either arm.

Looking earlier and stopping at what one likes makes chance look like an effect. So before the planned number there are no figures by
arm, only those of all sessions together, which tell nothing of the difference; and what is judged are the sessions drawn first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from math import exp, log, sqrt

import numpy as np

from clew.trial.log import Assignment, Trial
from clew.trial.outcome import SECONDARY, SessionOutcome
from clew.trial.plan import Plan, find_detectable_saving, plan_cost_sessions, plan_sessions
from clew.trial.statistics import DRAWS, Interval, Share, compare_means, compare_shares, estimate_share

JUDGED_MIN = 8  # judged sessions in each arm: below it no interval of completed work is shown; guess
SECONDARY_ALPHA = 0.05


class Verdict(Enum):
    """What is claimed of a part, in words."""

    NOT_YET = "not yet"
    HELPS = "helps"
    NO_EFFECT = "no effect"
    HARMS = "harm"
    NOT_SHOWN = "not shown either way"


@dataclass(frozen=True, slots=True)
class PartResult:
    """What the trial shows of one part.

    completed  difference of the shares of completed work; cost  with divided by without, minus 1. None where nothing can be compared.
    judged     shares of the sessions that could be judged: a difference here would bend that of completed work.
    secondary  measures without a verdict: name, difference of means, with its interval.
    needed     sessions in all that would show a saving of `plan.cost_margin`, or that nothing is lost; 0 where what was asked is shown.
    """

    part: str
    verdict: Verdict
    why: str
    completed: Interval | None = None
    cost: Interval | None = None
    judged: Interval | None = None
    secondary: tuple[tuple[str, Interval], ...] = ()
    needed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a trial is, of both arms together.

    drawn, final   sessions that were drawn, and of them those whose outcome is final.
    judged, completed  final sessions whose work could be judged, and was completed. log_sd  of their cost; None with less than two.
    """

    drawn: int
    final: int
    judged: int
    completed: int
    log_sd: float | None

    @property
    def median_words(self) -> str:
        """Return the share of completed work in words."""
        return f"{self.completed} of {self.judged}" if self.judged else "none judged yet"


@dataclass(frozen=True, slots=True)
class TrialReport:
    """The report of a trial.

    is_decided   all planned sessions are final; before that `parts` hold no figures.
    still        sessions that are still to be drawn, or to become final.
    detectable   the smallest saving, as a share, that the planned number shows with a power of 80 %.
    additions    share of the files named beside prompts that were read or changed afterwards; None until it is decided, and for none.
    """

    plan: Plan
    plan_digest: str
    progress: Progress
    is_decided: bool
    is_stopped: bool
    still: int
    detectable: float
    parts: tuple[PartResult, ...]
    additions: Share | None = None


def build_report(trial: Trial, *, draws: int = DRAWS, with_secondary: bool = True) -> TrialReport:
    """Return what a trial shows, from its log alone. `draws` of labels; `with_secondary` adds the measures without a verdict."""
    plan = trial.plan
    first = trial.drawn[: plan.sessions]
    final = [(each, trial.outcomes[each.session]) for each in first if each.session in trial.outcomes]
    progress = _count_progress(trial, final)
    is_decided = len(final) == plan.sessions
    log_sd = progress.log_sd or plan.assumed.log_sd
    if is_decided:
        parts = [_judge(plan, part, final, draws=draws, with_secondary=with_secondary) for part in plan.parts]
    else:
        parts = [PartResult(part, Verdict.NOT_YET, _say_not_yet(trial, final)) for part in plan.parts]
    detectable = find_detectable_saving(plan.sessions, len(plan.parts), log_sd)
    additions = _share_used(final) if is_decided else None
    return TrialReport(
        plan, trial.plan_digest, progress, is_decided, bool(trial.stopped_ns), plan.sessions - len(final), detectable, tuple(parts),
        additions,
    )  # fmt: skip


def decide(completed: Interval | None, cost: Interval | None, plan: Plan) -> tuple[Verdict, str]:
    """Return what may be claimed from the two intervals, and why.

    completed  difference of shares; cost  with divided by without, minus 1.
    """
    if completed is not None and completed.high < 0:
        return Verdict.HARMS, "work is completed less often with it"
    if cost is not None and cost.low > 0:
        return Verdict.HARMS, "sessions cost more with it"
    is_safe = completed is not None and completed.low > -plan.margin
    if not is_safe:
        what = "a loss of completed work above the margin is not ruled out" if completed is not None else "too few sessions could be judged"
        return Verdict.NOT_SHOWN, what
    if cost is None:
        return Verdict.NOT_SHOWN, "no work is lost by it; of its cost nothing is known"
    if cost.high < 0:
        return Verdict.HELPS, "no work is lost by it, and sessions cost less"
    if -plan.cost_margin < cost.low and cost.high < plan.cost_margin:
        return Verdict.NO_EFFECT, "no work is lost by it, and the cost is the same"
    return Verdict.NOT_SHOWN, "no work is lost by it; whether it saves or costs anything is not shown"


def _judge(plan: Plan, part: str, final: Sequence[tuple[Assignment, SessionOutcome]], *, draws: int, with_secondary: bool) -> PartResult:
    judged = [(each, of) for each, of in final if of.is_completed is not None]
    completed = compare_shares(
        [bool(of.is_completed) for _, of in judged], [part not in each.without for each, _ in judged],
        [each.repository for each, _ in judged], alpha=plan.completion_alpha,
    )  # fmt: skip
    if completed is not None and min(completed.n_with, completed.n_without) < JUDGED_MIN:
        completed = None
    cost = _compare(part, final, lambda of: log(of.units) if of.units else None, plan.cost_alpha, draws)
    if cost is not None:
        cost = Interval(exp(cost.value) - 1, exp(cost.low) - 1, exp(cost.high) - 1, cost.n_with, cost.n_without)
    verdict, why = decide(completed, cost, plan)
    shares = compare_shares(
        [of.is_completed is not None for _, of in final], [part not in each.without for each, _ in final],
        [each.repository for each, _ in final], alpha=SECONDARY_ALPHA,
    )  # fmt: skip
    if shares is not None and (shares.low > 0 or shares.high < 0) and verdict in (Verdict.HELPS, Verdict.NO_EFFECT):
        verdict, why = Verdict.NOT_SHOWN, "more sessions could be judged in one arm than in the other, so they do not compare"
    secondary = tuple(
        (name, found)
        for name in (SECONDARY if with_secondary else ())
        if (found := _compare(part, final, lambda of, name=name: getattr(of, name), SECONDARY_ALPHA, draws)) is not None
    )
    return PartResult(part, verdict, why, completed, cost, shares, secondary, _count_needed(plan, verdict, completed, final))


def _compare(
    part: str,
    final: Sequence[tuple[Assignment, SessionOutcome]],
    measure: Callable[[SessionOutcome], float | None],
    alpha: float,
    draws: int,
) -> Interval | None:
    """Compare a measure among the sessions of one block that do without the same other parts: where this part was drawn by chance alone."""
    known = [(each, value) for each, of in final if (value := measure(of)) is not None]
    strata = [(each.repository, each.block, tuple(other for other in each.without if other != part)) for each, _ in known]
    return compare_means([value for _, value in known], [part not in each.without for each, _ in known], strata, alpha=alpha, draws=draws)


def _count_needed(plan: Plan, verdict: Verdict, completed: Interval | None, final: Sequence[tuple[Assignment, SessionOutcome]]) -> int:
    """Sessions in all that a new trial would need, by what this one measured; 0 where this one answers."""
    if verdict is not Verdict.NOT_SHOWN:
        return 0
    measured = _measure(final)
    if completed is None or completed.low <= -plan.margin:
        judged = max(measured.judged, 1)
        share = min(max((measured.completed + 1) / (judged + 2), 0.5), 0.99)
        assumed = type(plan.assumed)(share, max(measured.judged / len(final), 0.05), measured.log_sd or plan.assumed.log_sd)
        return plan_sessions(plan.margin, len(plan.parts), assumed)
    return plan_cost_sessions(plan.cost_margin, len(plan.parts), measured.log_sd or plan.assumed.log_sd)


def _share_used(final: Sequence[tuple[Assignment, SessionOutcome]]) -> Share | None:
    return estimate_share([of.additions_used for _, of in final], [of.additions for _, of in final], alpha=SECONDARY_ALPHA)


def _count_progress(trial: Trial, final: Sequence[tuple[Assignment, SessionOutcome]]) -> Progress:
    measured = _measure(final)
    return Progress(len(trial.drawn), len(final), measured.judged, measured.completed, measured.log_sd)


def _measure(final: Sequence[tuple[Assignment, SessionOutcome]]) -> Progress:
    judged = [of for _, of in final if of.is_completed is not None]
    logs: dict[str, list[float]] = {}
    for each, of in final:
        if of.units:
            logs.setdefault(each.repository, []).append(log(of.units))
    spread = [value - float(np.mean(values)) for values in logs.values() if len(values) > 1 for value in values]
    freedom = len(spread) - sum(len(values) > 1 for values in logs.values())
    log_sd = sqrt(sum(value * value for value in spread) / freedom) if freedom > 0 else None
    return Progress(0, len(final), len(judged), sum(bool(of.is_completed) for of in judged), log_sd)


def _say_not_yet(trial: Trial, final: Sequence[object]) -> str:
    if trial.stopped_ns:
        return f"it was stopped after {len(final)} of {trial.plan.sessions} sessions, so nothing is concluded"
    return f"{len(final)} of {trial.plan.sessions} sessions are final"
