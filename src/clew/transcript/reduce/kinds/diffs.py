"""Diffs: every file and hunk keeps its heading, changed lines go before context, and generated files go last."""

from __future__ import annotations

from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import HEADING_UTILITY, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
HALVING_LINES = 40.0  # changed lines of one file after which its next one is worth half: every file is seen before any is seen whole; guess
_FILE = _PATTERNS["file"]
_GENERATED = _PATTERNS["generated"]


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the lines of a diff: headings, then changed lines, then context, each file's first lines highest."""
    is_generated = False
    changed = 0
    is_inside = False
    for at in lines.scanned:
        line = lines.plain[at]
        first = line[:1]
        if line.startswith(("diff --", "*** ")) or (line.startswith("+++ ") and not is_inside):
            if found := _FILE.match(line[:800]):
                path = found[1] or found[2] or found[3] or ""
                is_generated, changed = _GENERATED.search(path) is not None, 0
                is_inside = False
            scores.raise_utility(at, HEADING_UTILITY + 1, "file of a diff")
        elif line.startswith("@@"):
            is_inside = True
            scores.utility[at], scores.reasons[at] = HEADING_UTILITY / (1 + changed / HALVING_LINES), "head of a hunk"
        elif first and first in "+-" and (is_inside or line[:3] not in ("+++", "---")):
            changed += 1
            scores.utility[at] = 2.0 / (1 + changed / HALVING_LINES) if len(line) > 1 else 0.3
        elif is_inside:
            scores.utility[at] = 0.6 / (1 + changed / HALVING_LINES)
        else:
            scores.utility[at] = 0.5  # modes, index lines, what a commit says above its diff
        scores.quoted[at] = is_inside or first in ("+", "-")
        if is_generated and not line.startswith("diff --"):
            scores.utility[at], scores.noise[at] = 0.0, "lines of a generated file"


DIFF = load_output_kind(__file__, score_lines)
