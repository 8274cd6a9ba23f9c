"""Find the user's rules that a later sentence of the user withdraws.

Only where it is clear: a sentence that the recogniser takes for a withdrawal, in any language, about what the rule is about; the same
question answered again; the same sentence with another value; the opposite order about the same thing, or a thing that is to be
replaced, in English. Otherwise both rules are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from clew.task.prompts import split_sentences
from clew.task.recogniser import PromptContext, load_recogniser
from clew.task.vocabulary import PATTERNS, PLAIN_WORDS, matches_any

PROMPT_CHARS_MAX = 1_000  # of a longer prompt only the beginning withdraws anything; guess
SHARE_MIN = 0.5  # of the earlier rule's own words that the later one must name; guess
TAKEN_BACK_SHARE_MIN = 0.3  # the same, for a withdrawal: in most languages the small words of the two differ; guess
STEM_CHARS = 6  # what is left of a word without its endings, in any language; guess

_ANSWER = re.compile(r"\"([^\"\n]{1,400})\"=\"")
_WORD = re.compile(r"[^\W\d][\w./-]*\w|\d+")
_WRITTEN_TOGETHER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_NAME = re.compile(r"\b(?=\w*[a-z0-9_])(?=\w*[A-Z0-9_])(?!\d+\b)\w{2,}|`[^`]+`")  # vLLM, USER_ID, utf8
_VALUE = re.compile(r"\d[\w.:-]*|`[^`]+`|\"[^\"]+\"|'[^']+'")


def find_withdrawn_rules(words: str, rules: Sequence[str]) -> list[int]:
    """Return the indices in `rules` (the user's rules so far, oldest first) of those that a later prompt, `words`, withdraws."""
    if not rules:
        return []
    if _ANSWER.match(words):
        return [at for at, rule in enumerate(rules) if words != rule and is_withdrawal_of(words, rule)]
    said = _split(words)
    possible = [  # what shares nothing with any rule need not be recognised
        (at, number)
        for at, rule in enumerate(rules)
        for number, sentence in enumerate(said)
        if sentence != rule and is_withdrawal_of(sentence, rule, takes_back=True)
    ]
    takes_back = _read_withdrawals(words) if possible else ()
    return sorted({at for at, number in possible if is_withdrawal_of(said[number], rules[at], takes_back=takes_back[number])})


def _split(words: str) -> list[str]:
    """The sentences of a prompt's beginning."""
    return [sentence for line in words[:PROMPT_CHARS_MAX].split("\n") for sentence in split_sentences(line)] or [words]


@lru_cache(maxsize=2)  # the task state and the records ask for the same words one after the other
def _read_withdrawals(words: str) -> tuple[bool, ...]:
    """Whether the recogniser takes each sentence of `_split` for a withdrawal."""
    said, recogniser = _split(words), load_recogniser()
    contexts = [PromptContext(len(words), 1, 0, at, len(said)) for at in range(len(said))]
    return tuple(recogniser.is_claimed(recogniser.score(said, contexts), "withdrawal").tolist())


def is_withdrawal_of(later: str, earlier: str, *, takes_back: bool = False) -> bool:
    """Return whether a sentence of the user withdraws an earlier one. takes_back: the recogniser takes it for a withdrawal."""
    if (old := _ANSWER.match(earlier)) and (new := _ANSWER.match(later)):
        return old[1] == new[1]
    of_later, of_earlier = _stems(later), _stems(earlier)
    shared = of_later & of_earlier
    if not shared or not of_earlier:
        return False
    plain = later.replace("’", "'")
    if takes_back and (_is_same_subject(shared, of_earlier) or frozenset(_NAME.findall(later)) & frozenset(_NAME.findall(earlier))):
        return True
    if _VALUE.search(earlier) and _VALUE.sub("#", later).casefold() == _VALUE.sub("#", earlier).casefold():
        return True
    return _is_opposite(plain, earlier.replace("’", "'")) or _is_replaced(plain, earlier, of_earlier)


def _is_same_subject(shared: frozenset[str], of_earlier: frozenset[str]) -> bool:
    is_named = any(len(stem) >= 4 or not stem.isascii() for stem in shared)
    return is_named and len(shared) >= TAKEN_BACK_SHARE_MIN * len(of_earlier)


def _is_opposite(later: str, earlier: str) -> bool:
    """The same verb with the opposite sign, about the same thing."""
    for sign, other in ((PATTERNS["negative"], PATTERNS["positive"]), (PATTERNS["positive"], PATTERNS["negative"])):
        verbs = {_stem(verb) for verb in sign.findall(earlier)} - PLAIN_WORDS
        against = {_stem(verb) for verb in other.findall(later)} - PLAIN_WORDS
        if sign is PATTERNS["positive"]:
            verbs -= {_stem(verb) for verb in PATTERNS["negative"].findall(earlier)}
        else:
            against -= {_stem(verb) for verb in PATTERNS["negative"].findall(later)}
        common = verbs & against
        if not common:
            continue
        if matches_any(earlier, "standing") and not matches_any(later, "allows"):
            continue
        things = _stems(earlier) - common
        named = things & _stems(later)
        if len(named) >= SHARE_MIN * len(things) or (not (_stems(later) - common) and matches_any(earlier, "for_now")):
            return True
    return False


def _is_replaced(later: str, earlier: str, of_earlier: frozenset[str]) -> bool:
    """The later sentence names what is to be replaced, and the earlier one asked for it."""
    if matches_any(earlier, "negative"):
        return False
    wanted = of_earlier - _stems(" ".join(PATTERNS["replaced"].findall(earlier)))
    for found in PATTERNS["replaced"].finditer(later):
        gone = _stems(found[1])
        if gone and gone <= wanted and (_stems(later) - gone):
            return True
    return False


@lru_cache(maxsize=1 << 10)
def _stems(text: str) -> frozenset[str]:
    plain = text.replace("’", "'")
    words: Iterable[str] = (word.lower() for word in _WORD.findall(_WRITTEN_TOGETHER.sub(" ", plain)))
    pairs = (run[at : at + 2] for run in _WRITTEN_TOGETHER.findall(plain) for at in range(len(run) - 1))
    return frozenset((*(_stem(word) for word in words if word not in PLAIN_WORDS), *pairs))


def _stem(word: str) -> str:
    word = word.lower()
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.removesuffix("e")[:STEM_CHARS]
