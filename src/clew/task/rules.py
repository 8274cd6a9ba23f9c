"""Rules: does a later word of the user take back an earlier one?

Decided without a model, from the words alone, and only where they are plain: the same question answered anew, an
order with the opposite sign about the same thing, a thing that is to be replaced, a word of withdrawal beside the
words of the earlier rule. Where that is not plain both rules stand, and the reader sees the later one below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from clew.task.prompts import sentences

PROMPT_CHARS_MAX = 1_000  # of a longer prompt only the beginning withdraws anything; guess
SHARE_MIN = 0.5  # of the earlier rule's own words that the later one must name; guess


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ANSWER = re.compile(r"\"([^\"\n]{1,400})\"=\"")
_WORD = re.compile(r"[A-Za-z_][\w./-]*\w|\d+")
_PLAIN = _words(
    """a an the this that these those it its is are be been was were do does did don't dont not no never always must should shall
    will would can could may might please just only also and or but so then than too very any all some each every i we you they he
    she me us my our your their to of in on at for with from by as if when while until unless before after here there now yet
    still again ever make sure ensure avoid stop use using keep let lets let's want need like prefer have has had get go ok okay
    yes well actually instead rather"""
)
_NEGATIVE = re.compile(
    r"\b(?:do not|don't|dont|never|avoid|stop|without|no need to|must not|mustn't|should not|shouldn't|let's not|hold off(?: on)?"
    r"|(?:i|we) (?:do not|don't) want(?: you)? to)\s+(?:\w+ly\s+|ever\s+|just\s+)?([a-z]+)",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"(?=(?:\b(?:you (?:can|may|should|must)(?: now)?|from now on,?|go ahead and|ok(?:ay)? to|fine to|feel free to"
    r"|please|now|always|let's|to|and|then|ok"
    r"|okay|yes)\s+|^|[,;:–—-]\s*)(?:now\s+|just\s+|also\s+)?\b([a-z]+))",
    re.IGNORECASE,
)
_ALLOWS = re.compile(
    r"\b(?:you|we) (?:can|may|could)(?: now)?\b|\b(?:ok|okay|fine|allowed) (?:to|now)\b|\bfeel free\b|\bgo ahead\b"
    r"|\bfrom now on\b|\balways\b|\bnever\b"
    r"|\bafter all\b|\bno longer\b|\bactually\b|\bchanged my mind\b|\bon second thought\b|\bnow\b",
    re.IGNORECASE,
)
_WITHDRAWS = re.compile(
    r"\b(?:never ?mind|forget (?:about|that|the|what)|scratch that|ignore (?:that|what i said|my|the (?:last|previous"
    r"|earlier))|disregard|on second thought"
    r"|changed? my mind|no longer (?:need|want|necessary|required|applies|matters)|not needed any ?more"
    r"|don't need .{0,60} any ?more|drop the|skip the|remove the (?:rule|requirement|restriction))\b",
    re.IGNORECASE,
)
_REPLACED = re.compile(
    r"\b(?:instead of|rather than|not|no longer|replace|drop|stop using|don't use|do not use)\s+((?:[\w./`'-]+\s*){1,5})", re.IGNORECASE
)
_FOR_NOW = re.compile(r"\byet\b|\bfor now\b|\bat the moment\b|\buntil\b|\bright now\b", re.IGNORECASE)
_STANDING = re.compile(r"\b(?:never|always|ever|under no circumstances|at all costs|from now on)\b", re.IGNORECASE)


def overruled(words: str, rules: Sequence[str]) -> list[int]:
    """Places in `rules` (sentences that bound so far, oldest first) of those that `words`, said later, take back."""
    if not rules:
        return []
    said = [sentence for line in words[:PROMPT_CHARS_MAX].split("\n") for sentence in sentences(line)] or [words]
    return [at for at, rule in enumerate(rules) if any(sentence != rule and overrules(sentence, rule) for sentence in said)]


def overrules(later: str, earlier: str) -> bool:
    """Say whether a sentence takes back one that was said before it."""
    if (old := _ANSWER.match(earlier)) and (new := _ANSWER.match(later)):
        return old[1] == new[1]
    of_later, of_earlier = _stems(later), _stems(earlier)
    shared = of_later & of_earlier
    if not shared or not of_earlier:
        return False
    is_about = len(shared) >= SHARE_MIN * len(of_earlier)
    plain = later.replace("’", "'")
    if is_about and _WITHDRAWS.search(plain):
        return True
    return _is_opposite(plain, earlier.replace("’", "'")) or _is_replaced(plain, earlier, of_earlier)


def _is_opposite(later: str, earlier: str) -> bool:
    """The same verb with the opposite sign, about the same thing."""
    for sign, other in ((_NEGATIVE, _POSITIVE), (_POSITIVE, _NEGATIVE)):
        verbs = {_stem(verb) for verb in sign.findall(earlier)} - _PLAIN
        against = {_stem(verb) for verb in other.findall(later)} - _PLAIN
        if sign is _POSITIVE:
            verbs -= {_stem(verb) for verb in _NEGATIVE.findall(earlier)}
        else:
            against -= {_stem(verb) for verb in _NEGATIVE.findall(later)}
        common = verbs & against
        if not common:
            continue
        if _STANDING.search(earlier) and not _ALLOWS.search(later):
            continue
        things = _stems(earlier) - common
        named = things & _stems(later)
        if len(named) >= SHARE_MIN * len(things) or (not (_stems(later) - common) and _FOR_NOW.search(earlier)):
            return True
    return False


def _is_replaced(later: str, earlier: str, of_earlier: frozenset[str]) -> bool:
    """The later sentence names what is to be replaced, and the earlier one asked for it."""
    if _NEGATIVE.search(earlier):
        return False
    wanted = of_earlier - _stems(" ".join(_REPLACED.findall(earlier)))
    for found in _REPLACED.finditer(later):
        gone = _stems(found[1])
        if gone and gone <= wanted and (_stems(later) - gone):
            return True
    return False


@lru_cache(maxsize=1 << 10)
def _stems(text: str) -> frozenset[str]:
    words: Iterable[str] = (word.lower() for word in _WORD.findall(text.replace("’", "'")))
    return frozenset(_stem(word) for word in words if word not in _PLAIN)


def _stem(word: str) -> str:
    word = word.lower()
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word.removesuffix("e")
