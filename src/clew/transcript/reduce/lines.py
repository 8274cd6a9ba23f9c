"""Split an output into lines as a terminal would show them, beside their bytes.

Colours, overwritten progress states and the prefixes of task runners are removed for reading; the lines themselves stay as
they are. Every pass here is linear, and what costs more than a search looks only at `scanned` lines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from clew.text.patterns import PatternFile

CHARS_PER_TOKEN = 2.8  # real ones, of outputs beyond 4,000 characters in 156 sessions: 3.4 million characters
LINE_CHARS_MAX = 1000  # of a line that patterns read; a longer one is data
HEAD_CHARS, TAIL_CHARS = 150_000, 350_000  # of a longer text only the ends are read line by line; a client shows 30,000
SAMPLE_LINES = 72  # lines that tell a kind; recognising stays under a millisecond
PROGRESS_CHARS_MIN = 200  # an overwritten line shorter than this is shown as it stands
_PREFIX_SHARE = 0.6  # of the sample that must carry a runner's prefix before it is taken away; guess

_PATTERNS = PatternFile(Path(__file__).with_name("patterns.toml"))
_ANSI = _PATTERNS["colours"]
_PREFIXES = tuple(_PATTERNS[f"{name}_prefix"] for name in ("hosted_job", "downloaded_job", "package_task", "service", "task", "script"))


class OutputLines:
    """The lines of one output.

    raw      without their line ends, as written.
    plain    without colours, overwritten states and runners' prefixes; the same list when there are none.
    sizes    characters of each raw line, its line end included.
    starts   offset of each raw line in the text, and the end.
    scanned  indexes of the lines that passes look at one by one: all, or of a very long text its head and tail.
    """

    __slots__ = ("plain", "raw", "scanned", "sizes", "starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw = text.split("\n")
        if self.raw[-1] == "":
            self.raw.pop()
        self.sizes = [len(line) + 1 for line in self.raw]
        self.starts = list(accumulate(self.sizes, initial=0))
        self.scanned: Sequence[int] = range(len(self.raw))
        if len(text) > HEAD_CHARS + TAIL_CHARS:
            head = next(at for at, start in enumerate(self.starts) if start >= HEAD_CHARS)
            tail = next(at for at, start in enumerate(self.starts) if start >= len(text) - TAIL_CHARS)
            self.scanned = [*range(min(head, len(self.raw))), *range(max(head, tail), len(self.raw))]
        self.plain = _plain(self.raw, has_colours="\x1b" in text, has_returns="\r" in text)
        self.plain = _without_prefix(self.plain)

    def __len__(self) -> int:
        return len(self.raw)

    def sample_lines(self) -> list[str]:
        """Return at most SAMPLE_LINES plain lines that are not blank: the first third from the start, the rest spread to the end."""
        lines = [line for at in self.scanned if (line := self.plain[at]) and not line.isspace()]
        if len(lines) <= SAMPLE_LINES:
            return [line[:LINE_CHARS_MAX] for line in lines]
        head = SAMPLE_LINES // 3
        rest = len(lines) - head
        spread = [lines[head + at * rest // (SAMPLE_LINES - head)] for at in range(SAMPLE_LINES - head)]
        return [line[:LINE_CHARS_MAX] for line in (*lines[:head], *spread)]

    def render_range(self, start: int, end: int) -> str:
        """Return lines `start` to `end` (0-based, exclusive) as written, long progress lines by their last state."""
        return "\n".join(_last_state(line) if "\r" in line else line for line in self.raw[start:end])

    def shown_chars(self, at: int) -> int:
        """Return the characters of a line as `render_range` writes it, its line end included."""
        line = self.raw[at]
        return len(_last_state(line)) + 1 if "\r" in line else self.sizes[at]

    def find_lines_with(self, words: Iterable[str], times_max: int = 1 << 62, *, in_any_case: bool = False) -> list[int]:
        """Return the indexes of the lines that contain any of these words, in order; of each word at most `times_max` lines.

        in_any_case  ignore case; the words are given in lower case.
        """
        found: set[int] = set()
        text, starts = self.text, self.starts
        if in_any_case:
            text = text.lower()
            if len(text) != len(self.text):  # a letter became two, and places would be others
                text = self.text
                words = [variant for word in words for variant in dict.fromkeys((word, word.capitalize(), word.upper()))]
        for word in words:
            place = text.find(word)
            line = 0
            times = 0
            while place >= 0 and times < times_max:
                line = bisect_right(starts, place, line) - 1
                found.add(line)
                times += 1
                place = text.find(word, starts[line + 1]) if line + 1 < len(starts) else -1
        count = len(self.raw)
        return sorted(at for at in found if at < count)


def _plain(raw: list[str], *, has_colours: bool, has_returns: bool) -> list[str]:
    lines = raw
    if has_colours:
        lines = [_ANSI.sub("", line) if "\x1b" in line else line for line in lines]
    if has_returns:
        lines = [_final(line) if "\r" in line else line for line in lines]
    return lines


def _final(line: str) -> str:
    """What stays on the screen of a line that was written over."""
    line = line.rstrip("\r")
    return line[line.rfind("\r") + 1 :]


def _last_state(line: str) -> str:
    if len(line) < PROGRESS_CHARS_MIN or line.count("\r", 0, len(line) - 1) < 2:
        return line
    end = len(line.rstrip("\r"))
    return line[line.rfind("\r", 0, end) + 1 :]


def _without_prefix(plain: list[str]) -> list[str]:
    """The lines without what a runner puts in front of each, where most carry the same sort of it."""
    step = max(1, len(plain) // 64)
    sample = [line for line in plain[::step] if line]
    for pattern in _PREFIXES:
        if sum(pattern.match(line) is not None for line in sample) >= _PREFIX_SHARE * max(len(sample), 8):
            return [line[found.end() :] if (found := pattern.match(line)) else line for line in plain]
    return plain
