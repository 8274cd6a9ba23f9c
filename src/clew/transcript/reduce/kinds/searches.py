"""Search results: lines of files, each with its place. Every file is represented before any is shown again."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import HEADING_UTILITY, LineScores

HALVING_HITS = 2.0  # hits of one file after which its next is utility half; guess
CONTEXT_SHARE = 0.9  # of its hit's utility: what is asked for with context is read with it; guess
LONG_HIT_CHARS = 500  # guess: a longer hit stands in generated or minified text
_PLACE = re.compile(r"^((?:[A-Za-z]:)?[^\s:][^:\n]{0,300}?)(?::(\d{1,7}):|-(\d{1,7})-|:)")
_INSIDE = re.compile(r"^(\d{1,7})([:-])")
_FAR = re.compile(r"(?:^|/)(?:node_modules|dist|build|vendor|\.git|coverage|target|site-packages)/|\.min\.|\.lock\b|\.map\b")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score search hits by how many of the same file come before them, and context lines below their hit."""
    counts: dict[str, int] = {}
    headings: list[int] = []
    heading = ""
    hunk: list[int] = []  # context seen since the last hit or gap
    utility = 0.0  # of the last hit: context is utility a part of what it surrounds, so that a hunk is shown or left out as one
    is_below = False
    for at in lines.scanned:
        line = lines.plain[at]
        scores.quoted[at] = 1
        if not line or line == "--":
            scores.utility[at] = 0.05
            hunk, is_below = [], False
            continue
        head = line[:400]
        if found := _INSIDE.match(head):  # below a line that names the file, or in one file
            path, is_context = heading, found[2] == "-"
        elif (found := _PLACE.match(head)) and ("/" in found[1] or "." in found[1] or found[2]):
            path, is_context = found[1], found[3] is not None
        elif len(line) < 300 and ("/" in line or "." in line) and " " not in line:
            heading = line
            headings.append(at)
            scores.utility[at], scores.reasons[at] = HEADING_UTILITY, "file of a search"
            hunk, is_below = [], False
            continue
        else:
            scores.quoted[at] = 0  # a message of the program itself
            continue
        if is_context:
            hunk.append(at)
            scores.utility[at] = CONTEXT_SHARE * utility if is_below else 0.1
            continue
        scores.entries.append(at)
        count = counts[path] = counts.get(path, 0) + 1
        utility = 2.0 / (1 + count / HALVING_HITS) * (0.3 if len(line) > LONG_HIT_CHARS else 1.0) * (0.3 if _FAR.search(path) else 1.0)
        scores.utility[at] = utility
        for above in hunk:
            scores.utility[above] = max(scores.utility[above], CONTEXT_SHARE * utility)
        hunk, is_below = [], True
    scores.entries = headings if len(headings) > 2 else scores.entries


def _files(lines: OutputLines, places: Iterable[int]) -> set[str]:
    """The files that these lines name."""
    found: set[str] = set()
    for at in places:
        line = lines.plain[at][:400]
        if not _INSIDE.match(line):
            found.add(place[1] if (place := _PLACE.match(line)) else line)
    return found


def _hits(lines: OutputLines, places: Iterable[int]) -> set[str]:
    """The hits among these lines, each by its line; context is none."""
    found: set[str] = set()
    for at in places:
        line = lines.plain[at][:400]
        if (inside := _INSIDE.match(line)) and inside[2] == ":":
            found.add(str(at))
        elif not inside and (place := _PLACE.match(line)) and place[2]:
            found.add(f"{place[1]}:{place[2]}")
    return found


SEARCH = load_output_kind(__file__, score_lines, find_entries=(_files, _hits))
