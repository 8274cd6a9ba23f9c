"""Diffs: every file and hunk keeps its head, changed lines go before context, and generated files go last."""

from __future__ import annotations

import re

from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.scores import HEAD, LineScores

FORMS = re.compile(
    r"diff --(?:git|cc|combined) |@@ -\d|index [0-9a-f]{6,40}\.\.|--- (?:a/|/dev/null|\S)|\+\+\+ (?:b/|/dev/null|\S)|[-+](?![-+]{2})"
    r"|new file mode|deleted file mode|rename (?:from|to) |similarity index"
)
FADING = 40.0  # changed lines of one file after which its next one is worth half: every file is seen before any is seen whole; guess
_FILE = re.compile(
    r"^(?:diff --(?:git|cc|combined) .{0,400}?(\S{1,300})$|\+\+\+ (?:b/)?(\S{1,300})|\*\*\* (?:Update|Add|Delete) File: (.{1,300}))"
)
_GENERATED = re.compile(
    r"(?:package-lock\.json|pnpm-lock\.yaml|yarn\.lock|bun\.lockb?|Cargo\.lock|poetry\.lock|uv\.lock|Pipfile\.lock|composer\.lock"
    r"|Gemfile\.lock|go\.sum|\.snap|\.min\.\w{2,3}|\.map|\.pb\.go|_pb2\.py|\.generated\.\w{1,4})$"
    r"|(?:^|/)(?:dist|build|vendor|node_modules|__snapshots__|generated)/"
)


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


DIFF = OutputKind(
    name="diff",
    rank=2,
    matches=FORMS.match,
    share_min=0.4,
    score=score,
    programs="git:diff gh:diff",
    budget=(8000, 0.7),
    return_chance=0.33,
    is_quoting=True,
)
