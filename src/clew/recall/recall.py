"""Recall: which turns of earlier sessions bear on a question? Some of them, or none.

`scores` says how much of the question each turn holds, `evidence` makes numbers of it, `model` orders the turns by them and estimates how
likely any of them answers; below the model's threshold the answer is nothing. A session counts by its best turn and by all of its words
together; a time that the question names speaks for the sessions of that time. What was said anew later stands right above what it
replaces. Holds a Snapshot, so it cannot write; deterministic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from clew.packet.options import OriginalCache
from clew.ranking.question import Question
from clew.recall.evidence import Candidates, describe_answer, describe_turns, find_name_terms, find_names
from clew.recall.model import load_model, score_turns
from clew.recall.scores import (
    Floats,
    Ints,
    Scores,
    Threads,
    collect_threads,
    compute_rarity,
    compute_scores,
)
from clew.recall.when import DateSpan, find_dates, utc_date
from clew.records import AsOf, MatchKind, MatchReason, Record, Status, Tier, Trust
from clew.store.documents import Documents
from clew.store.ports import Snapshot
from clew.store.search import compute_similarity
from clew.task.subjects import SPOKEN_KINDS, find_replaced
from clew.text.embed import Embedder

SESSION_IN_TURN = 0.2  # what all words of its session count for a turn when candidates are chosen
SESSION_IN_SESSION = 0.5  # what they count for the session, beside its best turn
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
    """One turn of an earlier session, and its score for the question beside the best one's, which is 1.

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

    confidence  estimated probability that one of the turns found answers the question; also where nothing is returned.
    """

    question: str
    turns: tuple[Turn, ...] = ()
    sessions: tuple[tuple[str, float], ...] = ()
    confidence: float = 0.0
    as_of: AsOf = field(default_factory=AsOf, compare=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a question, before the model orders it and says whether it answers.

    candidates  the turns that may answer, one at least.
    records     by position among the threads' turns: of the candidates, and one of each session.
    sessions    positions among the threads' names, best first by `session_scores`, which a named time has raised.
    newest_ns   when each session was held; time_bonus: nats that the time named by the question gives it.
    """

    threads: Threads
    scores: Scores
    candidates: Candidates
    records: Mapping[int, Record]
    sessions: Sequence[int]
    session_scores: Mapping[int, float]
    newest_ns: Mapping[int, int]
    time_bonus: Mapping[int, float]


def find(
    snapshot: Snapshot,
    question: Question,
    *,
    only: Collection[str] | None = None,
    exclude: Collection[str] = (),
    in_window: Collection[str] = (),
    asked_ns: int = 0,
    embedder: Embedder | None = None,
) -> Found | None:
    """Return the turns that may answer a question; None where no turn holds a word of it.

    Arguments as those of `recall`. Cost: a pass over the postings of the question's words, and up to CANDIDATES originals.
    """
    documents = snapshot.documents
    threads = collect_threads(documents, only, exclude, in_window)
    if not len(threads.docs) or not question.terms:
        return None
    scores = compute_scores(documents, threads, question.terms, find_name_terms(find_names(question.text)))
    best = float(scores.turns.max())
    if not best:
        return None
    of_turn = scores.turns / best
    of_session = scores.sessions / max(float(scores.sessions.max()), 1e-12)
    top = np.zeros(len(threads.names))
    held = np.flatnonzero(scores.turns)
    np.maximum.at(top, threads.sessions[held], of_turn[held])
    whole = top + SESSION_IN_SESSION * of_session
    if embedder is not None and documents.model == embedder.name:
        whole += VECTOR * _by_vectors(documents, threads, question.vector(embedder))
    plain = np.zeros(len(of_turn))
    plain[held] = of_turn[held] + SESSION_IN_TURN * of_session[threads.sessions[held]]
    at = _best(plain, CANDIDATES)
    dated = _best(whole, SESSIONS_DATED)
    firsts = _best_of_each(threads, plain, dated)
    wanted = list(dict.fromkeys([*at.tolist(), *firsts.values()]))
    ids = [documents.id_of(int(threads.docs[each])) for each in wanted]
    records = {record.id: record for record in snapshot.records(ids)}
    known = {each: records[record_id] for each, record_id in zip(wanted, ids, strict=True) if record_id in records}
    at = np.array([each for each in at.tolist() if each in known], np.int64)
    if not len(at):
        return None
    newest = {session: known[each].at_ns for session, each in firsts.items() if each in known}
    bonus = _read_times(question.text, asked_ns, newest)
    originals = OriginalCache(snapshot)
    originals.read(known[each].full_text for each in at.tolist())
    texts = tuple(originals.text_of(known[each].full_text) for each in at.tolist())
    nats = np.array([bonus.get(session, 0.0) for session in threads.sessions[at].tolist()])
    candidates = Candidates(at, plain[at], describe_turns(question, threads, scores, at, texts, nats), texts)
    session_scores: dict[int, float] = {
        each: float(whole[each]) + TIME * bonus.get(each, 0.0) for each in dated.tolist() if whole[each] > 0
    }
    ranked = [each for _, _, each in sorted((-score, threads.names[each], each) for each, score in session_scores.items())]
    return Found(threads, scores, candidates, known, ranked, session_scores, newest, bonus)


def recall(
    snapshot: Snapshot,
    question: Question,
    *,
    only: Collection[str] | None = None,
    exclude: Collection[str] = (),
    in_window: Collection[str] = (),
    asked_ns: int = 0,
    turns_max: int = 10,
    sessions_max: int = 5,
    confidence_min: float | None = None,
    embedder: Embedder | None = None,
) -> Recalled:
    """Return the turns of earlier sessions that are relevant to a question, and their sessions; none where confidence is too low.

    only, exclude   ids of sessions; a subagent's turns belong to its session.
    in_window       ids of records that stand in the agent's window: those are left out.
    asked_ns        time of the question, by which `last week` and the like are read; 0 ignores times.
    confidence_min  below it nothing is returned; None takes the model's threshold, 0 always returns turns.
    embedder        the local model that made the records' vectors, or None.
    Cost            as `find`.
    """
    found = find(snapshot, question, only=only, exclude=exclude, in_window=in_window, asked_ns=asked_ns, embedder=embedder)
    if found is None:
        return Recalled(question.text)
    model = load_model()
    logits = score_turns(found.candidates.rows)
    confidence = model.estimate(describe_answer(found.threads, found.scores, found.candidates, logits))
    if confidence < (model.threshold if confidence_min is None else confidence_min):
        return Recalled(question.text, confidence=confidence)
    held = _find_held(found)
    terms = _held_by_turn(found.candidates.at.tolist(), held)
    turns = _turns(snapshot, found, logits, terms, question.word_of_term)
    names = found.threads.names
    ranked = [(names[each], found.session_scores[each]) for each in found.sessions]
    if not found.time_bonus:
        newest = {names[session]: at_ns for session, at_ns in found.newest_ns.items()}
        ranked = _newest_first(ranked, _held_by_session(found.threads, held), newest)
        turns = _newest_turns_first(turns, found, {found.records[each].id: held_terms for each, held_terms in terms.items()})
    return Recalled(question.text, tuple(turns[:turns_max]), tuple(ranked[:sessions_max]), confidence)


def _newest_first(ranked: list[tuple[str, float]], held: Mapping[str, Sequence[str]], at_ns: Mapping[str, int]) -> list[tuple[str, float]]:
    """The sessions, those of one subject with the best by their time, newest first; `held` are its search terms, rarest first."""
    near = [pair for pair in ranked if pair[1] >= SUBJECT_SCORE * ranked[0][1]] if ranked else []
    lead = held.get(near[0][0], ())[:SUBJECT_WORDS] if near else ()
    others = ranked[len(near)][1] if len(near) < len(ranked) else 0.0
    if len(near) > SUBJECT_SESSIONS_MAX or not lead or others > OTHERS_SCORE_MAX * ranked[0][1]:
        return ranked
    places = [at for at, (name, _) in enumerate(ranked[: len(near)]) if _is_same_subject(lead, held.get(name, ()))]
    by_time = iter(sorted((ranked[at] for at in places), key=lambda pair: (-at_ns.get(pair[0], 0), -pair[1], pair[0])))
    return [next(by_time) if at in places else pair for at, pair in enumerate(ranked)]


def _newest_turns_first(turns: list[Turn], found: Found, terms: Mapping[str, Sequence[str]]) -> list[Turn]:
    """The turns, those of one subject with the best by the time of their session, newest first; `terms` by the id of their record."""
    lead = terms[turns[0].record.id][:SUBJECT_WORDS] if turns else ()
    plain = {
        found.records[each].id: score for each, score in zip(found.candidates.at.tolist(), found.candidates.plain.tolist(), strict=True)
    }
    near = [
        at
        for at, turn in enumerate(turns[:TURNS_ORDERED])
        if turn.status.is_live and plain[turn.record.id] >= SUBJECT_TURN_SCORE * plain[turns[0].record.id]
    ]
    newest: dict[str, int] = {}
    for turn in (turns[at] for at in near):
        if _is_same_subject(lead, terms[turn.record.id]):
            newest[turn.session] = max(newest.get(turn.session, 0), turn.record.at_ns)
    places = [at for at in near if turns[at].session in newest]
    if not lead or not 1 < len(newest) <= SUBJECT_SESSIONS_MAX:
        return turns
    by_time = iter(sorted((turns[at] for at in places), key=lambda turn: (-newest[turn.session], turn.session)))
    return [next(by_time) if at in places else turn for at, turn in enumerate(turns)]


def _is_same_subject(lead: Sequence[str], held: Sequence[str]) -> bool:
    return bool(lead) and len(set(lead).intersection(held)) >= SUBJECT_WORDS_SHARE * len(lead)


def _find_held(found: Found) -> list[tuple[str, Ints]]:
    """The search terms of the question, rarest first, each with the candidates that hold it."""
    terms = sorted(found.scores.terms, key=lambda term: (-term.rarity, term.term))
    is_candidate = np.zeros(len(found.threads.docs), np.bool_)
    is_candidate[found.candidates.at] = True
    return [(each.term, np.sort(each.turns[is_candidate[each.turns]])) for each in terms]


def _held_by_session(threads: Threads, held: Sequence[tuple[str, Ints]]) -> dict[str, list[str]]:
    """Search terms of the question that a session's candidate turns hold, rarest first."""
    out: dict[str, list[str]] = {}
    for term, turns in held:
        sessions: list[int] = np.unique(threads.sessions[turns]).tolist()
        for session in sessions:
            out.setdefault(threads.names[session], []).append(term)
    return out


def _by_vectors(documents: Documents, threads: Threads, vector: NDArray[np.float32]) -> Floats:
    """(sessions,) cosine of each session's nearest turn, scaled to the best."""
    near_turns = compute_similarity(documents, vector, threads.mask)[threads.docs]
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


def _best_of_each(threads: Threads, plain: Floats, dated: Ints) -> dict[int, int]:
    """The best turn of each of these sessions, or its first one, by the session's number."""
    among = np.flatnonzero(np.isin(threads.sessions, dated))
    order = among[np.lexsort((-plain[among], threads.sessions[among]))]
    starts = np.searchsorted(threads.sessions[order], dated, "left")
    return {int(session): int(order[start]) for session, start in zip(dated.tolist(), starts.tolist(), strict=True)}


def _read_times(question: str, asked_ns: int, seen_ns: Mapping[int, int]) -> dict[int, float]:
    """Return nats for each session (by its number) of a time that the question names: the fewer hold it, the more it says."""
    named: Sequence[DateSpan] = find_dates(question, utc_date(asked_ns)) if asked_ns else ()
    if not named:
        return {}
    days: dict[int, date] = {session: utc_date(at_ns) for session, at_ns in seen_ns.items() if at_ns}
    near = {session: max(span.compute_nearness(day) for span in named) for session, day in days.items()}
    holders = sum(near.values())
    rarity = compute_rarity(holders, len(near)) if holders else 0.0
    return {session: rarity * value for session, value in near.items() if value}


def _turns(
    snapshot: Snapshot, found: Found, logits: Floats, terms: Mapping[int, Sequence[str]], word_of_term: Mapping[str, str]
) -> list[Turn]:
    """Return the candidates, best first, each once, with its reasons, what became of it, and what replaced it."""
    at, texts = found.candidates.at.tolist(), dict(zip(found.candidates.at.tolist(), found.candidates.texts, strict=True))
    statuses = dict(zip(at, snapshot.statuses([found.records[each].id for each in at]), strict=True))
    shares = dict(zip(at, np.exp(logits - logits.max()).tolist(), strict=True))
    best: dict[str, tuple[float, int, tuple[MatchReason, ...]]] = {}
    for each in at:
        record, why = found.records[each], list[MatchReason]()
        if found.time_bonus.get(int(found.threads.sessions[each])):
            why.append(MatchReason(MatchKind.TIME))
        score = float(shares[each]) * _standing_share(statuses[each])
        if not statuses[each].is_live:
            why.append(MatchReason(MatchKind.ENDED, end=statuses[each].reason))
        words = tuple(dict.fromkeys(word_of_term.get(term, term) for term in terms[each]))
        why.append(MatchReason(MatchKind.WORDS, words) if words else MatchReason(MatchKind.BESIDE))
        # A session that was resumed under another id repeats its turns, and a subagent's brief is its first prompt.
        key = " ".join(texts[each].split())
        if key not in best or (-score, record.at_ns, record.id) < (-best[key][0], *_age(found.records[best[key][1]])):
            best[key] = (score, each, tuple(why))
    threads = found.threads
    turns = [
        Turn(found.records[each], threads.names[int(threads.sessions[each])], score, why, status=statuses[each])
        for score, each, why in best.values()
        if score > 0
    ]
    turns.sort(key=lambda turn: (-turn.score, -turn.record.at_ns, turn.record.id))
    return _renewed(turns, {found.records[each].id: texts[each] for each in at})


def _age(record: Record) -> tuple[int, str]:
    return record.at_ns, record.id


def _standing_share(status: Status) -> float:
    return (1.0 if status.is_live else SUPERSEDED_SHARE) * (1.0 if status.tier < Tier.ARCHIVED else SUPERSEDED_SHARE)


def _held_by_turn(at: Sequence[int], held: Sequence[tuple[str, Ints]]) -> dict[int, list[str]]:
    """Search terms of the question that each candidate holds, rarest first, four at most."""
    out: dict[int, list[str]] = {each: [] for each in at}
    for term, turns in held:
        for each in turns.tolist():
            if len(out[each]) < 4:
                out[each].append(term)
    return out


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
