"""What a conversation costs that is sent again and again, on sequences small enough to price by hand."""

from __future__ import annotations

import pytest

from clew.transcript.pricing import LONG_TTL_S, SHORT_TTL_S, PromptCacheModel, find_cached_min_tokens

SECOND = 1_000_000_000
MODEL = "claude-sonnet-4-5-20250929"


def test_what_was_sent_before_is_read_for_a_tenth_and_the_rest_is_written() -> None:
    cache = PromptCacheModel()

    first = cache.bill_request(10_000, unchanged_tokens=0, at_ns=0, model=MODEL, output_tokens=100)
    second = cache.bill_request(11_000, unchanged_tokens=10_000, at_ns=60 * SECOND, model=MODEL)

    assert (first.read, first.written, first.units) == (0, 10_000, 10_000 * 1.25 + 100 * 5)
    assert (second.read, second.written, second.units) == (10_000, 1000, 1000 + 1250)


def test_a_change_in_the_middle_bills_all_that_stands_behind_it_anew() -> None:
    cache = PromptCacheModel()
    cache.bill_request(10_000, unchanged_tokens=0, at_ns=0, model=MODEL)

    changed = cache.bill_request(9000, unchanged_tokens=4000, at_ns=SECOND, model=MODEL)

    assert (changed.read, changed.written) == (4000, 5000)


@pytest.mark.parametrize(
    ("ttl_s", "gap_s", "read"), [(SHORT_TTL_S, 300, 5000), (SHORT_TTL_S, 301, 0), (LONG_TTL_S, 3600, 5000), (LONG_TTL_S, 3601, 0)]
)
def test_a_cache_that_nobody_used_for_its_time_is_cold(ttl_s: int, gap_s: int, read: int) -> None:
    cache = PromptCacheModel()
    cache.bill_request(5000, unchanged_tokens=0, at_ns=0, model=MODEL, ttl_s=ttl_s)

    assert cache.bill_request(5000, unchanged_tokens=5000, at_ns=gap_s * SECOND, model=MODEL, ttl_s=ttl_s).read == read


def test_every_use_renews_the_time() -> None:
    cache = PromptCacheModel()
    for minute in range(0, 16, 4):
        bill = cache.bill_request(5000, unchanged_tokens=5000, at_ns=minute * 60 * SECOND, model=MODEL)

    assert bill.read == 5000


def test_another_model_has_its_own_cache() -> None:
    cache = PromptCacheModel()
    cache.bill_request(5000, unchanged_tokens=0, at_ns=0, model=MODEL)

    assert not cache.is_warm(at_ns=SECOND, model="claude-opus-4-6")
    assert cache.bill_request(5000, unchanged_tokens=5000, at_ns=SECOND, model="claude-opus-4-6").written == 5000


def test_what_other_sessions_keep_warm_is_read_by_a_cold_one_too() -> None:
    bill = PromptCacheModel().bill_request(5000, unchanged_tokens=0, at_ns=0, model=MODEL, shared_tokens=2000)

    assert (bill.read, bill.written) == (2000, 3000)


def test_a_window_shorter_than_the_least_prefix_is_plain_input() -> None:
    cache = PromptCacheModel()
    cache.bill_request(1000, unchanged_tokens=0, at_ns=0, model=MODEL)
    bill = cache.bill_request(1023, unchanged_tokens=1000, at_ns=SECOND, model=MODEL)

    assert (bill.read, bill.written, bill.plain, bill.units) == (0, 0, 1023, 1023)
    assert find_cached_min_tokens("claude-opus-4-6") == 4096
    assert find_cached_min_tokens("claude-sonnet-4-5-20250929") == 1024


@pytest.mark.parametrize(("calls", "is_cheaper"), [(11, False), (12, True)])
def test_a_rewriting_pays_once_enough_calls_follow(calls: int, *, is_cheaper: bool) -> None:
    """Half of 40,000 tokens disappears: (1.25 − 0.1) / 0.1 calls are 11.5, so 11 are too few and 12 are enough."""
    kept, rewritten = PromptCacheModel(), PromptCacheModel()
    for cache in (kept, rewritten):
        cache.bill_request(60_000, unchanged_tokens=0, at_ns=0, model=MODEL)
    as_it_stood = sum(kept.bill_request(60_000, unchanged_tokens=60_000, at_ns=SECOND, model=MODEL).units for _ in range(calls))
    shorter = rewritten.bill_request(40_000, unchanged_tokens=20_000, at_ns=SECOND, model=MODEL).units
    shorter += sum(rewritten.bill_request(40_000, unchanged_tokens=40_000, at_ns=SECOND, model=MODEL).units for _ in range(calls - 1))

    assert (shorter < as_it_stood) is is_cheaper
