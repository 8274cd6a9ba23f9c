"""LineScores: what each line of an output is worth, before anybody asks what fits.

A kind says what is noise and what to fill with; evidence says what must stay. Neither knows a budget.
"""

from __future__ import annotations

from clew.transcript.reduce.lines import Lines

NOISE = 0.0
FILL = 1.0  # an ordinary line
HEAD = 4.0  # what gives the lines below it their meaning: a file's name, a hunk's head
GUIDED = 6.0  # the task names it
KEY = 8.0  # would stay whole if there were less of it


class LineScores:
    """One entry for each line.

    utility  what is gained by showing it; NOISE is shown only where leaving it out would save nothing.
    must     it stays, whatever the budget: 1 the body of a failure, 2 what names a failure or sums up.
    reasons  the reason, "" for an ordinary line.
    noise    what it is, in the plural, "" where it is no noise.
    quoted   it quotes something (a file's line, a value), so words in it say nothing of what happened.
    """

    __slots__ = ("must", "noise", "quoted", "reasons", "utility")

    def __init__(self, lines: Lines) -> None:
        count = len(lines)
        self.utility = [FILL] * count
        self.must = bytearray(count)
        self.reasons = [""] * count
        self.noise = [""] * count
        self.quoted = bytearray(count)

    def keep(self, start: int, end: int, why: str, *, grade: int = 1) -> None:
        """Keep the lines `start` to `end` (exclusive), whatever the budget."""
        for at in range(start, min(end, len(self.must))):
            self.must[at] = max(self.must[at], grade)
            self.reasons[at] = self.reasons[at] or why

    def raise_to(self, at: int, utility: float, why: str) -> None:
        """Raise a line to at least this utility."""
        if self.utility[at] < utility:
            self.utility[at] = utility
            self.reasons[at] = why

    def drop(self, at: int, what: str) -> None:
        """Call a line noise of a named sort, unless it is kept."""
        if not self.must[at]:
            self.utility[at] = NOISE
            self.noise[at] = what
