"""Recognise that the agent's last message reports finished work: the sentence that says so, in seven languages.

Says nothing where anything in the message leaves it open: a question, a failure, a next step. Words come from `completion.toml`.
"""

from __future__ import annotations

import re
from functools import cache

from clew.task.vocabulary import load_toml

MESSAGE_CHARS_MAX = 6_000  # of a longer message the two ends are read; guess
EVIDENCE_CHARS_MAX = 300

_DATA: dict[str, dict[str, str]] = load_toml("completion.toml")
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_QUOTED = re.compile(r"`[^`\n]*`|\"[^\"\n]{0,200}\"|“[^”\n]{0,200}”|「[^」\n]{0,200}」")
_SENTENCES = re.compile(r"(?<=[.!?:])\s+|(?<=[。！？])|\n+")
_LEAD = re.compile(r"^[\s#*_>✅✓✔🎉-]*(?:(?:ok|okay|great|perfect|excellent|good|and|so|now|yes)\b[\s,.!:—–-]*)*")
_ALL_OVER = re.compile(r"\b(?:are|is|now|been) (?:now )?(?:done|complete|completed|finished|implemented|in place)\b")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def find_completion(message: str) -> str:
    """Return the sentence of a message that says that the work is done, verbatim; "" where none does or where something is left open."""
    plain = _FENCED.sub("\n", message)
    if len(plain) > MESSAGE_CHARS_MAX:
        plain = f"{plain[: MESSAGE_CHARS_MAX // 2]}\n{plain[-MESSAGE_CHARS_MAX // 2 :]}"
    folded = _QUOTED.sub("`x`", plain.replace("’", "'")).casefold()
    if not folded.strip() or "?" in folded or "？" in folded:
        return ""
    for sentence in _SENTENCES.split(plain):
        bare = _LEAD.sub("", _QUOTED.sub("`x`", sentence.replace("’", "'")).casefold()).strip(" .!*_:。！")
        if bare and _done().fullmatch(bare):
            # Looked at last, since it takes longest.
            said = sentence.strip()
            if said.rstrip("*_").endswith((":", "：")):  # with what is done behind it
                behind = plain[plain.index(said) + len(said) :].lstrip().partition("\n")[0]
                said = f"{said} {behind}".strip()
            return "" if _open().search(folded) else said[:EVIDENCE_CHARS_MAX]
    return ""


def is_all_done(message: str) -> bool:
    """Return whether a message that reports finished work says that nothing of a plan is left: "All five steps are complete"."""
    if not find_completion(message):
        return False
    plain = _QUOTED.sub("`x`", _FENCED.sub("\n", message).replace("’", "'")).casefold()
    said = [_LEAD.sub("", sentence).strip(" .!*_:。！") for sentence in _SENTENCES.split(plain)]
    return any(_all().match(sentence) and (_done().fullmatch(sentence) or _ALL_OVER.search(sentence)) for sentence in said if sentence)


def _written(phrase: str) -> str:
    inner = r"[^\n]{0,60}?"
    parts = [re.escape(part).replace(r"\ ", r"\s+") for part in phrase.split("*")]
    return inner.join(parts)


@cache
def _done() -> re.Pattern[str]:
    phrases = [phrase.strip() for listed in _DATA["done"].values() for phrase in listed.replace("\n", "").split("|")]
    written = [_written(phrase.removesuffix("*")) + (r"[^\n]*" if phrase.endswith("*") else "") for phrase in filter(None, phrases)]
    return re.compile("|".join(written))


@cache
def _all() -> re.Pattern[str]:
    phrases = [phrase.strip() for listed in _DATA["all"].values() for phrase in listed.replace("\n", "").split("|")]
    return re.compile("|".join(_written(phrase) for phrase in filter(None, phrases)))


@cache
def _open() -> re.Pattern[str]:
    phrases = [phrase.strip("\n") for listed in _DATA["open"].values() for phrase in listed.replace("\n", "").split("|")]
    written: list[str] = []
    for phrase in filter(None, phrases):
        is_parted = not _CJK.match(phrase)
        end = r"(?!\w)" if is_parted and phrase[-1].isalnum() else ""
        written.append((r"(?<!\w)" if is_parted else "") + _written(phrase.removesuffix("*")) + end)
    return re.compile("|".join(written))
