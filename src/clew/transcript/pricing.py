"""Pricing: what does a provider bill for a conversation that is sent again and again?

A request sends the whole window. What is byte-equal to the request before it, from the first byte on, is read from the
prompt cache for a tenth of the price, if the cache is still warm; the rest is written to it for more than the price. So
text that is left out in the middle is saved once and paid for by all that stands behind it. All amounts are in *units*: one
unit is the price of one token of plain input of the same model, so that they compare over models. Pure; it reads no clock.

Not modelled: that one breakpoint finds only what was written within 20 blocks before it, that a cache is missing for no
visible reason, and prices of very long windows. `bench/cost` says how far the model is from real bills.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORT_TTL_S, LONG_TTL_S = 300, 3600


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices in units, per token.

    base         plain input.
    write_short  written to the cache for SHORT_TTL_S since its last use; write_long for LONG_TTL_S.
    read         read from the cache, which also renews it.
    output       written by the model.
    Source       Anthropic's documentation, "Prompt caching" and "Pricing", as of November 2026: the same multiples for every model.
    """

    base: float = 1.0
    write_short: float = 1.25
    write_long: float = 2.0
    read: float = 0.10
    output: float = 5.0

    def write_price(self, ttl_s: int) -> float:
        """What a token costs that is written for so long."""
        return self.write_long if ttl_s > SHORT_TTL_S else self.write_short


ANTHROPIC_PRICES = Prices()

# The shortest prefix that is cached, in tokens: the first that fits. Source: "Prompt caching", cache limitations.
_CACHED_MIN: tuple[tuple[str, int], ...] = ((r"opus-4-[56]|haiku-4-5", 4096), (r"haiku-3|3-5-haiku|3-haiku", 2048))
CACHED_MIN_TOKENS = 1024  # of the others


def find_cached_min_tokens(model: str) -> int:
    """The shortest prefix of this model that is cached, in tokens."""
    return next((tokens for pattern, tokens in _CACHED_MIN if re.search(pattern, model)), CACHED_MIN_TOKENS)


@dataclass(frozen=True, slots=True)
class RequestBill:
    """One request, in tokens. `units` is its price."""

    read: int
    written: int
    plain: int
    output: int
    units: float


class PromptCacheModel:
    """The provider's cache of one conversation, request by request."""

    def __init__(self, prices: Prices = ANTHROPIC_PRICES) -> None:
        self._prices = prices
        self._held = 0
        self._until_ns = 0
        self._model = ""

    def is_warm(self, *, at_ns: int, model: str) -> bool:
        """Whether a request at this time, to this model, would find what the last one left."""
        return self._held > 0 and model == self._model and at_ns <= self._until_ns

    def bill_request(
        self,
        window_tokens: int,
        *,
        unchanged_tokens: int,
        at_ns: int,
        model: str = "",
        ttl_s: int = SHORT_TTL_S,
        output_tokens: int = 0,
        shared_tokens: int = 0,
    ) -> RequestBill:
        """Price one request and keep what it leaves in the cache.

        size    tokens of the window.
        same    of these, how many from the first one on are byte-equal to the last request.
        ttl_s   how long the cache is to be kept from now on.
        shared  tokens at the beginning that somebody else keeps warm: the client's own instructions, in other sessions.
        """
        prices = self._prices
        found = min(unchanged_tokens, self._held) if self.is_warm(at_ns=at_ns, model=model) else 0
        found = min(max(found, shared_tokens), window_tokens)
        is_cached = window_tokens >= find_cached_min_tokens(model)
        read = found if is_cached else 0
        written, plain = (window_tokens - read, 0) if is_cached else (0, window_tokens)
        self._held, self._until_ns, self._model = (window_tokens if is_cached else 0), at_ns + ttl_s * 1_000_000_000, model
        units = read * prices.read + written * prices.write_price(ttl_s) + plain * prices.base + output_tokens * prices.output
        return RequestBill(read, written, plain, output_tokens, units)
