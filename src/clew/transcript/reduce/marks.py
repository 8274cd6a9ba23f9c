"""Marks: what each line of an output is worth, before anybody asks what fits.

A kind says what is noise and what to fill with; evidence says what must stay. Neither knows a budget.
"""

from __future__ import annotations

from clew.transcript.reduce.lines import Lines

NOISE = 0.0
FILL = 1.0  # an ordinary line
HEAD = 4.0  # what gives the lines below it their meaning: a file's name, a hunk's head
GUIDED = 6.0  # the task names it
KEY = 8.0  # would stay whole if there were less of it


class Marks:
    """One entry for each line.

    worth    what is gained by showing it; NOISE is shown only where leaving it out would save nothing.
    must     it stays, whatever the budget: 1 the body of a failure, 2 what names a failure or sums up.
    why      the reason, "" for an ordinary line.
    noise    what it is, in the plural, "" where it is no noise.
    quoted   it quotes something (a file's line, a value), so words in it say nothing of what happened.
    """

    __slots__ = ("must", "noise", "quoted", "why", "worth")

    def __init__(self, lines: Lines) -> None:
        count = len(lines)
        self.worth = [FILL] * count
        self.must = bytearray(count)
        self.why = [""] * count
        self.noise = [""] * count
        self.quoted = bytearray(count)

    def stay(self, start: int, end: int, why: str, *, grade: int = 1) -> None:
        """Lines `start` to `end` (exclusive) stay."""
        for at in range(start, min(end, len(self.must))):
            self.must[at] = max(self.must[at], grade)
            self.why[at] = self.why[at] or why

    def lift(self, at: int, worth: float, why: str) -> None:
        """A line is worth at least this."""
        if self.worth[at] < worth:
            self.worth[at] = worth
            self.why[at] = why

    def drop(self, at: int, what: str) -> None:
        """A line is noise of a named sort, unless something said that it stays."""
        if not self.must[at]:
            self.worth[at] = NOISE
            self.noise[at] = what
