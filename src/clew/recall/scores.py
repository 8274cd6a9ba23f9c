"""Scores: how much of a question each turn of earlier sessions holds, itself and with its neighbours, and each session as a whole.

BM25 turn by turn, where a turn's neighbours lend it the words that it lacks: who answers seldom repeats the question. A question's word
stands for its irregular forms as well ("buy", "bought"), which no stemmer joins.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from math import log
from pathlib import Path
from typing import TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from clew.store.bm25 import FINDING_RECORDS_MAX, find_documents_with
from clew.store.documents import Documents
from clew.store.shard import IndexShard
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


@dataclass
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

    @cached_property
    def norm(self) -> Floats:
        """(u,) the normalisation of each turn's length."""
        return (1.0 - B + B * self.words / max(float(self.words.mean()), 1e-9)).astype(np.float64)

    @cached_property
    def present(self) -> Ints:
        """The numbers of the sessions that have turns here, ascending."""
        return np.flatnonzero(np.bincount(self.sessions))

    @cached_property
    def session_norm(self) -> Floats:
        """(len(names),) the normalisation of each session's length."""
        length = np.bincount(self.sessions, self.words * self.share, len(self.names))
        return (1.0 - SESSION_B + SESSION_B * length / max(float(length[self.present].mean()), 1e-9)).astype(np.float64)

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


@dataclass(frozen=True, slots=True)
class _ShardTurns:
    """The turns of one shard that may be recalled, live or not, those of a source together and in order.

    sources  of sessions, ordered; of_source (t,) positions in it; docs (t,) document numbers within the shard.
    """

    sources: list[str]
    of_source: Ints
    docs: Ints


_of_shards: WeakKeyDictionary[IndexShard, _ShardTurns] = WeakKeyDictionary()
_of_documents: WeakKeyDictionary[Documents, Threads] = WeakKeyDictionary()


def collect_threads(
    documents: Documents, only: Collection[str] | None, exclude: Collection[str], in_window: Collection[str] = ()
) -> Threads:
    """Return the live turns of the sessions that may be recalled; `only` and `exclude` are ids of sessions, `in_window` of records.

    Cost  those of all sessions are made once for a table, by joining what its shards keep; one pass over them where any is left out.
    """
    every = _of_documents.get(documents)
    if every is None:
        every = _of_documents[documents] = _make_threads(documents, *_join_turns(documents))
    if only is None and not exclude and not in_window:
        return every
    wanted = frozenset(every.names if only is None else only).difference(exclude)
    is_wanted = np.array([name in wanted for name in every.names], np.bool_)
    keep = is_wanted[every.sessions]
    window = every.place[documents.docs_of(sorted(in_window))] if in_window else np.empty(0, np.int64)
    keep[window[window >= 0]] = False
    return _make_threads(documents, every.names, every.docs[keep], every.sessions[keep], every.sources[keep])


def _join_turns(documents: Documents) -> tuple[list[str], Ints, Ints, Ints]:
    """Return the names of sessions, and each live turn's document, session and source: the base's, and others put in their places."""
    base, *layers = (_turns_of(shard) for shard in documents.shards)
    rows: list[tuple[str, int]] = []
    for turns, offset in zip(layers, documents.offsets[1:], strict=True):
        numbers: list[int] = turns.of_source.tolist()
        first: list[int] = (turns.docs + offset).tolist()
        rows += [(turns.sources[number], doc) for number, doc in zip(numbers, first, strict=True)]
    rows.sort()
    known = {source: at for at, source in enumerate(base.sources)}
    sources = list(base.sources)
    for source, _ in rows:
        if source not in known:
            known[source] = len(sources)
            sources.append(source)
    # A turn of the base has the rank 2 × its source + 1; one of a source that is not in the base an even one, between those beside it.
    ranks = [2 * known[source] + 1 if known[source] < len(base.sources) else 2 * bisect_left(base.sources, source) for source, _ in rows]
    places = np.searchsorted(2 * base.of_source + 1, np.array(ranks, np.int64), "right")
    docs = np.insert(base.docs, places, [doc for _, doc in rows])
    codes = np.insert(base.of_source, places, [known[source] for source, _ in rows])
    keep = documents.alive[docs]
    names: dict[str, int] = {}
    session_of = np.array([names.setdefault(_session_of(source), len(names)) for source in sources], np.int64)
    return list(names), docs[keep], session_of[codes[keep]], codes[keep]


def _turns_of(shard: IndexShard) -> _ShardTurns:
    found = _of_shards.get(shard)
    if found is None:
        scope = shard.find_scope(PREFIX)
        inside = slice(scope.start, scope.stop)
        docs = scope.start + np.flatnonzero(shard.is_of_kinds(SPOKEN_KINDS)[inside] | shard.is_of_kinds(ACTION_KINDS)[inside])
        # The parts of a source stand one behind the other, and their documents ascend with time.
        part = np.searchsorted(np.array(shard.header.part_starts, np.int64), docs, "right") - 1
        first, last = (int(part[0]), int(part[-1]) + 1) if len(part) else (0, 0)
        of_parts = [source for source, _, _ in shard.header.parts[first:last]]
        sources = list(dict.fromkeys(of_parts))
        number = {source: at for at, source in enumerate(sources)}
        codes = np.array([number[source] for source in of_parts], np.int64)
        found = _of_shards[shard] = _ShardTurns(sources, codes[part - first] if len(part) else part, docs)
    return found


def _make_threads(documents: Documents, names: list[str], docs: Ints, sessions: Ints, sources: Ints) -> Threads:
    is_spoken = documents.is_of_kinds(SPOKEN_KINDS)[docs]
    mask = np.zeros(documents.size, np.bool_)
    mask[docs] = True
    place = np.full(documents.size, -1, np.int64)
    place[docs] = np.arange(len(docs))
    spoken = np.flatnonzero(is_spoken)
    rank = np.full(len(docs), -1, np.int64)
    rank[spoken] = np.arange(len(spoken))
    share = np.where(documents.is_of_kinds(USER_KINDS)[docs], 1.0, OTHERS_SHARE)
    words = documents.lengths[docs][:, TextField.BODY].astype(np.float64)
    return Threads(names, docs, sessions, sources, share, words, spoken, place, rank, mask)


def _session_of(source: str) -> str:
    """The session that a source belongs to: a subagent's transcript and what was written live are parts of it."""
    return source.removeprefix(PREFIX).partition("/")[0]


def compute_scores(documents: Documents, threads: Threads, terms: Sequence[tuple[str, float]], names: Collection[str]) -> Scores:
    """Return the scores of every turn and session for weighted terms; `names` are those terms that are names of somebody or something."""
    count, norm, session_norm = len(threads.docs), threads.norm, threads.session_norm
    empty = [np.zeros(count) for _ in range(6)]
    scores = Scores(empty[0], empty[1], empty[2], empty[3], empty[4], empty[5], np.zeros(len(threads.names)))
    found = [(term, weight, *_find_turns(documents, threads, term)) for term, weight in terms]
    rarest = min((len(at) for _, _, at, _ in found if len(at)), default=0)
    found.sort(key=lambda row: len(row[2]) > FINDING_RECORDS_MAX)
    for term, weight, every, times in found:
        rarity = compute_rarity(len(every), count)
        is_finding = len(every) <= max(FINDING_RECORDS_MAX, rarest)
        # Another one ranks the turns that rarer terms found, and says nothing of sessions.
        keep = slice(None) if is_finding else scores.turns[every] > 0
        at, counts = every[keep], times[keep]
        own = weight * rarity * threads.share[at] * counts * (K1 + 1.0) / (counts + K1 * norm[at])
        lent = _with_neighbours(threads, at, own)
        scores.turns += lent
        scores.own[at] += own
        scores.covered[at] += weight * rarity
        scores.near[lent > 0] += weight * rarity
        scores.rarest[at] = np.maximum(scores.rarest[at], rarity)
        scores.bound += weight * rarity * (K1 + 1.0)
        scores.total += weight * rarity
        if term not in names:
            scores.content += lent
            scores.content_bound += weight * rarity * (K1 + 1.0)
        in_session = np.bincount(threads.sessions[at], counts * threads.share[at], len(threads.names)).astype(np.float64)
        holders = np.flatnonzero(in_session)
        if is_finding:
            session_rarity = compute_rarity(len(holders), len(threads.present))
            held = in_session[holders]
            scores.session_bound += weight * session_rarity * (SESSION_K1 + 1.0)
            scores.sessions[holders] += weight * session_rarity * held * (SESSION_K1 + 1.0) / (held + SESSION_K1 * session_norm[holders])
        scores.terms.append(TermPlaces(term, weight, rarity, at, holders))
    return scores


def compute_rarity(holders: float, count: int) -> float:
    """Return the inverse document frequency, in nats, of what `holders` of `count` hold."""
    return log(1.0 + (count - holders + 0.5) / (holders + 0.5))


def _find_turns(documents: Documents, threads: Threads, term: str) -> tuple[Ints, Floats]:
    """The turns (positions among the u) that hold a term or another form of it, and how often, a form counted FORM_SHARE."""
    docs, counts = find_documents_with(documents, term, threads.mask, PREFIX)
    at, often = threads.place[docs], counts.astype(np.float64)
    forms = [find_documents_with(documents, form, threads.mask, PREFIX) for form in load_word_forms().get(term, ())]
    if not any(len(docs) for docs, _ in forms):
        return at, often
    at = np.concatenate([at, *(threads.place[docs] for docs, _ in forms)])
    often = np.concatenate([often, *(FORM_SHARE * counts for _, counts in forms)])
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
