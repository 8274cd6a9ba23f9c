"""Rows: candidates of questions about long conversations, as recall itself collects them, with what is known to be right.

Each question is asked with its gold sessions, without them, and again in a part of its haystack, so that a model sees stores of a few
turns as well as of hundreds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.recall.source import LONGMEMEVAL, Haystack, Question, hashed, haystacks
from bench.recall.store import name_of, remember
from clew.engine import Engine
from clew.ranking.question import Question as Asked
from clew.recall.recall import Found, find
from clew.settings import find_workspace
from clew.store.ports import LOCAL, Snapshot
from train.recall.dialogue import as_dialogue

DIALOGUE = "dialogue"  # the name of LongMemEval's haystacks as dialogues
SMALL_SESSIONS = 4  # of a haystack's part


@dataclass(frozen=True, slots=True)
class Row:
    """One question in one haystack or part of it.

    gold_count  how many gold turns there are.
    is_held     whether the haystack answers the question; is_small: it is a part of one.
    """

    set: str
    haystack: str
    kind: str
    is_held: bool
    is_small: bool
    found: Found | None
    gold_count: int


def collect(engine: Engine, work: Path, data: Path, name: str, limit: int | None = None) -> Iterator[Row]:
    """Yield the rows of one of the sets, in the order of the haystacks."""
    place = work / name
    place.mkdir(parents=True, exist_ok=True)
    many = list(haystacks(data, LONGMEMEVAL if name == DIALOGUE else name, limit))
    many = [as_dialogue(haystack) for haystack in many] if name == DIALOGUE else many
    if sum(remember(engine, place, haystack) for haystack in many):
        engine.store.refresh(find_workspace(place)[0])
    with engine.store.snapshot(LOCAL, find_workspace(place)[0]) as snapshot:
        for haystack in many:
            for question in haystack.questions:
                yield from _ask(snapshot, name, haystack, question)


def _ask(snapshot: Snapshot, name: str, haystack: Haystack, question: Question) -> Iterator[Row]:
    sessions = [session.id for session in haystack.sessions]
    gold, others = question.gold_sessions, [each for each in sessions if each not in question.gold_sessions]
    others.sort(key=lambda each: hashed(question.id, each))
    small = others[: max(1, SMALL_SESSIONS - len(gold))]
    yield _row(snapshot, name, haystack, question, sessions, is_held=not question.is_unanswerable)
    if not question.is_unanswerable:
        yield _row(snapshot, name, haystack, question, others, is_held=False)
        yield _row(snapshot, name, haystack, question, [*gold, *small], is_held=True, is_small=True)
        yield _row(snapshot, name, haystack, question, others[-SMALL_SESSIONS:], is_held=False, is_small=True)


def _row(
    snapshot: Snapshot,
    name: str,
    haystack: Haystack,
    question: Question,
    sessions: Collection[str],
    *,
    is_held: bool,
    is_small: bool = False,
) -> Row:
    names = [name_of(session) for session in haystack.sessions if session.id in sessions]
    found = find(snapshot, Asked.of(question.text), only=names, asked_ns=question.asked_ns)
    return Row(name, haystack.id, question.kind, is_held, is_small, found, len(question.gold_turns))
