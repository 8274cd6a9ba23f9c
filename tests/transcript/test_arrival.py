"""An output enters the window shorter only where that is expected to be cheaper."""

from __future__ import annotations

import pytest

from clew.transcript.reduce.reduce import reduce_lines, reduce_output
from clew.transcript.schedule import is_cheaper_shortened
from tests.transcript.printed import EVERYTHING

RUN = (
    "".join(f"tests/test_ledger.py::test_entry_{number:03} PASSED [ {number // 10}%]\n" for number in range(900))
    + "==== 900 passed in 3.10s ====\n"
)
TALK = "".join(
    f"step {number}: value {number * 7919 % 1000} was seen, then {number * 104729 % 977} and nothing came of it\n" for number in range(1500)
)


def test_a_long_test_run_enters_as_its_reducer_shows_it() -> None:
    assert reduce_output(RUN) == reduce_lines(RUN)
    assert reduce_output(RUN).kind == "test run"
    assert len(reduce_output(RUN).render("3k7q2m9x")) < len(RUN) / 2


def test_what_nobody_recognises_enters_whole_until_it_would_pay_even_if_it_is_asked_for_again() -> None:
    short, long = TALK[:7000], TALK

    assert not reduce_lines(short).is_whole
    assert reduce_output(short).is_whole
    assert reduce_output(short).render() == short
    assert not reduce_output(long).is_whole


@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_nothing_is_shown_that_the_reducer_would_not_show(name: str) -> None:
    text = EVERYTHING[name][2]
    entered = reduce_output(text)

    assert entered == reduce_lines(text) or (entered.is_whole and entered.render() == text)


@pytest.mark.parametrize(("ttl_s", "kept"), [(300, 1.25 + 2.5), (3600, 2.0 + 2.5)])
def test_a_saving_is_weighed_against_the_request_and_the_text_of_an_unfold(ttl_s: int, kept: float) -> None:
    """Of 3,000 tokens, asked for again every third time, in a window of 50,000: the saving that is worth as much, by hand."""
    even = (0.1 * 50_000 + 5 * 100 + 3000 * kept) / 3 / kept

    def pays(saved: float) -> bool:
        return is_cheaper_shortened(3000, 3000 - saved, return_chance=1 / 3, window_tokens=50_000, ttl_s=ttl_s)

    assert pays(even + 1)
    assert not pays(even - 1)
    assert not is_cheaper_shortened(3000, 3000, return_chance=0.0)
