"""Decide whether now is the time to shorten parts of a running conversation, and which.

Much in a window could be shorter: a read that an edit has made false, a repeated output, old exploration. But shortening
bills everything behind it anew. So an eviction waits until the expected saving over the further calls is larger than that,
and waiting has cost as much as well; or until the cache is cold, and everything is billed anew anyway. Where to cut is chosen
by the largest expected saving: once the first changed place is fixed, everything behind it is evicted that gains by it.

Pure: the caller says how many calls will follow, how long ago the last one was, and what it may cost if none follows. What
was evicted is handed in again in its short form, and never becomes long again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from clew.records import EndKind, Resolution
from clew.transcript.pricing import ANTHROPIC_PRICES, LONG_TTL_S, SHORT_TTL_S, Prices
from clew.transcript.vocabulary import split_words

# Mean further calls until a cache goes cold or the session ends, over 11,164 requests of 156 real sessions: 34 at the first request,
# 20 after a hundred, and 21 to 26 whether the cache has been warm for 1 request or for 60. So the end comes without warning.
RUN_CALLS = 25.0
RUN_WEIGHT = 2.0  # runs that RUN_CALLS counts for beside the session's own; guess
_RETURN_READ, _RETURN_READ_HALVED, _RETURN_OTHER, _RETURN_ENDED = 0.3, 16, 0.06, 0.04  # see `return_chance`
UNFOLD_OUTPUT_TOKENS = 100  # what asking for an original takes: a call with a handle; guess
UNFOLDED_TOKENS_MAX = 4000  # of one original: whoever looks back at a long one asks for the lines around. The mean read of a real
# session has 2,200 tokens.
WINDOW_TOKENS = 60_000  # where it is not known; guess: half-way through a session. The mean of 11,164 requests is 101,000
WAITING_COST_FACTOR = (
    2.0  # a rewriting may cost now what waiting for it has cost, over this. From .5 to 2 the savings are the same; at 2 a third
)
# of the rewritings is left, and half of the sessions that end dearer (bench/LOG.md).
LONG_PAST_CALLS = 8  # with 12 and 20 a sixth and a third of the saving is lost; 4 saves a point more at a third more unfolds (bench/LOG.md)
UNTOUCHED_CALLS = 4  # with 8 a tenth of the saving is lost
COLD_PAST_CALLS = 4  # what a cold cache takes; with 8 a quarter of a point less is saved, with 2 a session ends dearer (bench/LOG.md)
_EXPLORING = split_words("read search command check fetch tool call thinking")
_STILL_SHOWING = frozenset((EndKind.EDITED, EndKind.CHANGED, EndKind.CHANGED_BY_COMMAND))


@dataclass(frozen=True, slots=True)
class WindowSegment:
    """A part of the window that `choose_evictions` shortens as a whole or not at all.

    tokens          its length now.
    reduced_tokens  its length once evicted; `tokens` or more when nothing is to be gained.
    is_new          it was in no request yet, so it is in no cache.
    return_chance   chance that it is unfolded again before the window ends, 0 to 1.
    waited_calls    requests that have read it since it could have been evicted.
    """

    id: str
    tokens: int
    reduced_tokens: int
    is_new: bool = False
    return_chance: float = 0.0
    waited_calls: int = 0

    @property
    def saved_tokens(self) -> int:
        """Tokens that evicting it saves, never negative."""
        return max(0, self.tokens - self.reduced_tokens)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is known right before a request: cache, calls to come, and the loss that is allowed.

    is_warm      the cache still holds the last request's window.
    calls_left   further calls before the window is billed anew without an eviction, this one not counted.
    head_tokens  length of what precedes the first segment and never changes.
    ttl_s        how long the cache is kept.
    loss_max     units by which this request may become dearer than without an eviction; inf for no bound.
    """

    is_warm: bool
    calls_left: float
    head_tokens: int = 0
    ttl_s: int = SHORT_TTL_S
    loss_max: float = inf


@dataclass(frozen=True, slots=True)
class EvictionDecision:
    """The ids of the segments to evict before the next request, in the order of the window; none when waiting is better.

    saving     expected, in units, over this call and all that follow.
    extra_now  units by which this call alone becomes dearer: the loss if none follows.
    """

    evict: tuple[str, ...] = ()
    saving: float = 0.0
    extra_now: float = 0.0


def choose_evictions(segments: Sequence[WindowSegment], context: RequestContext, *, prices: Prices = ANTHROPIC_PRICES) -> EvictionDecision:
    """Return which segments to evict before the next request.

    segments  all of the window behind its head, in order.
    Cost      O(segments).
    Ties      the cut nearest the end wins: it changes less.
    """
    write, read, later = prices.write_price(context.ttl_s), prices.read, max(0.0, context.calls_left)
    window = context.head_tokens + sum(segment.tokens for segment in segments)
    asking = read * window + prices.output * UNFOLD_OUTPUT_TOKENS  # an unfold is one more request, beside the text that comes back
    value = now = rent = 0.0  # of a cut at the current place: over all calls, for this one alone, and what waiting has cost so far
    best = EvictionDecision()
    taken: list[str] = []
    for segment in reversed(segments):
        if context.is_warm and not segment.is_new:  # it would have been read, and is now written
            value -= segment.tokens * (write - read)
            now -= segment.tokens * (write - read)
        if not segment.saved_tokens:
            continue
        # Written once less now, read once less by every later call. An unfold brings the text back behind all else.
        risk = segment.return_chance * (asking + segment.tokens * (write + later * read))
        gained = segment.saved_tokens * (write + later * read) - risk
        if gained <= 0:
            continue
        taken.append(segment.id)
        value, now = value + gained, now + segment.saved_tokens * write
        rent += segment.saved_tokens * read * segment.waited_calls
        if value > best.saving and -now <= min(context.loss_max, rent / WAITING_COST_FACTOR):
            best = EvictionDecision(tuple(reversed(taken)), value, max(0.0, -now))
    return best


def find_lowest_resolution(kind: str, idle_calls: int, *, end_reason: EndKind | None = None, is_warm: bool = True) -> Resolution | None:
    """Return the lowest resolution at which an output may be shown by now; None when it must stay as it came.

    kind        of its record, or "call" and "thinking" for what the agent wrote.
    idle_calls  requests since it came, or since its file was last touched.
    end_reason  why it is no longer true, as the ledger says; None while it is.
    is_warm     of the cache; while it is cold a fold costs nothing, so it comes sooner.
    Age shortens exploration alone: answers, plans, rulings, unfixed errors and reports stay as they came. A read that an
    edit made false still shows the rest of its file, so it waits until the file is left alone.
    """
    if end_reason and (end_reason not in _STILL_SHOWING or idle_calls >= UNTOUCHED_CALLS):
        return Resolution.NAME
    past_calls = LONG_PAST_CALLS if is_warm else COLD_PAST_CALLS
    return Resolution.FOLDED if kind in _EXPLORING and idle_calls >= past_calls else None


def is_cheaper_shortened(
    whole_tokens: float,
    shown_tokens: float,
    *,
    return_chance: float,
    window_tokens: float = WINDOW_TOKENS,
    ttl_s: int = LONG_TTL_S,
    prices: Prices = ANTHROPIC_PRICES,
) -> bool:
    """Return whether it is expected to be cheaper that an output enters the window shortened.

    return_chance  that what is left out is asked for again, 0 to 1.
    What is left out is neither written once nor read by RUN_CALLS further calls. An unfold is one more request over the
    window, and all of the output comes back.
    """
    kept = prices.write_price(ttl_s) + RUN_CALLS * prices.read
    unfold = prices.read * window_tokens + prices.output * UNFOLD_OUTPUT_TOKENS + min(whole_tokens, UNFOLDED_TOKENS_MAX) * kept
    return (whole_tokens - shown_tokens) * kept > return_chance * unfold


def estimate_return_chance(kind: str, idle_calls: float, *, is_ended: bool = False) -> float:
    """Return the chance, 0 to 1, that an output is asked for again once it is shortened.

    kind        of the record: "read", "command", "search", …
    idle_calls  requests to the model since it came, or since its file was last touched.
    is_ended    something has made it false, or repeats it.
    Source      what later calls of 52 real sessions used that only this output had shown: of reads .25, .20, .13, .08 and .04 after
                8, 16, 24, 32 and 48 requests; of all else .03 to .08 after 8 or more; of what had ended .04.
    """
    if is_ended:
        return _RETURN_ENDED
    return _RETURN_READ * 0.5 ** (idle_calls / _RETURN_READ_HALVED) if kind == "read" else _RETURN_OTHER


def estimate_calls_left(calls: int, cold_starts: int) -> float:
    """Return how many calls are expected before the cache goes cold or the session ends.

    calls        requests of this session so far; cold_starts  how many of them found the cache cold.
    How long a run has lasted does not predict how long it will last, so its mean is estimated: the session's own, with
    RUN_WEIGHT runs of RUN_CALLS as a prior.
    """
    return (calls + RUN_WEIGHT * RUN_CALLS) / (cold_starts + RUN_WEIGHT)
