"""Find the words that the user typed in a prompt, and the sentences in them that are rules for the rest of the session.

A user's turn in a transcript may also hold notices of the client, echoes of commands and pasted logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from clew.task.recogniser import CLASSES, PromptContext, load_recogniser
from clew.task.vocabulary import CLIENT_COMMANDS, MACHINE_BLOCKS, MACHINE_PROMPTS, PATTERNS, matches_any

SENTENCE_CHARS_MAX = 500  # guess: longer ones are pasted text without full stops
PASTE_CHARS_MIN = 6_000  # guess: nobody types more; the user's own words stand at its two ends
PASTE_END_CHARS = 1_500
LONG_LINES_MAX, TYPED_CHARS_MAX = 3, 500  # guess

_COMMAND = re.compile(r"<command-name>/?([\w:.-]{1,100})</command-name>")
_COMMAND_ARGUMENTS = re.compile(r"<command-args>(.{0,20000}?)</command-args>", re.DOTALL)

_HEADING = re.compile(r"^#{1,4} ", re.MULTILINE)
_FENCE = re.compile(r"^\s{0,12}(?:```|~~~)")
_BULLET = re.compile(r"^\s{0,24}(?:[-*•]|\d{1,2}[.)]|Q:|A:)\s{1,4}(?:\[[ xX]\]\s)?")
_SLASH = re.compile(r"^/[\w:.-]{1,100} ")
_EDITOR_BLOCK = re.compile(r"<(ide_\w{1,40})[\s>]")
_EDITOR_HEADING, _REQUEST_HEADING = "# Context from my IDE setup:", "## My request for Codex:"
_FILLED = re.compile("\0+|[^\0]+")
# How lines begin that a program printed: a time, a level, a package manager's name, an exception, a place in a stack.
_PRINTED = re.compile(
    r"\s*(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d|\[(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\]"
    r"|(?:npm|pnpm|yarn) (?:ERR!|error|warn|WARN)\s|E {3}|Traceback |Caused by: |File \"[^\"]+\", line \d|at \S+ ?\(.*:\d+"
    r"|(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning)(?:\[\w+\])?: |(?:error|warning)(?:\[\w+\])?: )"
)
# Lines of code that no sentence looks like, and comments, which count as code beside one.
_CODE = re.compile(
    r"(?!\s{0,24}(?:[-*•]|\d{1,2}[.)])\s)(?:.*(?:[{};]|\);?|=>)\s*$"
    r"|\s*(?:CREATE|ALTER) (?:TABLE|INDEX|VIEW)\b|\s*(?:async )?(?:def|class) \w+.*:.{0,20}$)"
)
_COMMENT = re.compile(r"\s*(?://|#(?!#)|--|/\*|\*/)")
RULES_OF_SECTION_MAX = 16  # guess: a longer list is a specification, and stands in the prompt itself
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
    for name in _machine_blocks(text):
        text = _without(text, f"<{name}", f"</{name}>")
    text = text[_editor_chars(text) :].strip()
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
    for name in _machine_blocks(text):
        kept = _without(kept, f"<{name}", f"</{name}>", fill="\0")
    kept = "\0" * (described := _editor_chars(kept)) + kept[described:]
    if kept.replace("\0", "").strip().startswith(MACHINE_PROMPTS):
        return [(text, False)]
    return [(text[found.start() : found.end()], found[0][0] != "\0") for found in _FILLED.finditer(kept)]


def split_sentences(line: str) -> list[str]:
    """Return the sentences of one line of prose; full stops inside names and numbers end nothing."""
    found = [sentence for part in PATTERNS["sentence"].findall(line) if (sentence := part.rstrip().lstrip(" \t\r,;"))]
    if len(found) > 1 and len(found[0]) <= 12 and PATTERNS["initial"].fullmatch(found[0]):  # "A. is fine"
        found[:2] = [f"{found[0]} {found[1]}"]
    return found


def find_stated_rules(text: str) -> tuple[str, ...]:
    """Return the sentences of a prompt that probably bind from now on, verbatim, in order, each once, in any language."""
    return tuple(score_stated_rules(text))


@lru_cache(maxsize=2)  # the task state and the records ask for the same words one after the other
def score_stated_rules(text: str) -> Mapping[str, float]:
    """Return the sentences of `find_stated_rules`, each with the probability that it binds, 1 where the user listed it as a rule.

    Those that the recogniser finds likely enough to be rules, and the items of a list under a line that announces rules. Only prose is
    read: no fences, quotes, tables or indented code; of a pasted text only its two ends.
    """
    ruled = _under_rules(text) if len(text) <= DOCUMENT_CHARS_MAX else []
    headings = len(_HEADING.findall(text[:DOCUMENT_CHARS_MAX]))
    is_pasted = len(text) > (DOCUMENT_CHARS_MAX if headings >= 2 else PASTE_CHARS_MIN)
    parts = [text]
    if is_pasted:  # the user's own words stand in the paragraphs at its two ends
        parts, headings = [text[:PASTE_END_CHARS].partition("\n\n")[0], text[-PASTE_END_CHARS:].rpartition("\n\n")[2]], 0
    sentences: list[str] = []
    contexts: list[PromptContext] = []
    for part in parts:
        found, lines = _prose(part), part.count("\n") + 1
        sentences += found
        # A long prompt of many lines is mostly pasted, and the recogniser has learned that; one of a few long lines is typed.
        size = len(part) if lines > LONG_LINES_MAX else min(len(part), TYPED_CHARS_MAX)
        contexts += [PromptContext(size, lines, headings, at, len(found)) for at in range(len(found))]
    recogniser = load_recogniser()
    chances = recogniser.score(sentences, contexts)
    claimed, likely = recogniser.is_claimed(chances, "rule").tolist(), chances[:, CLASSES.index("rule")].tolist()
    listed = frozenset(ruled)
    binding: dict[str, float] = {
        sentence: chance
        for sentence, is_rule, chance in zip(sentences, claimed, likely, strict=True)
        if _is_whole(sentence) and (is_rule or sentence in listed)
    }
    for sentence in ruled:
        binding[sentence] = 1.0
    return binding


def _is_whole(sentence: str) -> bool:
    return len(sentence) <= SENTENCE_CHARS_MAX and (" " in sentence or not sentence.isascii())


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
    lines = text.split("\n")
    pasted = _pasted_lines(lines)
    for at, line in enumerate(lines):
        is_mark = _FENCE.match(line) is not None
        is_fenced ^= is_mark
        if is_mark or is_fenced or at in pasted:
            continue
        if not line.startswith(("    ", "\t")) or _BULLET.match(line):
            found.extend(_sentences_of(line))
    return found


def _pasted_lines(lines: Sequence[str]) -> set[int]:
    """The numbers of the lines that a program printed, and of those of a paragraph that are code beside other code."""
    pasted = {at for at, line in enumerate(lines) if _PRINTED.match(line)}
    paragraph: list[int] = []
    for at, line in enumerate((*lines, "")):
        if line.strip():
            paragraph.append(at)
            continue
        code = [each for each in paragraph if _CODE.match(lines[each])]
        if code:
            code += [each for each in paragraph if _COMMENT.match(lines[each]) and each not in code]
        pasted.update(code if len(code) > 1 else ())
        paragraph = []
    return pasted


def _sentences_of(line: str) -> list[str]:
    bare = _SLASH.sub("", _BULLET.sub("", line)).strip()
    return [] if not bare or bare.startswith((">", "|")) or _HEADING.match(bare) else split_sentences(bare)


def _machine_blocks(text: str) -> Iterator[str]:
    """The names of elements that a client puts into a prompt: known ones, and those of an editor, which must be closed."""
    yield from MACHINE_BLOCKS
    if "<ide_" in text:
        yield from (name for name in dict.fromkeys(_EDITOR_BLOCK.findall(text)) if name not in MACHINE_BLOCKS and f"</{name}>" in text)


def _editor_chars(text: str) -> int:
    """The length of what Codex says of the editor before the user's words; 0 where it says nothing."""
    start = len(text) - len(text.lstrip("\0 \n"))
    at = text.rfind(_REQUEST_HEADING) if text.startswith(_EDITOR_HEADING, start) else -1
    return at + len(_REQUEST_HEADING) if at >= 0 else 0


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
