"""Compute what a provider bills for a conversation that is sent again with each request.

A request sends the whole window. What is byte-equal to the request before it, from the first byte on, is read from the
prompt cache for a tenth of the price, if the cache is still warm; the rest is written to it for more than the price. So
text that is left out in the middle is saved once and paid for by all that comes behind it. All amounts are in *units*: one
unit is the price of one token of plain input of the same model, so that they compare over models. Reads no clock.

Not modelled: that one breakpoint finds only what was written within 20 blocks before it, that a cache is missing for no
visible reason, and prices of very long windows. `bench/cost` says how far the model is from real bills.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORT_TTL_S, LONG_TTL_S = 300, 3600


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of a token at a provider with a prompt cache, as multiples of the price of plain input.

    base         input that no cache holds; the unit.
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
        """Return the price of a token that is written to the cache for `ttl_s` seconds."""
        return self.write_long if ttl_s > SHORT_TTL_S else self.write_short


ANTHROPIC_PRICES = Prices()

# The shortest prefix that is cached, in tokens: the first that fits. Source: "Prompt caching", cache limitations.
_CACHED_MIN: tuple[tuple[str, int], ...] = ((r"opus-4-[56]|haiku-4-5", 4096), (r"haiku-3|3-5-haiku|3-haiku", 2048))
CACHED_MIN_TOKENS = 1024  # of the others


def find_cached_min_tokens(model: str) -> int:
    """Return the length, in tokens, of the shortest prefix that this model's cache takes."""
    return next((tokens for pattern, tokens in _CACHED_MIN if re.search(pattern, model)), CACHED_MIN_TOKENS)


@dataclass(frozen=True, slots=True)
class RequestBill:
    """The bill of one request in tokens: read from the cache, written to it, plain input, and model output. `units` is its price."""

    read: int
    written: int
    plain: int
    output: int
    units: float


class PromptCacheModel:
    """Simulates the provider's prompt cache of one conversation, request by request."""

    def __init__(self, prices: Prices = ANTHROPIC_PRICES) -> None:
        self._prices = prices
        self._held = 0
        self._until_ns = 0
        self._model = ""

    def is_warm(self, *, at_ns: int, model: str) -> bool:
        """Return whether a request at this time, to this model, would find the last one's window in the cache."""
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
        """Return the bill of one request, and update the cache.

        unchanged_tokens  of `window_tokens`, how many from the first one on are byte-equal to the last request.
        ttl_s             how long the cache keeps this window.
        shared_tokens     at the beginning that other sessions keep cached: the client's own instructions.
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
