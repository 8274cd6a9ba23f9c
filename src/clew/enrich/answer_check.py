"""Check a model's answer against the lines that it was shown: which lines it keeps, and which of its sentences hold.

A range is taken where its lines exist. A sentence is taken where every path, identifier and number in it stands in the lines of
its range; else the range has none. An answer that cannot be read, or keeps more than half of what it was shown, is refused whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clew.task.clues import is_code_like
from clew.task.vocabulary import EXTENSIONS

KEPT_SHARE_MAX = 0.5  # of the lines; an answer that keeps more has chosen nothing; guess
SENTENCE_CHARS_MAX = 300  # a longer one is not one sentence; guess
RANGE_LINES_MIN = 3  # a sentence about fewer lines takes their place at no gain; guess

_KEEP = re.compile(r"^[\s*_`#-]*keep[*_`]*\s*[:=]?(.*)$", re.IGNORECASE)
_LINES = r"L(\d{1,6})(?:\s*(?:[-–]|to)\s*L?(\d{1,6}))?"
_DROP = re.compile(rf"^[\s*_`#-]*(?:drop(?:ped)?[*_`]*\s*:?\s*)?(?:lines?\s+)?{_LINES}[*_`]*\s*:\s*(\S.*)$", re.IGNORECASE)
_RANGE = re.compile(rf"(?<![\w./-]){_LINES}(?![\w/]|\.\w)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_PATH = re.compile(r"(?:\b[A-Za-z]:(?=[/\\]))?[\w.@~+-]*(?:[/\\][\w.@~+-]+)+|(?<![\w.])\.?[\w@+-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,9}\b")
_SHORT = re.compile(r"[A-Za-z]{1,3}/[A-Za-z]{1,3}|[A-Za-z]{1,2}(?:\.[A-Za-z]{1,2})+")  # `I/O`, `e.g`: no names of anything
_WORD = re.compile(r"\w+")
_CODE_SPAN = re.compile(r"`([^`\n]{1,300})`")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)*(?!\w)")
_FLAG = re.compile(r"(?<!\S)--?[A-Za-z][\w-]+")
_MIXED = re.compile(r"(?=\w*\d)(?=\w*[A-Za-z])\w{2,}")  # hashes, `404s`, `v2`
_GROUPED = re.compile(r"(?<=\d),(?=\d{3})")

Range = tuple[int, int]
"""First and last line, from 1, both included."""


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Result of checking a model's answer.

    kept      ranges of lines to keep, ascending, apart.
    said      (range, sentence) of dropped lines.
    invented  number of ranges whose lines do not exist, and of sentences that name what their lines do not hold.
    refused   why nothing of the answer is taken, "" if something is.
    """

    kept: tuple[Range, ...] = ()
    said: tuple[tuple[Range, str], ...] = ()
    invented: int = 0
    refused: str = ""


def check_answer(answer: str, lines: Sequence[str], *, is_cut: bool = False) -> AnswerCheck:
    """Check a model's answer against the lines that it was shown, and return what may be stored.

    lines   as they were shown, the first of them numbered 1.
    is_cut  the server stopped the model: the last row is left out.
    """
    if not answer.strip():
        return AnswerCheck(refused="the answer is empty" + (": the model was stopped before it began" if is_cut else ""))
    rows = answer.strip().split("\n")
    rows = rows[:-1] if is_cut and len(rows) > 1 else rows
    named = [match[1] for row in rows if (match := _KEEP.match(row))]
    claims = [match for row in rows if not _KEEP.match(row) and (match := _DROP.match(row))]
    if not named and not claims:
        return AnswerCheck(refused="it names no lines in the form that was asked for")
    numbers: set[int] = set()
    invented = 0
    for first, last in (found for text in named for found in _find_ranges(text)):
        is_there = 1 <= first <= last <= len(lines)
        invented += not is_there
        numbers.update(range(first, last + 1) if is_there else ())
    if len(numbers) > len(lines) * KEPT_SHARE_MAX:
        return AnswerCheck((), (), invented, f"it keeps {len(numbers)} of {len(lines)} lines, which is no choice")
    said: list[tuple[Range, str]] = []
    for match in claims:
        first, last = int(match[1]), int(match[2] or match[1])
        text = " ".join(_CONTROL.sub(" ", _SENTENCE_END.split(match[3])[0]).split())
        told = range(first, last + 1)
        is_there = 1 <= first <= last <= len(lines)
        if not is_there or not holds_all("\n".join(lines[first - 1 : last]), text):
            invented += 1
        elif len(told) >= RANGE_LINES_MIN and 0 < len(text) <= SENTENCE_CHARS_MAX and numbers.isdisjoint(told):
            said += [((first, last), text)] if all(last < low or high < first for (low, high), _ in said) else []
    if not numbers and not said:
        return AnswerCheck((), (), invented, "nothing of it could be taken" if invented else "it keeps nothing and says nothing")
    return AnswerCheck(tuple(_to_ranges(numbers)), tuple(sorted(said)), invented)


def holds_all(shown: str, text: str) -> bool:
    """Return whether every code name and every number of a sentence stands in the lines that it is about."""
    words = frozenset(_WORD.findall(shown))
    numbers = frozenset(_NUMBER.findall(_GROUPED.sub("", shown))) | words
    return all(_holds(shown, words, numbers, name) for name in find_code_names(text))


def _holds(shown: str, words: frozenset[str], numbers: frozenset[str], name: str) -> bool:
    """Whether this name was shown, by itself and not as a part of another."""
    if name[0].isdecimal() and _NUMBER.fullmatch(name):
        return name in numbers
    if _WORD.fullmatch(name):
        return name in words
    # A dash and a digit may follow: that is how grep writes a line near a match.
    if re.search(rf"(?<![\w-]){re.escape(name)}(?!\w|-[A-Za-z_])", shown):
        return True
    if "/" in name or "\\" in name or name.rpartition(".")[2].lower() in EXTENSIONS:
        return False
    return all(part in words for part in _WORD.findall(name))  # `Ledger.total` of a class and its method


def find_code_names(text: str) -> list[str]:
    """Return the paths, file names, identifiers, flags, hashes and numbers that a sentence names, each once, in order."""
    found: dict[str, None] = {}
    for span in _CODE_SPAN.findall(text):
        found.update(dict.fromkeys(_WORD.findall(span)))
    rest = text
    for path in _PATH.findall(text):
        rest = rest.replace(path, " ", 1)
        if not _SHORT.fullmatch(path):
            found.setdefault(path.removeprefix("./").rstrip(".-"))
    found.update(dict.fromkeys(word for word in _WORD.findall(rest) if is_code_like(word) or _MIXED.fullmatch(word)))
    found.update(dict.fromkeys(_FLAG.findall(rest)))
    found.update(dict.fromkeys(_NUMBER.findall(_GROUPED.sub("", rest))))
    return [name for name in found if name]


def _find_ranges(text: str) -> Iterator[Range]:
    for match in _RANGE.finditer(text):
        yield int(match[1]), int(match[2] or match[1])


def _to_ranges(numbers: set[int]) -> Iterator[Range]:
    """Runs of consecutive numbers."""
    first = last = 0
    for number in sorted(numbers):
        if first and number > last + 1:
            yield first, last
        first = number if not first or number > last + 1 else first
        last = number
    if first:
        yield first, last
