"""Scores: how much of what was needed stands in a window.

A line counts where it stands verbatim but for its indentation; an identifier counts only within a line that held it before, so
that a list of names earns nothing. Knows nothing of how a window was made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clew.hindsight.needs import Needs, bare, squeeze

LINES_MIN_SHARE = 0.9  # of a repeated answer that must stand in the window for the repeat to be spared; guess
_EDGE = re.compile(r"[A-Za-z0-9_]")


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts for one window; a share is None where nothing was needed.

    files    needed files whose path is named.
    verbatim lines that later edits replace, in the window. `folded`: one unfold away. `lost`: neither.
    terms    rare identifiers that stand with a line of theirs. `named`: those that stand at all.
    repeats  later repeats of a look that the window would have spared.
    """

    files: float | None
    verbatim: float | None
    folded: float | None
    terms: float | None
    named: float | None
    repeats: float | None


def score(window: str, wanted: Needs, unfold: Callable[[], str] | None = None) -> Scores:
    """Judge a window by what was needed.

    unfold  gives the text that stands behind the window's handles, asked only where something is missing.
    Cost    one search of the window for each needed line.
    """
    text = "\n".join(squeeze(line) for line in bare_window(window).split("\n"))
    lines = [line for edit in wanted.edits for line in edit.lines]
    missing = [line for line in lines if line not in text]
    behind = "\n".join(squeeze(line) for line in bare(unfold()).split("\n")) if unfold and missing else ""
    folded = sum(line in behind for line in missing)
    return Scores(
        files=_share([is_named(path, window) for path in wanted.files]),
        verbatim=1 - len(missing) / len(lines) if lines else None,
        folded=folded / len(lines) if lines else None,
        terms=_share([any(line in text for line in term.evidence) for term in wanted.terms]),
        named=_share([is_named(term.text, window) for term in wanted.terms]),
        repeats=_share([sum(line in text for line in repeat.lines) >= LINES_MIN_SHARE * len(repeat.lines) for repeat in wanted.repeats]),
    )


def bare_window(window: str) -> str:
    """The window without the line numbers that stand in front of its lines."""
    return "\n".join(bare(line) for line in window.split("\n"))


def is_named(name: str, window: str) -> bool:
    """Whether the name stands in the window by itself, not within a longer word."""
    at = window.find(name)
    while at >= 0:
        end = at + len(name)
        if not (at and _EDGE.match(window[at - 1])) and not (end < len(window) and _EDGE.match(window[end])):
            return True
        at = window.find(name, at + 1)
    return False


def _share(found: Sequence[bool]) -> float | None:
    return sum(found) / len(found) if found else None
