"""Marks: what a person decided by hand about a session or its repository: a line to keep, a claim to correct, an addition that was noise.

Each is an observation of its own, in the user's words or by the user's hand, and holds from when it was made until it is taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Pin:
    """Lines of a record that the next compactions keep, or leave out with `is_dropped`.

    first, last  1-based lines of the record's text, inclusive; 0 for all of them.
    """

    record_id: str
    first: int = 0
    last: int = 0
    is_dropped: bool = False


EVERY_LINE = (0, 1 << 40)
"""The span of all lines of a record, however many there are."""


@dataclass(frozen=True, slots=True)
class PinnedLines:
    """Spans of lines, 0-based, inclusive, by the id of their record: those that are kept first, and those that are not shown."""

    pinned: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict[str, Sequence[tuple[int, int]]])
    dropped: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict[str, Sequence[tuple[int, int]]])


class ClaimPart(StrEnum):
    """Which part of a task state a claim stands in."""

    REQUEST = "request"
    DONE = "done"  # a request that is done or cancelled
    RULE = "rule"
    CHECK = "check"
    ERROR = "error"
    DEAD_END = "dead end"
    DECISION = "decision"


@dataclass(frozen=True, slots=True)
class Correction:
    """What the user says of one claim of a task state.

    uuid, words    the record that the claim rests on, and its words: those of a rule or request, a check's command, an error's subject.
    now            words instead of them; "" where the claim is not true, or not any more.
    is_done        of a request that ends: it is done, not cancelled.
    is_everywhere  of a rule: it ends for all sessions of the repository in which it was said before.
    at_ns          when the user said so.
    """

    part: ClaimPart
    uuid: str
    words: str
    now: str = ""
    is_done: bool = False
    is_everywhere: bool = False
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Noise:
    """An addition to a prompt of which the user says that it was noise.

    path       the file, "" for a turn of an earlier session, whose record is `handle`.
    words      word stems of the prompt, sorted; prompt_id  the prompt's record.
    """

    path: str
    handle: str
    words: tuple[str, ...]
    prompt_id: str
    at_ns: int = 0


Mark: TypeAlias = Pin | Correction | Noise
