"""Files and reports that a tool shows. On arrival they stay whole; folded later, definitions, headings and names of the task come
first, then the lines around them.
"""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import HEADING_UTILITY, LineScores

NUMBERED_LINE = re.compile(r"^ {0,12}\d{1,7}(?:→|\t| {2}|: |\| )")
_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
PROSE_FORMS = _PATTERNS["prose"]
_DEFINES = _PATTERNS["defines"]
_IMPORTS = re.compile(r"^(?:import |from \S|#include|use |require|using )")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the lines of a file: definitions by their indent, and the two lines below each."""
    below = 0
    for at in lines.scanned:
        line = lines.plain[at][:400]
        scores.quoted[at] = 1
        if found := NUMBERED_LINE.match(line):
            line = line[found.end() :]
        bare = line.lstrip()
        if not bare:
            scores.utility[at] = 0.1
        elif _DEFINES.match(bare):
            scores.utility[at], scores.reasons[at] = HEADING_UTILITY / (1 + (len(line) - len(bare)) / 8), "definition"
            below = 2
            continue
        elif _IMPORTS.match(bare):
            scores.utility[at] = 0.3
        elif below:
            scores.utility[at] = 1.5
        below = max(0, below - 1)


READ = load_output_kind(__file__, score_lines, table="read")


REPORT = load_output_kind(__file__, score_lines, PROSE_FORMS.match, table="report")
