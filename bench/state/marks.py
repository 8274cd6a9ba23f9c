"""Marks: what a reader wrote of a cut, and how a text is judged by it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_SAME = str.maketrans({"\\": "/", "`": None, "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a successor must know. It is present where one of `any_of` stands in the text; `weight` is 1 to 3."""

    kind: str
    text: str
    any_of: tuple[str, ...]
    weight: int


@dataclass(frozen=True, slots=True)
class FalseStatement:
    """A statement that would be wrong at the cut. It is made where one of the regular expressions `any_of` matches the text."""

    text: str
    any_of: tuple[str, ...]


@dataclass(frozen=True)
class Cut:
    """One marked cut: the lines of a transcript before the 0-based `line`.

    kind         "compaction" where the client compacted there, else "share".
    is_held_out  its project is one that nothing is tuned on.
    """

    cut: str
    project: str
    file: str
    line: int
    kind: str
    is_held_out: bool

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        """What a successor must know."""
        return tuple(Fact(each["kind"], each["text"], tuple(each["any_of"]), int(each["weight"])) for each in self._marks["facts"])

    @cached_property
    def must_not(self) -> tuple[FalseStatement, ...]:
        """What would be wrong to say."""
        return tuple(FalseStatement(each["text"], tuple(each["any_of"])) for each in self._marks["must_not"])

    @cached_property
    def _marks(self) -> dict[str, Any]:
        return json.loads((HERE / "marks" / f"{self.cut}.json").read_text(encoding="utf-8"))


def cuts() -> Iterator[Cut]:
    """Yield the marked cuts in order."""
    for line in (HERE / "cuts.jsonl").read_text(encoding="utf-8").splitlines():
        cut = Cut(**json.loads(line))
        if (HERE / "marks" / f"{cut.cut}.json").is_file():
            yield cut


def normalised(text: str) -> str:
    """Return a text as facts are looked for in it: case, white space, back-quotes, slashes and curly quotes do not count."""
    return re.sub(r"\s+", " ", text.lower().translate(_SAME))


def present(facts: tuple[Fact, ...], text: str) -> list[bool]:
    """Say of each fact whether the text conveys it."""
    flat = normalised(text)
    return [any(normalised(key) in flat for key in fact.any_of) for fact in facts]


def made(must_not: tuple[FalseStatement, ...], text: str) -> list[str]:
    """Return the false statements that the text makes, each with the line that makes it."""
    found: list[str] = []
    for statement in must_not:
        for pattern in statement.any_of:
            if hit := re.search(pattern, text, re.IGNORECASE | re.MULTILINE):
                start = text.rfind("\n", 0, hit.start()) + 1
                found.append(f"{statement.text} <- {text[start:].split(chr(10), 1)[0][:200]}")
                break
    return found
