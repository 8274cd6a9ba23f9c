"""Arms: what each system answers to a question over a haystack: sessions and turns, best first. Ties break by hashed ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from bench.recall.source import Haystack, Question, hashed

_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Answer:
    """Ids of sessions and of turns, best first."""

    sessions: tuple[str, ...]
    turns: tuple[str, ...]


def random(haystack: Haystack, question: Question) -> Answer:
    """Every order is as likely as another."""
    sessions = [session.id for session in haystack.sessions]
    turns = [turn.uuid for session in haystack.sessions for turn in session.turns]
    return Answer(
        tuple(sorted(sessions, key=lambda name: hashed(question.id, name))),
        tuple(sorted(turns, key=lambda name: hashed(question.id, name))),
    )


def oracle(haystack: Haystack, question: Question) -> Answer:
    """The gold, and after it everything else in order of time: what no system can surpass."""
    sessions = [session.id for session in haystack.sessions]
    turns = [turn.uuid for session in haystack.sessions for turn in session.turns]
    return Answer(
        tuple(sorted(sessions, key=lambda name: name not in question.gold_sessions)),
        tuple(sorted(turns, key=lambda name: name not in question.gold_turns)),
    )


class NaiveBm25:
    """Words in lower case, neither stemmed nor stopped; a session is one text, and so is a turn. Source: Robertson, Zaragoza 2009."""

    def __init__(self, haystack: Haystack) -> None:
        turns = [(turn.uuid, Counter(_WORD.findall(turn.text.lower()))) for session in haystack.sessions for turn in session.turns]
        by_uuid = dict(turns)
        self._turns = _Bm25(turns)
        self._sessions = _Bm25(
            [(session.id, sum((by_uuid[turn.uuid] for turn in session.turns), Counter[str]())) for session in haystack.sessions]
        )

    def answer(self, question: Question) -> Answer:
        """Both lists."""
        words = _WORD.findall(question.text.lower())
        return Answer(self._sessions.ranked(words), self._turns.ranked(words))


class _Bm25:
    def __init__(self, texts: Sequence[tuple[str, Counter[str]]], k1: float = 1.5, b: float = 0.75) -> None:
        self._texts = texts
        self._holders = Counter(word for _, counts in texts for word in counts)
        sizes = [counts.total() for _, counts in texts]
        mean = max(sum(sizes) / max(len(sizes), 1), 1e-9)
        self._norms = [k1 * (1 - b + b * size / mean) for size in sizes]
        self._k1 = k1

    def ranked(self, words: Sequence[str]) -> tuple[str, ...]:
        count = len(self._texts)
        rarity = {word: log(1 + (count - self._holders[word] + 0.5) / (self._holders[word] + 0.5)) for word in words}
        scored = [
            (sum(rarity[word] * counts[word] * (self._k1 + 1) / (counts[word] + norm) for word in words if word in counts), name)
            for (name, counts), norm in zip(self._texts, self._norms, strict=True)
        ]
        return tuple(name for _, name in sorted(scored, key=lambda pair: (-pair[0], hashed(pair[1]))))
