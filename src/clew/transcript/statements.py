"""Statements: sentences of a conversation that must not be lost.

A constraint is what the user rules in or out; a decision is what the agent chose, with its reason. Both are
taken verbatim, sentence by sentence, and rather missed than invented: the whole text is kept beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

SENTENCE_CHARS_MAX = 400  # guess: longer ones are pasted matter
PROMPT_CHARS_MAX = 12_000  # of a longer prompt the two ends are read, half each; its middle is pasted matter
CONSTRAINTS_MAX = 8  # guess: of one prompt
DECISIONS_MAX = 3  # guess: of one message
DOCUMENT_CHARS_MIN = 1500  # guess: a prompt with headings that is longer is a pasted plan or report from its first heading on
_HEADING = re.compile(r"^#{1,4} ", re.MULTILINE)
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_TAGGED = re.compile(r"<([a-z][\w-]{2,40})>.*?</\1>", re.DOTALL)
_QUOTED_LINE = re.compile(r"^\s*(?:[>|$#]{1,3} ?\S|\d+[:→\t]|at |File \"|[\w./-]+:\d+:|\[?\d{2,4}[-:/]\d\d)")
_SENTENCE_END = re.compile(r"(?<=[.!?;])[\"')\]]?\s+(?=[A-Z\"'`(\u2018\u201c*_-]|i\b|so\b|but\b|and\b|also\b|please\b|do\b|don|never|always)|\n")
_CONSTRAINT = re.compile(
    r"\b(?:don['’]?t|do not|never|always|must(?:n['’]t)?|should(?: not|n['’]t| never| always| only)|shouldn['’]t|can(?:not|['’]t) (?:use|have|change|be)|"
    r"make sure|ensure|be sure|be careful|avoid|instead(?: of)?|rather than|prefer|only (?:use|do|change|touch|run|if|when|the)|no need|not necessary|"
    r"without (?:chang|break|us|add|touch|any)|stop (?:do|us|add|try|mak|edit|run|ask|chang)\w*|leave (?:it|this|that|them|the)|keep (?:it|this|that|them|the)|"
    r"has to|have to|needs? to be|required?|requirement|at most|at least|no more than|under no|not allowed|forbidden|remember to|from now on|"
    r"I(?:['’]d| would)? (?:want|prefer|like|expect|need)|we (?:want|need|should)|let['’]s (?:not|use|keep|make|go|do|stick)|actually,?)\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(r"^(?:no\b[,. ]|nope|wrong|that['’]s (?:not|wrong)|not (?:quite|what)|hang ?on|wait[, ]|stop\b|actually\b|instead\b)", re.IGNORECASE)
_WEAK = re.compile(r"^(?:I (?:don['’]?t|do not) (?:know|think|understand|see|remember|get|believe)|(?:don['’]t|do not) worry|you don['’]t (?:have|need)|why\b|what\b|how\b|is\b|are\b|does\b|did\b|was\b|can\b|could\b|should\b|would\b)", re.IGNORECASE)
_CHOICE = re.compile(
    r"\b(?:I(?:['’]ll| will|['’]m going to|['’]ve decided| decided to| chose| am going to) |let['’]s |let me (?:use|switch|go with|take|keep|revert|instead)|we(?:['’]ll| should| will| can) |"
    r"(?:going|went) with |decided (?:to|on|against) |the (?:best|better|right|simplest|cleanest|safest) (?:approach|fix|option|way|solution|place) |"
    r"(?:root cause|the (?:issue|problem|bug|fix|solution)) (?:is|was) )",
    re.IGNORECASE,
)
_REASON = re.compile(r"\b(?:because|since|so that|rather than|instead of|in order to|to avoid|otherwise|as (?:it|this|that|the|we) |which (?:means|would|is why)|due to|, so |that['’]s why)", re.IGNORECASE)


def constraints(prompt: str) -> list[str]:
    """Sentences of a user's prompt that rule something in or out, verbatim, in order, each once."""
    found: dict[str, None] = {}
    for sentence in _sentences(_own_words(prompt)):
        if sentence.endswith("?") or _WEAK.match(sentence):
            continue
        if _CONSTRAINT.search(sentence) or (_CORRECTION.match(sentence) and len(sentence) > 12):
            found.setdefault(sentence)
            if len(found) == CONSTRAINTS_MAX:
                break
    return list(found)


def decisions(message: str) -> list[str]:
    """Sentences of the agent that choose something and give the reason, verbatim, in order, each once."""
    found: dict[str, None] = {}
    for sentence in _sentences(_FENCE.sub("\n", message[:PROMPT_CHARS_MAX])):
        if _REASON.search(sentence) and _CHOICE.search(sentence) and not sentence.endswith("?"):
            found.setdefault(sentence)
            if len(found) == DECISIONS_MAX:
                break
    return list(found)


def first_sentence(text: str, chars_max: int) -> str:
    """The first line that says something, cut at `chars_max` with an ellipsis."""
    for line in text[:4000].split("\n"):
        clean = line.strip(" \t\r#*>-_=`")
        if clean:
            return clean if len(clean) <= chars_max else clean[: chars_max - 1].rstrip() + "…"
    return ""


def _own_words(prompt: str) -> str:
    """The prompt without what was pasted into it: documents, code fences, tagged blocks, quoted and numbered lines."""
    if len(prompt) > DOCUMENT_CHARS_MIN and (heading := _HEADING.search(prompt)):
        prompt = prompt[: heading.start()]
    if len(prompt) > PROMPT_CHARS_MAX:
        prompt = prompt[: PROMPT_CHARS_MAX // 2] + "\n" + prompt[-PROMPT_CHARS_MAX // 2 :]
    if "```" in prompt:
        prompt = _FENCE.sub("\n", prompt)
    if "</" in prompt:
        prompt = _TAGGED.sub("\n", prompt)
    return "\n".join(line for line in prompt.split("\n") if len(line) < 2000 and not _QUOTED_LINE.match(line))


def _sentences(text: str) -> Iterator[str]:
    for piece in _SENTENCE_END.split(text):
        sentence = piece.strip(" \t\r*_#")
        if 8 <= len(sentence) <= SENTENCE_CHARS_MAX:
            yield sentence
