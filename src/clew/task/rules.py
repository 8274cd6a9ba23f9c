"""Find the user's rules that a later sentence of the user withdraws.

Decided from the words alone, and only where they are clear: the same question answered again, the opposite order about the same
thing, a thing that is to be replaced, a word of withdrawal beside the words of the earlier rule. Otherwise both rules are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from clew.task.prompts import split_sentences
from clew.task.vocabulary import PATTERNS, PLAIN_WORDS, matches_any

PROMPT_CHARS_MAX = 1_000  # of a longer prompt only the beginning withdraws anything; guess
SHARE_MIN = 0.5  # of the earlier rule's own words that the later one must name; guess


_ANSWER = re.compile(r"\"([^\"\n]{1,400})\"=\"")
_WORD = re.compile(r"[A-Za-z_][\w./-]*\w|\d+")


def find_withdrawn_rules(words: str, rules: Sequence[str]) -> list[int]:
    """Return the indices in `rules` (the user's rules so far, oldest first) of those that a later prompt, `words`, withdraws."""
    if not rules:
        return []
    said = [sentence for line in words[:PROMPT_CHARS_MAX].split("\n") for sentence in split_sentences(line)] or [words]
    return [at for at, rule in enumerate(rules) if any(sentence != rule and is_withdrawal_of(sentence, rule) for sentence in said)]


def is_withdrawal_of(later: str, earlier: str) -> bool:
    """Return whether a sentence of the user withdraws an earlier one."""
    if (old := _ANSWER.match(earlier)) and (new := _ANSWER.match(later)):
        return old[1] == new[1]
    of_later, of_earlier = _stems(later), _stems(earlier)
    shared = of_later & of_earlier
    if not shared or not of_earlier:
        return False
    is_about = len(shared) >= SHARE_MIN * len(of_earlier)
    plain = later.replace("’", "'")
    if is_about and matches_any(plain, "withdraws"):
        return True
    return _is_opposite(plain, earlier.replace("’", "'")) or _is_replaced(plain, earlier, of_earlier)


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
    words: Iterable[str] = (word.lower() for word in _WORD.findall(text.replace("’", "'")))
    return frozenset(_stem(word) for word in words if word not in PLAIN_WORDS)


def _stem(word: str) -> str:
    word = word.lower()
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.removesuffix("e")
