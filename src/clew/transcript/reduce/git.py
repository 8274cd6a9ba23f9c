"""Git: logs newest first, the files of a status, blame, branches. Diffs within are weighed as diffs."""

from __future__ import annotations

import re

from clew.transcript.reduce import diffs
from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.marks import HEAD, KEY, Marks
from clew.transcript.reduce.nouns import Given

FORMS = re.compile(
    r"commit [0-9a-f]{7,40}\b|[*|\\/ ]{0,12}[0-9a-f]{7,12} (?:\([^)]{1,200}\) )?\S|Author: {1,8}\S|Date: {1,8}\S|On branch "
    r"|Your branch |Changes (?:not staged|to be committed)|Untracked files:"
    r"|\t(?:modified|deleted|new file|renamed|both modified): |[ MADRCU?!]{2} \S{1,300}$|\^?[0-9a-f]{7,12} \(?.{1,80}\d{4}-\d\d-\d\d"
    r"|[* ] (?:remotes/)?[\w./-]{1,120}(?: {1,80}[0-9a-f]{7,12} .{0,200})?$"
    r"| \S.{0,200} \| {1,6}\d{1,6} [+-]{0,80}$| \d{1,6} files? changed|remote: |To \S{1,200}$|From \S{1,200}$|Switched to "
    r"|   [0-9a-f]{7,12}\.\.[0-9a-f]{7,12} "
)
_COMMIT = re.compile(r"^(?:[*|\\/ ]{0,12}commit [0-9a-f]{7,40}\b|[*|\\/ ]{0,12}[0-9a-f]{7,12} (?:\([^)]{1,200}\) )?\S)")
_STAT = re.compile(r"^ \S.{0,200} \| {1,6}(?:\d{1,6}|Bin)\b")
_TRANSFER = re.compile(
    r"^(?:remote: )?(?:Enumerating|Counting|Compressing|Writing|Receiving|Resolving|Unpacking|Updating files|Total \d|Delta compression)"
)
FADING = 30.0  # commits after which the next is worth half; the newest are asked for; guess


def mark(lines: Lines, marks: Marks, given: Given) -> None:
    """Weigh commits by their age in the list, and heads above what stands below them."""
    if any(lines.plain[at].startswith("@@ -") for at in lines.near):
        diffs.mark(lines, marks, given)
    commits = 0
    for at in lines.near:
        line = lines.plain[at]
        if _TRANSFER.match(line):
            marks.drop(at, "lines of progress")
        elif line.startswith(("* ", "On branch", "Your branch", "CONFLICT", "\tboth modified", "UU ", "AA ")) and not _COMMIT.match(
            line[:300]
        ):
            marks.lift(at, KEY, "where the work tree stands")
        elif _COMMIT.match(line[:300]):
            commits += 1
            marks.worth[at], marks.why[at] = HEAD / (1 + commits / FADING), "commit"
            marks.quoted[at] = 1
        elif commits:
            if marks.worth[at] == 1.0:
                is_stat = _STAT.match(line[:400])
                marks.worth[at] = (0.5 if is_stat else 0.3 if line.startswith("Author:") else 1.0) / (1 + commits / FADING)
            marks.quoted[at] = 1
