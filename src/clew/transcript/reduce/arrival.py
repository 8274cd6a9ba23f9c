"""Arrival: does an output enter the window as its reducer would show it, or whole?

A shorter output is cheaper in every later request, until the agent asks for what was left out: that takes one request more and
brings all of it back. So it enters shorter only where it saves more than that, by the chance of it. How long the window is, and
what stands in it, is not asked: what enters in which form depends on the output and on the task state alone.
"""

from __future__ import annotations

from clew.transcript.reduce.nouns import Given, Kind, Part, Reduced
from clew.transcript.reduce.reduce import reduce
from clew.transcript.schedule import pays_on_arrival

CHARS_PER_TOKEN = 2.8  # real ones, of outputs beyond 4,000 characters in 156 sessions: 3.4 million characters
# The chance that something of what is left out is used within ten calls: the upper end of the 95 % interval (Wilson) of the share that
# bench/reduce measured, of 161 outputs; kinds that are rare there count as all of them together. What no reducer recognised has to pay
# even if it is asked for again (bench/LOG.md).
MISSED: dict[Kind, float] = {Kind.TEST: 0.23, Kind.SEARCH: 0.32, Kind.DIFF: 0.33, Kind.LISTING: 0.58, Kind.GIT: 0.85, Kind.UNKNOWN: 1.0}
MISSED_OTHER = 0.26


def arriving(text: str, given: Given | None = None) -> Reduced:
    """Return an output as it enters the window: reduced where that is expected to save money, else whole. Cost: that of `reduce`."""
    reduced = reduce(text, given=given)
    if reduced.is_whole:
        return reduced
    whole, shown = len(text) / CHARS_PER_TOKEN, len(reduced.render("00000000")) / CHARS_PER_TOKEN
    if pays_on_arrival(whole, shown, return_chance=MISSED.get(reduced.kind, MISSED_OTHER)):
        return reduced
    return Reduced(text, reduced.kind, reduced.lines, (Part(1, reduced.lines, ""),), (), (text,))
