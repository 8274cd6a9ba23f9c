"""Output of package managers and image builds: fetching is noise; what was installed, and warnings, are not."""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import LINE_CHARS_MAX, OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import HEADING_UTILITY, KEY_UTILITY, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
_NOISE = _PATTERNS["noise"]
_DEPRECATED = re.compile(r"^(?:npm (?:warn|WARN) (?:deprecated|ERESOLVE|EBADENGINE)|warning )")
_STEP = re.compile(r"^(?:#\d{1,4} \[|Step \d{1,4}/\d|==> |\[\d/\d\] )")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the output of a package manager or image build: warnings and build steps highest, fetching as noise."""
    warned = 0
    for at in lines.scanned:
        line = lines.plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.1
        elif _NOISE.match(line):
            scores.mark_noise(at, "lines of fetching and unpacking")
        elif _DEPRECATED.match(line):
            warned += 1
            scores.utility[at] = KEY_UTILITY / 2 / warned
        elif _STEP.match(line):
            scores.utility[at], scores.reasons[at] = HEADING_UTILITY, "step"


PACKAGE_MANAGER = load_output_kind(__file__, score_lines)
