"""Report: means of many cuts with intervals clustered by session, and differences of clew from each arm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.evaluation.evaluate import SUMMARY_BUDGET, CaseResult, RecoveryCounts, TranscriptResult
from clew.evaluation.intervals import Difference, Estimate, difference, estimate
from clew.evaluation.report import WorstCase, find_worst_cases


@dataclass(frozen=True, slots=True)
class AtBudget:
    """All arms at one budget. `cuts` is how many have it, `tokens` the median budget, `share` its median share of the history."""

    budget: str
    cuts: int
    sessions: int
    tokens: int
    share: float
    arms: dict[str, dict[str, Estimate]]
    ahead: dict[str, dict[str, Difference]]


@dataclass(frozen=True, slots=True)
class Report:
    """What came of an evaluation. Milliseconds are clew's, medians and largest over cuts."""

    sessions: int
    too_short: int
    cuts: int
    compactions: int
    observations: int
    needed: dict[str, int]
    budgets: tuple[AtBudget, ...]
    worst: tuple[WorstCase, ...]
    recovery: RecoveryCounts
    made_ms: float
    made_ms_max: float
    ms_per_observation: float
    problems: tuple[str, ...]


def summarise(outcomes: Sequence[TranscriptResult], measures: Sequence[str]) -> Report:
    """Return the report of these transcripts, of these measures of their rows."""
    cuts = [cut for outcome in outcomes for cut in outcome.cuts]
    names = dict.fromkeys(row.budget for cut in cuts for row in cut.rows)
    # The summary's size first, then the shares, the smallest first.
    budgets = tuple(
        _at(name, cuts, measures) for name in sorted(names, key=lambda name: -1.0 if name == SUMMARY_BUDGET else float(name.split(" ")[0]))
    )
    made = sorted(cut.made_ms for cut in cuts)
    observed = sum(cut.observations for cut in cuts)
    return Report(
        sessions=sum(not outcome.problem for outcome in outcomes),
        too_short=sum(not outcome.problem and not outcome.cuts for outcome in outcomes),
        cuts=len(cuts),
        compactions=sum(cut.kind == "compaction" for cut in cuts),
        observations=observed,
        needed={kind: sum(cut.needed[kind] for cut in cuts) for kind in (cuts[0].needed if cuts else ())},
        budgets=budgets,
        worst=find_worst_cases(cuts, max(budgets, key=lambda at: at.cuts).budget) if budgets else (),
        recovery=sum((cut.recovery for cut in cuts), RecoveryCounts()),
        made_ms=made[len(made) // 2] if made else 0.0,
        made_ms_max=made[-1] if made else 0.0,
        ms_per_observation=sum(made) / observed if observed else 0.0,
        problems=tuple(outcome.problem for outcome in outcomes if outcome.problem),
    )


def _at(budget: str, cuts: Sequence[CaseResult], measures: Sequence[str]) -> AtBudget:
    found = [(cut, {row.arm: row for row in cut.rows if row.budget == budget}) for cut in cuts]
    found = [(cut, rows) for cut, rows in found if rows]
    owners = [cut.session for cut, _ in found]
    arms = dict.fromkeys(arm for _, rows in found for arm in rows)
    values = {
        arm: {measure: [rows[arm].values.get(measure) if arm in rows else None for _, rows in found] for measure in measures}
        for arm in arms
    }
    sizes = sorted(next(iter(rows.values())).budget_tokens for _, rows in found)
    shares = sorted(next(iter(rows.values())).budget_tokens / max(cut.tokens, 1) for cut, rows in found)
    return AtBudget(
        budget,
        len(found),
        len(set(owners)),
        sizes[len(sizes) // 2],
        shares[len(shares) // 2],
        {arm: {measure: estimate(values[arm][measure], owners) for measure in measures} for arm in arms},
        {
            arm: {measure: difference(values["clew"][measure], values[arm][measure], owners) for measure in measures}
            for arm in arms
            if arm != "clew" and "clew" in arms
        },
    )
