"""Diffs: every file and hunk keeps its head, changed lines go before context, and generated files go last."""

from __future__ import annotations

from pathlib import Path

from clew.text.patterns import Patterns
from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.output_kind import described
from clew.transcript.reduce.scores import HEAD, LineScores

_PATTERNS = Patterns(Path(__file__).with_suffix(".toml"))
FORMS = _PATTERNS["forms"]
FADING = 40.0  # changed lines of one file after which its next one is worth half: every file is seen before any is seen whole; guess
_FILE = _PATTERNS["file"]
_GENERATED = _PATTERNS["generated"]


def score(lines: Lines, scores: LineScores) -> None:
    """Weigh heads, changed lines and context, file by file."""
    is_generated = False
    changed = 0
    is_inside = False
    for at in lines.near:
        line = lines.plain[at]
        first = line[:1]
        if line.startswith(("diff --", "*** ")) or (line.startswith("+++ ") and not is_inside):
            if found := _FILE.match(line[:800]):
                path = found[1] or found[2] or found[3] or ""
                is_generated, changed = _GENERATED.search(path) is not None, 0
                is_inside = False
            scores.raise_to(at, HEAD + 1, "file of a diff")
        elif line.startswith("@@"):
            is_inside = True
            scores.utility[at], scores.reasons[at] = HEAD / (1 + changed / FADING), "head of a hunk"
        elif first and first in "+-" and (is_inside or line[:3] not in ("+++", "---")):
            changed += 1
            scores.utility[at] = 2.0 / (1 + changed / FADING) if len(line) > 1 else 0.3
        elif is_inside:
            scores.utility[at] = 0.6 / (1 + changed / FADING)
        else:
            scores.utility[at] = 0.5  # modes, index lines, what a commit says above its diff
        scores.quoted[at] = is_inside or first in ("+", "-")
        if is_generated and not line.startswith("diff --"):
            scores.utility[at], scores.noise[at] = 0.0, "lines of a generated file"


DIFF = described(__file__, score, FORMS.match)
