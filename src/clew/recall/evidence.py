"""Evidence: the numbers from which a model says how likely a turn answers a question, and whether any turn does.

TURN_FEATURES are of a turn beside the question; most are shares of the best turn's or of what any text could reach, so that they mean
the same in a store of ten turns and of ten thousand. ANSWER_FEATURES are of the question beside all of its candidates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clew.ranking.question import STOP_WORDS, Question
from clew.recall.scores import Floats, Ints, Scores, Threads
from clew.text.words import extract_words, split_word

TURN_FEATURES = (
    "turns", "session", "own", "asks", "after_question", "is_first", "first_person", "said_by_named", "said_by_other", "number_asked",
    "time_asked", "name_asked", "place_asked", "time_named", "turns_of_bound", "own_of_bound", "content_of_bound", "covered", "near",
    "rarest",
)  # fmt: skip
_FIRST = (
    "covered", "near", "turns_of_bound", "own_of_bound", "content_of_bound", "rarest", "said_by_named", "said_by_other", "time_named",
)  # fmt: skip
_FIVE = ("turns_of_bound", "near", "covered", "said_by_named", "said_by_other", "time_named")
ANSWER_FEATURES = (
    "turns_of_bound", "own_of_bound", "covered", "near", "unknown", "unknown_terms", "terms", "rarity", "rarest", "session_of_bound",
    "second_session", "missing_in_session", "entropy", "best_logit", "sum_logit",
    *(f"first_{name}" for name in _FIRST), *(f"five_{name}" for name in _FIVE),
)  # fmt: skip
HEAD_CHARS = 2_000  # of a turn are read for its form; guess
TAIL_CHARS = 60  # of a turn, in which a question mark means that it asks; guess
FIRST_TURNS = 5  # whose mean is a feature of the answer

_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twice|once|couple|dozen|several)\b", re.IGNORECASE)
_TIME = re.compile(
    r"\b(?:yesterday|today|tomorrow|tonight|last|next|ago|weekend|weeks?|months?|years?|days?|january|february|march|april|june|july"
    r"|august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|recently|since)\b|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_FIRST_PERSON = re.compile(r"\b(?:I|my|me|we|our|mine)\b")
_SPEAKER = re.compile(r"([A-Z]\w+):\s")
_WORD = re.compile(r"\w[\w'’-]*")
_ASKS = (
    ("time_asked", _TIME, re.compile(r"\bwhen\b|how long|(?:which|what) (?:day|date|month|year|time)")),
    ("number_asked", _NUMBER, re.compile(r"how (?:many|much|often|old)")),
    ("name_asked", _NAME, re.compile(r"\bwhose?\b|\bnamed?\b|\bnames\b")),
    ("place_asked", _NAME, re.compile(r"\bwhere\b|(?:which|what) (?:city|country|place|state)")),
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Turns that may answer a question, k of them, best first by the plain score.

    at     (k,) positions among the threads' turns; plain (k,) the plain score; rows (k, TURN_FEATURES); texts of the turns.
    """

    at: Ints
    plain: Floats
    rows: Floats
    texts: tuple[str, ...]


def find_names(text: str) -> frozenset[str]:
    """Return the capitalised words of a text behind its first, without 's: who or what it names."""
    words = [re.sub(r"['’]s?$", "", word) for word in _WORD.findall(text)[1:]]
    return frozenset(word for word in words if word[:1].isupper() and word != "I" and word.lower() not in STOP_WORDS)


def find_name_terms(names: frozenset[str]) -> frozenset[str]:
    """Return the search terms of names."""
    return frozenset(term for name in names for word in extract_words(name) for term in split_word(word))


def describe_turns(question: Question, threads: Threads, scores: Scores, at: Ints, texts: Sequence[str], time_bonus: Floats) -> Floats:
    """Return (k, TURN_FEATURES) of candidates.

    at          (k,) positions among the threads' turns, best first by the plain score; texts of the same.
    time_bonus  (k,) nats that the time named by the question gives their sessions.
    """
    best = float(scores.turns.max()) or 1.0
    before = threads.spoken_before(at, 1)
    heads = [text[:HEAD_CHARS] for text in texts]
    asks = np.array(["?" in text[-TAIL_CHARS:] for text in texts], np.float64)
    asks_at = dict(zip(at.tolist(), asks.tolist(), strict=True))
    own_before = np.where(before >= 0, scores.own[before], 0.0) / best
    names = find_names(question.text)
    speakers = [match[1] if (match := _SPEAKER.match(head)) else "" for head in heads]
    is_named = not names.isdisjoint(speakers)
    asked = question.text.lower()
    found: dict[str, Floats] = {
        "turns": scores.turns[at] / best,
        "session": (scores.sessions / (float(scores.sessions.max()) or 1.0))[threads.sessions[at]],
        "own": scores.own[at] / best,
        "asks": asks,
        "after_question": own_before * np.array([asks_at.get(each, 0.0) for each in before.tolist()]),
        "is_first": ((threads.rank[at] >= 0) & (before < 0)).astype(np.float64),
        "first_person": _holds(_FIRST_PERSON, heads),
        "said_by_named": np.array([is_named and each in names for each in speakers], np.float64),
        "said_by_other": np.array([is_named and bool(each) and each not in names for each in speakers], np.float64),
        "time_named": time_bonus,
        "turns_of_bound": scores.turns[at] / (scores.bound or 1.0),
        "own_of_bound": scores.own[at] / (scores.bound or 1.0),
        "content_of_bound": scores.content[at] / (scores.content_bound or 1.0),
        "covered": scores.covered[at] / (scores.total or 1.0),
        "near": scores.near[at] / (scores.total or 1.0),
        "rarest": scores.rarest[at] / np.log(len(threads.docs) + 2.0),
    }
    for name, form, question_form in _ASKS:
        found[name] = _holds(form, heads) if question_form.search(asked) else np.zeros(len(at))
    return np.stack([found[name] for name in TURN_FEATURES], 1).astype(np.float64)


def _holds(form: re.Pattern[str], texts: Sequence[str]) -> Floats:
    return np.array([form.search(text) is not None for text in texts], np.float64)


def describe_answer(threads: Threads, scores: Scores, candidates: Candidates, logits: Floats) -> Floats:
    """Return (ANSWER_FEATURES,) of a question; `logits` (k,) are what the model of turns gives the candidates, k ≥ 1."""
    column = {name: candidates.rows[:, at] for at, name in enumerate(TURN_FEATURES)}
    order = np.argsort(-logits, kind="stable")
    session = int(threads.sessions[candidates.at[order[0]]])
    rarities = np.array([each.rarity for each in scores.terms])
    is_unknown = np.array([not len(each.turns) for each in scores.terms])
    weights = np.array([each.weight for each in scores.terms]) * rarities
    by_session = np.sort(scores.sessions)[::-1]
    share = np.exp(logits - logits.max())
    total = float(share.sum())
    share /= total
    scale = np.log(len(threads.docs) + 2.0)
    missing = max((each.rarity for each in scores.terms if session not in each.sessions), default=0.0)
    found: dict[str, float] = {
        **{name: float(column[name].max()) for name in ("turns_of_bound", "own_of_bound", "covered", "near")},
        "unknown": float(weights[is_unknown].sum()) / (scores.total or 1.0),
        "unknown_terms": float(is_unknown.sum()),
        "terms": float(np.log1p(len(scores.terms))),
        "rarity": float(rarities.mean() / scale),
        "rarest": float(rarities.max() / scale),
        "session_of_bound": float(by_session[0]) / (scores.session_bound or 1.0),
        "second_session": float(by_session[1] / by_session[0]) if len(by_session) > 1 and by_session[0] else 0.0,
        "missing_in_session": float(missing / scale),
        "entropy": float(-(share * np.log(share + 1e-12)).sum()),
        "best_logit": float(logits.max()),
        "sum_logit": float(np.log(total) + logits.max()),
        **{f"first_{name}": float(column[name][order[0]]) for name in _FIRST},
        **{f"five_{name}": float(column[name][order[:FIRST_TURNS]].mean()) for name in _FIVE},
    }
    return np.array([found[name] for name in ANSWER_FEATURES])
