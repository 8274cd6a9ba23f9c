"""Scores: how much of a question each turn of earlier sessions holds, itself and with its neighbours, and each session as a whole.

BM25 turn by turn, where a turn's neighbours lend it the words that it lacks: who answers seldom repeats the question. A question's word
stands for its irregular forms as well ("buy", "bought"), which no stemmer joins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import log
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.store.bm25 import find_documents_with
from clew.store.documents import Documents
from clew.task.subjects import SPOKEN_KINDS
from clew.text.postings import TextField
from clew.text.words import split_word

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

# What was read and searched is left out: it stands in the files, as they are now.
ACTION_KINDS = frozenset(("error", "check", "command", "edit", "write", "plan", "todo", "agent", "brief", "summary"))
USER_KINDS = frozenset(("prompt", "answer", "rejection"))
PREFIX = "session:"
WORD_FORMS = Path(__file__).with_name("word_forms.txt")

# Chosen on 150 questions of LongMemEval-S (bench/recall), and judged on the same: each stands on a plateau, where its neighbours change
# recall by a question or two. Not measured on sessions of code.
K1, B = 1.0, 0.5  # of a turn's words
SESSION_K1, SESSION_B = 1.2, 0.75  # of a session's words
NEIGHBOUR_SHARES = ((1, 0.7, 0.6), (2, 0.4, 0.3))  # turns apart, and what a word counts for the turn after it and for the turn before it
OTHERS_SHARE = 0.5  # of what the agent says and does, against the user's own words
FORM_SHARE = 0.8  # of a word's other form: .5, .8 and 1 are alike (bench/LOG.md)


@dataclass(slots=True)
class Threads:
    """The turns that may be recalled, u of them, those of a source together and in order.

    docs, sessions, sources (u,); share (u,) what a word in them counts; words (u,) how many they have.
    spoken  (s,) positions among the u of what was said; place (documents.size,) a document's position among the u, −1 for none.
    rank    (u,) position among the s, −1 for what was not said.
    """

    names: list[str]
    docs: Ints
    sessions: Ints
    sources: Ints
    share: Floats
    words: Floats
    spoken: Ints
    place: Ints
    rank: Ints
    mask: NDArray[np.bool_]

    def spoken_before(self, at: Ints, apart: int) -> Ints:
        """Return for each of these turns the one said `apart` turns before it in the same source, −1 for none."""
        rank = self.rank[at] - apart
        is_there = (self.rank[at] >= 0) & (rank >= 0)
        before = np.where(is_there, self.spoken[np.maximum(rank, 0)] if len(self.spoken) else -1, -1)
        return np.where(is_there & (self.sources[np.maximum(before, 0)] == self.sources[at]), before, -1)


@dataclass(frozen=True, slots=True)
class TermPlaces:
    """A term of the question: its weight, how rare it is among turns, the turns (positions among the u) and sessions that hold it."""

    term: str
    weight: float
    rarity: float
    turns: Ints
    sessions: Ints


@dataclass(slots=True)
class Scores:
    """Of u turns and of the sessions (len(names),), none of them scaled.

    turns, own      a turn's BM25 with what its neighbours lend, and by itself; content is `turns` without the question's names.
    covered, near   weight × rarity of the question's terms that a turn holds by itself, and with its neighbours.
    rarest          rarity of the rarest term that a turn holds by itself.
    bound, content_bound, total  the most that any text could have: of `turns`, of `content`, of `covered`.
    session_bound   likewise of `sessions`.
    """

    turns: Floats
    own: Floats
    content: Floats
    covered: Floats
    near: Floats
    rarest: Floats
    sessions: Floats
    bound: float = 0.0
    content_bound: float = 0.0
    total: float = 0.0
    session_bound: float = 0.0
    terms: list[TermPlaces] = field(default_factory=list[TermPlaces])


def collect_threads(
    documents: Documents, only: Collection[str] | None, exclude: Collection[str], in_window: Collection[str] = ()
) -> Threads:
    """Return the live turns of the sessions that may be recalled; `only` and `exclude` are ids of sessions, `in_window` of records."""
    codes = documents.source_codes.whole
    # Most sources of a repository are files, as many as a hundred thousand: only those of sessions are looked at.
    sources: list[int] = np.flatnonzero(np.bincount(codes[documents.search_scope(PREFIX).mask])).tolist()
    session_of_source = {at: _session_of(documents.sources[at]) for at in sources}
    names = sorted(set(session_of_source.values()))
    number = {name: at for at, name in enumerate(names)}
    wanted = frozenset(names if only is None else only).difference(exclude)
    left_out = frozenset(names).difference(wanted)
    is_wanted, session_of = np.zeros(len(documents.sources), np.bool_), np.full(len(documents.sources), -1, np.int64)
    for at, name in session_of_source.items():
        is_wanted[at], session_of[at] = name not in left_out, number[name]
    is_spoken = documents.is_of_kinds(SPOKEN_KINDS).whole
    mask = (
        (is_spoken | documents.is_of_kinds(ACTION_KINDS).whole) & documents.alive & is_wanted[codes]
        if len(codes)
        else np.zeros(0, np.bool_)
    )
    if in_window:
        mask[documents.docs_of(sorted(in_window))] = False
    docs = np.flatnonzero(mask)
    docs = docs[np.argsort(codes[docs], kind="stable")]  # documents of a source ascend with time
    place = np.full(documents.size, -1, np.int64)
    place[docs] = np.arange(len(docs))
    spoken = np.flatnonzero(is_spoken[docs])
    rank = np.full(len(docs), -1, np.int64)
    rank[spoken] = np.arange(len(spoken))
    share = np.where(documents.is_of_kinds(USER_KINDS)[docs], 1.0, OTHERS_SHARE)
    words = documents.lengths[docs][:, TextField.BODY].astype(np.float64)
    return Threads(names, docs, session_of[codes[docs]], codes[docs].astype(np.int64), share, words, spoken, place, rank, mask)


def _session_of(source: str) -> str:
    """The session that a source belongs to: a subagent's transcript and what was written live are parts of it."""
    return source.removeprefix(PREFIX).partition("/")[0]


def compute_scores(documents: Documents, threads: Threads, terms: Sequence[tuple[str, float]], names: Collection[str]) -> Scores:
    """Return the scores of every turn and session for weighted terms; `names` are those terms that are names of somebody or something."""
    count, sessions = len(threads.docs), np.flatnonzero(np.bincount(threads.sessions))
    norm = 1.0 - B + B * threads.words / max(float(threads.words.mean()), 1e-9)
    length = np.bincount(threads.sessions, threads.words * threads.share, len(threads.names))
    session_norm = 1.0 - SESSION_B + SESSION_B * length / max(float(length[sessions].mean()), 1e-9)
    empty = [np.zeros(count) for _ in range(6)]
    scores = Scores(empty[0], empty[1], empty[2], empty[3], empty[4], empty[5], np.zeros(len(threads.names)))
    for term, weight in terms:
        at, counts = _find_turns(documents, threads, term)
        in_session = np.bincount(threads.sessions[at], counts * threads.share[at], len(threads.names)).astype(np.float64)
        holders = np.flatnonzero(in_session)
        rarity, session_rarity = compute_rarity(len(at), count), compute_rarity(len(holders), len(sessions))
        own = weight * rarity * threads.share[at] * counts * (K1 + 1.0) / (counts + K1 * norm[at])
        lent = _with_neighbours(threads, at, own)
        scores.turns += lent
        scores.own[at] += own
        scores.covered[at] += weight * rarity
        scores.near[lent > 0] += weight * rarity
        scores.rarest[at] = np.maximum(scores.rarest[at], rarity)
        scores.bound += weight * rarity * (K1 + 1.0)
        scores.total += weight * rarity
        scores.session_bound += weight * session_rarity * (SESSION_K1 + 1.0)
        if term not in names:
            scores.content += lent
            scores.content_bound += weight * rarity * (K1 + 1.0)
        held = in_session[holders]
        scores.sessions[holders] += weight * session_rarity * held * (SESSION_K1 + 1.0) / (held + SESSION_K1 * session_norm[holders])
        scores.terms.append(TermPlaces(term, weight, rarity, at, holders))
    return scores


def compute_rarity(holders: float, count: int) -> float:
    """Return the inverse document frequency, in nats, of what `holders` of `count` hold."""
    return log(1.0 + (count - holders + 0.5) / (holders + 0.5))


def _find_turns(documents: Documents, threads: Threads, term: str) -> tuple[Ints, Floats]:
    """The turns (positions among the u, ascending) that hold a term or another form of it, and how often, a form counted FORM_SHARE."""
    docs, counts = find_documents_with(documents, term, threads.mask, PREFIX)
    at, often = threads.place[docs], counts.astype(np.float64)
    for form in load_word_forms().get(term, ()):
        docs, counts = find_documents_with(documents, form, threads.mask, PREFIX)
        if len(docs):
            at, often = np.concatenate([at, threads.place[docs]]), np.concatenate([often, FORM_SHARE * counts])
    held = np.bincount(at, often, len(threads.docs)).astype(np.float64)
    order = np.flatnonzero(held)
    return order, held[order]


@cache
def load_word_forms() -> dict[str, tuple[str, ...]]:
    """Return for the stem of a word with irregular forms the stems of its others, read once from WORD_FORMS."""
    forms: dict[str, set[str]] = {}
    for line in WORD_FORMS.read_text("utf-8").splitlines():
        stems = [split_word(word)[0] for word in line.split()]
        for stem in stems:
            forms.setdefault(stem, set()).update(each for each in stems if each != stem)
    return {stem: tuple(sorted(others)) for stem, others in forms.items()}


def _with_neighbours(threads: Threads, at: Ints, gain: Floats) -> Floats:
    """(u,) what a word gives each turn: its own gain, or a neighbour's share where that is more."""
    out = np.zeros(len(threads.docs))
    out[at] = gain
    rank = threads.rank[at]
    spoken, given = rank[rank >= 0], gain[rank >= 0]
    for apart, after, before in NEIGHBOUR_SHARES:
        for step, share in ((apart, after), (-apart, before)):
            to = spoken + step
            is_inside = (to >= 0) & (to < len(threads.spoken))
            giver, taker = threads.spoken[spoken[is_inside]], threads.spoken[to[is_inside]]
            is_same = threads.sources[giver] == threads.sources[taker]
            taker, lent = taker[is_same], share * given[is_inside][is_same]
            out[taker] = np.maximum(out[taker], lent)  # a step leads to each taker from one giver alone
    return out
