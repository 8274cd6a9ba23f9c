"""Output of git: logs newest first, the files of a status, blame, branches. Diffs within are scored as diffs."""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.kinds import diffs
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import HEADING_UTILITY, KEY_UTILITY, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
_COMMIT = re.compile(r"^(?:[*|\\/ ]{0,12}commit [0-9a-f]{7,40}\b|[*|\\/ ]{0,12}[0-9a-f]{7,12} (?:\([^)]{1,200}\) )?\S)")
_STAT = re.compile(r"^ \S.{0,200} \| {1,6}(?:\d{1,6}|Bin)\b")
_TRANSFER = _PATTERNS["transfer"]
HALVING_COMMITS = 30.0  # commits after which the next is worth half; the newest are asked for; guess


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the lines of git's output: commits by their place in the log, headings above the lines below them."""
    if any(lines.plain[at].startswith("@@ -") for at in lines.scanned):
        diffs.score_lines(lines, scores)
    commits = 0
    for at in lines.scanned:
        line = lines.plain[at]
        if _TRANSFER.match(line):
            scores.mark_noise(at, "lines of progress")
        elif line.startswith(("* ", "On branch", "Your branch", "CONFLICT", "\tboth modified", "UU ", "AA ")) and not _COMMIT.match(
            line[:300]
        ):
            scores.raise_utility(at, KEY_UTILITY, "where the work tree stands")
        elif _COMMIT.match(line[:300]):
            commits += 1
            scores.utility[at], scores.reasons[at] = HEADING_UTILITY / (1 + commits / HALVING_COMMITS), "commit"
            scores.entries.append(at)
            scores.quoted[at] = 1
        elif commits:
            if scores.utility[at] == 1.0:
                is_stat = _STAT.match(line[:400])
                scores.utility[at] = (0.5 if is_stat else 0.3 if line.startswith("Author:") else 1.0) / (1 + commits / HALVING_COMMITS)
            scores.quoted[at] = 1
    scores.entries = scores.entries or [at for at in lines.scanned if lines.plain[at].strip()]


GIT = load_output_kind(__file__, score_lines)
