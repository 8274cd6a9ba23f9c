"""Find the user's rules that a later sentence of the user ends: taken back, forbidden where it was demanded, or given another value.

One regression over what the two sentences share and what the recogniser takes the later one for, in any language; fitted by
`train/recogniser` and stored with its weights. Below a chance of one half both rules are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from clew.task.prompts import split_sentences
from clew.task.recogniser import CLASSES, Floats, PromptContext, hash_stem, load_recogniser
from clew.task.vocabulary import PLAIN_WORDS, matches_any

PROMPT_CHARS_MAX = 1_000  # of a longer prompt only the beginning withdraws anything; guess
ENDED_CHANCE_MIN = 0.5
STEM_CHARS = 6  # what is left of a word without its endings, in any language; guess
COMMON_WEIGHT = 0.25  # of a stem that sentences of all kinds hold; guess
PAIR_FEATURES = 16

_ANSWER = re.compile(r"\"([^\"\n]{1,400})\"=\"")
_WORD = re.compile(r"[^\W\d][\w./-]*\w|\d+")
_WRITTEN_TOGETHER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+")
_NAME = re.compile(r"\b(?=\w*[a-z0-9_])(?=\w*[A-Z0-9_])(?!\d+\b)\w{2,}|`[^`]+`", re.ASCII)  # vLLM, USER_ID, utf8
_VALUE = re.compile(r"\d[\w.:-]*|`[^`]+`|\"[^\"]+\"|'[^']+'")
_WITHDRAWAL, _REQUEST, _ASSENT, _RULE = (CLASSES.index(name) for name in ("withdrawal", "request", "assent", "rule"))


def find_withdrawn_rules(words: str, rules: Sequence[str]) -> list[int]:
    """Return the indices in `rules` (the user's rules so far, oldest first) of those that a later prompt, `words`, ends."""
    if not rules:
        return []
    if _ANSWER.match(words):
        return [at for at, rule in enumerate(rules) if words != rule and _is_answered_again(words, rule)]
    said = [sentence for line in words[:PROMPT_CHARS_MAX].split("\n") for sentence in split_sentences(line)] or [words]
    pairs = [
        (at, each)
        for at, rule in enumerate(rules)
        for each in range(len(said))
        if said[each] != rule and find_stems(said[each]) & find_stems(rule)
    ]
    if not pairs:
        return []
    recogniser = load_recogniser()
    chances = recogniser.score(said, [PromptContext(len(words), 1, 0, at, len(said)) for at in range(len(said))])
    features = np.array([read_pair(said[each], chances[each], rules[at], recogniser.stems) for at, each in pairs], np.float32)
    ended = 1 / (1 + np.exp(-(features @ recogniser.pair))) >= ENDED_CHANCE_MIN
    return sorted({at for (at, _), is_ended in zip(pairs, ended.tolist(), strict=True) if is_ended})


def read_pair(later: str, chances: Floats, earlier: str, common: frozenset[int]) -> list[float]:
    """Return the PAIR_FEATURES of a later sentence, with its probabilities (classes,), and an earlier rule, about 0 to 1 each."""
    of_later, of_earlier = find_stems(later), find_stems(earlier)
    shared = _weigh(of_later & of_earlier, common)
    of_rule = shared / max(_weigh(of_earlier, common), COMMON_WEIGHT)
    of_said = shared / max(_weigh(of_later, common), COMMON_WEIGHT)
    is_named = float(bool(frozenset(_NAME.findall(later)) & frozenset(_NAME.findall(earlier))))
    forbade, forbids, always, changes, replaces = (
        float(matches_any(text.replace("’", "'"), name))
        for text, name in ((earlier, "forbids"), (later, "forbids"), (earlier, "standing"), (later, "changes"), (later, "replaces"))
    )
    is_revalued = bool(_VALUE.search(earlier)) and _VALUE.sub("#", later).casefold() == _VALUE.sub("#", earlier).casefold()
    taken, ruled = float(chances[_WITHDRAWAL]), float(chances[_RULE])
    asked = min(1.0, float(chances[_REQUEST] + chances[_ASSENT]))
    is_opposite = abs(forbade - forbids)
    about = min(1.0, of_rule + is_named)
    return [
        1.0,
        of_rule,
        of_said,
        is_named,
        taken,
        taken * about,
        taken * float(of_rule >= 0.3 or is_named),
        asked * forbade * (1 - forbids) * (1 - always) * of_rule,
        asked * forbade * changes * (1 - always) * of_rule,
        asked * forbade * (1 - forbids) * (1 - always) * float(of_said >= 0.75),
        replaces * float(of_rule >= 0.15),
        ruled * is_opposite * of_rule,
        is_opposite * of_rule * of_said,
        float(is_revalued),
        ruled * (1 - is_opposite) * of_rule * of_said,
        always * (1 - taken),
    ]


def _is_answered_again(words: str, rule: str) -> bool:
    old, new = _ANSWER.match(rule), _ANSWER.match(words)
    return old is not None and new is not None and old[1] == new[1]


def _weigh(stems: frozenset[str], common: frozenset[int]) -> float:
    return sum(COMMON_WEIGHT if hash_stem(stem) in common else 1.0 for stem in stems)


@lru_cache(maxsize=1 << 10)
def find_stems(text: str) -> frozenset[str]:
    """Return what is left of a sentence's words without their endings; of Chinese and Japanese, pairs of characters."""
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
