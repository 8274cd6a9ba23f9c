"""Simulated trials over outcomes that are given: chance claims little, and what is put in is found."""

from __future__ import annotations

import numpy as np

from bench.trial.outcomes import RealOutcome
from bench.trial.simulate import Effect, Scenario, make_trial, simulate

ALL = ("prompts", "reduction", "compaction")
RANDOM = np.random.default_rng(5)
OUTCOMES = [
    RealOutcome(f"r{number % 3}", bool(RANDOM.random() < 0.9), "", float(np.exp(12 + 0.3 * RANDOM.standard_normal())), 10)
    for number in range(90)
]


def test_nothing_is_claimed_of_a_part_that_does_nothing() -> None:
    counts = simulate(Scenario("nothing", 160), OUTCOMES, 60, seed=1)

    assert counts["any"] <= 5


def test_a_large_saving_is_found_and_lost_work_is_called_harm() -> None:
    assert simulate(Scenario("less", 300, Effect(cost=0.7)), OUTCOMES, 12, seed=2)["helps"] >= 8
    assert simulate(Scenario("lost", 300, Effect(cost=0.7, lost=0.4)), OUTCOMES, 12, seed=3)["harm"] == 12


def test_of_three_parts_that_do_nothing_little_is_claimed_in_all() -> None:
    counts = simulate(Scenario("nothing", 160, parts=ALL), OUTCOMES, 60, seed=7)

    assert counts["any"] <= 5


def test_a_part_beside_one_that_saves_or_loses_work_is_not_credited_or_blamed_for_it() -> None:
    saves = simulate(Scenario("less", 300, Effect(cost=0.6), parts=ALL), OUTCOMES, 30, seed=8)
    loses = simulate(Scenario("lost", 300, Effect(lost=0.4), parts=ALL), OUTCOMES, 30, seed=9)

    assert saves["helps"] >= 15
    assert loses["harm"] >= 28
    assert max(saves["false"], loses["false"]) <= 3


def test_whoever_reads_the_report_again_and_again_is_told_nothing_before_its_end() -> None:
    counts = simulate(Scenario("nothing", 200, looks_every=20, margin=0.5), OUTCOMES, 40, seed=4)

    assert counts["before the end"] == 0
    assert counts["by peeking"] > counts["any"]


def test_a_simulated_trial_repeats_with_its_seed() -> None:
    scenario = Scenario("less", 40, Effect(cost=0.7))
    one, other = (make_trial(scenario, OUTCOMES, np.random.default_rng(6)) for _ in range(2))

    assert one.assigned == other.assigned
    assert one.outcomes == other.outcomes
