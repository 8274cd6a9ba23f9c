"""Find the sentences in which an agent decides or claims something, and the first sentence of a text.

A decision is a choice with its reason, taken verbatim, sentence by sentence, and rather missed than invented: the whole
text is kept beside it. Rules that the user states are found in `clew.task`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.mentions import find_paths

SENTENCE_CHARS_MAX = 400  # guess: longer ones are pasted matter
MESSAGE_CHARS_MAX = 12_000  # guess: a longer message is a report whose choices stand in front
DECISIONS_MAX = 3  # guess: of one message
CLAIMS_MAX = 2  # likewise
_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
_MARKS, _CHOICE, _REASON, _PLACED, _INTENDED = (_PATTERNS[name] for name in ("marks", "choice", "reason", "placed", "intended"))
_WORD = re.compile(r"\w\w")
_TAG = re.compile(r"</?[\w-]{1,60}>(?:success</[\w-]{1,60}>)?")


def find_decisions(message: str) -> list[str]:
    """Return sentences of the agent that choose something and give the reason, verbatim, in order, at most DECISIONS_MAX."""
    chosen = (each for each in _sentences(message) if _REASON.search(each) and _CHOICE.search(each) and not each.endswith("?"))
    return list(dict.fromkeys(chosen))[:DECISIONS_MAX]


def find_claims(message: str) -> list[str]:
    """Return sentences of the agent that state what a file contains or does, verbatim, in order, at most CLAIMS_MAX."""
    if "." not in message or len(message) > MESSAGE_CHARS_MAX:
        return []
    placed = (each for each in _sentences(message) if _PLACED.search(each) and not each.endswith(("?", ":")))
    return list(dict.fromkeys(each for each in placed if not _INTENDED.search(each) and find_paths(each)))[:CLAIMS_MAX]


def find_first_sentence(text: str, chars_max: int) -> str:
    """Return the first line with words, without its Markdown, cut at `chars_max` with an ellipsis."""
    for line in text[:4000].split("\n"):
        marks = _MARKS.match(line)
        clean = line[marks.end() if marks else 0 :].rstrip(" \t\r*")
        if _WORD.search(clean) and not _TAG.fullmatch(clean):
            return clean if len(clean) <= chars_max else clean[: chars_max - 1].rstrip() + "…"
    return text[:chars_max].strip()


def _sentences(text: str) -> Iterator[str]:
    for piece in _PATTERNS["sentence_end"].split(_PATTERNS["fence"].sub("\n", text[:MESSAGE_CHARS_MAX])):
        sentence = piece.strip(" \t\r*_#")
        if 8 <= len(sentence) <= SENTENCE_CHARS_MAX:
            yield sentence
