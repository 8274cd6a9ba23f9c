"""LineScores: what each line of an output is worth, before anybody asks what fits.

A kind says what is noise and what to fill with; evidence says what must stay. Neither knows a budget.
"""

from __future__ import annotations

from clew.transcript.reduce.lines import OutputLines

NOISE_UTILITY = 0.0
ORDINARY_UTILITY = 1.0  # an ordinary line
HEADING_UTILITY = 4.0  # what gives the lines below it their meaning: a file's name, a hunk's head
NAMED_UTILITY = 6.0  # the task names it
KEY_UTILITY = 8.0  # would stay whole if there were less of it


class LineScores:
    """One entry for each line.

    utility  what is gained by showing it; NOISE is shown only where leaving it out would save nothing.
    must     it stays, whatever the budget: 1 the body of a failure, 2 what names a failure or sums up.
    reasons  the reason, "" for an ordinary line.
    noise    what it is, in the plural, "" where it is no noise.
    quoted   it quotes something (a file's line, a value), so words in it say nothing of what happened.
    """

    __slots__ = ("noise", "quoted", "reasons", "required", "utility")

    def __init__(self, lines: OutputLines) -> None:
        count = len(lines)
        self.utility = [ORDINARY_UTILITY] * count
        self.required = bytearray(count)
        self.reasons = [""] * count
        self.noise = [""] * count
        self.quoted = bytearray(count)

    def require(self, start: int, end: int, reason: str, *, grade: int = 1) -> None:
        """Keep the lines `start` to `end` (exclusive), whatever the budget."""
        for at in range(start, min(end, len(self.required))):
            self.required[at] = max(self.required[at], grade)
            self.reasons[at] = self.reasons[at] or reason

    def raise_utility(self, at: int, utility: float, reason: str) -> None:
        """Raise a line to at least this utility."""
        if self.utility[at] < utility:
            self.utility[at] = utility
            self.reasons[at] = reason

    def mark_noise(self, at: int, description: str) -> None:
        """Call a line noise of a named sort, unless it is kept."""
        if not self.required[at]:
            self.utility[at] = NOISE_UTILITY
            self.noise[at] = description
