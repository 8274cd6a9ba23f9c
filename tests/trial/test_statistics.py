"""Intervals: against published values, against chance, and where there is too little to say anything."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from clew.trial.statistics import compare_means, compare_shares, estimate_share


@pytest.mark.parametrize(
    ("table", "wanted"),
    [  # Newcombe 1998, table II, method 10 but for N/(N−1), which Miettinen and Nurminen have: their own interval
        ((56, 70, 48, 80), (0.0528, 0.3382)),
        ((9, 10, 3, 10), (0.1700, 0.8406)),
        ((10, 10, 0, 20), (0.7156, 1.0)),
    ],
)
def test_a_difference_of_shares_is_the_published_one(table: tuple[int, int, int, int], wanted: tuple[float, float]) -> None:
    a, n, b, m = table
    outcomes = [True] * a + [False] * (n - a) + [True] * b + [False] * (m - b)
    found = compare_shares(outcomes, [True] * n + [False] * m, ["r"] * (n + m), alpha=0.05)

    assert found is not None
    assert (found.low, found.high) == pytest.approx(wanted, abs=0.0005)


def test_a_repository_where_all_is_completed_does_not_hide_a_loss_in_another() -> None:
    """Repositories differ, and a trial that has more treated sessions in the better one must not take that for an effect."""
    outcomes = [True] * 40 + [False] * 40
    labels = [True] * 30 + [False] * 10 + [True] * 10 + [False] * 30
    pooled = compare_shares(outcomes, labels, ["r"] * 80, alpha=0.05)
    stratified = compare_shares(outcomes, labels, ["good"] * 40 + ["bad"] * 40, alpha=0.05)

    assert pooled is not None
    assert pooled.low > 0
    assert stratified is not None
    assert stratified.low < 0 < stratified.high
    assert stratified.value == 0.0


def test_one_arm_alone_is_compared_with_nothing() -> None:
    assert compare_shares([True, False], [True, True], ["r", "r"], alpha=0.05) is None
    assert compare_means([1.0, 2.0], [True, True], ["r", "r"], alpha=0.05) is None
    assert compare_means([1.0, 2.0], [True, False], ["r", "s"], alpha=0.05) is None


def test_too_few_sessions_reject_nothing() -> None:
    """Of four sessions two are treated: six ways to draw, so no claim at 5 % is possible, whatever the values."""
    found = compare_means([1000.0, 1000.0, 1.0, 1.0], [True, True, False, False], [0] * 4, alpha=0.05)

    assert found is not None
    assert (found.low, found.high) == (-inf, inf)
    assert found.value == 999.0


def test_the_interval_of_a_mean_holds_the_true_effect_as_often_as_it_says() -> None:
    random, held, runs = np.random.default_rng(7), 0, 400
    for _ in range(runs):
        blocks = np.repeat(np.arange(15), 4)
        labels = np.concatenate([random.permutation([True, True, False, False]) for _ in range(15)])
        values = random.standard_t(3, 60) + 0.3 * blocks + 0.5 * labels  # heavy tails, and a trend from block to block
        found = compare_means(list(values), list(labels), list(blocks), alpha=0.1, draws=499)
        assert found is not None
        held += found.low <= 0.5 <= found.high

    assert 0.855 <= held / runs <= 0.945


def test_the_interval_does_not_depend_on_the_order_of_the_sessions() -> None:
    values, labels, strata = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0] * 3, [True, False, False, True] * 6, sorted(list(range(6)) * 4)
    found = compare_means(values, labels, strata, alpha=0.1)
    again = compare_means(values, labels, strata, alpha=0.1)

    assert found == again
    assert found is not None
    assert found.low <= found.value <= found.high


def test_a_share_of_what_resembles_each_other_within_sessions_is_held_by_its_interval() -> None:
    """Most of 400 draws from sessions whose own shares differ hold the true one; each member for itself would hold it far less often."""
    random = np.random.default_rng(11)
    held = narrow = 0
    for _ in range(400):
        whole = random.integers(1, 12, 25)
        used = random.binomial(whole, random.beta(1.5, 3.5, 25))
        found = estimate_share(used.tolist(), whole.tolist(), alpha=0.05)
        assert found is not None
        held += found.low <= 0.3 <= found.high
        alone = 1.96 * (found.value * (1 - found.value) / found.whole) ** 0.5
        narrow += abs(found.value - 0.3) <= alone

    assert held / 400 >= 0.92
    assert held > narrow + 20


@pytest.mark.parametrize(("used", "whole"), [([0, 0, 0], [4, 2, 0]), ([3, 5], [3, 5]), ([2], [4])])
def test_a_share_of_few_sessions_has_a_wide_interval_within_0_and_1(used: list[int], whole: list[int]) -> None:
    found = estimate_share(used, whole, alpha=0.05)

    assert found is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.5


def test_a_share_of_nothing_is_none() -> None:
    assert estimate_share([0, 0], [0, 0], alpha=0.05) is None
