"""Reads: a file's own lines. At the moment they arrive they stay whole (`reduce`); where they are folded later, definitions,
headings and what the task names go first, and the lines around that.
"""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import Patterns
from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.output_kind import described
from clew.transcript.reduce.scores import HEAD, LineScores

NUMBERED = re.compile(r"^ {0,12}\d{1,7}(?:→|\t| {2}|: |\| )")
_PATTERNS = Patterns(Path(__file__).with_suffix(".toml"))
FORMS = _PATTERNS["forms"]
PROSE = _PATTERNS["prose"]
_DEFINES = _PATTERNS["defines"]
_IMPORTS = re.compile(r"^(?:import |from \S|#include|use |require|using )")


def score(lines: Lines, scores: LineScores) -> None:
    """Weigh definitions by their indent, and the two lines below each."""
    below = 0
    for at in lines.near:
        line = lines.plain[at][:400]
        scores.quoted[at] = 1
        if found := NUMBERED.match(line):
            line = line[found.end() :]
        bare = line.lstrip()
        if not bare:
            scores.utility[at] = 0.1
        elif _DEFINES.match(bare):
            scores.utility[at], scores.reasons[at] = HEAD / (1 + (len(line) - len(bare)) / 8), "definition"
            below = 2
            continue
        elif _IMPORTS.match(bare):
            scores.utility[at] = 0.3
        elif below:
            scores.utility[at] = 1.5
        below = max(0, below - 1)


READ = described(__file__, score, FORMS.match, table="read")


REPORT = described(__file__, score, PROSE.match, table="report")
