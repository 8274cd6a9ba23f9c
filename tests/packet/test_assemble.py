"""Assembly: a knapsack that never overflows, is near the best selection, and says how near."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.packet.assemble import UTILITY, Candidate, Option, assemble, discount_by_group, length_factor
from clew.records import Resolution


def candidate(name: str, weight: float, *tokens: float, group: str = "one") -> Candidate:
    """A candidate whose options, from its name up, have these lengths."""
    options = tuple(Option(Resolution(at), "", size) for at, size in enumerate(tokens))
    return Candidate(name, weight, group, options)


def free(_: str) -> float:
    return 0.0


CANDIDATES = st.lists(
    st.builds(
        lambda number, weight, sizes, group: candidate(f"r{number}", weight, *sorted(sizes), group=group),
        st.integers(0, 99),
        st.floats(0.01, 1.0),
        st.lists(st.integers(1, 60), min_size=1, max_size=4),
        st.sampled_from(["one", "two"]),
    ),
    max_size=6,
)


def best_utility(candidates: list[Candidate], budget: float, heading: float = 0.0) -> float:
    """Try every combination."""
    best = 0.0
    for picks in product(*[range(-1, len(each.options)) for each in candidates]):
        shown = [(each, each.options[pick]) for each, pick in zip(candidates, picks, strict=True) if pick >= 0]
        headings = heading * len({each.group for each, _ in shown})
        if sum(option.tokens for _, option in shown) + headings <= budget:
            best = max(best, sum(each.weight * UTILITY[option.resolution] * length_factor(option) for each, option in shown))
    return best


@settings(max_examples=150, deadline=None)
@given(CANDIDATES, st.integers(0, 150))
def test_the_choice_fits_and_the_stated_gap_is_true(candidates: list[Candidate], budget: int) -> None:
    """The LP bound that the gap is stated against is never below the best possible selection."""
    selection = assemble(candidates, budget_tokens=budget, heading=free)
    shown = [(candidates[at], candidates[at].options[pick]) for at, pick in selection.picks.items()]

    assert selection.tokens == pytest.approx(sum(option.tokens for _, option in shown))
    assert selection.tokens <= budget
    assert selection.utility == pytest.approx(
        sum(each.weight * UTILITY[option.resolution] * length_factor(option) for each, option in shown)
    )
    assert 0.0 <= selection.gap <= 1.0
    assert best_utility(candidates, budget) * (1.0 - selection.gap) <= selection.utility + 1e-9


@settings(max_examples=150, deadline=None)
@given(CANDIDATES, st.integers(0, 150))
def test_headings_are_paid_from_the_same_budget(candidates: list[Candidate], budget: int) -> None:
    selection = assemble(candidates, budget_tokens=budget, heading=lambda _: 10.0)
    groups = {candidates[at].group for at in selection.picks}

    spent = sum(candidates[at].options[pick].tokens for at, pick in selection.picks.items()) + 10 * len(groups)
    assert selection.tokens == pytest.approx(spent)
    assert spent <= budget
    assert best_utility(candidates, budget, heading=10.0) * (1.0 - selection.gap) <= selection.utility + 1e-9


def test_what_does_not_fit_is_skipped_and_the_next_is_tried() -> None:
    selection = assemble([candidate("long", 1.0, 500), candidate("short", 0.1, 5)], budget_tokens=10, heading=free)

    assert selection.picks == {1: 0}
    assert selection.shadow_price > 0


def test_buying_stops_at_the_shadow_price() -> None:
    """A step that is worth less than the price is left, however much room there is."""
    candidates = [candidate("good", 1.0, 5), candidate("poor", 0.001, 50)]

    assert assemble(candidates, budget_tokens=1000, heading=free, price_min=1e-4).picks == {0: 0}
    assert assemble(candidates, budget_tokens=1000, heading=free).picks == {0: 0, 1: 0}


def test_a_price_is_only_named_when_something_was_refused() -> None:
    assert assemble([candidate("a", 1.0, 5, 9)], budget_tokens=100, heading=free).shadow_price == 0.0


def test_each_further_record_of_a_group_is_worth_less() -> None:
    first, second, other = discount_by_group([1.0, 1.0, 1.0], ["a", "a", "b"])

    assert second < first == other
