"""Prompts: what the user said, among what the client put into their mouth.

A user's turn in a transcript may hold the user's words, machine notices, echoes of commands and pasted
logs. This file takes the words out, and finds in them the sentences that bind whatever comes later.
"""

from __future__ import annotations

import re

from clew.task.vocabulary import CLIENT_COMMANDS, MACHINE_BLOCKS

SENTENCE_CHARS_MAX = 500  # guess: longer ones are pasted text without full stops
PASTE_CHARS_MIN = 6_000  # guess: nobody types more; the user's own words stand at its two ends
PASTE_END_CHARS = 1_500

_MACHINE = (
    "<task-notification>",
    "[Request interrupted",
    "[Image: source:",
    "Caveat: The messages below",
    "Operation stopped by hook",
    "This session is being continued from a previous conversation",
    "Base directory for this skill:",
    "# AGENTS.md instructions for",
    "Stop hook feedback:",
    "Unknown skill:",
    "Unknown slash command:",
)
_COMMAND = re.compile(r"<command-name>/?([\w:.-]{1,100})</command-name>")
_COMMAND_ARGUMENTS = re.compile(r"<command-args>(.{0,20000}?)</command-args>", re.DOTALL)
_REFUSED = "the user said:\n"
_REFUSED_NOTE = "\n\nNote: The user's next message may"
_ANSWERED = re.compile(r"\"([^\"\n]{1,400})\"=\"([^\"\n]{1,600})\"")
_ACK = re.compile(
    r"(?:(?:yes|yeah|yep|yup|y|no|n|ok|okay|sure|please|great|perfect|cool|nice|thanks|thank you|thx|good|awesome|right|correct"
    r"|exactly|agreed|go"
    r"|go ahead|go for it|do it|do that|let'?s do (?:it|that|this)|let'?s go|continue|proceed|carry on|keep going|sounds good"
    r"|looks good|lgtm|next|done|retry|try again"
    r"|resume|that would be great|works|hi|hello|hey|option|both|all)\b[\s,.!:)]*){1,5}|[\w]{1,2}[).]?|\(?[a-dA-D1-9]\)?",
    re.IGNORECASE,
)

_FENCE = re.compile(r"^\s{0,12}(?:```|~~~)")
_NOT_PROSE = re.compile(
    r"^\s{0,40}(?:[>|$#{}\[\]<]|\d{4}-\d\d-\d\d|\d\d:\d\d|[+@-]{3}|\+ ?\w|at \S{1,200}[(:]|File \"|(?:import|from|def|class"
    r"|func|const|let|var|return)\b.{0,200}[(={:;]|//|/\*)"
    r"|[;{}]$|^\s{0,8}\"[\w.-]{1,60}\":|^\S{1,60}=\S|\w\(\)?;|=>|:=|&&"
)
_BULLET = re.compile(r"^\s{0,24}(?:[-*•]|\d{1,2}[.)]|Q:|A:)\s{1,4}(?:\[[ xX]\]\s)?")
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?![\s\"')]|$)[^.!?\n]*)*[.!?]*[\"')]*")
_START = (
    r"(?:^|[,;:–—(-]\s{0,3}|\b(?:and|but|so|please|then|should|must|to|just|also|can you|could you|you|we|will|would|can"
    r"|ok|okay|well|actually)\s{1,3})"
)
_BINDING = re.compile(
    rf"{_START}(?:never|always|do not|don'?t|make sure|ensure|avoid|stop \w+ing|only (?!if\b|when\b|thing\b|one\b|problem\b"
    rf"|issue\b|reason\b|a\b|the\b)\w)"
    r"|\b(?:must(?:n'?t| not)|should(?:n'?t| not| only| always| never)|may not|has to|have to|no longer|under no circumstances"
    r"|at all costs|without exception)\b"
    r"|\b(?:i|we)(?:'d| would)? (?:prefer|like to keep)\b|\b(?:i|we) (?:do not|don'?t) (?:want|like|need)\b|\bmust\b"
    r"|\binstead of\b|\brather than\b|\buse .{1,60} instead\b|\bnot .{1,40}, but\b|\bplease (?:do not|don'?t|keep|use|only|never|always)\b"
    r"|\bfrom now on\b|\bremember (?:to|that)\b|\bkeep in mind\b",
    re.IGNORECASE,
)
_CORRECTION = re.compile(
    r"^(?:no|nope|nah|wait|actually|hmm+,? no|wrong)\b[,.:!–—-]?\s{0,3}(?!(?:worries|problem|need|idea|rush|thanks|longer)\b)\w",
    re.IGNORECASE,
)
# A negation that reports or asks, and binds nobody: "I don't think so", "it must have been".
_REPORT = re.compile(
    r"\b(?:i|we|they|it|you|he|she|that|this|which|who|users?|people|there|why|these|those|\w+s)\s+(?:just |really |still "
    r"|also |actually |probably )?"
    r"(?:do not|don'?t|dont|always|never|only)\b(?! (?:want|like|need))"
    r"|\b(?:it|there|that|this|they|you) must (?:be|have)\b|\bmust(?:'ve| have) been\b|\b(?:not sure|wonder|why|how come|what if)\b"
    r"|\bi (?:have to|had to) (?:admit|say)\b|\bmake sure i\b|\S:\d{1,6}:\d{1,6}: "
    r"|\b(?:never|always) (?!pass|bypass|process|access|express|suppress|discuss|cross|address|guess|miss|use )\w+s\b",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"(?:would|could|should|is|are|do(?! not\b|n'?t\b)|does|did|what|how|why|who)\b", re.IGNORECASE)
_ORDER_AT_START = re.compile(
    r"^(?:please |so |and |but |also |just |ok,? |can you |could you )*(?:never|always|do not|don'?t|only|make sure|ensure"
    r"|avoid|use|keep|stop)\b",
    re.IGNORECASE,
)


def spoken(text: str) -> str:
    """Return the user's own words in a prompt, verbatim but for the machine's blocks between them; "" for none.

    A slash command becomes `/name arguments`; the client's own commands (`/clear`, `/model`, …) say nothing of the work.
    """
    if text.startswith(_MACHINE):
        return ""
    if "<command-name>" in text and (named := _COMMAND.search(text)):
        if named[1] in CLIENT_COMMANDS:
            return ""
        given = _COMMAND_ARGUMENTS.search(text)
        return f"/{named[1]} {given[1].strip() if given else ''}".strip()
    for name in MACHINE_BLOCKS:
        text = _without(text, f"<{name}", f"</{name}>")
    text = text.strip()
    return "" if text.startswith(_MACHINE) else text


def spoken_in_refusal(text: str) -> str:
    """Return what the user said while refusing a tool call; "" where they only refused it."""
    if not text.startswith("The user doesn't want to"):
        return ""
    words = text.partition(_REFUSED)[2].partition(_REFUSED_NOTE)[0].strip()
    return "" if words.startswith("The user wants to clarify") else words


def answers(text: str) -> tuple[str, ...]:
    """Return the pairs `"question"="answer"` of the user's choices in a question tool's result, verbatim."""
    if "answered your question" not in text[:200]:
        return ()
    return tuple(found[0] for found in _ANSWERED.finditer(text))


def sentences(line: str) -> list[str]:
    """Return the sentences of one line of prose; full stops inside names and numbers end nothing."""
    return [sentence for part in _SENTENCE.findall(line) if (sentence := part.strip(" \t\r,;"))]


def is_assent(text: str) -> bool:
    """Say whether a prompt only lets the agent go on: "yes", "ok, continue", "2"."""
    return len(text) <= 60 and _ACK.fullmatch(text.strip()) is not None


def binding_sentences(text: str) -> tuple[str, ...]:
    """Return the sentences of a prompt that forbid, demand or correct something, verbatim, in order, each once.

    Only prose is read: no fences, quotes, tables, log lines or code; of a pasted text only its two ends. In a
    document (a prompt with headings) only orders at the start of a sentence count, as its "must" describes the product.
    """
    is_document = len(re.findall(r"^#{1,4} ", text, re.MULTILINE)) >= 2
    if len(text) > PASTE_CHARS_MIN:
        text = f"{text[:PASTE_END_CHARS]}\n\n{text[-PASTE_END_CHARS:]}"
    found: dict[str, None] = {}
    for sentence in _prose(text):
        if len(sentence) > SENTENCE_CHARS_MAX or " " not in sentence:
            continue
        if is_document:
            if _ORDER_AT_START.match(sentence):
                found.setdefault(sentence)
        elif _is_binding(sentence):
            found.setdefault(sentence)
    return tuple(found)


def _is_binding(sentence: str) -> bool:
    if _CORRECTION.match(sentence) and sentence.count(" ") >= 2 and not sentence.endswith("?"):
        return True
    if not _BINDING.search(sentence):
        return False
    if (sentence.endswith("?") or _QUESTION.match(sentence)) and not _ORDER_AT_START.match(sentence):
        return False
    return not _REPORT.search(sentence) or _ORDER_AT_START.match(sentence) is not None


def _prose(text: str) -> list[str]:
    found: list[str] = []
    is_fenced = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            is_fenced = not is_fenced
        elif not is_fenced and line.strip() and not line.startswith(("    ", "\t")) and len(line) < 4 * SENTENCE_CHARS_MAX:
            bare = _BULLET.sub("", line).strip()
            if bare and not _NOT_PROSE.search(bare):
                found.extend(sentences(bare))
    return found


def _without(text: str, opening: str, closing: str) -> str:
    """The text without the blocks between two marks; an unclosed block reaches to the end."""
    start = text.find(opening)
    if start < 0:
        return text
    pieces: list[str] = []
    at = 0
    while start >= 0:
        pieces.append(text[at:start])
        end = text.find(closing, start)
        at = len(text) if end < 0 else end + len(closing)
        start = text.find(opening, at)
    pieces.append(text[at:])
    return "".join(pieces)
