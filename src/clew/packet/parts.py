"""Parts: which lines of a long text are likeliest to be asked for, where the whole is too long to show.

A line counts by the question's terms that it holds, and by what each of them tells apart. Knows nothing of records and budgets.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

TERMS_MAX = 32  # the rarest terms of a question that are looked for in lines; guess
TERM_CHARS_MIN = 3
# Two of 24 lines showed more of what 139 issues need than three of 16 (bench/LOG.md).
PART_LINES = 24
PARTS_MAX = 2  # of one text
REACH = 8  # lines before and behind a line that count for it, the farther the less; guess


def find_parts(text: str, runs: Sequence[tuple[int, int]], weights: Mapping[str, float]) -> list[tuple[int, int, float]]:
    """Return (first line, last line, share of the text's evidence) of the likeliest parts, 0-based and inclusive, likeliest first.

    runs     (first line, last line) of stretches, ascending: a part lies within one of them.
    weights  of the terms of the question, as stems in lower case.
    Returns  at most PARTS_MAX parts that do not overlap; none where no line of the stretches holds a term.
    Cost     one search of the text for all terms at once.
    """
    rarest = sorted((term for term in weights if len(term) >= TERM_CHARS_MIN), key=lambda term: (-weights[term], term))[:TERMS_MAX]
    lines = _weigh_lines(text, {term: weights[term] for term in rarest})
    is_allowed = np.zeros(len(lines), np.bool_)
    for first, last in runs:
        is_allowed[first : last + 1] = True
    lines[~is_allowed] = 0
    total = float(lines.sum())
    if total <= 0:
        return []
    padded = np.convolve(lines, 1.0 - np.abs(np.arange(-REACH, REACH + 1)) / (REACH + 1))
    left = np.where(is_allowed, padded[REACH : REACH + len(lines)], -1.0)
    written = text.split("\n")
    free = list(runs)
    found: list[tuple[int, int, float]] = []
    while len(found) < PARTS_MAX and left[at := int(np.argmax(left))] > 0:
        first, last = run = next(run for run in free if run[0] <= at <= run[1])
        end = min(last, max(first, at - PART_LINES // 2) + PART_LINES - 1)
        begin = max(first, end - PART_LINES + 1)
        free.remove(run)
        free += [(first, begin - 1), (end + 1, last)]
        left[begin : end + 1] = -1.0
        if (share := float(lines[begin : end + 1].sum()) / total) > 0:
            filled = [line for line in range(begin, end + 1) if written[line].strip()]
            found.append((filled[0], filled[-1], share))
    return found


def find_gaps(count: int, inner: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the stretches of `count` lines that no (first line, last line) of `inner` covers, 0-based and inclusive, ascending."""
    ends = [0]
    for _, last in sorted(inner):
        ends.append(max(ends[-1], last + 1))
    starts = [*(first for first, _ in sorted(inner)), count]
    return [(end, start - 1) for end, start in zip(ends, starts, strict=True) if start > end]


def _weigh_lines(text: str, weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Return (lines,) float64 the weights of the terms that each line holds, each counted once."""
    lowered = text.lower()  # may be longer than the text; its lines are the same
    starts = [0, *(found.end() for found in re.finditer("\n", lowered))]
    out = np.zeros(len(starts), np.float64)
    if not weights:
        return out
    longest_first = sorted(weights, key=lambda term: (-len(term), term))
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    held = sorted({(bisect_right(starts, found.start()) - 1, found[0]) for found in pattern.finditer(lowered)})
    for line, term in held:
        out[line] += weights[term]
    return out
