"""Report: what the windows of many cuts held in the mean, at how many cuts clew's held more than another, and the worst cuts by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.evaluation.evaluate import MEASURES, SUMMARY_BUDGET, CaseResult, RecoveryCounts, TranscriptResult

WORST_MAX = 5
WORST_OF = ("files", "verbatim", "terms")  # a cut is as bad as the mean of these


@dataclass(frozen=True, slots=True)
class ScoreLead:
    """Clew's mean minus another's over the cuts where both have a figure; and at how many of them it held more, and less."""

    mean: float | None
    more: int
    less: int


@dataclass(frozen=True, slots=True)
class BudgetSummary:
    """All windows at one budget. `cuts` is how many have it, `tokens` the median budget, `share` its median share of the history.

    means  window → measure → mean, None where no cut has a figure.
    leads  window → measure → how far clew's is ahead of it.
    """

    budget: str
    cuts: int
    tokens: int
    share: float
    means: dict[str, dict[str, float | None]]
    leads: dict[str, dict[str, ScoreLead]]


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A cut at which clew did badly: what had been asked there, how it scored, and the needed files that it did not name."""

    cut: str
    request: str
    budget: str
    score: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What came of an evaluation. Milliseconds are of making clew's records of a history, the median and the most."""

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
    """Return the report of these transcripts; `problems` are those of finding them."""
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
    """Return the cuts at which clew's window held least, at most WORST_MAX, the worst first."""
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
