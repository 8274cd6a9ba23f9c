"""Find the sentences in which an agent, a user or a tool says that an attempt failed.

Readers of plain text: what the agent says when it gives something up, meets an obstacle, supposes a cause or finds that it was
another, what the user says to turn the agent round, and which lines of an output mean that the same way will not work here.
A weight between 0 and 1 says how probable it is that somebody would walk into it again if it were not written down. The
weights are guesses, in the order of how plainly the words say it; a list of dead ends is cut by them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from clew.task.prompts import split_sentences
from clew.task.vocabulary import COMMON_WORDS, PATTERNS, matches_any

SENTENCE_CHARS_MAX = 400  # guess: a longer one is pasted
BEFORE_CHARS_MIN = 24  # a shorter sentence ("Fair point.") gives no reason
CAUSE_CHARS_MIN = 40  # "The issue is:" names none
REPORT_CHARS = 1_500  # guess: a message beyond it reports; its obstacles are those of others, unless it says plainly "I was wrong"
STATEMENTS_MAX = 2  # guess: of one message
STEM_CHARS = 6  # guess: "expires" and "expired" are one word
MESSAGE_CHARS_MAX = 20_000
THEORY_CHARS_MIN = 30  # a shorter one names no cause
REFUTING_MAX = 24  # sentences: what refutes a theory stands in front
BRIEF_CHARS = 600  # guess: in a message this short what is impossible concerns what was just done
OUTPUT_CHARS = 4_000  # of each end of an output: refusals of a tool stand at its ends

GAVE_UP_WEIGHT, OBSTACLE_WEIGHT, CAUSE_WEIGHT = 0.75, 0.5, 0.35
CORRECTED_WEIGHT, DOUBTED_WEIGHT = 0.55, 0.42

_QUOTED = re.compile(r"[(=;{]")  # the line of code that a compiler prints below its word about it

_WORDS = re.compile(r"[A-Za-z_][\w-]{2,60}")


@dataclass(frozen=True, slots=True)
class Setback:
    """A sentence that says that an attempt failed, its reason ("" for none), and the estimated probability of a repetition, 0 to 1."""

    text: str
    reason: str
    weight: float


def find_setbacks(message: str, *, with_causes: bool = True) -> list[Setback]:
    """Return the sentences of an agent's message that say what it gave up or cannot do, highest weight first, at most STATEMENTS_MAX.

    An obstacle counts only beside a change of course ("… does not exist, so I'll …", "Let me use … instead").
    with_causes  also return the causes of a failure that it says it found.
    """
    is_report = len(message) > REPORT_CHARS
    found: list[tuple[float, int, Setback]] = []
    every = _said_in(message[:MESSAGE_CHARS_MAX])
    for at, (sentence, is_listed) in enumerate(every):
        if len(sentence) > SENTENCE_CHARS_MAX or len(sentence) < 8 or sentence.endswith("?"):
            continue
        before = every[at - 1][0] if at and len(every[at - 1][0]) <= SENTENCE_CHARS_MAX else ""
        after = every[at + 1][0] if at + 1 < len(every) and len(every[at + 1][0]) <= SENTENCE_CHARS_MAX else ""
        plain = sentence.lower()  # searching lower case by itself is twice as fast as ignoring case
        said = PATTERNS.search("gave_up", plain)
        if said and not matches_any(plain[: said.start()], "about_others") and not (is_report and is_listed):
            context = before if len(before) >= BEFORE_CHARS_MIN else ""
            found.append((GAVE_UP_WEIGHT, at, Setback(sentence, context, GAVE_UP_WEIGHT)))
        elif is_report or is_listed:
            continue
        elif (met := PATTERNS.search("obstacle", plain)) and not matches_any(plain[: met.start()], "about_others"):
            is_turn, is_pivot = matches_any(plain, "turn"), matches_any(plain, "pivot")
            is_plain = matches_any(plain, "impossible")
            if is_turn or is_pivot or matches_any(after.lower(), "turn") or (is_plain and len(message) <= BRIEF_CHARS):
                weight = round(
                    OBSTACLE_WEIGHT + 0.1 * is_pivot + 0.05 * is_plain - 0.1 * (not (is_turn or is_plain or "instead" in after)), 2
                )
                found.append((weight, at, Setback(sentence, after, weight)))
        elif (
            with_causes
            and len(sentence) >= CAUSE_CHARS_MIN
            and (matches_any(plain, "cause") or (matches_any(plain, "surprised") and not matches_any(plain, "turn")))
        ):
            found.append((CAUSE_WEIGHT, at, Setback(sentence, after, CAUSE_WEIGHT)))
    found.sort(key=lambda row: (-row[0], row[1]))
    kept: list[Setback] = []
    for _, _, setback in found:
        if not any(setback.text in other.reason or other.text in setback.reason for other in kept):
            kept.append(setback)
    return kept[:STATEMENTS_MAX]


def rate_concession(message: str) -> float:
    """Return how clearly an agent's message accepts a correction at its start: 1 for "You're right", 0.5 for "Got it", else 0."""
    found = PATTERNS["concedes"].match(message.lstrip())
    return 0.0 if found is None else 0.5 if matches_any(found[0], "soft") else 1.0


def rate_correction(words: str) -> float:
    """Return how clearly a prompt corrects the agent: CORRECTED_WEIGHT, DOUBTED_WEIGHT for a question, 0 for another request."""
    head = words[:600]
    if not matches_any(head, "turns_round"):
        return 0.0
    return DOUBTED_WEIGHT if matches_any(head, "asks_only") or head.rstrip().endswith("?") else CORRECTED_WEIGHT


def find_permanent_failure(output: str) -> tuple[float, str]:
    """Return (weight, line) of the line of an output that says that the same call cannot succeed (no such option, not allowed).

    (0.0, "") where there is none.
    """
    text = output if len(output) <= 2 * OUTPUT_CHARS else f"{output[:OUTPUT_CHARS]}\n{output[-OUTPUT_CHARS:]}"
    plain = text.lower()
    plain = plain if len(plain) == len(text) else text  # a few letters of other alphabets grow
    for pattern, weight in ((PATTERNS["missing"], 0.65), (PATTERNS["denied"], 0.6), (PATTERNS["unsupported"], 0.55)):
        if found := pattern.search(plain):
            start = text.rfind("\n", 0, found.start()) + 1
            end = text.find("\n", found.end())
            return weight, text[start : end if end >= 0 else len(text)].strip()[:SENTENCE_CHARS_MAX]
    return 0.0, ""


def find_too_large_notice(output: str) -> str:
    """Return the line of a tool's output that says that the output was too large; "" where there is none."""
    head = output[:1_000]
    plain = head.lower()
    found = PATTERNS.search("too_large", plain)
    return _line_at(head, found.start(), found.end()).removeprefix("<persisted-output>").strip() if found else ""


def find_no_result_sentence(output: str) -> str:
    """Return the sentence at the beginning of a tool's output that says that nothing was found; "" where there is none."""
    for line in output[:1_200].split("\n"):
        for part in split_sentences(line):
            sentence = part.strip(" *_#>-")
            if (
                12 <= len(sentence) <= SENTENCE_CHARS_MAX
                and not sentence.startswith("agentId:")
                and matches_any(sentence.lower().replace("*", ""), "no_answer")
            ):
                return sentence
    return ""


def find_missing_lines(output: str, most: int = 3) -> list[str]:
    """Return the lines of an output that say that something does not exist or is forbidden by a linter, each once, at most `most`."""
    text = output if len(output) <= 4 * OUTPUT_CHARS else f"{output[: 2 * OUTPUT_CHARS]}\n{output[-2 * OUTPUT_CHARS :]}"
    plain = text.lower()
    plain = plain if len(plain) == len(text) else text
    found: dict[str, None] = {}
    for pattern, words in ((PATTERNS["missing_things"], plain), (PATTERNS["rule_broken"], text)):
        for each in pattern.finditer(words):
            line = _line_at(text, each.start(), each.end())
            quoted = _line_at(text, end, end) if 0 <= (end := text.find("\n", each.end()) + 1) < len(text) and end else ""
            if len(line) <= SENTENCE_CHARS_MAX // 2 and 8 <= len(quoted) <= SENTENCE_CHARS_MAX // 2 and _QUOTED.search(quoted):
                line = f"{line} | {quoted}"
            if line not in found and len(line) <= SENTENCE_CHARS_MAX:
                found[line] = None
                if len(found) == most:
                    return list(found)
    return list(found)


def has_error_line(output: str) -> bool:
    """Return whether a line of an output begins as error messages do."""
    return matches_any(output[:OUTPUT_CHARS].lower(), "in_error")


def find_theories(message: str) -> list[str]:
    """Return the sentences of an agent's message that suppose a cause, verbatim, at most the last four."""
    found = [
        sentence
        for sentence, _ in _said_in(message[:MESSAGE_CHARS_MAX])
        if THEORY_CHARS_MIN <= len(sentence) <= SENTENCE_CHARS_MAX and sentence[-1] != "?" and _supposes(sentence)
    ]
    return found[-4:]


def find_refutations(message: str) -> list[tuple[str, str, bool]]:
    """Return the sentences at the start of an agent's message that may refute a theory, each as (sentence, previous one, is explicit)."""
    found: list[tuple[str, str, bool]] = []
    before = ""
    for sentence, _ in _said_in(message[:MESSAGE_CHARS_MAX])[:REFUTING_MAX]:
        if 12 <= len(sentence) <= SENTENCE_CHARS_MAX:
            if sentence[-1] != "?" and matches_any(sentence, "refuted"):
                plain = sentence.lower()
                is_plain = matches_any(plain, "plainly")
                if is_plain or not matches_any(plain, "supposes"):
                    found.append((sentence, before, is_plain))
            before = sentence
    return found[:6]


def extract_content_words(text: str) -> frozenset[str]:
    """Return the stems, in lower case, of the words of a sentence that are longer than three letters and not common ones."""
    return frozenset(
        word[:STEM_CHARS] for each in _WORDS.findall(text) if len(word := each.lower().rstrip("s")) > 3 and word not in COMMON_WORDS
    )


def count_shared_words(words: frozenset[str], text: str) -> int:
    """Return how many of these stems, made by `extract_content_words`, a text contains."""
    return sum(map(text.lower().__contains__, words))


def _line_at(text: str, start: int, end: int) -> str:
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    return text[first : last if last >= 0 else len(text)].strip()


def _supposes(sentence: str) -> bool:
    plain = sentence.lower()
    return PATTERNS.search("theory", plain) is not None


@lru_cache(maxsize=4)  # several readers ask the same message one after the other
def _said_in(message: str) -> tuple[tuple[str, bool], ...]:
    """The sentences of a message outside fences, and of each whether it stands in a list."""
    return tuple(
        (sentence, is_listed)
        for line in _outside_fences(message)
        for is_listed in (matches_any(line, "of_a_list"),)
        for part in split_sentences(line)
        if (sentence := part.strip(" *_#>-"))
    )


def _outside_fences(text: str) -> list[str]:
    lines: list[str] = []
    is_fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("```", "~~~")):
            is_fenced = not is_fenced
        elif not is_fenced:
            lines.append(line)
    return lines
