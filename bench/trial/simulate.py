"""Simulate trials: sessions drawn from real outcomes, treated as the trial's own draw says, with an effect put on those that are treated.

Nothing else of the trial is imitated: blocks, labels, intervals and verdicts are those of `clew.trial`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.trial.outcomes import RealOutcome
from clew.trial.log import Assignment, Trial, draw
from clew.trial.outcome import SessionOutcome
from clew.trial.plan import Assumptions, Plan
from clew.trial.report import PartResult, Verdict, build_report

DRAWS = 999  # of labels in one simulated trial: enough for an end of an interval, and fast


@dataclass(frozen=True, slots=True)
class Effect:
    """What a part does to a session that has it: its cost is multiplied, and a share of completed work is lost (or won, below 0)."""

    cost: float = 1.0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A trial to simulate. `effect` is that of the first of the `parts`; the others do nothing."""

    name: str
    sessions: int
    effect: Effect = Effect()
    parts: tuple[str, ...] = ("prompts",)
    margin: float = 0.1
    looks_every: int = 0


def simulate(scenario: Scenario, outcomes: Sequence[RealOutcome], runs: int, seed: int) -> Counter[str]:
    """Return how often each verdict fell on the first part, how often it was called not worse, and something was claimed of any part.

    `false` counts runs with a claim on any other part than the first.
    With `looks_every`, the report is read after every so many sessions: `before the end` counts runs in which it claimed something before
    the planned number, and `by peeking` those in which somebody who judged what was there at each look would have stopped at a claim.
    """
    random = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    for _ in range(runs):
        trial = make_trial(scenario, outcomes, random)
        report = build_report(trial, draws=DRAWS, with_secondary=False)
        counts[report.parts[0].verdict.value] += 1
        counts["not inferior"] += report.parts[0].completed is not None and report.parts[0].completed.low > -scenario.margin
        counts["false"] += _claims(report.parts[1:])
        counts["any"] += _claims(report.parts)
        if scenario.looks_every:
            looks = range(scenario.looks_every, scenario.sessions, scenario.looks_every)
            early = any(_claims(build_report(_cut(trial, trial.plan, seen), draws=DRAWS, with_secondary=False).parts) for seen in looks)
            counts["before the end"] += early
            counts["by peeking"] += _claims(report.parts) or any(_peek(scenario, trial, seen) for seen in looks)
    return counts


def _claims(parts: Sequence[PartResult]) -> bool:
    return any(part.verdict in (Verdict.HELPS, Verdict.HARMS) for part in parts)


def _peek(scenario: Scenario, trial: Trial, seen: int) -> bool:
    """Whether something would be claimed if no more sessions had been planned than there are; `clew trial` never assumes that."""
    plan = Plan("peek", 0, scenario.parts, seen, margin=scenario.margin)
    return _claims(build_report(_cut(trial, plan, seen), draws=DRAWS, with_secondary=False).parts)


def _cut(trial: Trial, plan: Plan, seen: int) -> Trial:
    """The trial as its log tells it after so many sessions."""
    sessions = list(trial.assigned)[:seen]
    return Trial(
        Path(), plan, "", {each: trial.assigned[each] for each in sessions}, {each: trial.outcomes[each] for each in sessions}
    )  # fmt: skip


def make_trial(scenario: Scenario, outcomes: Sequence[RealOutcome], random: np.random.Generator) -> Trial:
    """Return a trial whose sessions are all final: real outcomes drawn with replacement, in an order drawn anew."""
    plan = Plan("simulated", 0, scenario.parts, scenario.sessions, margin=scenario.margin, assumed=Assumptions())
    trial = Trial(Path(), plan, "")
    secret = random.bytes(32)
    here: dict[str, list[Assignment]] = {}
    for number, at in enumerate(random.integers(0, len(outcomes), scenario.sessions)):
        real = outcomes[at]
        session = f"s{number}"
        drawn = here.setdefault(real.repository, [])
        without, block = draw(secret, session, real.repository, scenario.parts, drawn)
        drawn.append(made := Assignment(session, real.repository, number, without, block))
        trial.assigned[session] = made
        trial.outcomes[session] = _treat(session, real, scenario, without, random)
    return trial


def _treat(session: str, real: RealOutcome, scenario: Scenario, without: Sequence[str], random: np.random.Generator) -> SessionOutcome:
    """What comes of a session that has the first part, or does without it."""
    is_completed, units = real.is_completed, real.units
    chance = float(random.random())
    if scenario.parts[0] not in without:
        units = None if units is None else units * scenario.effect.cost
        if is_completed and chance < scenario.effect.lost:
            is_completed = False
    return SessionOutcome(session, 0, is_completed, "", units, real.requests)
