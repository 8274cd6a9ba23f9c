"""Subjects: find statements of the user that a later statement of the same subject replaces.

Parses English sentence by sentence, and rather misses a statement than invents one. Three forms are understood: a statement
that names what it replaces (`use B instead of A`, `moved from A to B`, `no longer A`); a statement of a known relation (where
somebody lives or works, what is used for a purpose); and what something is, where the later sentence says that this is new
(`our default branch is now B`). Pure functions of their arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from clew.task.prompts import split_sentences
from clew.text.words import extract_terms

SPOKEN_KINDS = frozenset(("prompt", "message", "answer", "rejection", "remembered"))  # of records: what somebody said
TEXT_CHARS_MAX = 4000  # guess: what a person states stands at the head of what they say; the rest is pasted
SENTENCE_CHARS_MAX = 240  # guess: longer sentences speak of several things
VALUE_WORDS_MAX = 5
SAID_CHARS_MAX = 120
_WHAT = "what "

_VALUE = r"(?P<value>[^\s,.;:!?()\"]+(?: [^\s,.;:!?()\"]+){0,5}?)"
_END = (
    r"(?=\s*(?:[,;:!?()\"]|\.(?:\s|$)|$|\b(?:and|but|because|so|since|for|when|while|where|which|who|now|again|instead|if|as|in order)\b))"
)
_WHO = r"(?P<who>I|we|[Hh]e|[Ss]he|[Tt]hey|[A-Z][\w'-]+)"
_NEW = re.compile(
    r"\b(?:now|from now on|as of|no longer|not .{1,30} any ?more|instead|new|changed|switched|moved|updated|recently|just|this time)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|don['’]?t|doesn['’]?t|no longer|avoid|stop|without|instead of|rather than)\b", re.IGNORECASE)

# A statement that names what it replaces: `old`, and where it says so what stands there now. Before each pattern the words without
# which it cannot match: most sentences hold none, and looking for those costs a hundredth.
_OLD = r"(?P<old>[\w./+#@-]+(?: [\w./+#@-]+){0,2}?)"
_REPLACING = (
    (
        ("instead of", "rather than", "in place of"),
        re.compile(rf"\b{_VALUE} (?:instead of|rather than|in place of) (?:using |the |a |an )?{_OLD}{_END}", re.IGNORECASE),
    ),
    (
        ("switch", "mov", "migrat", "chang", "renam", "convert", "upgrad", "relocat"),
        re.compile(
            r"\b(?:switch|mov|migrat|chang|renam|convert|upgrad|relocat)\w{0,4}\b.{0,60}?"
            rf"\bfrom (?:using |the |my |our )?{_OLD} (?:over )?to (?:using |the |a |an )?{_VALUE}{_END}",
            re.IGNORECASE,
        ),
    ),
    (
        ("replac",),
        re.compile(rf"\breplac(?:e|ed|es|ing) (?:the |my |our |a |an )?{_OLD} (?:with|by) (?:the |a |an )?{_VALUE}{_END}", re.IGNORECASE),
    ),
    (
        ("no longer", "stop", "quit"),
        re.compile(
            r"\b(?:no longer|stop(?:ped)?|quit) (?:us(?:e|es|ing) |liv(?:e|es|ing) in |work(?:s|ing)? (?:at|for) )"
            rf"(?:the |a |an )?{_OLD}{_END}",
            re.IGNORECASE,
        ),
    ),
    (
        ("drop", "ditch", "got rid of"),
        re.compile(rf"\b(?:we|I) (?:have |just )?(?:dropped|ditched|got rid of) (?:the |our )?{_OLD}{_END}", re.IGNORECASE),
    ),
    (
        (" is ", " are "),
        re.compile(
            rf"(?:^|[,;:—–(]|\band)\s*{_OLD} (?:is|are) (?:now )?(?:gone|out|deprecated|retired|no longer (?:used|in use)){_END}",
            re.IGNORECASE,
        ),
    ),
    (
        ("any more", "anymore"),
        re.compile(rf"\b(?:do not|don['’]?t) (?:use|want|need) {_OLD} any ?more\b", re.IGNORECASE),
    ),
)
_ASSERTS = re.compile(
    r"\b(?:use|uses|used|using|prefer|prefers|keep|want|go with|stick (?:to|with)|live in|lives in|living in|work at|works at|work for"
    r"|works for|is|are|on|with|have|has|run|runs)\b",
    re.IGNORECASE,
)
# A known relation of somebody: the verbs of one line say the same thing.
_ADVERBS = r"(?:['’]m| am| is| are|['’]s|['’]ve| have| has)?(?: now| just| recently){0,2}"
_RELATIONS = (
    (
        "lives",
        ("live", "living", "moved", "moving", "relocated"),
        re.compile(rf"\b{_WHO}{_ADVERBS} (?:live|lives|living|moved|relocated|moving)(?: now)? (?:in|to) {_VALUE}{_END}"),
    ),
    (
        "works",
        ("work", "started", "joined"),
        re.compile(rf"\b{_WHO}{_ADVERBS} (?:(?:work|works|working|started(?: working)?)(?: now)? (?:at|for)|joined) {_VALUE}{_END}"),
    ),
)
_PURPOSE_NEEDS = ("use", "using", "prefer", "go with")
_PURPOSE = re.compile(
    rf"\b(?:use|using|uses|prefer|go with) {_VALUE} (?:for|as) (?:all |the |our |my |any |your )?"
    rf"(?P<purpose>[\w-]+(?: [\w-]+){{0,2}}?){_END}",
    re.IGNORECASE,
)
# What something is; it counts only where the later sentence says that it is new.
_OWNED_NEEDS = (" is ", " are ", "changed to")
_OWNED = re.compile(
    rf"\b(?P<owner>[Mm]y|[Oo]ur|[Tt]he|[A-Z][\w-]+['’]s) (?P<what>[a-z0-9][\w-]*(?: [a-z0-9][\w-]*){{0,2}}?)"
    rf" (?:is|are|has changed to|changed to|was changed to|has been changed to)(?: now)?(?: called| named| set to)?"
    rf" (?:the |a |an )?{_VALUE}{_END}"
)


@dataclass(frozen=True, slots=True)
class SubjectStatement:
    """What one sentence states of a subject.

    subject   what it is about, "" where it only names what it ends.
    value     search terms of what it states; ended: of what it states is no longer so.
    is_new    the sentence itself says that this is new.
    """

    subject: str
    value: tuple[str, ...]
    ended: tuple[str, ...]
    is_new: bool
    sentence: str


@lru_cache(maxsize=4096)
def parse_statements(text: str) -> tuple[SubjectStatement, ...]:
    """Return the statements of a user's text that are understood, in order."""
    return tuple(each for sentence in _sentences(text) for each in _read(sentence))


def find_replaced(said: Iterable[tuple[str, int, int, str, bool]]) -> dict[str, tuple[str, str]]:
    """Return which of these texts a later one of the user replaces, by the newest that does.

    said     (id, at_ns, seq, text, whether the user said it).
    Returns  id → (id of the newest that replaces it, the sentence that does).
    """
    ordered = sorted(said, key=lambda each: (each[1], each[2], each[0]))
    read = [(record_id, parse_statements(text), text, is_user) for record_id, _, _, text, is_user in ordered]
    found: dict[str, tuple[str, str]] = {}
    for at, (newer, told, _, is_user) in enumerate(read):
        for older, earlier, text, _ in read[:at] if told and is_user else ():
            for new in told:
                if any(_replaces(new, old) for old in earlier) or (new.ended and _asserts(text, new)):
                    found[older] = (newer, new.sentence[:SAID_CHARS_MAX])  # the newest comes last
                    break
    return {older: _newest(found, older) for older in found}


def _newest(found: dict[str, tuple[str, str]], older: str) -> tuple[str, str]:
    """What replaces may have been replaced in its turn; each is older than what replaces it, so this ends."""
    newer, sentence = found[older]
    while newer in found:
        newer, sentence = found[newer]
    return newer, sentence


def _replaces(new: SubjectStatement, old: SubjectStatement) -> bool:
    is_same = bool(new.subject) and new.subject == old.subject and new.value != old.value
    return is_same and (new.is_new or not new.subject.startswith(_WHAT))


def _asserts(text: str, new: SubjectStatement) -> bool:
    """An earlier text says, and does not deny, what has ended."""
    for sentence in _sentences(text):
        held = set(extract_terms(sentence))
        is_of_old = held.issuperset(new.ended) and not (new.value and held.issuperset(new.value))
        if is_of_old and _ASSERTS.search(sentence) and not _NOT.search(sentence) and not sentence.endswith("?"):
            return True
    return False


def _sentences(text: str) -> Iterator[str]:
    for line in text[:TEXT_CHARS_MAX].split("\n"):
        yield from (sentence for sentence in split_sentences(line) if len(sentence) <= SENTENCE_CHARS_MAX)


def _read(sentence: str) -> Iterator[SubjectStatement]:
    if sentence.endswith("?"):
        return
    low = sentence.lower()
    is_new = _NEW.search(low) is not None
    for needs, pattern in _REPLACING:
        if any(word in low for word in needs) and (match := pattern.search(sentence)):
            value, ended = tuple(extract_terms(match.groupdict().get("value") or "")), tuple(extract_terms(match["old"]))
            if ended and ended != value:
                yield SubjectStatement("", value, ended, is_new=True, sentence=sentence)
    for relation, needs, pattern in _RELATIONS:
        if not any(word in low for word in needs):
            continue
        match = pattern.search(sentence)
        if match is None or _NOT.search(sentence[: match.end()]):
            continue
        # `we moved to the next step` is no address: a place has a capital, and a person moves there.
        if relation == "lives" and (match["who"].lower() in ("they", "we") or not match["value"][:1].isupper()):
            continue
        if value := _value(match["value"]):
            who = "user" if match["who"] in ("I", "we") else match["who"].lower()
            yield SubjectStatement(f"{relation} {who}", value, (), is_new, sentence)
    match = _PURPOSE.search(sentence) if any(word in low for word in _PURPOSE_NEEDS) else None
    if match and not _NOT.search(sentence[: match.start()]) and (value := _value(match["value"])):
        yield SubjectStatement(f"for {' '.join(extract_terms(match['purpose']))}", value, (), is_new, sentence)
    match = _OWNED.search(sentence) if any(word in low for word in _OWNED_NEEDS) else None
    if match and not _NOT.search(sentence[match.start() : match.end()]) and (value := _value(match["value"])):
        owner = "user" if match["owner"].lower() in ("my", "our", "the") else match["owner"].lower()
        yield SubjectStatement(f"{_WHAT}{owner} {' '.join(extract_terms(match['what']))}", value, (), is_new, sentence)


def _value(words: str) -> tuple[str, ...]:
    found = tuple(extract_terms(words))
    return found if len(words.split()) <= VALUE_WORDS_MAX else ()
