"""Check which lines of a model's answer are supported by the text that it was sent.

A line is kept if it cites pieces that were sent, and if every path, identifier and longer number in it stands in what was
sent. What is dropped is counted. An answer that is empty, or not shorter than half of what it compresses, is refused whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clew.compaction.compressed import CompressedLine
from clew.enrich.prompt import LINE_TOPICS
from clew.task.clues import is_code_like
from clew.task.vocabulary import EXTENSIONS
from clew.text.tokens import TokenCounter

ANSWER_SHARE_MAX = 0.5  # tokens of an answer for each token that it compresses; a longer one is refused; guess
ANSWER_LINE_CHARS_MAX = 600  # a longer line is dropped: it is not one statement; guess
CARRIED_TOKENS_MAX = 400  # of lines that are sent again with the next part; guess

_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,3}[.)])\s+")
_TOPIC = re.compile(rf"^[*_`]{{0,2}}({'|'.join(LINE_TOPICS)})[*_`]{{0,2}}\s*:[*_]{{0,2}}\s*", re.IGNORECASE)
_BRACKET = re.compile(r"\s*\[([^\[\]\n]{8,400})\]")
_HANDLE = re.compile(r"(?<![0-9a-z])[0-9a-z]{8}(?![0-9a-z])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")
_PATH = re.compile(r"(?:\b[A-Za-z]:(?=[/\\]))?[\w.@~+-]*(?:[/\\][\w.@~+-]+)+|(?<![\w.])\.?[\w@+-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,9}\b")
_SHORT = re.compile(r"[A-Za-z]{1,3}/[A-Za-z]{1,3}|[A-Za-z]{1,2}(?:\.[A-Za-z]{1,2})+")  # `I/O`, `e.g`: no names of anything
_WORD = re.compile(r"\w+")
_CODE_SPAN = re.compile(r"`([^`\n]{1,300})`")
_LONG_NUMBER = re.compile(r"(?<![\w.])\d{3,}(?!\w)")  # shorter ones may be counts that the model made itself
_MEASURE = re.compile(r"(?<![\w.:])\d+(?:\.\d+)+")  # `3.774`, `2.1.100`
_FLAG = re.compile(r"(?<!\S)--?[A-Za-z][\w-]+")
_MIXED = re.compile(r"(?=\w*\d)(?=\w*[A-Za-z])\w{4,}")  # hashes and the like
_GROUPED = re.compile(r"(?<=\d),(?=\d{3})")


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Result of checking a model's answer: the lines kept, how many were dropped, and why it was refused whole ("" if it was not).

    invented  number of lines dropped because they name what was not sent.
    uncited   number of lines dropped because they cite nothing that was sent, or say nothing.
    """

    lines: tuple[CompressedLine, ...] = ()
    invented: int = 0
    uncited: int = 0
    refused: str = ""


def check_answer(answer: str, *, is_cut: bool, pieces: Mapping[str, str], sent: str, tokens: float, counter: TokenCounter) -> AnswerCheck:
    """Check a model's answer line by line against what the model was sent, and return the lines that may be stored.

    is_cut  the server stopped the model: the last line is left out.
    pieces  handle → text of the pieces that may be cited, in order.
    sent    all that the model was shown of the session.
    tokens  of the pieces together, by `counter`.
    """
    if not answer.strip():
        return AnswerCheck(refused="the answer is empty" + (": the model was stopped before it began" if is_cut else ""))
    if counter.count_unrounded(answer) > tokens * ANSWER_SHARE_MAX:
        return AnswerCheck(refused="the answer is not shorter than half of what it compresses")
    rows = answer.split("\n")
    rows = rows[:-1] if is_cut else rows
    seen = _Seen(sent)
    lines: dict[str, CompressedLine] = {}
    invented = uncited = 0
    for row in rows:
        if not _BULLET.match(row) and not _TOPIC.match(row.strip()):  # a heading, a fence, a closing word
            continue
        text, cited = _taken_apart(row, pieces)
        if not text or not cited or len(text) > ANSWER_LINE_CHARS_MAX:
            uncited += 1
        elif not seen.holds_all(text):
            invented += 1
        else:
            lines.setdefault(text, CompressedLine(text, _sources(text, cited, pieces, seen)))
    if not lines:
        return AnswerCheck(
            (), invented, uncited, f"no line could be kept: {invented} name what was not sent, {uncited} cite nothing that was"
        )
    return AnswerCheck(tuple(lines.values()), invented, uncited)


def select_carried_lines(lines: Sequence[CompressedLine], counter: TokenCounter) -> list[str]:
    """Return the lines to show with the next part of the session: open questions first, then decisions, failures, findings and work done.

    Lines are taken in that order while they fit CARRIED_TOKENS_MAX, and returned in their own order, each as "- text".
    """
    order = sorted(range(len(lines)), key=lambda at: (LINE_TOPICS.index(_topic(lines[at].text)), at))
    room = float(CARRIED_TOKENS_MAX)
    kept: set[int] = set()
    for at in order:
        cost = counter.count_unrounded(f"- {lines[at].text}\n")
        if cost <= room:
            kept.add(at)
            room -= cost
    return [f"- {lines[at].text}" for at in sorted(kept)]


class _Seen:
    """What was sent, to be asked whether it holds a name."""

    def __init__(self, sent: str) -> None:
        self._sent = sent
        self._words = frozenset(_WORD.findall(sent))
        self._numbers = frozenset(_LONG_NUMBER.findall(_GROUPED.sub("", sent))) | self._words

    def holds_all(self, text: str) -> bool:
        """Return whether every code name in a text was sent."""
        return all(self.holds(name) for name in find_code_names(text))

    def holds(self, name: str) -> bool:
        """Return whether this name was sent, by itself and not as a part of another."""
        if name.isdecimal():
            return name in self._numbers
        if _WORD.fullmatch(name):
            return name in self._words
        if name[0].isdecimal() and _MEASURE.fullmatch(name):  # a unit may follow
            return re.search(rf"(?<![\w.]){re.escape(name)}(?!\d|\.\d)", self._sent) is not None
        # A dash and a digit may follow: that is how grep writes a line near a match.
        if re.search(rf"(?<![\w-]){re.escape(name)}(?!\w|-[A-Za-z_])", self._sent):
            return True
        if "/" in name or "\\" in name or name.rpartition(".")[2].lower() in EXTENSIONS:
            return False
        return all(part in self._words for part in _WORD.findall(name))  # `Ledger.total` of a class and its method


def find_code_names(text: str) -> list[str]:
    """Return the paths, file names, identifiers, flags, hashes and longer numbers that a line of prose names, each once, in order."""
    found: dict[str, None] = {}
    for span in _CODE_SPAN.findall(text):
        found.update(dict.fromkeys(word for word in _WORD.findall(span) if len(word) > 2))
    rest = text
    for path in _PATH.findall(text):
        rest = rest.replace(path, " ", 1)
        if not _SHORT.fullmatch(path):
            found.setdefault(path.removeprefix("./").rstrip(".-"))
    found.update(dict.fromkeys(word for word in _WORD.findall(rest) if is_code_like(word) or _MIXED.fullmatch(word)))
    found.update(dict.fromkeys([*_MEASURE.findall(rest), *_FLAG.findall(rest)]))
    found.update(dict.fromkeys(_LONG_NUMBER.findall(_GROUPED.sub("", rest))))
    return [name for name in found if name]


def _taken_apart(row: str, pieces: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """A line without its bullet and its citations, and the pieces that it cites, each once."""
    cited: dict[str, None] = {}

    def told(match: re.Match[str]) -> str:
        known = [handle for handle in _HANDLE.findall(match[1]) if handle in pieces]
        cited.update(dict.fromkeys(known))
        return "" if known else match[0]

    text = _BRACKET.sub(told, _BULLET.sub("", row))
    text = " ".join(_CONTROL.sub(" ", text).split()).strip()
    topic = _TOPIC.match(text)
    text = f"{topic[1].lower()}: {text[topic.end() :]}" if topic else text
    return ("" if text.rstrip(": ").lower() in ("", *LINE_TOPICS) else text), tuple(cited)


def _sources(text: str, cited: Sequence[str], pieces: Mapping[str, str], seen: _Seen) -> tuple[str, ...]:
    """The pieces that a line comes from: the cited ones, and the first that holds a name which none of those holds."""
    found = dict.fromkeys(cited)
    for name in find_code_names(text):
        if not seen.holds(name) or any(name in pieces[handle] for handle in found):
            continue
        holder = next((handle for handle, held in pieces.items() if name in held), None)
        if holder is not None:  # else it comes from the state, or from the part before
            found[holder] = None
    return tuple(found)


def _topic(text: str) -> str:
    named = _TOPIC.match(text)
    return named[1].lower() if named else "found"
