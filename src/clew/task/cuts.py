"""Find the notice by which a client says that it has cut an output, before anybody else saw it.

A cut output is no whole one: its end may be missing, so no verdict is read off a preview, no equality is claimed, and whoever shows
a part of it shows the notice. The forms are data, each with where it was seen; what matches none is taken for whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_CHARS = 8_192  # of an output in which the notice of a preview stands


@dataclass(frozen=True, slots=True)
class Form:
    """How a client says that it has cut an output.

    is_preview  only the beginning is left; else something in the middle is missing, and both ends are there.
    pattern     of the notice; a preview begins with it. A group `path` names the file that holds the whole.
    mark        stands in each notice, for a quick look.
    seen        where: releases, and how often in the recorded sessions.
    """

    pattern: re.Pattern[str]
    mark: str
    is_preview: bool
    seen: str


FORMS = (
    Form(
        re.compile(r"\A<persisted-output>\n[^\n]{0,200}?Output too large[^\n]{0,200}?saved to:? (?P<path>[^\n]{1,4096})"),
        "<persisted-output>", True, "Claude Code 2.1.12 to 2.1.49, 44 outputs of any tool; 2.1.332: 2 kB and the file's path",
    ),
    Form(
        re.compile(r"\AError: result \([^\n]{1,80}\) exceeds maximum[^\n]{0,99}? saved to(?: file)?:? (?P<path>[^\n]{1,999}?)\.?(?=\n|\Z)"),
        "exceeds maximum allowed", True, "Claude Code 2.1.330: results of MCP tools of 200,000 characters",
    ),
    Form(
        re.compile(r"^\.\.\. \[[\d,]{1,12} (?:characters|lines) truncated\] \.\.\.$", re.MULTILINE),
        " truncated]", False, "Claude Code 2.1.29 to 2.1.49, 4 failed commands of 10,000 characters each; 2.1.332 likewise",
    ),
    Form(
        re.compile(r"^.{0,2000}…[\d,]{1,12} (?:tokens|chars) truncated….{0,2000}$", re.MULTILINE),
        " truncated…", False, "Codex, between the first and the last lines of an output",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut that was found: whether only a preview is left, the notice as it stands, and the file that it names, "" for none."""

    is_preview: bool
    notice: str
    path: str = ""


def cut_of(text: str) -> Cut | None:
    """Return how a client has cut this output; None where no known notice stands in it. Cost: a search for each mark."""
    for form in FORMS:
        if form.mark not in text:
            continue
        found = form.pattern.search(text, 0, HEAD_CHARS) if form.is_preview else form.pattern.search(text)
        if found:
            return Cut(form.is_preview, found[0], found.groupdict().get("path", "").strip())
    return None


def is_preview(text: str) -> bool:
    """Say whether only the beginning of an output is left: how it ended was not seen."""
    cut = cut_of(text)
    return cut is not None and cut.is_preview


def notices(text: str) -> list[tuple[int, int]]:
    """Return the lines, 0-based and inclusive, on which notices stand, in order."""
    found: list[tuple[int, int]] = []
    for form in FORMS:
        if form.mark in text:
            for match in form.pattern.finditer(text, 0, HEAD_CHARS) if form.is_preview else form.pattern.finditer(text):
                first = text.count("\n", 0, match.start())
                found.append((first, first + match[0].count("\n")))
    return sorted(found)
