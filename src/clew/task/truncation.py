"""Find the notices by which an agent's client marks a tool output that it truncated.

The end of a truncated output may be missing, so no test result is read from a preview, and a part of it is shown with the notice.
The patterns are data, each with where it was seen; an output that matches none is taken as complete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_CHARS = 8_192  # of an output in which the notice of a preview stands


@dataclass(frozen=True, slots=True)
class NoticePattern:
    """One form of a client's notice that it truncated a tool output.

    is_preview  only the beginning of the output is left; else its middle is missing.
    pattern     of the notice; a preview begins with it. A group `path` names the file that holds the whole output.
    mark        a string that each such notice contains, for a quick test.
    seen        where it was seen: releases, and how often in the recorded sessions.
    """

    pattern: re.Pattern[str]
    mark: str
    is_preview: bool
    seen: str


NOTICE_PATTERNS = (
    NoticePattern(
        re.compile(r"\A<persisted-output>\n[^\n]{0,200}?Output too large[^\n]{0,200}?saved to:? (?P<path>[^\n]{1,4096})"),
        "<persisted-output>", True, "Claude Code 2.1.12 to 2.1.49, 44 outputs of any tool; 2.1.332: 2 kB and the file's path",
    ),
    NoticePattern(
        re.compile(r"\AError: result \([^\n]{1,80}\) exceeds maximum[^\n]{0,99}? saved to(?: file)?:? (?P<path>[^\n]{1,999}?)\.?(?=\n|\Z)"),
        "exceeds maximum allowed", True, "Claude Code 2.1.330: results of MCP tools of 200,000 characters",
    ),
    NoticePattern(
        re.compile(r"^\.\.\. \[[\d,]{1,12} (?:characters|lines) truncated\] \.\.\.$", re.MULTILINE),
        " truncated]", False, "Claude Code 2.1.29 to 2.1.49, 4 failed commands of 10,000 characters each; 2.1.332 likewise",
    ),
    NoticePattern(
        re.compile(r"^.{0,2000}…[\d,]{1,12} (?:tokens|chars) truncated….{0,2000}$", re.MULTILINE),
        " truncated…", False, "Codex, between the first and the last lines of an output",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Truncation:
    """A truncation that a notice states: whether only the beginning is left, the notice, and the path of the whole output, "" for none."""

    is_preview: bool
    notice: str
    path: str = ""


def parse_truncation_notice(text: str) -> Truncation | None:
    """Return how a client truncated this output; None where it holds no known notice. Cost: one substring search per pattern."""
    for form in NOTICE_PATTERNS:
        if form.mark not in text:
            continue
        found = form.pattern.search(text, 0, HEAD_CHARS) if form.is_preview else form.pattern.search(text)
        if found:
            return Truncation(form.is_preview, found[0], found.groupdict().get("path", "").strip())
    return None


def is_truncated_preview(text: str) -> bool:
    """Return whether a client kept only the beginning of this output, so that its end was not seen."""
    cut = parse_truncation_notice(text)
    return cut is not None and cut.is_preview


def find_notice_lines(text: str) -> list[tuple[int, int]]:
    """Return (first, last) of the lines of each truncation notice in an output, 0-based and inclusive, in order."""
    found: list[tuple[int, int]] = []
    for form in NOTICE_PATTERNS:
        if form.mark in text:
            for match in form.pattern.finditer(text, 0, HEAD_CHARS) if form.is_preview else form.pattern.finditer(text):
                first = text.count("\n", 0, match.start())
                found.append((first, first + match[0].count("\n")))
    return sorted(found)
