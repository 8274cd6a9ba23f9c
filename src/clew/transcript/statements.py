"""Find the sentences in which an agent decides or claims something, and the first sentence of a text.

A decision is a choice with its reason, taken verbatim, sentence by sentence, and rather missed than invented: the whole
text is kept beside it. Rules that the user states are found in `clew.task`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from clew.transcript.mentions import find_paths

SENTENCE_CHARS_MAX = 400  # guess: longer ones are pasted matter
MESSAGE_CHARS_MAX = 12_000  # guess: a longer message is a report whose choices stand in front
DECISIONS_MAX = 3  # guess: of one message
CLAIMS_MAX = 2  # likewise
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"')\]]?\s+(?=[A-Z\"'`(\u2018\u201c*_-]|so\b|but\b|and\b|also\b)|\n")
_MARKS = re.compile(
    r"[ \t]*(?:\d{1,7}[→\t][ \t]*)?(?:(?:[#>*=+-]{1,80}|//+|/\*+)(?:[ \t]+|$)|\*\*)*"
)  # of a listing, of Markdown, of comments
_WORD = re.compile(r"\w\w")
_TAG = re.compile(r"</?[\w-]{1,60}>(?:success</[\w-]{1,60}>)?")
_CHOICE = re.compile(
    r"\b(?:I(?:['’]ll| will|['’]m going to|['’]ve decided| decided to| chose| am going to) |let['’]s "
    r"|let me (?:use|switch|go with|take|keep|revert|instead)|we(?:['’]ll| should| will| can) |(?:going|went) with "
    r"|decided (?:to|on|against) |the (?:best|better|right|simplest|cleanest|safest) (?:approach|fix|option|way|solution|place) "
    r"|(?:root cause|the (?:issue|problem|bug|fix|solution)) (?:is|was) )",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(?:because|since|so that|rather than|instead of|in order to|to avoid|otherwise|as (?:it|this|that|the|we) "
    r"|which (?:means|would|is why)|due to|that['’]s why)|, so ",
    re.IGNORECASE,
)

_PLACED = re.compile(
    r"\b(?:(?:is|are|was|were) (?:\w+ly )?(?:defined|declared|implemented|located|handled|stored|configured|called|set"
    r"|used|created|read|written|parsed|validated"
    r"|registered|exported|imported|hardcoded|missing|in|at)|lives? in|sits in|comes from|contains?|handles|defines"
    r"|implements|calls|returns|uses|exports"
    r"|imports|reads|writes|parses|validates|registers|already has|does not|doesn['’]t)\b"
)
_INTENDED = re.compile(r"\b(?:I(?:['’]ll| will|['’]m)|let me|let['’]s|need to|should|going to|now |want)", re.IGNORECASE)


def find_decisions(message: str) -> list[str]:
    """Return sentences of the agent that choose something and give the reason, verbatim, in order, at most DECISIONS_MAX."""
    chosen = (each for each in _sentences(message) if _REASON.search(each) and _CHOICE.search(each) and not each.endswith("?"))
    return _first(chosen, DECISIONS_MAX)


def find_claims(message: str) -> list[str]:
    """Return sentences of the agent that state what a file contains or does, verbatim, in order, at most CLAIMS_MAX."""
    if "." not in message or len(message) > MESSAGE_CHARS_MAX:
        return []
    placed = (each for each in _sentences(message) if _PLACED.search(each) and not each.endswith(("?", ":")))
    return _first((each for each in placed if not _INTENDED.search(each) and find_paths(each)), CLAIMS_MAX)


def _first(found: Iterable[str], most: int) -> list[str]:
    """The first `most` different ones."""
    kept: dict[str, None] = {}
    for each in found:
        kept.setdefault(each)
        if len(kept) == most:
            break
    return list(kept)


def find_first_sentence(text: str, chars_max: int) -> str:
    """Return the first line with words, without its Markdown, cut at `chars_max` with an ellipsis."""
    for line in text[:4000].split("\n"):
        marks = _MARKS.match(line)
        clean = line[marks.end() if marks else 0 :].rstrip(" \t\r*")
        if _WORD.search(clean) and not _TAG.fullmatch(clean):
            return clean if len(clean) <= chars_max else clean[: chars_max - 1].rstrip() + "…"
    return text[:chars_max].strip()


def _sentences(text: str) -> Iterator[str]:
    for piece in _SENTENCE_END.split(_FENCE.sub("\n", text[:MESSAGE_CHARS_MAX])):
        sentence = piece.strip(" \t\r*_#")
        if 8 <= len(sentence) <= SENTENCE_CHARS_MAX:
            yield sentence
