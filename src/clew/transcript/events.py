"""Events: an observation, and what the client wrote down about it beyond the words.

Dialects produce them, the ledger and `remember` read them. Every other room gets the bare observations.
"""

from __future__ import annotations

from dataclasses import dataclass

from clew.records import Observation


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that one edit replaced: `old_lines` of them from 1-based `old_start` became `new_lines`.

    Context is left out. A pure insertion has `old_lines` 0 and stands before line `old_start`.
    """

    old_start: int
    old_lines: int
    new_lines: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a call did to one file. Without hunks the file changed as a whole, or nobody said where."""

    path: str
    hunks: tuple[Hunk, ...] = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """What the client knew about an observation beyond its text.

    path, start, lines, total  a view of a file: 1-based first line, lines shown, lines that the file has; 0 unknown.
    changes      files that a call changed.
    spilled      where the client put an output that was too long for the conversation.
    is_steering  the user spoke while the agent was working, so calls may still be under way.
    """

    path: str = ""
    start: int = 0
    lines: int = 0
    total: int = 0
    changes: tuple[Change, ...] = ()
    spilled: str = ""
    is_steering: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One observation with its detail, or None where the text says all."""

    observation: Observation
    detail: Detail | None = None
