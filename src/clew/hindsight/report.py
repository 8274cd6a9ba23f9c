"""Report: means of many cuts with intervals clustered by session, differences of clew from each arm, and the worst cuts by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.hindsight.evaluate import MEASURES, SUMMARY, Judged, Outcome, Priced, Recovery
from clew.hindsight.intervals import Difference, Estimate, difference, estimate

WORST_MAX = 5
EVEN = 1e-6  # of doing nothing: beyond it a session is dearer
WORST_OF = ("files", "verbatim", "terms")  # a cut is as bad as the mean of these


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
class Worst:
    """A cut at which clew did badly: what had been asked there, how it scored, and the needed files that it did not name."""

    cut: str
    request: str
    budget: str
    score: float
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """What sessions would have cost under one arm, against doing nothing.

    mean    over sessions, as a share of doing nothing; `pooled` of all sessions together; below 0 it is cheaper.
    dearer  sessions that would have cost more, `worst` the largest share by which one would.
    nothing_units, nothing_dollars  what doing nothing cost, in tokens of plain input, and at list prices; `units`, `dollars` of the arm.
    Dollars are None where the price of one of the models is not known.
    """

    sessions: int
    mean: Estimate
    pooled: float
    dearer: int
    worst: float
    units: float
    nothing_units: float
    dollars: float | None
    nothing_dollars: float | None


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
    worst: tuple[Worst, ...]
    recovery: Recovery
    made_ms: float
    made_ms_max: float
    ms_per_observation: float
    costs: dict[str, Cost]
    problems: tuple[str, ...]


def summarise(outcomes: Sequence[Outcome], problems: Sequence[str] = (), measures: Sequence[str] = MEASURES) -> Report:
    """Return the report of these transcripts, of these measures of their rows."""
    cuts = [cut for outcome in outcomes for cut in outcome.cuts]
    names = dict.fromkeys(row.budget for cut in cuts for row in cut.rows)
    # The summary's size first, then the shares, the smallest first.
    budgets = tuple(
        _at(name, cuts, measures) for name in sorted(names, key=lambda name: -1.0 if name == SUMMARY else float(name.split(" ")[0]))
    )
    whole = Recovery()
    for cut in cuts:
        whole += cut.recovery
    made = sorted(cut.made_ms for cut in cuts)
    observed = sum(cut.observations for cut in cuts)
    priced = [outcome for outcome in outcomes if outcome.costs]
    return Report(
        sessions=sum(not outcome.problem for outcome in outcomes),
        too_short=sum(not outcome.problem and not outcome.cuts for outcome in outcomes),
        cuts=len(cuts),
        compactions=sum(cut.kind == "compaction" for cut in cuts),
        observations=observed,
        needed={kind: sum(cut.needed[kind] for cut in cuts) for kind in (cuts[0].needed if cuts else ())},
        budgets=budgets,
        worst=_worst(cuts, max(budgets, key=lambda at: at.cuts).budget) if budgets else (),
        recovery=whole,
        made_ms=made[len(made) // 2] if made else 0.0,
        made_ms_max=made[-1] if made else 0.0,
        ms_per_observation=sum(made) / observed if observed else 0.0,
        costs={
            arm: _cost([outcome.costs[arm] for outcome in priced], [outcome.session for outcome in priced])
            for arm in dict.fromkeys(arm for outcome in priced for arm in outcome.costs)
        },
        problems=(*problems, *(outcome.problem for outcome in outcomes if outcome.problem)),
    )


def _cost(priced: Sequence[Priced], owners: Sequence[str]) -> Cost:
    shares = [each.against_nothing for each in priced]
    units, nothing = sum(each.units for each in priced), sum(each.nothing_units for each in priced)
    dollars, nothing_dollars = [each.dollars for each in priced], [each.nothing_dollars for each in priced]
    return Cost(
        len(priced),
        estimate(shares, owners),
        units / nothing - 1,
        sum(share > EVEN for share in shares),
        max(0.0, *shares),
        units,
        nothing,
        sum(known) if len(known := [each for each in dollars if each is not None]) == len(priced) else None,
        sum(known) if len(known := [each for each in nothing_dollars if each is not None]) == len(priced) else None,
    )


def _at(budget: str, cuts: Sequence[Judged], measures: Sequence[str]) -> AtBudget:
    found = [(cut, {row.arm: row for row in cut.rows if row.budget == budget}) for cut in cuts]
    found = [(cut, rows) for cut, rows in found if rows]
    owners = [cut.session for cut, _ in found]
    arms = dict.fromkeys(arm for _, rows in found for arm in rows)
    values = {
        arm: {measure: [rows[arm].value(measure) if arm in rows else None for _, rows in found] for measure in measures} for arm in arms
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


def _worst(cuts: Sequence[Judged], budget: str) -> tuple[Worst, ...]:
    found: list[Worst] = []
    for cut in cuts:
        for row in cut.rows:
            values = [value for measure in WORST_OF if (value := row.value(measure)) is not None]
            if row.arm == "clew" and row.budget == budget and values:
                found.append(Worst(cut.id, cut.request, budget, sum(values) / len(values), row.missing))
    return tuple(sorted(found, key=lambda each: (each.score, each.cut))[:WORST_MAX])
