"""Git: logs newest first, the files of a status, blame, branches. Diffs within are weighed as diffs."""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import Patterns
from clew.transcript.reduce.kinds import diffs
from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.output_kind import described
from clew.transcript.reduce.scores import HEAD, KEY, LineScores

_PATTERNS = Patterns(Path(__file__).with_suffix(".toml"))
FORMS = _PATTERNS["forms"]
_COMMIT = re.compile(r"^(?:[*|\\/ ]{0,12}commit [0-9a-f]{7,40}\b|[*|\\/ ]{0,12}[0-9a-f]{7,12} (?:\([^)]{1,200}\) )?\S)")
_STAT = re.compile(r"^ \S.{0,200} \| {1,6}(?:\d{1,6}|Bin)\b")
_TRANSFER = _PATTERNS["transfer"]
FADING = 30.0  # commits after which the next is worth half; the newest are asked for; guess


def score(lines: Lines, scores: LineScores) -> None:
    """Weigh commits by their age in the list, and heads above what stands below them."""
    if any(lines.plain[at].startswith("@@ -") for at in lines.near):
        diffs.score(lines, scores)
    commits = 0
    for at in lines.near:
        line = lines.plain[at]
        if _TRANSFER.match(line):
            scores.drop(at, "lines of progress")
        elif line.startswith(("* ", "On branch", "Your branch", "CONFLICT", "\tboth modified", "UU ", "AA ")) and not _COMMIT.match(
            line[:300]
        ):
            scores.raise_to(at, KEY, "where the work tree stands")
        elif _COMMIT.match(line[:300]):
            commits += 1
            scores.utility[at], scores.reasons[at] = HEAD / (1 + commits / FADING), "commit"
            scores.quoted[at] = 1
        elif commits:
            if scores.utility[at] == 1.0:
                is_stat = _STAT.match(line[:400])
                scores.utility[at] = (0.5 if is_stat else 0.3 if line.startswith("Author:") else 1.0) / (1 + commits / FADING)
            scores.quoted[at] = 1


GIT = described(__file__, score, FORMS.match)
