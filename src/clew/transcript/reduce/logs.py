"""Logs: lines of one template differ in numbers, times and names; the first and the last of each tell it, rare ones tell more.

The template of a line is its text with what varies masked, in the manner of Drain's fixed-depth tree (He et al. 2017) but with
the masks alone: no similarity threshold, so that the answer depends on no order.
"""

from __future__ import annotations

import re
from collections import Counter

from clew.transcript.reduce.lines import Lines
from clew.transcript.reduce.marks import KEY, Marks
from clew.transcript.reduce.nouns import Given

FORMS = re.compile(
    r"\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d|\w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d|\[?(?:INFO|WARN(?:ING)?|ERROR|DEBUG"
    r"|TRACE|FATAL|NOTICE)\b|\[?(?:info|warn|error|debug)\]?[:\s]"
    r"|time=|level=|ts=|\{\"(?:level|time|ts|timestamp|msg|severity)\"|\d{1,3}(?:\.\d{1,3}){3} - |\[\d{2}/\w{3}/\d{4}|[IWEF]\d{4} \d\d:"
)
TEMPLATE_CHARS = 200  # the beginning of a line says what it is
_VARIES = re.compile(r"(?<!\S)[^\s\d/\"'=]*+[\d/\"'=]\S*")  # a word with a digit, a slash, a quote or a value
_LEVEL = re.compile(r"\b(?:WARN(?:ING)?|warn(?:ing)?|level=warn)\b")


def template(line: str) -> str:
    """The line without what varies."""
    return _VARIES.sub("*", line[:TEMPLATE_CHARS])


def mark(lines: Lines, marks: Marks, given: Given) -> None:  # noqa: ARG001  every kind is asked in one way
    """Weigh each line by how rare its template is, its first and last line before the others."""
    weigh_repeats(lines, marks, base=1.0)
    for at in lines.near:
        if _LEVEL.search(lines.plain[at][:160]):
            marks.worth[at] *= 2


def weigh_repeats(lines: Lines, marks: Marks, *, base: float) -> None:
    """Set the worth of lines by the rarity of their templates; lines that repeat one many times over are named as such."""
    templates = [template(lines.plain[at]) for at in lines.near]
    times = Counter(templates)
    last = {form: at for at, form in enumerate(templates)}
    seen: set[str] = set()
    count = len(templates)
    for place, (at, form) in enumerate(zip(lines.near, templates, strict=True)):
        if not form.strip():
            marks.worth[at] = 0.1
            continue
        often = times[form]
        worth = base * (0.6 + 0.4 * place / count)  # the end says more, where nothing else tells
        if often > 2:
            is_end = form not in seen or last[form] == place
            worth = base * (2.0 if is_end else 1.0 / often)
            if is_end:
                marks.why[at] = "first or last of its sort"
            elif often > 8:
                marks.noise[at] = "lines like those shown"
        elif often == 1:
            worth *= 1.3
        seen.add(form)
        marks.worth[at] = min(worth, KEY)
