"""Scores: how much of what was needed stands in a window.

A line counts where it stands verbatim but for its indentation; an identifier counts only within a line that held it before, so
that a list of names earns nothing. Knows nothing of how a window was made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property

from clew.evaluation.needs import Needs, collapse_blanks

LINES_MIN_SHARE = 0.9  # of a repeated answer that must stand in the window for the repeat to be spared; guess
SAID_CHARS = 120  # as much of a constraint or a dead end says which one it is; guess
_EDGE = re.compile(r"[A-Za-z0-9_]")
_QUOTED = re.compile(r"^[ \t]*>[ \t]?", re.MULTILINE)


class SearchableWindow:
    """A window's text, prepared for searching. It may hold line numbers: a needed line is searched within the window's lines.

    unfold  returns the text behind the window's handles; called only where something is missing.
    """

    def __init__(self, window: str, unfold: Callable[[], str] | None = None) -> None:
        self.window, self._unfold = window, unfold

    @cached_property
    def collapsed_lines(self) -> str:
        """The window's text with blanks collapsed in each line."""
        return _squeezed(self.window)

    @cached_property
    def unfolded_lines(self) -> str:
        """The text behind the window's handles with blanks collapsed in each line."""
        return _squeezed(self._unfold()) if self._unfold else ""

    @cached_property
    def single_line(self) -> str:
        """The window's text as one line."""
        return join_lines(self.window)


def score_needs(shown: SearchableWindow, wanted: Needs) -> dict[str, float | None]:
    """Return the share of what was needed that a window holds, by kind; None where nothing of the kind was needed.

    files    needed files whose path is named.
    verbatim lines that later edits replace, in the window. `folded`: not there, but one unfold away.
    terms    rare identifiers that stand with a line of theirs. `named`: those that stand at all.
    repeats  later repeats of a look that the window would have spared.
    Cost     one search of the window for each needed line.
    """
    lines = [line for edit in wanted.edits for line in edit.lines]
    missing = [line for line in lines if line not in shown.collapsed_lines]
    return {
        "files": compute_share([contains_name(path, shown.window) for path in wanted.files]),
        "verbatim": 1 - len(missing) / len(lines) if lines else None,
        "folded": sum(line in shown.unfolded_lines for line in missing) / len(lines) if lines else None,
        "terms": compute_share([any(line in shown.collapsed_lines for line in term.evidence) for term in wanted.terms]),
        "named": compute_share([contains_name(term.text, shown.window) for term in wanted.terms]),
        "repeats": compute_share([_is_spared(repeat.lines, shown.collapsed_lines) for repeat in wanted.repeats]),
    }


def contains_name(name: str, window: str) -> bool:
    """Return whether a name occurs in the window as a word of its own, not within a longer one."""
    at = window.find(name)
    while at >= 0:
        end = at + len(name)
        if not (at and _EDGE.match(window[at - 1])) and not (end < len(window) and _EDGE.match(window[end])):
            return True
        at = window.find(name, at + 1)
    return False


def contains_text(words: str, shown: SearchableWindow) -> bool:
    """Return whether the first SAID_CHARS characters of a text occur in a window, however it breaks or quotes lines."""
    return join_lines(words)[:SAID_CHARS] in shown.single_line


def join_lines(text: str) -> str:
    """Return a text as one line, without the marks in front of quoted lines."""
    return " ".join(_QUOTED.sub("", text).split())


def _squeezed(text: str) -> str:
    return "\n".join(collapse_blanks(line) for line in text.split("\n"))


def _is_spared(answer: Sequence[str], window: str) -> bool:
    return sum(line in window for line in answer) >= LINES_MIN_SHARE * len(answer)


def compute_share(found: Sequence[bool]) -> float | None:
    """Return the share of true values, 0 to 1; None for an empty sequence."""
    return sum(found) / len(found) if found else None
