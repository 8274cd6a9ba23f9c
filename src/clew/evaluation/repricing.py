"""Repricing: what would a session have been billed, had its window been kept differently?

Replays a real session request by request. Every arm sends the same requests at the same times, and pays for what its own
window holds: read from the cache what did not change, written what did. At the client's compactions every arm starts again
with a window of the same size; only the real session has paid a model for it. APPEND shortens outputs as they arrive,
SCHEDULE evicts when the scheduler says so, and BOTH does both. `bench/cost` adds arms for comparison.

What an arm took away and the session turned out to need is charged: before a reply whose calls replace a text, or use a rare
identifier, that stood only in what was taken away, the arm pays an unfold, which is one more request over its whole window,
and the text stands in the window again from then on. That is more than a real agent would do where it knows the word anyway,
and less where it needs a thought that no identifier tells of.
"""

from __future__ import annotations

import re
from collections import Counter as CountOf
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from clew.evaluation.bills import CALL_TOKENS, Bills, Request, bills_of
from clew.evaluation.forms import Form, History, Shrink, history_of, shrunk
from clew.transcript.pricing import ANTHROPIC_PRICES, PromptCacheModel
from clew.transcript.schedule import (
    LONG_PAST_CALLS,
    UNFOLD_OUTPUT_TOKENS,
    UNFOLDED_TOKENS_MAX,
    RequestContext,
    WindowSegment,
    choose_evictions,
    estimate_calls_left,
    estimate_return_chance,
)

# Dollars for 10^6 tokens of plain input: the first that fits. Source: the same "Pricing" page and its older versions.
_DOLLARS: tuple[tuple[str, float], ...] = (
    (r"opus-(?:4-[5-9]|[5-9])", 5.0),
    (r"opus", 15.0),
    (r"sonnet", 3.0),
    (r"haiku-(?:4|[5-9])", 1.0),
    (r"3-5-haiku", 0.8),
    (r"haiku", 0.25),
)
BILLED, NOTHING = "billed", "nothing"
APPEND, SCHEDULE, BOTH = "append", "schedule", "append+schedule"
ROOM_TOKENS = 160_000  # beyond it the client compacts by itself: at 155,000 to 167,000 tokens in the sessions at hand
# Of what the session has cost so far: how far a rewriting may go into debt before it has paid. At 0 no session of 156 ends dearer, at
# .02 three do, and without a bound 13 do while long sessions save four times as much in the median (bench/LOG.md).
MAY_OWE_SHARE = 0.0


@dataclass(frozen=True, slots=True)
class Arm:
    """What one way of keeping the window would have been billed.

    units      tokens of plain input of the same price; `output_units` of them for what the model wrote.
    unfolds    requests charged because something was needed again; `unfolded_tokens` came back with them.
    shrunk_tokens, evicted_tokens  left out on arrival, and taken away later; `rewrites` in how many requests.
    """

    units: float
    output_units: float = 0.0
    dollars: float | None = None
    unfolds: int = 0
    unfolded_tokens: int = 0
    shrunk_tokens: int = 0
    evicted_tokens: int = 0
    rewrites: int = 0


@dataclass(frozen=True, slots=True)
class Repriced:
    """A session's bill under each arm.

    calls        tool calls of the main thread; `requests` of it that were billed; `compactions` among them.
    summary_units  of what NOTHING pays, for the summaries that the client had a model write; no transcript bills them.
    model_error  by how much the cache model, asked without the bill, is off it: (model - billed) / billed.
    bill_error   the same where the model is told when the cache was missed for no visible reason, as in all arms.
    """

    model: str
    calls: int
    requests: int
    compactions: int
    summary_units: float
    model_error: float
    bill_error: float
    arms: dict[str, Arm]

    def units(self, arm: str = NOTHING) -> float:
        """What an arm costs, in tokens of plain input."""
        return self.arms[arm].units

    def dollars(self, arm: str = NOTHING) -> float | None:
        """The same at the model's list price; None where that is not known."""
        return self.arms[arm].dollars

    def against_nothing(self, arm: str, *, is_summary_paid: bool = True) -> float:
        """The share by which an arm is dearer than doing nothing; below 0 it is cheaper."""
        nothing = self.arms[NOTHING].units - (0.0 if is_summary_paid else self.summary_units)
        return self.arms[arm].units / nothing - 1


def dollars_per_unit(model: str) -> float | None:
    """The list price of one token of plain input in dollars; None for a model whose price is not known here."""
    found = next((price for pattern, price in _DOLLARS if "claude" in model and re.search(pattern, model)), None)
    return None if found is None else found / 1e6


def reprice(
    lines: Sequence[bytes],
    *,
    shrink: Shrink = shrunk,
    arms: Mapping[str, type[Replay]] | None = None,
    may_owe_share: float = MAY_OWE_SHARE,
) -> Repriced | None:
    """Price a session again under each arm; None for a transcript without bills.

    lines   of a Claude Code transcript.
    shrink  what becomes of a tool's output when it arrives.
    arms    None for those of REPLAYS. BILLED (from the usage alone) and NOTHING are always there.
    may_owe_share  of what a session has cost so far: how far a rewriting may go into debt before it has paid.
    Cost    linear in the text, and requests × parts of the window for each arm that evicts.
    """
    bills = bills_of(lines)
    if bills is None:
        return None
    history = history_of(bills, shrink)
    billed = _billed(bills)
    nothing = Replay(bills, history)
    found = {BILLED: billed, NOTHING: nothing.run()}
    summaries = nothing.summary_units
    blind = Replay(bills, history, is_miss_known=False).run()
    for name, replay in (REPLAYS if arms is None else arms).items():
        found[name] = replay(bills, history, spent=nothing.spent, may_owe_share=may_owe_share).run()
    per_unit = dollars_per_unit(bills.requests[0].model)
    return Repriced(
        bills.requests[0].model,
        bills.calls,
        len(bills.requests),
        sum(bool(request.summary) for request in bills.requests),
        summaries,
        (blind.units - summaries) / billed.units - 1,
        (found[NOTHING].units - summaries) / billed.units - 1,
        {name: arm if per_unit is None else replace(arm, dollars=arm.units * per_unit) for name, arm in found.items()},
    )


def _billed(bills: Bills) -> Arm:
    prices = ANTHROPIC_PRICES
    units = output = 0.0
    for request in bills.requests:
        output += request.output * prices.output
        units += request.read * prices.read + request.written * prices.write_price(request.ttl_s) + request.plain * prices.base
    return Arm(units + output, output)


@dataclass(slots=True)
class _Standing:
    """A part as it stands in one arm's window.

    since    of what an unfold brought back: the request before which it came; -1 for a part where it first stood.
    is_gone  an unfold brought it back, so nobody looks for it here.
    waited   requests that have read it since it could have gone.
    """

    at: int
    form: Form
    tokens: int
    since: int = -1
    is_gone: bool = False
    is_new: bool = True
    waited: int = 0


class Replay:
    """One arm over one session: this one does nothing, and those that do something derive from it.

    spent          by NOTHING, after each request, without its summaries: what an arm may compare itself with at that time. A summary
                   that somebody else need not pay is not lent out.
    is_miss_known  False leaves the price of a missed cache to the clock alone.
    """

    is_shrinking = False
    is_evicting = False

    @property
    def is_active(self) -> bool:
        """Whether this arm does anything."""
        return self.is_shrinking or self.is_evicting

    def __init__(
        self,
        bills: Bills,
        history: History,
        *,
        spent: Sequence[float] = (),
        may_owe_share: float = 0.0,
        is_miss_known: bool = True,
    ) -> None:
        self._bills, self._history = bills, history
        self._nothing, self._is_miss_known, self._may_owe_share = spent, is_miss_known, may_owe_share
        self._cache = PromptCacheModel()
        self._window: list[_Standing] = []
        self._head = 0
        self._told: CountOf[str] = CountOf()
        self._units = self._output = self.summary_units = 0.0
        self._ends = self._seen = self._restarted = 0
        self.spent: list[float] = []

    def run(self) -> Arm:
        """Return what the session would have been billed."""
        for number, request in enumerate(self._bills.requests):
            if request.summary:
                self._summarise(number, request)
            self._request(number, request)
            self.spent.append(self._units - self.summary_units)
        told = self._told
        return Arm(
            self._units,
            self._output,
            None,
            told["unfolds"],
            told["unfolded"],
            told["shrunk"],
            told["evicted"],
            told["rewrites"],
        )

    def _request(self, number: int, request: Request) -> None:
        before = self._size()
        if request.is_restart:
            self._window, self._head, self._restarted = [], request.size, number
            same = shared = request.read  # nobody's doing: what the client rewrote is the same in every arm
            self._ends += 1
            self._cache = PromptCacheModel()
        else:
            self._append(number)
            is_warm = self._cache.is_warm(at_ns=request.at_ns, model=request.model)
            self._ends += not is_warm
            same = min(before, self._evict(number, request, is_warm=is_warm))
            # What is read of a cold cache is the client's own beginning, which other sessions keep warm.
            shared = 0 if is_warm else min(request.read, self._head)
            if request.has_missed and self._is_miss_known:
                same, shared = min(same, request.read), 0
        self._seen += 1
        missing = self._missing(number)
        if missing:
            self._send(request, same, shared, UNFOLD_OUTPUT_TOKENS)
            self._told["unfolds"] += 1
            same, shared = self._size(), 0
            for standing in missing:
                standing.is_gone = True
                tokens = min(self._history.parts[standing.at].tokens[Form.FULL], UNFOLDED_TOKENS_MAX)
                self._told["unfolded"] += tokens
                self._window.append(_Standing(standing.at, Form.FULL, tokens + CALL_TOKENS.get(self._bills.counter.name, 0), number))
        self._send(request, same, shared, request.output)
        for standing in self._window:
            standing.is_new = False

    def _send(self, request: Request, same: int, shared: int, output: int) -> None:
        bill = self._cache.bill_request(
            self._size(),
            unchanged_tokens=same,
            at_ns=request.at_ns,
            model=request.model,
            ttl_s=request.ttl_s,
            output_tokens=output,
            shared_tokens=shared,
        )
        self._units += bill.units
        self._output += output * ANTHROPIC_PRICES.output

    def _summarise(self, number: int, request: Request) -> None:
        """What the client's compaction took: the window read once more, and a summary written. Only who does nothing pays it."""
        if not self.is_active and number:
            last = self._bills.requests[number - 1]
            units = last.size * ANTHROPIC_PRICES.read + request.summary * ANTHROPIC_PRICES.output
            self.summary_units += units
            self._units += units
            self._output += request.summary * ANTHROPIC_PRICES.output

    def _size(self) -> int:
        return self._head + sum(standing.tokens for standing in self._window)

    def _append(self, number: int) -> None:
        parts, first = self._history.parts, self._history.first
        end = first[number + 1] if number + 1 < len(first) else len(parts)
        for at in range(first[number], end):
            tokens = parts[at].tokens
            form = Form.SHRUNK if self.is_shrinking and Form.SHRUNK in tokens else Form.FULL
            self._told["shrunk"] += tokens[Form.FULL] - tokens[form]
            self._window.append(_Standing(at, form, tokens[form]))

    def _evict(self, number: int, request: Request, *, is_warm: bool) -> int:
        """Rewrite the window, if this arm does so now; return how many tokens from its beginning on stand as they stood."""
        if not self.is_evicting:
            return self._size()
        chosen = self._chosen(number, request, is_warm=is_warm)
        same = self._head
        is_same = True
        for place, standing in enumerate(self._window):
            if form := chosen.get(place):
                tokens = self._history.parts[standing.at].tokens[form]
                self._told["evicted"] += standing.tokens - tokens
                standing.form, standing.tokens, standing.waited = form, tokens, 0
                is_same = is_same and standing.is_new
            if is_same:
                same += standing.tokens
        self._told["rewrites"] += not is_same
        return same

    def _chosen(self, number: int, request: Request, *, is_warm: bool) -> dict[int, Form]:
        """Place in the window → the form that it takes now."""
        standings = enumerate(self._window)
        forms = {place: form for place, standing in standings if (form := self._form(standing, number, is_warm=is_warm))}
        return self.choose(forms, number, request, is_warm=is_warm) if forms else {}

    def choose(self, forms: Mapping[int, Form], number: int, request: Request, *, is_warm: bool) -> dict[int, Form]:
        """Return which parts of the window are evicted before this request, of those that may be: place → form."""
        decision = choose_evictions(self.list_segments(number, forms), self._context(number, request, is_warm=is_warm))
        return {int(name): forms[int(name)] for name in decision.evict}

    def _form(self, standing: _Standing, number: int, *, is_warm: bool) -> Form | None:
        """The shortest form that a part may take now, if it is shorter than how it stands."""
        part = self._history.parts[standing.at]
        if len(part.tokens) == 1 or (standing.since >= 0 and number - standing.since < LONG_PAST_CALLS):
            return None
        form = part.form_at(number, is_warm=is_warm)
        return form if form is not None and form > standing.form and part.tokens.get(form, standing.tokens) < standing.tokens else None

    def list_segments(self, number: int, forms: Mapping[int, Form]) -> list[WindowSegment]:
        """Return the window as the scheduler sees it: parts that stay, joined with their neighbours, and those that may go, by place."""
        segments: list[WindowSegment] = []
        fixed = 0
        is_new = False
        for place, standing in enumerate(self._window):
            form = forms.get(place)
            if fixed and (form or standing.is_new is not is_new):
                segments.append(WindowSegment("", fixed, fixed, is_new))
                fixed = 0
            is_new = standing.is_new
            if form is None:
                fixed += standing.tokens
                continue
            part = self._history.parts[standing.at]
            chance = 0.0 if standing.is_gone else estimate_return_chance(part.kind, part.idle(number), is_ended=form is Form.HANDLE)
            segments.append(WindowSegment(str(place), standing.tokens, part.tokens[form], is_new, chance, standing.waited))
            standing.waited += 1
        return [*segments, WindowSegment("", fixed, fixed, is_new)] if fixed else segments

    def _context(self, number: int, request: Request, *, is_warm: bool) -> RequestContext:
        size = self._size()
        grown = (size - self._head) / max(1, number - self._restarted)
        room = ROOM_TOKENS - size if size < ROOM_TOKENS else inf
        left = estimate_calls_left(self._seen, self._ends)
        left = min(left, room / grown) if grown > 0 else left
        return RequestContext(is_warm, self.find_calls_left(number, left), self._head, request.ttl_s, self.find_loss_max(number))

    def find_calls_left(self, number: int, estimate: float) -> float:  # noqa: ARG002 - who knows the future says so by it
        """Return how many calls are expected before the window is billed anew."""
        return estimate

    def find_loss_max(self, number: int) -> float:
        """Return how much may be lost by a rewriting if no call follows: what was saved so far, and what may be owed."""
        saved = (self._nothing[number - 1] - self._units) if number else 0.0
        return max(0.0, saved + self._may_owe_share * self._units)

    def _missing(self, number: int) -> list[_Standing]:
        """The newest holders of what this request's reply uses and the window does not show."""
        if not self.is_active:
            return []
        standing_of = {standing.at: standing for standing in self._window if not standing.is_gone}
        missing: dict[int, _Standing] = {}
        for holders in self._history.needs[number]:
            standing = [(standing_of[at], forms) for at, forms in holders if at in standing_of]
            if standing and not any(each.form in forms for each, forms in standing):
                newest = standing[-1][0]
                missing[newest.at] = newest
        return list(missing.values())


class AppendReplay(Replay):
    """Outputs are shortened as they arrive."""

    is_shrinking = True


class ScheduleReplay(Replay):
    """Old outputs are evicted when the scheduler says so."""

    is_evicting = True


class BothReplay(Replay):
    """Both of it."""

    is_shrinking = is_evicting = True


REPLAYS: Mapping[str, type[Replay]] = {APPEND: AppendReplay, SCHEDULE: ScheduleReplay, BOTH: BothReplay}
