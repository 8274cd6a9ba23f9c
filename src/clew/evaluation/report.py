"""Summarise the results of many evaluation cases: mean scores of each window, clew's lead over the others, and the worst cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.evaluation.evaluate import MEASURES, SUMMARY_BUDGET, CaseResult, RecoveryCounts, TranscriptResult

WORST_MAX = 5
WORST_OF = ("files", "verbatim", "terms")  # a cut is as bad as the mean of these


@dataclass(frozen=True, slots=True)
class ScoreLead:
    """clew's mean score minus another window's over the cases where both have one; in how many of them it is higher, and lower."""

    mean: float | None
    more: int
    less: int


@dataclass(frozen=True, slots=True)
class BudgetSummary:
    """Mean scores at one budget. `cuts` is the number of cases, `tokens` the median budget, `share` its median share of the history.

    means  window → measure → mean, None where no case has a score.
    leads  window → measure → clew's lead over that window.
    """

    budget: str
    cuts: int
    tokens: int
    share: float
    means: dict[str, dict[str, float | None]]
    leads: dict[str, dict[str, ScoreLead]]


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A case in which clew's window scored low: the user's request, the score, and the needed files that the window does not name."""

    cut: str
    request: str
    budget: str
    score: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """The summary of an evaluation. `made_ms`, `made_ms_max`: median and maximum time to make clew's records of a history."""

    sessions: int
    too_short: int
    cuts: int
    compactions: int
    needed: dict[str, int]
    budgets: tuple[BudgetSummary, ...]
    worst: tuple[WorstCase, ...]
    recovery: RecoveryCounts
    made_ms: float
    made_ms_max: float
    problems: tuple[str, ...]


def build_report(outcomes: Sequence[TranscriptResult], problems: Sequence[str] = ()) -> EvaluationReport:
    """Return the report of these transcripts' results; `problems` are sentences about paths without transcripts."""
    cuts = [cut for outcome in outcomes for cut in outcome.cuts]
    names = {row.budget for cut in cuts for row in cut.rows}
    # The summary's size first, then the shares, the smallest first.
    budgets = tuple(
        _at(name, cuts) for name in sorted(names, key=lambda name: -1.0 if name == SUMMARY_BUDGET else float(name.split(" ")[0]))
    )
    made = sorted(cut.made_ms for cut in cuts)
    return EvaluationReport(
        sessions=sum(not outcome.problem for outcome in outcomes),
        too_short=sum(not outcome.problem and not outcome.cuts for outcome in outcomes),
        cuts=len(cuts),
        compactions=sum(cut.kind == "compaction" for cut in cuts),
        needed={kind: sum(cut.needed[kind] for cut in cuts) for kind in (cuts[0].needed if cuts else ())},
        budgets=budgets,
        worst=find_worst_cases(cuts, max(budgets, key=lambda at: at.cuts).budget) if budgets else (),
        recovery=sum((cut.recovery for cut in cuts), RecoveryCounts()),
        made_ms=made[len(made) // 2] if made else 0.0,
        made_ms_max=made[-1] if made else 0.0,
        problems=(*problems, *(outcome.problem for outcome in outcomes if outcome.problem)),
    )


def find_worst_cases(cuts: Sequence[CaseResult], budget: str) -> tuple[WorstCase, ...]:
    """Return the cases in which clew's window scored lowest at this budget, at most WORST_MAX, the lowest first."""
    found: list[WorstCase] = []
    for cut in cuts:
        for row in cut.rows:
            values = [value for measure in WORST_OF if (value := row.values[measure]) is not None]
            if row.arm == "clew" and row.budget == budget and values:
                found.append(WorstCase(cut.id, cut.request, budget, sum(values) / len(values), row.missing))
    return tuple(sorted(found, key=lambda each: (each.score, each.cut))[:WORST_MAX])


def _at(budget: str, cuts: Sequence[CaseResult]) -> BudgetSummary:
    found = [(cut, rows) for cut in cuts if (rows := {row.arm: row for row in cut.rows if row.budget == budget})]
    values = {
        arm: {measure: [rows[arm].values[measure] if arm in rows else None for _, rows in found] for measure in MEASURES}
        for arm in dict.fromkeys(arm for _, rows in found for arm in rows)
    }
    sizes = sorted((rows["clew"].budget_tokens, rows["clew"].budget_tokens / max(cut.tokens, 1)) for cut, rows in found)
    return BudgetSummary(
        budget,
        len(found),
        sizes[len(sizes) // 2][0],
        sorted(share for _, share in sizes)[len(sizes) // 2],
        {arm: {measure: _mean(each) for measure, each in of.items()} for arm, of in values.items()},
        {
            arm: {measure: _lead(values["clew"][measure], each) for measure, each in of.items()}
            for arm, of in values.items()
            if arm != "clew"
        },
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _lead(own: Sequence[float | None], other: Sequence[float | None]) -> ScoreLead:
    pairs = [one - another for one, another in zip(own, other, strict=True) if one is not None and another is not None]
    return ScoreLead(_mean(pairs), sum(pair > 0 for pair in pairs), sum(pair < 0 for pair in pairs))
