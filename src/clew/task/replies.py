"""Recognise replies of the user to the agent: an assent, a choice of one of the agent's options, a cancellation; in seven languages.

A reply displaces no request: it is shown with what it replies to. Words come from `replies.toml`; where a text holds anything else, it
is a request. Which option is meant is read from the agent's own list, and left open where that is not clear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from operator import eq

from clew.task.vocabulary import load_toml

ASSENT_CHARS_MAX = 80  # guess
AMENDMENT_WORDS_MAX = 12  # behind a choice: a longer text asks for more than it chooses; guess
CHOICE_WORDS_MAX = 10  # of one that names an option by its words; guess
OPTION_CHARS_MAX = 700  # of the agent's text of one option; guess
ASKED_CHARS_MAX = 600  # of what the agent asked, from its end; guess
NAMING_CHARS_MAX = 100  # of a proposal that only names an option: "Shall I go on with option 2?"; guess
OPTIONS_MAX = 24
RELATED_CHARS_MIN = 4  # that stems of two words of one family share; guess
MIDDLE = -4  # the place in `ordinals` that stands for the middle one of an odd number

_DATA: dict[str, dict[str, str]] = load_toml("replies.toml")
_GAP = r"[\s,.!:;…~—–\-、。！，：；()（）\"'*_]*"
_MARK = r"(?P<mark>\d{1,2}|[a-z])(?![\w%])"
_OPTION = re.compile(
    r"^(?P<indent>[ \t]{0,8})(?:#{1,5}[ \t]+|[-*•][ \t]+)?(?:\*\*|__)?[ \t]?"
    r"(?:(?P<word>(?i:option|approach|variant|alternative|choice|plan|variante|ansatz|lösung|solution|approche|opción|вариант|подход)"
    r"|方案|选项|案)[ \t]?)?[(（]?(?P<mark>\d{1,2}|[A-Za-z]|[一二三四五六七八九])(?P<end>[.)）:：、．—–-]|\*\*)[ \t]*(?P<text>\S.*)$"
)
_NAMED_OPTION = re.compile(
    r"(?i:\b(?:options?|approach|variant|alternative|choice|plan|number|no\.|variante|ansatz|lösung|solution|approche|opción|вариант|подход)\s"
    r"|#|方案|选项)[ \t]?[(]?(\d{1,2}|[A-H])\b"
)
_BULLET = re.compile(r"^[ \t]{0,3}[-*•][ \t]+(?P<text>\S.*)$")
_SIGNS = frozenset(sign.replace("\ufe0f", "") for sign in _DATA["assent"].pop("signs").split("|"))
_FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f\u200d]+")
_WORDS = re.compile(r"[^\W_]{2,}")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_SENTENCE_END = re.compile(r"(?<=[.!?。！？\n])\s*")
_PART = re.compile(r"(?<=[.!?;:,。！？；：，、])\s*|\s+[—–-]\s+|\s+(?:and|then|und|dann|et|puis|y|luego|и)\s+")
_ANSWERS = re.compile(r"(?:^|[\s,;.])\d{1,2} ?[-–:.)] ?\w")  # "1 - yes, 2 - no": several questions are answered
_CHINESE = {digit: str(number) for number, digit in enumerate("一二三四五六七八九", 1)}
_JOINED = r"(?:\s*[,&+和と]\s*|\s+(?:and|und|et|y|и)\s+)"
_ENUMERATED = re.compile(_JOINED)
_INLINE = re.compile(r"(?<![\w(])\((?P<mark>\d{1,2}|[a-h])\)\s+")
_ROW = re.compile(r"^\s{0,3}\|\s*\**(?P<mark>\d{1,2}|[A-Ha-h])[.)]?\**\s*\|(?P<text>.*\S.*?)\|?\s*$", re.MULTILINE)
HEAD_CHARS = 60  # of an option's text, that name it; guess
NAMED_WORDS_MAX = 4  # of a reply that names an option by nothing but its words; guess


@dataclass(frozen=True, slots=True)
class OfferedOption:
    """One of the options that the agent listed: its number or letter ("" where the list has none), and its text."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the user to the agent's last message.

    chosen      the options that it chooses, () for none or where it is not clear.
    is_request  it also asks for something, so that it is a request of its own.
    """

    chosen: tuple[OfferedOption, ...] = ()
    is_request: bool = False


def is_assent(text: str) -> bool:
    """Return whether a prompt only lets the agent go on, or chooses in one or two words: "yes", "ok, continue", "option 2"."""
    plain = _plain(text)
    if not plain and _is_sign(text):
        return True
    if not plain or len(plain) > ASSENT_CHARS_MAX:
        return False
    return bool(_assents().fullmatch(plain) or (plain.count(" ") <= 1 and _choices().fullmatch(plain)))


def read_reply(words: str, message: str) -> Reply | None:
    """Return what kind of reply the user's words are to the agent's message before them, None where they are a request."""
    plain = _plain(words)
    if not plain:
        return Reply() if _is_sign(words) else None
    options = read_options(message)
    if len(plain) <= ASSENT_CHARS_MAX and _assents().fullmatch(plain):
        return Reply()
    if "\n" in words.strip():  # a list of the user's own
        return None
    chosen = _chosen_by_mark(plain, options)
    if chosen is not None:
        return chosen
    named = _chosen_by_name(plain, options, is_asked=asks_user(message))
    return Reply(named, is_request=words.rstrip().endswith(("?", "？"))) if named else None


def read_options(message: str) -> list[OfferedOption]:
    """Return the options of the last list in a message of the agent, in order; [] where it lists fewer than two."""
    if len(found := _listed_options(message, _OPTION)) >= 2:
        return found
    if len(found := _tabled_options(message)) >= 2:  # before bullets: those behind it say what else can be answered
        return found
    for found in (_listed_options(message, _BULLET), _inline_options(message)):
        if len(found) >= 2:
            return found
    return []


def _tabled_options(message: str) -> list[OfferedOption]:
    """The rows of a table whose first column counts."""
    rows = [OfferedOption(row["mark"].lower(), row["text"].strip().strip("|").replace("|", "–").strip()) for row in _ROW.finditer(message)]
    return rows if _counts_up([row.mark for row in rows]) else []


def _inline_options(message: str) -> list[OfferedOption]:
    """The options within a sentence: "(1) a heap, (2) a table"."""
    found = list(_INLINE.finditer(message))
    last = max((at for at, each in enumerate(found) if each["mark"] in ("1", "a")), default=0)
    found = found[last:]
    if not found:
        return []
    ends = [each.start() for each in found[1:]] + [len(message)]
    texts = [_SENTENCE_END.split(message[each.end() : end])[0].strip(" ,;\n") for each, end in zip(found, ends, strict=True)]
    marks = [each["mark"] for each in found]
    return [OfferedOption(mark, text) for mark, text in zip(marks, texts, strict=True)] if _counts_up(marks) and all(texts) else []


def _counts_up(marks: Sequence[str]) -> bool:
    first = "1" if marks[:1] == ["1"] else "a"
    return list(marks) == ([str(at + 1) for at in range(len(marks))] if first == "1" else [chr(ord("a") + at) for at in range(len(marks))])


def find_asked(message: str) -> str:
    """Return the question or the proposal with which a message of the agent ends, verbatim; its last lines where it asks nothing."""
    lines = message.strip().split("\n")
    last = max((at for at, line in enumerate(lines) if line.rstrip(' *_`)"').endswith(("?", "？"))), default=len(lines) - 1)
    if last < len(lines) - 6:  # a question long before the end is not what was answered
        last = len(lines) - 1
    text = lines[last].strip()
    if len(text) <= ASKED_CHARS_MAX:
        return text
    kept = ""
    for sentence in reversed(_SENTENCE_END.split(text)):
        if kept and len(kept) + len(sentence) > ASKED_CHARS_MAX:
            break
        kept = f"{sentence} {kept}".strip()
    return kept if len(kept) <= ASKED_CHARS_MAX else f"… {kept[-ASKED_CHARS_MAX:].partition(' ')[2]}"


def find_proposal(message: str) -> str:
    """Return what an assent to a message of the agent assents to: as `find_asked`, behind the option whose number alone it names."""
    asked = find_asked(message)
    marks = {mark.lower() for mark in _NAMED_OPTION.findall(asked)}
    if len(marks) != 1 or len(asked) > NAMING_CHARS_MAX:
        return asked
    (mark,) = marks
    listed = enumerate(read_options(message), 1)
    named = [each.text for at, each in listed if (each.mark or str(at)) == mark and each.text not in asked]
    return f"{mark}. {named[0]}\n{asked}" if len(named) == 1 else asked


def asks_user(message: str) -> bool:
    """Return whether a message of the agent ends with a question: one of its last lines does."""
    lines = [line.rstrip(' *_`)"') for line in message.strip().split("\n") if line.strip()]
    return any(line.endswith(("?", "？")) for line in lines[-3:])


def cancelled_steps(words: str, steps: Sequence[str]) -> list[int]:
    """Return the indices of the steps of a plan that these words of the user cancel: all of them, or those that the words name."""
    found: set[int] = set()
    for line in _FENCED.sub("", words[:2_000]).split("\n"):
        for part in _PART.split(line):
            rest = _cancelled_part(_plain(part))
            if rest is None:
                continue
            if _whole().fullmatch(rest) and (len(rest.split()) > 1 or not _interrupt().match(_plain(part))):
                return list(range(len(steps)))
            stems = _stems(_condition().split(rest, 1)[0])
            named = frozenset(stem for stem in stems if len(stem) >= RELATED_CHARS_MIN)
            for at, step in enumerate(steps):
                own = _stems(step)
                if own and (_related(own, stems) * 2 > len(own) or (named and _related(named, own) == len(named))):
                    found.add(at)
    return sorted(found)


def is_cancelling_all(words: str) -> bool:
    """Return whether the user's words take back what is being done as a whole: "never mind", "forget the plan"."""
    return bool(cancelled_steps(words, ("",)))


def is_doubt(words: str) -> bool:
    """Return whether the user's words say that what was asked for is not as it should be."""
    return _doubt().search(_plain(words[:600])) is not None


# The pieces.


def _plain(text: str) -> str:
    return " ".join(_EMOJI.sub(" ", text.replace("’", "'").replace("`", "")).casefold().split()).strip(" .!,;:…。！，")


def _is_sign(text: str) -> bool:
    """Whether a text is nothing but signs of assent."""
    return bool(text.strip()) and all(sign in _SIGNS for sign in text.replace("\ufe0f", "").split() or [text])


def _phrases(*kinds: str) -> Iterator[str]:
    for kind in kinds:
        for listed in _DATA[kind].values():
            yield from (phrase.strip() for phrase in listed.replace("\n", "").split("|"))


def _any_of(phrases: Iterable[str]) -> str:
    """A regular expression for one of these phrases, the longest first; words end at their ends, where a script parts words."""
    written: dict[tuple[str, str], list[str]] = {}  # by what bounds a phrase, said once for all of them: that halves the time to compile
    for phrase in sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase)):
        if phrase:
            start = "" if _CJK.match(phrase[0]) or not phrase[0].isalnum() else r"(?<!\w)"
            end = "" if _CJK.match(phrase[-1]) or not phrase[-1].isalnum() else r"(?!\w)"
            written.setdefault((start, end), []).append(r"[\s\-]+".join(map(re.escape, phrase.split())))
    return "(?:" + "|".join(f"{start}(?:{'|'.join(alike)}){end}" for (start, end), alike in written.items()) + ")"


@cache
def _assents() -> re.Pattern[str]:
    filler, word = _any_of(_phrases("filler", "aside")), _any_of(_phrases("assent", "aside"))
    return re.compile(f"{_GAP}(?:{filler}{_GAP}){{0,3}}{word}{_GAP}(?:(?:{word}|{filler}){_GAP}){{0,6}}")


@cache
def _ordinals() -> dict[str, int]:
    return {phrase.strip(): int(place) for place, listed in _DATA["ordinals"].items() for phrase in listed.replace("\n", "").split("|")}


@cache
def _choices() -> re.Pattern[str]:
    """A choice at the beginning of a reply; `picked` is what is chosen."""
    lead = _any_of(_phrases("choosing", "assent", "filler"))
    one = f"(?:[(]?(?:\\d{{1,2}}|[a-z])[)]?(?![a-zà-ÿа-я0-9_%'])|{_any_of(_ordinals())})"
    after = _any_of((*_phrases("chosen", "filler", "assent"), "thanks", "danke", "merci", "gracias", "谢谢", "спасибо"))
    choosing = _any_of(_phrases("choosing"))
    several = f"{one}(?:{_JOINED}(?:{choosing}\\s*)?{one}){{0,4}}"
    return re.compile(f"{_GAP}(?:{lead}{_GAP}){{0,5}}(?P<picked>{several}){_GAP}(?:{after}{_GAP}){{0,4}}")


@cache
def _leading() -> re.Pattern[str]:
    return re.compile(f"^(?:{_any_of(_phrases('choosing'))}{_GAP})+(?=.)")


@cache
def _amendment() -> re.Pattern[str]:
    return re.compile(_any_of(_phrases("amending")))


@cache
def _doubt() -> re.Pattern[str]:
    return re.compile(_any_of(_phrases("doubt")))


@cache
def _cancel() -> re.Pattern[str]:
    lead = _any_of(
        (*_phrases("assent", "aside", "filler"), "please", "actually", "wait", "stop", "also", "let us", "you can", "we can", "nein")
    )
    return re.compile(f"{_GAP}(?:{lead}{_GAP}){{0,4}}{_any_of(_phrases('cancel', 'interrupt'))}{_GAP}")


@cache
def _interrupt() -> re.Pattern[str]:
    return re.compile(_any_of(_phrases("interrupt")))


@cache
def _condition() -> re.Pattern[str]:
    return re.compile(_any_of(_phrases("condition")))


@cache
def _no_longer() -> re.Pattern[str]:
    return re.compile(f"{_GAP}{_any_of(_phrases('no_longer'))}{_GAP}$")


@cache
def _whole() -> re.Pattern[str]:
    more = _any_of(
        (
            *_phrases("filler"),
            "for now",
            "completely",
            "entirely",
            "altogether",
            "instead",
            "anymore",
            "any more",
            "ab",
            "fallen",
            "nicht mehr",
            "не нужно",
        )
    )
    return re.compile(f"{_GAP}(?:{_any_of(_phrases('whole'))}{_GAP})?(?:{more}{_GAP}){{0,3}}")


def _cancelled_part(plain: str) -> str | None:
    """What stands behind a word of cancellation at the beginning, or before one at the end; None for none."""
    if (found := _cancel().match(plain)) is not None:
        return plain[found.end() :]
    if (found := _no_longer().search(plain)) is not None and found.start():
        return plain[: found.start()]
    for phrase in (*_DATA["cancel"]["ja"].split("|"), *_DATA["cancel"]["zh"].split("|")):
        if phrase.strip() and phrase.strip() in plain[-12:] and _CJK.search(plain):
            return re.sub("[はをがもって]+$", "", plain[: plain.rindex(phrase.strip())])
    return None


def _listed_options(message: str, form: re.Pattern[str]) -> list[OfferedOption]:
    lists: list[list[OfferedOption]] = []
    current: list[OfferedOption] = []
    is_open = is_fenced = False
    for line in message.split("\n"):
        is_fenced ^= line.lstrip().startswith("```")
        found = None if is_fenced else form.match(line)
        mark = _CHINESE.get(found["mark"], found["mark"].lower()) if found and "mark" in form.groupindex else ""
        if found and form is _OPTION and found["end"] in "—–-" and not found["word"]:
            found = None
        if (
            found
            and form is _OPTION
            and mark.isalpha()
            and not found["word"]
            and mark != (chr(ord("a") + len(current)) if current else "a")
        ):
            found = None  # "I: …" in prose is no item
        if found:
            if not current or (mark and mark in ("1", "a") and current[-1].mark != mark):
                current = []
                lists.append(current)
            current.append(OfferedOption(mark, found["text"].strip()))
            is_open = True
        elif current and is_open and line.strip() and len(current[-1].text) + len(line) < OPTION_CHARS_MAX:
            if line.startswith((" ", "\t")) or (form is _OPTION and not line.startswith("#")):
                current[-1] = OfferedOption(current[-1].mark, f"{current[-1].text}\n{line.strip()}")
        elif not line.strip():
            is_open = form is _OPTION and bool(current) and is_open and "\n" not in current[-1].text and _is_heading(current[-1].text)
            if form is _BULLET:
                current = [] if current and not is_open else current
    lists = [each for each in lists if len(each) >= 2]
    return lists[-1][:OPTIONS_MAX] if lists else []


def _is_heading(text: str) -> bool:
    return len(text) < 100 and (text.endswith(("**", ":")) or not text.endswith((".", "。")))


def _chosen_by_mark(plain: str, options: Sequence[OfferedOption]) -> Reply | None:
    """A reply that chooses options by number, letter or place; None where it is no choice."""
    found = _choices().match(plain)
    if found is None:
        return None
    picked = tuple(option for part in _ENUMERATED.split(found["picked"]) if (option := _picked(part, options)))
    rest = plain[found.end() :]
    if not rest:
        return Reply(picked)
    if not picked or not picked[0].mark or _ANSWERS.search(rest):
        return None
    has_gap = not plain[found.end() - 1].isalnum() or bool(_CJK.match(plain[found.end() - 1]))
    is_amended = plain[found.end("picked") : found.end()].strip(" ")[:1] in tuple(",.:;)—–-，。；") or _amendment().match(rest)
    if not has_gap or not is_amended:
        return None
    return Reply(picked, is_request=len(rest.split()) > AMENDMENT_WORDS_MAX or plain.endswith(("?", "？")))


def _picked(part: str, options: Sequence[OfferedOption]) -> OfferedOption | None:
    """The option that one number, letter or ordinal names."""
    bare = _leading().sub("", part).strip(" ()")
    by_mark = next((option for option in options if option.mark == bare), None)
    if by_mark:
        return by_mark
    place = _ordinals().get(bare, int(bare) if bare.isdecimal() else 0)
    if place > 0:
        marked = next((option for option in options if option.mark == str(place)), None)
        if marked or any(option.mark.isdecimal() for option in options):
            return marked
        return options[place - 1] if place <= len(options) else None
    if place and options:
        if place == MIDDLE and len(options) % 2 == 0:
            return None
        return {-1: options[-1], -2: options[-1], -3: options[0], MIDDLE: options[len(options) // 2]}[place]
    return None


def _chosen_by_name(plain: str, options: Sequence[OfferedOption], *, is_asked: bool) -> tuple[OfferedOption, ...]:
    """The one option that shares most words with a short reply; () where that is none or several.

    The reply speaks of choosing, or the agent asked and all words of the reply, a few, stand where the option begins.
    """
    own = _stems(_common().sub(" ", plain))
    if options and is_asked and own and len(plain.split()) <= NAMED_WORDS_MAX:
        whole = [option for option in options if _shared(own, _stems(option.text[:HEAD_CHARS])) == len(own)]
        if len(whole) == 1:
            return (whole[0],)
    if not options or not options[0].mark or len(plain.split()) > CHOICE_WORDS_MAX or not _speaks_of_choosing().search(plain):
        return ()
    if not own:
        return ()
    shares = [_shared(own, _stems(option.text)) for option in options]
    best = max(shares)
    return (options[shares.index(best)],) if best and shares.count(best) == 1 and best * 2 >= len(own) else ()


@cache
def _speaks_of_choosing() -> re.Pattern[str]:
    nouns = [phrase for phrase in _phrases("chosen") if " " not in phrase]
    verbs = [
        phrase
        for phrase in _phrases("choosing")
        if " " in phrase or phrase in ("take", "pick", "choose", "nimm", "lieber", "prends", "plutôt", "elijo", "prefiero")
    ]
    return re.compile(f"^{_GAP}(?:{_any_of(verbs)})|{_any_of(nouns)}{_GAP}$")


@cache
def _common() -> re.Pattern[str]:
    return re.compile(_any_of(_phrases("choosing", "chosen", "filler", "assent", "amending")))


def _shared(some: frozenset[str], others: frozenset[str]) -> int:
    """The number of `some` that stand in `others`, or that begin as one of them does."""
    return sum(any(one.startswith(other) or other.startswith(one) for other in others) for one in some)


def _related(some: frozenset[str], others: frozenset[str]) -> int:
    """The number of `some` that share most of a stem with one of the others: migrieren, Migration."""

    def is_related(one: str, other: str) -> bool:
        common, shorter = sum(takewhile(bool, map(eq, one, other))), min(len(one), len(other))
        return common == shorter or (common >= RELATED_CHARS_MIN and common * 3 >= shorter * 2)

    return sum(any(is_related(one, other) for other in others) for one in some)


def _stems(text: str) -> frozenset[str]:
    """The words of a text by their beginnings, and pairs of signs where a script does not part words."""
    folded = text.casefold()
    pairs = {folded[at : at + 2] for at in range(len(folded) - 1) if _CJK.match(folded[at]) and _CJK.match(folded[at + 1])}
    words = {word[: max(4, len(word) - 3)] for word in _WORDS.findall(folded) if len(word) >= 3 and not _CJK.search(word)}
    return frozenset(pairs | words)
