"""When a running conversation is rewritten, and which parts of it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from clew.records import EndKind, Resolution
from clew.transcript.pricing import ANTHROPIC_PRICES, LONG_TTL_S, PromptCacheModel
from clew.transcript.schedule import (
    COLD_PAST_CALLS,
    LONG_PAST_CALLS,
    UNTOUCHED_CALLS,
    EvictionDecision,
    RequestContext,
    WindowSegment,
    choose_evictions,
    estimate_calls_left,
    estimate_return_chance,
    find_lowest_resolution,
)

LONG_WAITED = 1000  # calls: waiting has cost more than any rewriting
WARM = RequestContext(is_warm=True, calls_left=20, head_tokens=20_000)


def stays(tokens: int) -> WindowSegment:
    return WindowSegment("", tokens, tokens)


def goes(name: str, tokens: int, left: int = 20, **more: float) -> WindowSegment:
    return replace(WindowSegment(name, tokens, left, waited_calls=LONG_WAITED), **more)


def test_without_anything_to_gain_nothing_is_done() -> None:
    assert choose_evictions([stays(5000), WindowSegment("a", 300, 300)], WARM) == EvictionDecision()
    assert choose_evictions([], WARM).evict == ()


def test_a_cold_cache_evicts_all_that_may_go_however_few_calls_follow() -> None:
    decision = choose_evictions([goes("a", 3000), stays(50_000), goes("b", 500)], replace(WARM, is_warm=False, calls_left=0))

    assert (decision.evict, decision.extra_now) == (("a", "b"), 0.0)
    assert decision.saving == pytest.approx((2980 + 480) * 1.25)


@pytest.mark.parametrize("ttl_s", [300, LONG_TTL_S])
def test_a_warm_cache_is_rewritten_from_the_break_even_on(ttl_s: int) -> None:
    """3,000 of 10,000 tokens disappear; the call that rewrites is one of the calls that save."""
    calls = (ANTHROPIC_PRICES.write_price(ttl_s) - ANTHROPIC_PRICES.read) / ANTHROPIC_PRICES.read * 0.7 / 0.3 - 1
    segments = [goes("a", 3000, 0), stays(7000)]

    assert choose_evictions(segments, replace(WARM, calls_left=calls - 0.1, ttl_s=ttl_s)).evict == ()
    assert choose_evictions(segments, replace(WARM, calls_left=calls + 0.1, ttl_s=ttl_s)).evict == ("a",)


def test_the_cut_is_made_where_most_is_saved() -> None:
    """A little thing far in front is not worth what stands between; once it would be touched anyway, it goes with the rest."""
    front, between, behind = goes("front", 200), stays(60_000), goes("behind", 8000)

    assert choose_evictions([front, between, behind], WARM).evict == ("behind",)
    assert choose_evictions([front, behind, between], replace(WARM, calls_left=200)).evict == ("front", "behind")


def test_what_is_new_was_never_cached_and_costs_nothing_to_leave_out() -> None:
    assert choose_evictions([stays(50_000), goes("new", 2000, is_new=True)], replace(WARM, calls_left=0)).evict == ("new",)


def test_a_rewriting_waits_until_waiting_has_cost_as_much() -> None:
    segments = [goes("a", 8000), stays(2000)]

    assert choose_evictions([replace(segments[0], waited_calls=0), segments[1]], WARM).evict == ()
    assert choose_evictions(segments, WARM).evict == ("a",)


@pytest.mark.parametrize("may_lose", [0.0, 1000.0, 5000.0, 1e9])
def test_no_rewriting_costs_more_now_than_it_may(may_lose: float) -> None:
    """If the session ends right after this call, that is all that is lost."""
    segments = [goes("a", 8000), stays(6000), goes("b", 3000), stays(300)]

    decision = choose_evictions(segments, replace(WARM, loss_max=may_lose))

    assert decision.extra_now <= may_lose
    assert ("a" in decision.evict) is (may_lose > 5000)


def test_what_is_likely_to_be_asked_for_again_stays() -> None:
    decision = choose_evictions([goes("sure", 4000), goes("asked", 4000, return_chance=0.9)], replace(WARM, is_warm=False))

    assert decision.evict == ("sure",)


def test_further_calls_are_estimated_from_the_session_so_far() -> None:
    assert estimate_calls_left(0, 0) == pytest.approx(25)
    assert estimate_calls_left(100, 0) == pytest.approx(75)
    assert estimate_calls_left(100, 20) < 10


def test_time_decays_exploration_and_nothing_else() -> None:
    assert find_lowest_resolution("read", LONG_PAST_CALLS - 1) is None
    assert find_lowest_resolution("read", LONG_PAST_CALLS) is Resolution.FOLDED
    assert [find_lowest_resolution("read", COLD_PAST_CALLS - less, is_warm=False) for less in (1, 0)] == [None, Resolution.FOLDED]
    assert [find_lowest_resolution(kind, 1000) for kind in ("error", "answer", "plan", "rejection", "constraint", "prompt", "agent")] == [
        None
    ] * 7


def test_what_is_no_longer_true_goes_at_once_but_an_edited_file_is_first_left_alone() -> None:
    assert find_lowest_resolution("read", 0, end_reason=EndKind.READ_AGAIN) is Resolution.NAME
    assert find_lowest_resolution("error", 0, end_reason=EndKind.FIXED) is Resolution.NAME
    assert find_lowest_resolution("read", UNTOUCHED_CALLS - 1, end_reason=EndKind.EDITED) is None
    assert find_lowest_resolution("read", UNTOUCHED_CALLS, end_reason=EndKind.EDITED) is Resolution.NAME


def test_a_read_is_the_less_likely_to_return_the_longer_it_was_left_alone() -> None:
    assert estimate_return_chance("read", 8) > estimate_return_chance("read", 32) > 0
    assert estimate_return_chance("read", 8) > estimate_return_chance("command", 8) > estimate_return_chance("read", 8, is_ended=True)


@pytest.mark.parametrize("seed", range(12))
def test_who_knows_how_many_calls_follow_never_pays_more_than_for_doing_nothing(seed: int) -> None:
    """Sessions of random growth, evictions and pauses; a bound on what may be lost, if they end at once, holds at every call."""
    random_ = random.Random(seed)
    ours, nothing = PromptCacheModel(), PromptCacheModel()
    window: list[list[int]] = []  # tokens as they stand, tokens as they came, the call from which on it may go
    paid = plain = 0.0
    calls, second = 60, 0
    pauses = {call for call in range(1, calls) if random_.random() < 0.05}
    saved_at_worst = 0.0
    for call in range(calls):
        second += 400 if call in pauses else 10
        now_ns = second * 10**9
        before, before_plain = sum(row[0] for row in window), sum(row[1] for row in window)
        fresh = len(window)
        for _ in range(random_.randint(1, 3)):
            tokens = random_.randint(50, 6000)
            window.append([tokens, tokens, call + random_.randint(0, 30)])
        left = next((later for later in range(call + 1, calls) if later in pauses), calls) - call - 1
        segments = [
            WindowSegment(str(at), row[0], 30 if row[2] <= call and row[0] > 30 else row[0], is_new=at >= fresh, waited_calls=call - row[2])
            for at, row in enumerate(window)
        ]
        is_warm = ours.is_warm(at_ns=now_ns, model="m")
        decision = choose_evictions(segments, RequestContext(is_warm, left, 5000, loss_max=2000))
        same = before if not decision.evict else sum(row[0] for row in window[: int(decision.evict[0])])
        for name in decision.evict:
            window[int(name)][0] = 30
        bill = ours.bill_request(
            5000 + sum(row[0] for row in window), unchanged_tokens=5000 + min(same, before) if call else 0, at_ns=now_ns, model="m"
        )
        other = nothing.bill_request(
            5000 + sum(row[1] for row in window), unchanged_tokens=5000 + before_plain if call else 0, at_ns=now_ns, model="m"
        )
        paid, plain = paid + bill.units, plain + other.units
        saved_at_worst = min(saved_at_worst, other.units - bill.units)

    assert paid <= plain + 1e-6
    assert saved_at_worst >= -2000 - 1e-6
