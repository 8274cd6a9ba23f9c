"""Package managers and image builds: what was fetched is noise, what was installed at last and what was warned of is not."""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import Patterns
from clew.transcript.reduce.lines import LINE_CHARS_MAX, Lines
from clew.transcript.reduce.output_kind import described
from clew.transcript.reduce.scores import HEAD, KEY, LineScores

_PATTERNS = Patterns(Path(__file__).with_suffix(".toml"))
FORMS = _PATTERNS["forms"]
_NOISE = _PATTERNS["noise"]
_DEPRECATED = re.compile(r"^(?:npm (?:warn|WARN) (?:deprecated|ERESOLVE|EBADENGINE)|warning )")
_STEP = re.compile(r"^(?:#\d{1,4} \[|Step \d{1,4}/\d|==> |\[\d/\d\] )")


def score(lines: Lines, scores: LineScores) -> None:
    """Say what was fetched, and which lines are steps."""
    warned = 0
    for at in lines.near:
        line = lines.plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.1
        elif _NOISE.match(line):
            scores.drop(at, "lines of fetching and unpacking")
        elif _DEPRECATED.match(line):
            warned += 1
            scores.utility[at] = KEY / 2 / warned
        elif _STEP.match(line):
            scores.utility[at], scores.reasons[at] = HEAD, "step"


PACKAGE_MANAGER = described(__file__, score, FORMS.match)
