"""Which later word takes an earlier one back."""

from __future__ import annotations

import pytest

from clew.task.rules import find_withdrawn_rules, is_withdrawal_of


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("don't push yet", "ok, push it"),
        ("Don't touch the migrations.", "you can touch the migrations now"),
        ("Use a list for the totals.", "use a map instead of a list"),
        ("keep the old token reader", "never mind the old token reader, drop it"),
        ("Never commit to main.", "from now on commit to main"),
        ("always run the slow tests", "do not run the slow tests any more, never"),
        ('"Which table?"="tax"', '"Which table?"="vat"'),
    ],
)
def test_a_later_word_takes_the_earlier_one_back(earlier: str, later: str) -> None:
    assert is_withdrawal_of(later, earlier)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("Never push to main.", "push it"),
        ("don't touch the migrations", "touch up the docs"),
        ("Use a list for the totals.", "use a map for the rates"),
        ("always run the tests", "always run the linter"),
        ("please keep the names", "please keep the names and the order"),
        ('"Which table?"="tax"', '"Which file?"="vat"'),
        ("don't use floats", "don't use floats for money either"),
    ],
)
def test_a_word_about_something_else_takes_nothing_back(earlier: str, later: str) -> None:
    assert not is_withdrawal_of(later, earlier)


def test_of_several_rules_the_places_are_told() -> None:
    rules = ["Never use floats.", "don't push yet", "keep the names"]

    assert find_withdrawn_rules("Looks good. Now push it.", rules) == [1]
    assert find_withdrawn_rules("don't push yet", rules) == []
    assert find_withdrawn_rules("anything", []) == []
