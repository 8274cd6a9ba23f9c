"""Find the user's rules that a later sentence of the user withdraws.

Only where it is clear: a sentence that the recogniser takes for a withdrawal, in any language, about little else than the rule, or about
"that rule" where there is one; the same question answered again; the same sentence with another value; an order for all of what a rule
forbade, or to remove what was to be kept; the opposite order about the same thing, or a thing that is to be replaced, in English.
Otherwise both rules are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from clew.task.prompts import split_sentences
from clew.task.recogniser import CLASSES, PromptContext, load_recogniser
from clew.task.vocabulary import (
    HOLDS,
    KEEPS,
    NEGATIONS,
    NEGATIONS_WITHIN,
    PATTERNS,
    PLAIN_ELSEWHERE,
    PLAIN_WORDS,
    RELEASES,
    REMOVES,
    RULE_NAMES,
    STANDING,
    STANDING_WITHIN,
    STILL,
    TAKING_BACK,
    matches_any,
)

PROMPT_CHARS_MAX = 1_000  # of a longer prompt only the beginning withdraws anything; guess
SHARE_MIN = 0.5  # of the earlier rule's own words that the later one must name; guess
TAKEN_BACK_SHARE_MIN = 0.3  # the same, for a withdrawal: in most languages the small words of the two differ; guess
ABOUT_SHARE_MIN = 0.5  # of a withdrawal's words that must be those of the rule: "touch the fixtures" is half about one; guess
ORDER_MIN = 0.5  # the chance that a sentence is a request or a withdrawal; guess
PREFIX_CHARS_MAX = 3  # that a word may have around another one's stem: закоммить, коммить; guess
STEM_CHARS = 6  # what is left of a word without its endings, in any language; guess

_PLAIN = PLAIN_WORDS | PLAIN_ELSEWHERE
_ANSWER = re.compile(r"\"([^\"\n]{1,400})\"=\"")
_WORD = re.compile(r"[^\W\d][\w./-]*\w|\d+")
_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_CLAUSE = re.compile(r"[,;:—–，、；]\s*")
_WRITTEN_TOGETHER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_NAMING = re.compile(r"[\u30a1-\u30ff\u3400-\u9fff]+")  # of Japanese the signs that name things, without its endings
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
        if sentence != rule
        and not _asks_or_goes_on(sentence)
        and (is_withdrawal_of(sentence, rule, takes_back=True) or _names_forbidden(sentence, rule))
    ]
    nameless = [number for number, sentence in enumerate(said) if len(rules) == 1 and _names_only_a_rule(sentence)]
    takes_back = _read_withdrawals(words) if possible or nameless else ()
    if any(takes_back[number] for number in nameless):
        return [0]
    return sorted(
        {
            at
            for at, number in possible
            if is_withdrawal_of(said[number], rules[at], takes_back=takes_back[number])
            or (_names_forbidden(said[number], rules[at]) and _orders(said[number], rules[at]))
        }
    )


def _split(words: str) -> list[str]:
    """The sentences of a prompt's beginning."""
    return [sentence for line in words[:PROMPT_CHARS_MAX].split("\n") for sentence in split_sentences(line)] or [words]


@lru_cache(maxsize=2)  # the task state and the records ask for the same words one after the other
def _read_withdrawals(words: str) -> tuple[bool, ...]:
    """Whether the recogniser takes each sentence of `_split` for a withdrawal."""
    said, recogniser = _split(words), load_recogniser()
    contexts = [PromptContext(len(words), 1, 0, at, len(said)) for at in range(len(said))]
    claimed = recogniser.is_claimed(recogniser.score(said, contexts), "withdrawal").tolist()
    return tuple(
        is_one and not _asks_or_goes_on(sentence) and not _upholds(sentence) for is_one, sentence in zip(claimed, said, strict=True)
    )


def _asks_or_goes_on(sentence: str) -> bool:
    """Whether a sentence is a question, or says that something still is so."""
    return sentence.rstrip().endswith(("?", "？")) or _has(sentence, STILL, frozenset())


def _upholds(sentence: str) -> bool:
    """Whether a sentence says that a rule holds: "it applies", "the ban is not lifted", "do not forget it"."""
    return any(
        _has(part, RELEASES, frozenset())
        if _has(part, NEGATIONS, NEGATIONS_WITHIN)
        else _has(part, HOLDS, frozenset()) and not _has(part, RELEASES, frozenset())
        for part in _CLAUSE.split(sentence)
    )


def _names_only_a_rule(sentence: str) -> bool:
    """Whether a sentence speaks of a rule and of nothing else: "that rule no longer applies"."""
    return _has(sentence, RULE_NAMES, frozenset()) and not _stems(sentence) - _taking_back()


def _names_forbidden(later: str, earlier: str) -> bool:
    """Whether a sentence without a negation names all of what a rule forbids for now, or removes all of what a rule keeps."""
    if _has(later, NEGATIONS, NEGATIONS_WITHIN) or _has(earlier, STANDING, STANDING_WITHIN):
        return False
    if _has(earlier, NEGATIONS, NEGATIONS_WITHIN):
        named = _content(earlier)
    elif _begins(earlier, KEEPS) and _begins(later, REMOVES) and not _begins(later, KEEPS):
        named = frozenset(stem for stem in _content(earlier) if not any(stem.startswith(word[:STEM_CHARS]) for word in KEEPS))
    else:
        return False
    stems, words = _content(later), [word.casefold() for word in _WORDS.findall(later)]
    return bool(named) and all(
        stem in stems or any(stem in word and len(word) - len(stem) <= PREFIX_CHARS_MAX for word in words) for stem in named
    )


def _orders(later: str, earlier: str) -> bool:
    """Whether the part of a sentence that names what a rule is about is a request, or a withdrawal, as the recogniser reads it."""
    stems = _content(earlier)
    parts = [part for part in _CLAUSE.split(later) if any(stem in part.casefold() for stem in stems)] or [later]
    chances = load_recogniser().score(parts, [PromptContext(len(later), 1, 0, 0, 1)] * len(parts))
    wanted = chances[:, [CLASSES.index(name) for name in ("request", "assent", "withdrawal")]].sum(axis=1)
    return bool(wanted.max() >= ORDER_MIN) and not later.rstrip().endswith(("?", "？"))


def _content(text: str) -> frozenset[str]:
    """The stems of the words that say what a rule is about; of Japanese and Chinese the pairs of signs without a negation."""
    for word in (*NEGATIONS_WITHIN, "要", "请"):
        text = text.replace(word, "、")
    return _stems(text)


def _has(text: str, words: frozenset[str], parts: frozenset[str]) -> bool:
    found = {word.casefold() for word in _WORDS.findall(text.replace("’", "'"))}
    return not words.isdisjoint(found) or any(part in text for part in parts)


def _begins(text: str, beginnings: frozenset[str]) -> bool:
    """Whether a word of a text begins with one of these; those of Chinese and Japanese stand anywhere."""
    words = [word.casefold() for word in _WORDS.findall(text)]
    starts = tuple(beginnings)
    return any(word.startswith(starts) for word in words) or any(not part.isascii() and part in text for part in beginnings)


def is_withdrawal_of(later: str, earlier: str, *, takes_back: bool = False) -> bool:
    """Return whether a sentence of the user withdraws an earlier one. takes_back: the recogniser takes it for a withdrawal."""
    if (old := _ANSWER.match(earlier)) and (new := _ANSWER.match(later)):
        return old[1] == new[1]
    of_later, of_earlier = _stems(later), _stems(earlier)
    shared = of_later & of_earlier
    if not shared or not of_earlier:
        return False
    plain = later.replace("’", "'")
    if takes_back and (_is_same_subject(later, shared, of_earlier) or frozenset(_NAME.findall(later)) & frozenset(_NAME.findall(earlier))):
        return True
    if _VALUE.search(earlier) and _VALUE.sub("#", later).casefold() == _VALUE.sub("#", earlier).casefold():
        return True
    return _is_opposite(plain, earlier.replace("’", "'")) or _is_replaced(plain, earlier, of_earlier)


def _is_same_subject(later: str, shared: frozenset[str], of_earlier: frozenset[str]) -> bool:
    is_named = len(shared) > 1 or any(len(stem) >= 4 or not stem.isascii() for stem in shared)
    if not is_named or len(shared) < TAKEN_BACK_SHARE_MIN * len(of_earlier):
        return False
    return any(_is_about(part, of_earlier) for part in _CLAUSE.split(later))


def _is_about(part: str, of_earlier: frozenset[str]) -> bool:
    """Whether a part of a withdrawal names little else than the rule: most of its words, or half of them with the last one, its object."""
    stems = _stems(part) - _taking_back()
    shared = len(stems & of_earlier)
    last = next((stem for word in reversed(_WORD.findall(part)) if (stem := _stem(word)) in stems), "")
    return shared > ABOUT_SHARE_MIN * len(stems) or (last in of_earlier and shared == ABOUT_SHARE_MIN * len(stems))


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


@cache
def _taking_back() -> frozenset[str]:
    return frozenset(map(_stem, TAKING_BACK | RULE_NAMES))


@lru_cache(maxsize=1 << 10)
def _stems(text: str) -> frozenset[str]:
    plain = text.replace("’", "'").replace("n't", "")
    words: Iterable[str] = (word.lower() for word in _WORD.findall(_WRITTEN_TOGETHER.sub(" ", plain)))
    runs = _NAMING.findall(plain)
    pairs = (run[at : at + 2] for run in runs for at in range(len(run) - 1))
    return frozenset((*(_stem(word) for word in words if word not in _PLAIN), *pairs))


def _stem(word: str) -> str:
    word = word.lower()
    if "\uac00" <= word[:1] <= "\ud7a3":  # Korean particles and endings follow the first syllables
        return word[:2]
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.removesuffix("e")[:STEM_CHARS]
