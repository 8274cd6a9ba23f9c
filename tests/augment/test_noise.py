"""Which prompts a mark of noise counts for."""

from __future__ import annotations

import pytest

from clew.augment.noise import NOISE_DAYS, NoiseFilter, find_prompt_words
from clew.ranking.question import Question
from clew.records import Noise

MARKED = "Why does the nightly report of the ledger fail?"
DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize(
    ("prompt", "days", "is_named", "is_left_out"),
    [
        (MARKED, 1, False, True),
        ("why is the nightly ledger report failing", 1, False, True),
        (MARKED, NOISE_DAYS + 1, False, False),
        ("Rename the mailer's retries", 1, False, False),
        (MARKED, 1, True, False),  # the marked prompt did not name the file
        ("", 1, False, False),
    ],
)
def test_a_mark_counts_for_like_prompts_for_a_time(prompt: str, days: int, *, is_named: bool, is_left_out: bool) -> None:
    noise = Noise("shop/settle.py", "", find_prompt_words(Question.of(MARKED)), "p", at_ns=DAY_NS)
    found = NoiseFilter.of([("mark", noise)], Question.of(prompt), DAY_NS * (1 + days)).find("shop/settle.py", "", is_named=is_named)

    assert (found is not None) == is_left_out
    assert found is None or (found.mark, found.at_ns) == ("mark", DAY_NS)


def test_a_mark_counts_for_its_file_or_turn_alone() -> None:
    words = find_prompt_words(Question.of(MARKED))
    marks = [("a", Noise("shop/settle.py", "", words, "p")), ("b", Noise("", "3k7q2m9x", words, "p")), ("c", Noise("x.py", "", (), "p"))]
    made = NoiseFilter.of(marks, Question.of(MARKED), 0)

    assert made.find("shop/other.py", "") is None
    assert made.find("", "00000000") is None
    assert made.find("x.py", "") is None
    assert made.find("", "3k7q2m9x") is not None
