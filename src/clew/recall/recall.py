"""Recall: which turns of earlier sessions bear on a question? Some of them, or none.

What was said and done is indexed turn by turn, and a turn's neighbours lend it the words that it lacks: who answers seldom repeats
the question. A session counts by its best turn and by all of its words together; a time that the question names speaks for the
sessions of that time. What was said anew later stands right above what it replaces. Where too little of the question is held by
any turn the answer is nothing. Holds a Snapshot, so it cannot write; deterministic, and without a model.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.packet.options import OriginalCache
from clew.ranking.question import Question
from clew.recall.subjects import find_replaced
from clew.recall.when import DateSpan, find_dates, utc_date
from clew.records import MatchKind, MatchReason, Record, Status, Tier, Trust
from clew.store.bm25 import find_documents_with
from clew.store.documents import Documents
from clew.store.ports import Snapshot
from clew.store.search import compute_similarity
from clew.text.embed import Embedder
from clew.text.postings import TextField

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

SPOKEN_KINDS = frozenset(("prompt", "message", "answer", "rejection", "remembered"))
# What was read and searched is left out: it stands in the files, as they are now.
ACTION_KINDS = frozenset(("error", "check", "command", "edit", "write", "plan", "todo", "agent", "brief", "summary"))
USER_KINDS = frozenset(("prompt", "answer", "rejection"))
PREFIX = "session:"

# Chosen on 150 questions of LongMemEval-S (bench/recall), and judged on the same: each stands on a plateau, where its neighbours change
# recall by a question or two. Not measured on sessions of code.
K1, B = 1.0, 0.5  # of a turn's words
SESSION_K1, SESSION_B = 1.2, 0.75  # of a session's words
NEIGHBOUR_SHARES = ((1, 0.7, 0.6), (2, 0.4, 0.3))  # turns apart, and what a word counts for the turn after it and for the turn before it
OTHERS_SHARE = 0.5  # of what the agent says and does, against the user's own words
SESSION_IN_TURN = 0.2  # what all words of its session count for a turn
SESSION_IN_SESSION = 0.5  # what they count for the session, beside its best turn
# Of 150 questions whose answer is there one is met with silence, of those whose answer was taken away 70. Where all sessions speak of the
# same things the share of the question that is held tells less.
CONFIDENCE_MIN = 0.14
TIME = 0.05  # nats of a time's rarity count so much of the best turn
VECTOR = 0.1
CANDIDATES = 150  # turns whose records are read; guess
RENEWED_AMONG = 40  # of the best turns are read for what was said anew; guess
TURNS_ORDERED = 10  # of the best turns are ordered by time as well; guess
SESSIONS_DATED = 60  # sessions whose time is looked at; guess
SUPERSEDED_SHARE = 0.04  # as in a packet
# Sessions, or turns, of one subject: few that score nearly as much as the best while the next ones are far below, and that hold half of the
# best one's rarest words of the question. The newest of them comes first. On 24 questions of LongMemEval whose answer has changed .54 ->
# .96; the first session is a gold one in .913 -> .907 of all 150, and in .720 -> .715 of LoCoMo's 801. Without the gap below them .653.
SUBJECT_SCORE, OTHERS_SCORE_MAX, SUBJECT_WORDS, SUBJECT_WORDS_SHARE, SUBJECT_SESSIONS_MAX = 0.65, 0.45, 3, 0.5, 3
SUBJECT_TURN_SCORE = 0.5  # likewise of turns, where who asked the same before scores more than any answer; guess


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of an earlier session, and its score for the question, 0 to about 1.

    replaced_by  id of a later turn that says something newer of the same subject, "" where none does.
    status       of its record.
    """

    record: Record
    session: str
    score: float
    why: tuple[MatchReason, ...]
    replaced_by: str = ""
    status: Status = field(default_factory=Status)


@dataclass(frozen=True, slots=True)
class Recalled:
    """Turns and sessions, best first; both empty where nothing relevant was found.

    confidence  share of the question that the best turn contains, 0 to 1; also where nothing is returned.
    """

    question: str
    turns: tuple[Turn, ...] = ()
    sessions: tuple[tuple[str, float], ...] = ()
    confidence: float = 0.0


@dataclass(slots=True)
class _Threads:
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


@dataclass(slots=True)
class _Scores:
    """Of turns (u,) and of sessions (len(names),), both unscaled, and the most that any text could score."""

    turns: Floats
    sessions: Floats
    bound: float
    used: list[tuple[str, Ints]] = field(default_factory=list[tuple[str, Ints]])


def recall(
    snapshot: Snapshot,
    question: Question,
    *,
    only: Collection[str] | None = None,
    exclude: Collection[str] = (),
    in_window: tuple[str, int] = ("", 0),
    asked_ns: int = 0,
    turns_max: int = 10,
    sessions_max: int = 5,
    confidence_min: float | None = None,
    embedder: Embedder | None = None,
) -> Recalled:
    """Return the turns of earlier sessions that are relevant to a question, and their sessions; none where confidence is too low.

    only, exclude   ids of sessions; a subagent's turns belong to its session.
    in_window       the running session, and the time since which its turns stand in the agent's window: those are left out.
    asked_ns        time of the question, by which `last week` and the like are read; 0 ignores times.
    confidence_min  below it nothing is returned; None takes the calibrated threshold, 0 always returns turns.
    embedder        the local model that made the records' vectors, or None.
    Cost            a pass over the postings of the question's words, and up to CANDIDATES records.
    """
    documents = snapshot.documents
    threads = _threads(documents, only, exclude)
    terms = question.terms
    if not len(threads.docs) or not terms:
        return Recalled(question.text)
    scores = _scored(documents, threads, terms)
    best = float(scores.turns.max())
    confidence = min(best / scores.bound, 1.0) if scores.bound else 0.0
    floor = CONFIDENCE_MIN if confidence_min is None else confidence_min
    if not best or confidence < floor:
        return Recalled(question.text, confidence=confidence)
    of_turn = scores.turns / best
    of_session = scores.sessions / max(float(scores.sessions.max()), 1e-12)
    top = np.zeros(len(threads.names))
    np.maximum.at(top, threads.sessions, of_turn)
    whole = top + SESSION_IN_SESSION * of_session
    if embedder is not None and documents.model == embedder.name:
        near = _by_vectors(documents, threads, question.vector(embedder))
        whole += VECTOR * near
    mixed = of_turn + SESSION_IN_TURN * of_session[threads.sessions]
    mixed[scores.turns <= 0] = 0.0
    at = _best(mixed, CANDIDATES)
    dated = _best(whole, SESSIONS_DATED)
    firsts = _best_of_each(threads, mixed, dated)
    wanted = list(dict.fromkeys([*at.tolist(), *firsts.values()]))
    ids = [documents.id_of(int(threads.docs[each])) for each in wanted]
    records = {record.id: record for record in snapshot.records(ids)}
    known = {each: records[record_id] for each, record_id in zip(wanted, ids, strict=True) if record_id in records}
    running, since_ns = in_window
    if running:
        known = {
            each: record
            for each, record in known.items()
            if record.at_ns < since_ns or threads.names[int(threads.sessions[each])] != running
        }
    times = _Times.read(question.text, asked_ns, {s: known[each].at_ns for s, each in firsts.items() if each in known})
    turns = _turns(snapshot, threads, scores, mixed, [each for each in at.tolist() if each in known], known, times)
    numbers: list[int] = [int(each) for each in dated if whole[each] > 0]
    ranked = [(threads.names[each], float(whole[each]) + times.bonus.get(each, 0.0)) for each in numbers]
    ranked.sort(key=lambda pair: (-pair[1], pair[0]))
    if not times.bonus:
        newest = {threads.names[s]: known[each].at_ns for s, each in firsts.items() if each in known}
        ranked = _newest_first(ranked, _held_by_session(threads, scores, at), newest)
        turns = _newest_turns_first(turns)
    return Recalled(question.text, tuple(turns[:turns_max]), tuple(ranked[:sessions_max]), confidence)


def _newest_first(ranked: list[tuple[str, float]], held: Mapping[str, Sequence[str]], at_ns: Mapping[str, int]) -> list[tuple[str, float]]:
    """The sessions, those of one subject with the best by their time, newest first; `held` are words of the question, rarest first."""
    near = [pair for pair in ranked if pair[1] >= SUBJECT_SCORE * ranked[0][1]] if ranked else []
    lead = held.get(near[0][0], ())[:SUBJECT_WORDS] if near else ()
    others = ranked[len(near)][1] if len(near) < len(ranked) else 0.0
    if len(near) > SUBJECT_SESSIONS_MAX or not lead or others > OTHERS_SCORE_MAX * ranked[0][1]:
        return ranked
    places = [at for at, (name, _) in enumerate(ranked[: len(near)]) if _is_same_subject(lead, held.get(name, ()))]
    by_time = iter(sorted((ranked[at] for at in places), key=lambda pair: (-at_ns.get(pair[0], 0), -pair[1], pair[0])))
    return [next(by_time) if at in places else pair for at, pair in enumerate(ranked)]


def _newest_turns_first(turns: list[Turn]) -> list[Turn]:
    """The turns, those of one subject with the best by the time of their session, newest first."""
    lead = _words_of(turns[0])[:SUBJECT_WORDS] if turns else ()
    near = [
        at for at, turn in enumerate(turns[:TURNS_ORDERED]) if turn.status.is_live and turn.score >= SUBJECT_TURN_SCORE * turns[0].score
    ]
    newest: dict[str, int] = {}
    for turn in (turns[at] for at in near):
        if _is_same_subject(lead, _words_of(turn)):
            newest[turn.session] = max(newest.get(turn.session, 0), turn.record.at_ns)
    places = [at for at in near if turns[at].session in newest]
    if not lead or not 1 < len(newest) <= SUBJECT_SESSIONS_MAX:
        return turns
    by_time = iter(sorted((turns[at] for at in places), key=lambda turn: (-newest[turn.session], turn.session)))
    return [next(by_time) if at in places else turn for at, turn in enumerate(turns)]


def _words_of(turn: Turn) -> tuple[str, ...]:
    return next((tuple(map(str, reason.values)) for reason in turn.why if reason.kind is MatchKind.WORDS), ())


def _is_same_subject(lead: Sequence[str], held: Sequence[str]) -> bool:
    return bool(lead) and len(set(lead).intersection(held)) >= SUBJECT_WORDS_SHARE * len(lead)


def _held_by_session(threads: _Threads, scores: _Scores, at: Ints) -> dict[str, list[str]]:
    """Words of the question that a session's candidate turns hold, rarest first."""
    held: dict[str, list[str]] = {}
    for term, places in sorted(scores.used, key=lambda pair: (len(pair[1]), pair[0])):
        sessions: list[int] = np.unique(threads.sessions[np.intersect1d(places, at)]).tolist()
        for session in sessions:
            held.setdefault(threads.names[session], []).append(term)
    return held


def _threads(documents: Documents, only: Collection[str] | None, exclude: Collection[str]) -> _Threads:
    codes = documents.source_codes
    # Most sources of a repository are files, as many as a hundred thousand: only those of sessions are looked at.
    sources: list[int] = np.unique(codes[documents.search_scope(PREFIX).mask]).tolist()
    session_of_source = {at: _session_of(documents.sources[at]) for at in sources}
    names = sorted(set(session_of_source.values()))
    number = {name: at for at, name in enumerate(names)}
    left_out = {name for name in names if name in exclude or (only is not None and name not in only)}
    is_wanted, session_of = np.zeros(len(documents.sources), np.bool_), np.full(len(documents.sources), -1, np.int64)
    for at, name in session_of_source.items():
        is_wanted[at], session_of[at] = name not in left_out, number[name]
    is_spoken = documents.is_of_kinds(SPOKEN_KINDS)
    mask = (is_spoken | documents.is_of_kinds(ACTION_KINDS)) & documents.alive & is_wanted[codes] if len(codes) else np.zeros(0, np.bool_)
    docs = np.flatnonzero(mask)
    docs = docs[np.argsort(codes[docs], kind="stable")]  # documents of a source ascend with time
    place = np.full(documents.size, -1, np.int64)
    place[docs] = np.arange(len(docs))
    spoken = np.flatnonzero(is_spoken[docs])
    rank = np.full(len(docs), -1, np.int64)
    rank[spoken] = np.arange(len(spoken))
    share = np.where(documents.is_of_kinds(USER_KINDS)[docs], 1.0, OTHERS_SHARE)
    words = documents.column("lengths")[docs, TextField.BODY].astype(np.float64)
    return _Threads(names, docs, session_of[codes[docs]], codes[docs].astype(np.int64), share, words, spoken, place, rank, mask)


def _session_of(source: str) -> str:
    """The session that a source belongs to: a subagent's transcript and what was written live are parts of it."""
    return source.removeprefix(PREFIX).partition("/")[0]


def _scored(documents: Documents, threads: _Threads, terms: Sequence[tuple[str, float]]) -> _Scores:
    """BM25 of every turn, where a neighbour's word counts for it as well, and of every session over all of its words."""
    count, sessions = len(threads.docs), np.unique(threads.sessions)
    norm = 1.0 - B + B * threads.words / max(float(threads.words.mean()), 1e-9)
    length = np.bincount(threads.sessions, threads.words * threads.share, len(threads.names))
    session_norm = 1.0 - SESSION_B + SESSION_B * length / max(float(length[sessions].mean()), 1e-9)
    scores = _Scores(np.zeros(count), np.zeros(len(threads.names)), 0.0)
    for term, weight in terms:
        own = _Held.of(documents, threads, term)
        rarity, session_rarity = _idf(len(own.at), count), _idf(len(own.sessions), len(sessions))
        scores.bound += weight * rarity * (K1 + 1.0)
        gain, held = np.zeros(count), np.zeros(len(threads.names))
        gain[own.at] = rarity * own.saturated(threads, norm)
        held[own.sessions] = own.in_session
        if len(own.at):
            scores.used.append((term, own.at))
        at = np.flatnonzero(gain)
        scores.turns += _with_neighbours(threads, at, weight * gain[at])
        holders = np.flatnonzero(held)
        in_session = held[holders] * (SESSION_K1 + 1.0) / (held[holders] + SESSION_K1 * session_norm[holders])
        scores.sessions[holders] += weight * session_rarity * in_session
    return scores


@dataclass(frozen=True, slots=True)
class _Held:
    """Where a term stands: turns (positions among the u) and how often in each; sessions and how often, a turn's share counted."""

    at: Ints
    counts: Floats
    sessions: Ints
    in_session: Floats

    @staticmethod
    def of(documents: Documents, threads: _Threads, term: str) -> _Held:
        docs, counts = find_documents_with(documents, term, threads.mask)
        at, often = threads.place[docs], counts.astype(np.float64)
        total = np.bincount(threads.sessions[at], often * threads.share[at], len(threads.names)).astype(np.float64)
        sessions = np.flatnonzero(total)
        return _Held(at, often, sessions, total[sessions])

    def saturated(self, threads: _Threads, norm: Floats) -> Floats:
        """The counts as BM25 takes them, times what a word of such a turn counts."""
        return threads.share[self.at] * self.counts * (K1 + 1.0) / (self.counts + K1 * norm[self.at])


def _with_neighbours(threads: _Threads, at: Ints, gain: Floats) -> Floats:
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


def _idf(holders: int, count: int) -> float:
    return log(1.0 + (count - holders + 0.5) / (holders + 0.5))


def _by_vectors(documents: Documents, threads: _Threads, vector: NDArray[np.float32]) -> Floats:
    """(sessions,) cosine of each session's nearest turn, scaled to the best."""
    near_turns = compute_similarity(documents, vector, prefix=PREFIX)[threads.docs]
    near = np.zeros(len(threads.names))
    np.maximum.at(near, threads.sessions, near_turns.astype(np.float64))
    return near / max(float(near.max()), 1e-9)


def _best(values: Floats, limit: int) -> Ints:
    """Positions of the best values above 0, best first; all that equal the last one are among them, so that numbering decides nothing."""
    found = np.flatnonzero(values > 0)
    if len(found) > limit:
        floor = np.partition(values[found], len(found) - limit)[len(found) - limit]
        found = found[values[found] >= floor]
    return found[np.argsort(-values[found], kind="stable")]


def _best_of_each(threads: _Threads, mixed: Floats, dated: Ints) -> dict[int, int]:
    """The best turn of each of these sessions, or its first one, by the session's number."""
    among = np.flatnonzero(np.isin(threads.sessions, dated))
    order = among[np.lexsort((-mixed[among], threads.sessions[among]))]
    starts = np.searchsorted(threads.sessions[order], dated, "left")
    return {int(session): int(order[start]) for session, start in zip(dated.tolist(), starts.tolist(), strict=True)}


@dataclass(frozen=True, slots=True)
class _Times:
    """What a time that the question names adds to each session, by its number."""

    bonus: Mapping[int, float]

    @staticmethod
    def read(question: str, asked_ns: int, seen_ns: Mapping[int, int]) -> _Times:
        """Sessions of the time that is meant hold it as they would a word: the fewer do, the more it says."""
        named: Sequence[DateSpan] = find_dates(question, utc_date(asked_ns)) if asked_ns else ()
        if not named:
            return _Times({})
        days: dict[int, date] = {session: utc_date(at_ns) for session, at_ns in seen_ns.items() if at_ns}
        near = {session: max(span.compute_nearness(day) for span in named) for session, day in days.items()}
        holders = sum(near.values())
        rarity = log(1.0 + (len(near) - holders + 0.5) / (holders + 0.5)) if holders else 0.0
        return _Times({session: TIME * rarity * value for session, value in near.items() if value})


def _turns(
    snapshot: Snapshot,
    threads: _Threads,
    scores: _Scores,
    mixed: Floats,
    at: Sequence[int],
    known: Mapping[int, Record],
    times: _Times,
) -> list[Turn]:
    """Return the candidates, best first, each with its reasons, what became of it, and what replaced it."""
    originals = OriginalCache(snapshot)
    originals.read(known[each].full_text for each in at)
    texts = {each: originals.text_of(known[each].full_text) for each in at}
    statuses = dict(zip(at, snapshot.statuses([known[each].id for each in at]), strict=True))
    words = _words(scores, at)
    best: dict[str, tuple[float, int, tuple[MatchReason, ...]]] = {}
    for each in at:
        record, why, score = known[each], list[MatchReason](), float(mixed[each])
        bonus = times.bonus.get(int(threads.sessions[each]), 0.0)
        if bonus:
            score += bonus
            why.append(MatchReason(MatchKind.TIME))
        score *= _standing_share(statuses[each])
        if not statuses[each].is_live:
            why.append(MatchReason(MatchKind.ENDED, end=statuses[each].reason))
        why.append(MatchReason(MatchKind.WORDS, tuple(words[each])) if words[each] else MatchReason(MatchKind.BESIDE))
        # A session that was resumed under another id repeats its turns.
        key = f"{record.kind}\0{record.digest}"
        if key not in best or (-score, record.at_ns, record.id) < (-best[key][0], known[best[key][1]].at_ns, known[best[key][1]].id):
            best[key] = (score, each, tuple(why))
    turns = [
        Turn(known[each], threads.names[int(threads.sessions[each])], score, why, status=statuses[each])
        for score, each, why in best.values()
        if score > 0
    ]
    turns.sort(key=lambda turn: (-turn.score, -turn.record.at_ns, turn.record.id))
    return _renewed(turns, {known[each].id: texts[each] for each in at})


def _standing_share(status: Status) -> float:
    return (1.0 if status.is_live else SUPERSEDED_SHARE) * (1.0 if status.tier < Tier.ARCHIVED else SUPERSEDED_SHARE)


def _words(scores: _Scores, at: Sequence[int]) -> dict[int, list[str]]:
    held: dict[int, list[str]] = {each: [] for each in at}
    for term, places in sorted(scores.used, key=lambda pair: (len(pair[1]), pair[0])):
        inside = set(places.tolist())
        for each in at:
            if each in inside and len(held[each]) < 4:
                held[each].append(term)
    return held


def _renewed(turns: list[Turn], texts: Mapping[str, str]) -> list[Turn]:
    """The turns with each that was said anew later right below what replaces it, which takes the better place of the two."""
    said = [turn.record for turn in turns[:RENEWED_AMONG] if turn.record.kind in SPOKEN_KINDS]
    told = find_replaced((each.id, each.at_ns, each.seq, texts[each.id], each.trust == Trust.USER) for each in said)
    if not told:
        return turns
    score = {turn.record.id: turn.score for turn in turns}
    for old, (new, _) in told.items():
        score[new] = max(score[new], score[old])
    out: list[Turn] = []
    for turn in turns:
        if turn.record.id in told:
            new, sentence = told[turn.record.id]
            why = (MatchReason(MatchKind.RENEWED, (new, sentence)), *turn.why)
            out.append(replace(turn, score=min(turn.score, score[new]) * (1 - 1e-9), why=why, replaced_by=new))
        else:
            out.append(replace(turn, score=score[turn.record.id]))
    return sorted(out, key=lambda turn: (-turn.score, -turn.record.at_ns, turn.record.id))
