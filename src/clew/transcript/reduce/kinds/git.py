"""Git: logs newest first, the files of a status, blame, branches. Diffs within are weighed as diffs."""

from __future__ import annotations

import re

from clew.transcript.reduce.kinds import diffs
from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.scores import HEAD, KEY, LineScores

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


GIT = OutputKind(
    name="git",
    rank=5,
    matches=FORMS.match,
    share_min=0.4,
    score=score,
    programs=(
        "git:log git:status git:show git:blame git:branch git:stash git:reflog git:fetch git:pull git:push git:merge "
        "git:rebase git:checkout git:commit git:shortlog"
    ),
    budget=(4000, 0.6),
    return_chance=0.85,
)
