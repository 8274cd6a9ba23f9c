"""Score the lines of an output: what each is worth showing, before it is known how many fit.

A kind marks noise and scores the rest; evidence marks what must stay. Neither knows the budget.
"""

from __future__ import annotations

from clew.transcript.reduce.lines import OutputLines

NOISE_UTILITY = 0.0
ORDINARY_UTILITY = 1.0  # an ordinary line
HEADING_UTILITY = 4.0  # what gives the lines below it their meaning: a file's name, a hunk's head
NAMED_UTILITY = 6.0  # the task names it
KEY_UTILITY = 8.0  # would stay whole if there were less of it
NAME_GRADE = 3  # of a line that names what failed
SIMILAR = "lines like those shown"  # noise by its form alone: such a line may still name a failure


class LineScores:
    """The scores of an output's lines, one entry for each line.

    utility   gain of showing it; NOISE_UTILITY is shown only where leaving it out would save nothing.
    required  it stays whatever the budget: 1 the body of a failure, 2 what sums up or states an error, 3 the name of what failed;
              0 otherwise.
    reasons   why it is shown, "" for an ordinary line.
    noise     what it is, in the plural, "" when it is no noise.
    quoted    it quotes something (a file's line, a value), so words in it say nothing of what happened.
    odd       required lines that differ from many others of their sort; they take nothing from the budget of the rest.
    entries   lines of a listing's entries, in order: its first, middle and last ones are shown at any budget.
    """

    __slots__ = ("entries", "noise", "odd", "quoted", "reasons", "required", "utility")

    def __init__(self, lines: OutputLines) -> None:
        count = len(lines)
        self.utility = [ORDINARY_UTILITY] * count
        self.required = bytearray(count)
        self.reasons = [""] * count
        self.noise = [""] * count
        self.quoted = bytearray(count)
        self.odd: list[int] = []
        self.entries: list[int] = []

    def require(self, start: int, end: int, reason: str, *, grade: int = 1) -> None:
        """Mark the lines `start` to `end` (0-based, exclusive) as required, whatever the budget."""
        for at in range(start, min(end, len(self.required))):
            self.required[at] = max(self.required[at], grade)
            self.reasons[at] = self.reasons[at] or reason

    def raise_utility(self, at: int, utility: float, reason: str) -> None:
        """Raise a line to at least this utility."""
        if self.utility[at] < utility:
            self.utility[at] = utility
            self.reasons[at] = reason

    def mark_noise(self, at: int, description: str) -> None:
        """Mark a line as noise of the described sort, unless it is required."""
        if not self.required[at]:
            self.utility[at] = NOISE_UTILITY
            self.noise[at] = description
