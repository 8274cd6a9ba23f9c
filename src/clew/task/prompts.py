"""Find the words that the user typed in a prompt, and the sentences in them that are rules for the rest of the session.

A user's turn in a transcript may also hold notices of the client, echoes of commands and pasted logs.
"""

from __future__ import annotations

import re

from clew.task.replies import is_assent
from clew.task.vocabulary import CLIENT_COMMANDS, MACHINE_BLOCKS, MACHINE_PROMPTS, PATTERNS, matches_any

SENTENCE_CHARS_MAX = 500  # guess: longer ones are pasted text without full stops
PASTE_CHARS_MIN = 6_000  # guess: nobody types more; the user's own words stand at its two ends
PASTE_END_CHARS = 1_500

_COMMAND = re.compile(r"<command-name>/?([\w:.-]{1,100})</command-name>")
_COMMAND_ARGUMENTS = re.compile(r"<command-args>(.{0,20000}?)</command-args>", re.DOTALL)

TYPED_CHARS_MAX, TYPED_LINES_MAX = 600, 12  # guess: a longer prompt is pasted, at least in part
ONE_ACT_WORDS_MAX = 7
_HEADING = re.compile(r"^#{1,4} ", re.MULTILINE)
_FENCE = re.compile(r"^\s{0,12}(?:```|~~~)")
_CODE = re.compile(r"`[^`\n]{1,300}`")
_BULLET = re.compile(r"^\s{0,24}(?:[-*•]|\d{1,2}[.)]|Q:|A:)\s{1,4}(?:\[[ xX]\]\s)?")
_SLASH = re.compile(r"^/[\w:.-]{1,100} ")
_FILLED = re.compile("\0+|[^\0]+")
RULES_OF_SECTION_MAX = 16  # guess: a longer list is a specification, and stands in the prompt itself
RULES_OF_DOCUMENT_MAX = 32  # guess: of one plan that is handed over, the first
DOCUMENT_CHARS_MAX = 40_000


def extract_typed_text(text: str) -> str:
    """Return the words of a prompt that the user typed, verbatim, without the blocks that the client inserted; "" for none.
    A slash command becomes `/name arguments`; the client's own commands (`/clear`, `/model`, …) give "", as they say nothing of the work.
    """
    if text.startswith(MACHINE_PROMPTS):
        return ""
    if "<command-name>" in text and (named := _COMMAND.search(text)):
        if named[1] in CLIENT_COMMANDS:
            return ""
        given = _COMMAND_ARGUMENTS.search(text)
        return f"/{named[1]} {given[1].strip() if given else ''}".strip()
    for name in MACHINE_BLOCKS:
        text = _without(text, f"<{name}", f"</{name}>")
    text = text.strip()
    return "" if text.startswith(MACHINE_PROMPTS) else text


def split_typed_parts(text: str) -> list[tuple[str, bool]]:
    """Return the whole text of a prompt in pieces, each with whether the user typed it: what `extract_typed_text` takes out was not typed.

    The pieces together are the text.
    """
    if text.startswith(MACHINE_PROMPTS):
        return [(text, False)]
    if "<command-name>" in text and _COMMAND.search(text):
        given = _COMMAND_ARGUMENTS.search(text)
        start, end = given.span(1) if given else (0, 0)
        return [piece for piece in ((text[:start], False), (text[start:end], True), (text[end:], False)) if piece[0]]
    kept = text.replace("\0", " ")
    for name in MACHINE_BLOCKS:
        kept = _without(kept, f"<{name}", f"</{name}>", fill="\0")
    if kept.replace("\0", "").strip().startswith(MACHINE_PROMPTS):
        return [(text, False)]
    return [(text[found.start() : found.end()], found[0][0] != "\0") for found in _FILLED.finditer(kept)]


def split_sentences(line: str) -> list[str]:
    """Return the sentences of one line of prose; full stops inside names and numbers end nothing."""
    found = [sentence for part in PATTERNS["sentence"].findall(line) if (sentence := part.strip(" \t\r,;"))]
    if len(found) > 1 and len(found[0]) <= 12 and PATTERNS["initial"].fullmatch(found[0]):  # "A. is fine"
        found[:2] = [f"{found[0]} {found[1]}"]
    return found


def find_stated_rules(text: str) -> tuple[str, ...]:
    """Return the sentences of a prompt that forbid, demand, choose, bound or correct something, verbatim, in order, each once.

    Only prose is read: no fences, quotes, tables, log lines or code; of a pasted text only its two ends. In a
    document (a prompt with headings), which is read whole, the first RULES_OF_DOCUMENT_MAX sentences count that order or
    bound something, and what stands under a heading that announces rules.
    """
    is_document = len(_HEADING.findall(text[:DOCUMENT_CHARS_MAX])) >= 2
    ruled = _under_rules(text) if len(text) <= DOCUMENT_CHARS_MAX else []
    bounding = 0
    if len(text) > PASTE_CHARS_MIN and not (is_document and len(text) <= DOCUMENT_CHARS_MAX):
        text = f"{text[:PASTE_END_CHARS]}\n\n{text[-PASTE_END_CHARS:]}"
    found: dict[str, None] = {}
    for sentence in _prose(text):
        if len(sentence) > SENTENCE_CHARS_MAX or " " not in sentence:
            continue
        plain = sentence.replace("’", "'")
        if sentence in ruled or (not is_document and _is_binding(plain)):
            found.setdefault(sentence)
        elif is_document and bounding < RULES_OF_DOCUMENT_MAX and _bounds(plain.lstrip("*_ ")):
            bounding += sentence not in found
            found.setdefault(sentence)
    for sentence in ruled:
        found.setdefault(sentence)
    return tuple(found)


def _bounds(sentence: str) -> bool:
    return matches_any(sentence, "order_at_start", "bounds")


def find_implied_rules(text: str) -> tuple[str, ...]:
    """Return the sentences of a short prompt that was typed which say something without a word of command, verbatim, in order.

    "the header is sticky on mobile too" binds as much as "make sure that …" does, and no list of words finds it; a question,
    an assent or an order for a single act ("push it") is left out. Empty for whatever looks pasted.
    """
    if len(text) > TYPED_CHARS_MAX or text.startswith("/") or text.count("\n") > TYPED_LINES_MAX:
        return ()
    found: dict[str, None] = {}
    for sentence in _prose(text):
        plain = sentence.replace("’", "'")
        words = plain.count(" ") + 1
        is_one_act = words <= ONE_ACT_WORDS_MAX and matches_any(plain, "one_act")
        is_open = plain.endswith(("?", ":")) or matches_any(plain, "question", "puzzled", "tells")
        if words >= 4 and not is_one_act and not is_open and not is_assent(plain):
            found.setdefault(sentence)
    return tuple(found)


def _is_binding(sentence: str) -> bool:
    if is_assent(sentence) or PATTERNS["lets_go"].fullmatch(sentence):
        return False
    if matches_any(sentence, "correction") and sentence.count(" ") >= 2 and not sentence.endswith("?"):
        return True
    if matches_any(sentence, "label") and sentence.count(" ") >= 3:
        return True
    is_order = matches_any(sentence, "order_at_start", "order")
    if sentence.endswith("?") and matches_any(sentence, "wish"):
        return True
    is_question = sentence.endswith("?") or matches_any(sentence, "question")
    if matches_any(sentence, "binding"):
        if is_question and not is_order and not matches_any(sentence, "asked_politely"):
            return False
        return not matches_any(sentence, "report") or is_order
    if is_question or sentence.endswith(":") or sentence.count(" ") < 2:
        return False
    return is_order or (matches_any(sentence, "wanted", "chosen") and not matches_any(sentence, "puzzled"))


def _under_rules(text: str) -> list[str]:
    """The first sentence of each line that stands under a heading, or a line with a colon, that announces rules."""
    found: list[str] = []
    is_ruled = is_headed = is_fenced = False
    for line in text.split("\n"):
        bare = line.strip()
        is_fenced ^= _FENCE.match(line) is not None
        if is_fenced:
            continue
        if bare.startswith("#"):
            is_headed = is_ruled = len(bare) < 80 and matches_any(bare.replace("’", "'"), "rules_heading")
        elif bare.endswith(":") and len(bare) < 80 and not _BULLET.match(line):
            is_ruled = is_headed or matches_any(bare.replace("’", "'"), "rules_heading")
        elif not bare:
            is_ruled = is_ruled if is_headed or not found else is_headed
        elif is_ruled and _BULLET.match(line):
            found.extend(_sentences_of(line)[:1])
    return [sentence for sentence in found if " " in sentence and len(sentence) <= SENTENCE_CHARS_MAX][:RULES_OF_SECTION_MAX]


def _prose(text: str) -> list[str]:
    found: list[str] = []
    is_fenced = False
    for line in text.split("\n"):
        is_mark = _FENCE.match(line) is not None
        is_fenced ^= is_mark
        if is_mark or is_fenced or len(line) >= 4 * SENTENCE_CHARS_MAX:
            continue
        if not line.startswith(("    ", "\t")) or _BULLET.match(line):
            found.extend(_sentences_of(line))
    return found


def _sentences_of(line: str) -> list[str]:
    bare = _SLASH.sub("", _BULLET.sub("", line)).strip()
    return split_sentences(bare) if bare and not matches_any(_CODE.sub("`x`", bare), "not_prose") else []


def _without(text: str, opening: str, closing: str, *, fill: str = "") -> str:
    """The text without the block between two marks, or with `fill` for each of its characters; an unclosed one reaches to the end.

    It reaches to the last closing mark: what the client puts into a block may hold one itself, and what came after that one would
    pass for the user's. In 1,716 prompts of recorded sessions that took no word from the user.
    """
    start = text.find(opening)
    if start < 0:
        return text
    end = text.rfind(closing, start)
    at = len(text) if end < 0 else end + len(closing)
    return text[:start] + fill * (at - start) + text[at:]
