"""Dialogue: the same conversations as if two people with names had held them, in short turns.

People who talk with each other say one thing at a time, and a question about them names one of them. The set of assistants'
conversations has neither, and the public set of people's conversations may not be trained on (CC BY-NC). So each turn is cut into pieces of
a few sentences that begin with their speaker's name, and `I` in a question becomes that name. A question that names the other speaker
has no answer.
"""

from __future__ import annotations

import re
from dataclasses import replace

from bench.recall.report import ADVERSARIAL
from bench.recall.source import Haystack, Held, Said, hashed
from clew.task.prompts import split_sentences
from clew.text.words import extract_terms

USER, OTHER = "Alex", "Sam"
PIECE_WORDS = 25  # of a piece, about: LoCoMo's turns are as long
OTHER_PIECES_MAX = 1  # of what the assistant said: people do not write essays to each other
_FIRST_PERSON = (
    (r"\b(?:do|am|did|have|was|had) I\b", lambda name: f"did {name}"), (r"\bI(?:'m| am|'ve| have|'d)?\b", lambda name: name),
    (r"\b[Mm]y\b", lambda name: f"{name}'s"), (r"\b(?:me|myself)\b", lambda name: name), (r"\bmine\b", lambda name: f"{name}'s"),
)  # fmt: skip


def as_dialogue(haystack: Haystack) -> Haystack:
    """Return a haystack of LongMemEval as a dialogue, each of its questions asked of the user, and once more of the other speaker."""
    [question] = haystack.questions
    wanted = frozenset(extract_terms(f"{question.text} {question.answer}"))
    pieces: dict[str, list[Said]] = {}
    held = tuple(_cut(session, question.gold_turns, wanted, pieces) for session in haystack.sessions)
    gold = frozenset(piece.uuid for found in pieces.values() for piece in found)
    asked = replace(question, text=name_speaker(question.text, USER), gold_turns=gold, gold_sessions=_dialogue_ids(question.gold_sessions))
    swapped = replace(asked, id=f"{question.id}/other", kind=ADVERSARIAL, text=name_speaker(question.text, OTHER))
    has_speaker = asked.text != question.text
    return Haystack(haystack.id, held, (asked, swapped) if has_speaker and not question.is_unanswerable else (asked,))


def name_speaker(text: str, name: str) -> str:
    """Return a question in the first person as one about `name`."""
    for form, make in _FIRST_PERSON:
        text = re.sub(form, make(name), text)
    return text


def _dialogue_ids(sessions: frozenset[str]) -> frozenset[str]:
    return frozenset(hashed("dialogue", each) for each in sessions)


def _cut(session: Held, gold: frozenset[str], wanted: frozenset[str], found: dict[str, list[Said]]) -> Held:
    turns: list[Said] = []
    for turn in session.turns:
        name = USER if turn.is_user else OTHER
        texts = _pieces(turn.text)[: None if turn.is_user or turn.uuid in gold else OTHER_PIECES_MAX]
        said = [Said(hashed(turn.uuid, str(at)), is_user=True, text=f"{name}: {text}") for at, text in enumerate(texts)]
        turns += said
        if turn.uuid in gold and said:
            best = max(said, key=lambda each: (len(wanted.intersection(extract_terms(each.text))), each.uuid))
            found.setdefault(turn.uuid, []).append(best)
    return Held(hashed("dialogue", session.id), session.at_ns, tuple(turns))


def _pieces(text: str) -> list[str]:
    """Sentences put together until they have PIECE_WORDS."""
    out: list[str] = []
    now: list[str] = []
    for line in text.split("\n"):
        for sentence in split_sentences(line):
            now += sentence.split()
            if len(now) >= PIECE_WORDS:
                out.append(" ".join(now))
                now = []
    return [*out, " ".join(now)] if now else out
