"""Rank: which records matter for a question? Seeds, then diffusion, then what is no longer true steps back. Pure over a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeAlias, cast

import numpy as np

from clew.ranking.deadline import Deadline
from clew.ranking.diffuse import FRONTIER, Flow, WeightedDocuments, diffuse, select_heaviest
from clew.ranking.importance import NEUTRAL, compute_code_importance
from clew.ranking.question import STOP_WORDS, Question
from clew.ranking.seed import SHORT_SHARPNESS, compute_role_shares, score_code, score_sessions
from clew.ranking.twins import add_twins
from clew.ranking.verbatim import find_verbatim
from clew.ranking.weights import Weights
from clew.records import EdgeKind, MatchKind, MatchReason, Record, Remark, RemarkKind, Status, Tier
from clew.store.bm25 import find_holders
from clew.store.documents import Documents, Numbers
from clew.store.ports import Snapshot
from clew.store.quoted_paths import find_files
from clew.store.search import CODE, SearchResult
from clew.text.embed import Embedder
from clew.text.words import extract_words, split_word

# The power of the weights of sessions, which say how much of the question is held: half of it is worth a tenth. Guess; after SHARPNESS
# of a packet it is the square. Those of code are utilities already.
SESSION_POWER = 3.3
CANDIDATES_MIN, CANDIDATES_MAX = 160, 2000
WEIGHT_SHARE_MIN = 0.00001  # of the best candidate's weight: below it a record is not worth a line
HEADS_MAX = 6  # files whose imports are candidates: a fifth of all fixes changes an import as well
HEAD_SHARE = 0.5  # of the utility of the file's best record, before SHARPNESS; LINE 51 without, 55 from .3 to .6
# What else changes with a file is not what an issue is about: on 117 issues no verdict differed with these edges or without.
OF_SESSIONS = frozenset((EdgeKind.CONTAINS, EdgeKind.MENTIONS, EdgeKind.FIXES, EdgeKind.DERIVED_FROM))
SUPERSEDED_SHARE = 0.04  # what a record that is no longer true keeps of its weight; guess
FOLDED_SHARE = 0.36  # likewise one on the folded tier; guess
# Nats that a whole unit of importance adds to the score of code, in a short question: +2 points of NDCG@10 in projects that it was not
# chosen on. An issue's text says by itself what it is about, and turns of earlier sessions were found less often with it (bench/LOG.md).
IMPORTANCE_GAIN = 3.0
# What is as likely as not stands beside the question's best record. On 79 short prompts MRR .36 with 1, .40 with 2, .44 with 3; with
# another session's state .14, .15, .15, for the question alone .13 (bench/LOG.md; the model saw them). The second, where the question names
# a record or quotes a place: that stands first.
EXPECTED_GAIN, EXPECTED_GAIN_NAMED = 2.0, 0.9
LEAD_STEP = 1.2  # a quoted place's weight over the next one's: more than what a file's further records add up to
LEADS_MAX = 8  # records that bear the name which is the whole question; of more the ranking tells which is meant; guess
NEAREST_MAX, NEAREST_RATIO = 3, 0.7  # names that are like one that is nowhere; the ratio is `difflib`'s, a guess
EVIDENCE_SHARE_MIN = 0.34  # guess: with less of a short question in any one record there is little that it asks for
MISSING_SHARE_MAX = 0.9  # of the best weight, where a name that is asked for is nowhere
PATHS_MAX = 6  # quoted paths of which it is said that they were not read; guess
TERMS_SHOWN, TERMS_SOUGHT = 4, 16  # in the reason of a record; and among how many of it, rarest first, the question's are looked for
WORDS_MAX = 6  # words that are named as being nowhere


UnlistedReason: TypeAlias = Callable[[str], str]
"""Says of a path in the repository why it is in no listing of files: see `clew.codebase.scan.find_unlisted_reason`."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Document numbers in order of rank with their final weights, and the data from which their reasons are made.

    noted  by document what the reader should know of it: that it is old or on a lower tier, or the twin of another file.
    leads  (document, line or 0) of what the question quotes: these stand first, whatever else matches.
    """

    docs: list[int]
    weights: list[float]
    found: SearchResult
    flow: Flow | None
    noted: Mapping[int, MatchReason]
    leads: tuple[tuple[int, int], ...] = ()


def rank(
    snapshot: Snapshot,
    question: Question,
    *,
    candidates_max: int,
    deadline: Deadline,
    embedder: Embedder | None = None,
    weights: Weights | None = None,
    with_sessions: bool = True,
    expected: Mapping[str, float] | None = None,
) -> Ranked:
    """Return at most `candidates_max` documents that are relevant to a question, heaviest first; of code alone unless `with_sessions`.

    expected  path → the probability that the agent that asks goes on with this file: its best record weighs at least EXPECTED_GAIN
              times this share of the best one's, less where the question names a record itself.
    """
    vector = None
    if embedder is not None and snapshot.documents.model == embedder.name and deadline.allows("vector"):
        vector = question.vector(embedder)
    found = snapshot.search(question.query(vector), deadline.allows)
    said = found.sessions.docs if with_sessions else found.sessions.docs[:0]
    seeds = _together(
        WeightedDocuments(found.code.docs, score_code(found.code, question, weights)),
        WeightedDocuments(said, score_sessions(found.sessions, question)[: len(said)] ** np.float32(SESSION_POWER)),
    )
    noted: dict[int, MatchReason] = {}
    if expected:
        is_exact = found.is_named or bool(found.places.places)
        seeds, noted = _raised(snapshot, seeds, expected, EXPECTED_GAIN_NAMED if is_exact else EXPECTED_GAIN)
    flow = None
    # Age lowers the weight of so many at most: what is lighter than this many others, and is given nothing, is no candidate.
    stale = snapshot.stale_or_cold()
    every, seeds = seeds, _select_heavy(seeds, max(candidates_max, FRONTIER) + len(stale))
    if len(seeds.docs) and deadline.allows("diffuse"):
        seeds, flow = diffuse(
            snapshot,
            seeds,
            lighter=every,
            along=OF_SESSIONS if with_sessions else (),
            prior=lambda docs: compute_role_shares(snapshot.documents, question, docs),
        )
    seeds, aged, archived = _aged(snapshot, seeds, stale)
    is_hot = ~np.isin(seeds.docs, archived)
    # What was archived is found when nothing else answers.
    best = select_heaviest(
        snapshot, WeightedDocuments(seeds.docs[is_hot], seeds.weights[is_hot]) if is_hot.any() else seeds, candidates_max
    )
    if question.is_short and deadline.allows("importance"):
        best = _with_importance(snapshot, best)
    twins: dict[int, MatchReason] = {}
    if deadline.allows("twins"):
        best, twins = add_twins(snapshot, best)
    least = WEIGHT_SHARE_MIN ** (SHORT_SHARPNESS if question.is_short else 1.0)
    kept = best.weights >= least * float(best.weights[0]) if len(best.docs) else np.zeros(0, np.bool_)
    docs, values = best.docs[kept].tolist(), best.weights[kept].tolist()
    leads = tuple(dict.fromkeys((_heaviest(place.docs.tolist(), docs), place.line) for place in found.places.places))
    if not leads and deadline.allows("verbatim"):
        held = find_verbatim(snapshot, question, found.code.words.used)
        leads = tuple((each.doc, each.line) for each in held)
        noted |= {each.doc: MatchReason(MatchKind.VERBATIM, (each.run,)) for each in held}
    if not leads and question.only_name:
        leads = tuple((doc, 0) for doc in _bearing(snapshot, question.only_name, docs))
    holding = [] if leads else _holding(snapshot, question.only_name, docs)
    docs, values = _led(docs, values, list(dict.fromkeys(doc for doc, _ in leads)) or holding)
    return Ranked(docs, values, found, flow, noted | twins | aged, leads)


def add_file_documents(snapshot: Snapshot, ranked: Ranked) -> list[tuple[int, float]]:
    """Return (document, weight), heaviest first: the ranked documents, and of the first files the whole, whose imports an edit needs."""
    documents = snapshot.documents
    weights = dict(zip(ranked.docs, ranked.weights, strict=True))
    best: dict[int, float] = {}
    for doc, weight in weights.items():
        best.setdefault(int(documents.path_codes[doc]), weight)
    for code, weight in list(best.items())[:HEADS_MAX]:
        head = int(documents.file_documents[code])
        if head >= 0:
            weights[head] = max(weights.get(head, 0.0), HEAD_SHARE * weight)
    return sorted(weights.items(), key=lambda pair: (-pair[1], documents.id_of(pair[0])))


def find_reasons(
    snapshot: Snapshot, ranked: Ranked, docs: Sequence[int], records: Mapping[str, Record], question: Question
) -> dict[int, tuple[MatchReason, ...]]:
    """Return for each of `docs` why it was found, strongest reason first."""
    found, documents, own = ranked.found, snapshot.documents, dict(question.terms)
    terms = found.matching_terms(list(docs), TERMS_SOUGHT)
    contributions = ranked.flow.largest_contributions(snapshot, docs) if ranked.flow else {}
    out: dict[int, tuple[MatchReason, ...]] = {}
    for doc, matched in zip(docs, terms, strict=True):
        why = [*found.reasons.get(doc, ()), *([ranked.noted[doc]] if doc in ranked.noted else ())]
        if int(documents.path_codes[doc]) in found.committed:
            why.append(MatchReason(MatchKind.COMMIT))
        why = list(dict.fromkeys(why))[:3]
        if words := [term for term in matched if term in own][:TERMS_SHOWN]:
            why.append(MatchReason(MatchKind.WORDS, tuple(dict.fromkeys(question.word_of_term.get(term, term) for term in words))))
        elif matched:
            why.append(MatchReason(MatchKind.TASK_WORDS, tuple(matched[:TERMS_SHOWN])))
        if doc in contributions:
            (kind, how), tail = contributions[doc]
            contributor = records.get(documents.id_of(tail))
            why.append(MatchReason(kind, (how, contributor.name if contributor else "")))
        out[doc] = tuple(why or [MatchReason(MatchKind.FILE)])
    return out


def find_remarks(
    snapshot: Snapshot, ranked: Ranked, question: Question, unlisted_reason: UnlistedReason | None, names: Sequence[str]
) -> tuple[tuple[Remark, ...], float]:
    """Return what is to be said of the question itself, and the share of it that the best record holds where some of it is nowhere.

    unlisted_reason  says why a path on disk is not indexed.
    names            of the records that were found, among which the nearest to a name that is nowhere are looked for.
    """
    absence, remarks = ranked.found.absence, [*ranked.found.places.remarks, *_unread(snapshot, ranked, question, unlisted_reason)]
    missing = [
        (name, spelled)
        for name, spelled, docs in absence.names
        if _joined(name) not in snapshot.documents.file_names.path_names and not _is_mentioned(snapshot, name, docs)
    ]
    for name, spelled in missing:
        own = {each.rpartition(".")[2].lower(): each for each in reversed(names) if "/" not in each}
        like = [own[each] for each in get_close_matches(name.lower(), own, NEAREST_MAX, NEAREST_RATIO)]
        remarks.append(Remark(RemarkKind.NO_SUCH_NAME, (name, *list(dict.fromkeys((*spelled, *like)))[:NEAREST_MAX])))
    is_found = bool(ranked.leads) or not absence.terms or ranked.found.is_named
    share = min(absence.share, MISSING_SHARE_MAX) if missing and not ranked.leads else 1.0
    if not ranked.docs or (not is_found and absence.share < EVIDENCE_SHARE_MIN and not _is_about_a_file(snapshot, question)):
        said = {name for name, _ in missing}
        words = dict.fromkeys(word for term in absence.terms if (word := question.word_of_term.get(term, term)) not in said)
        remarks.append(Remark(RemarkKind.LITTLE_EVIDENCE if ranked.docs else RemarkKind.NO_EVIDENCE, tuple(words)[:WORDS_MAX]))
    return tuple(remarks), share / max(ranked.weights) if share < 1.0 and ranked.weights else 1.0


def _unread(snapshot: Snapshot, ranked: Ranked, question: Question, unlisted_reason: UnlistedReason | None) -> Iterator[Remark]:
    """Say of quoted files that their text was not read, and of paths in a short question that there is none."""
    documents = snapshot.documents
    quoted = [documents.paths[code] for code in ranked.found.places.files[:PATHS_MAX]]
    asked = [path for path, _ in question.clues.paths] if question.is_short else []
    asked = [path for path in asked[:PATHS_MAX] if not documents.has_file(path)]
    states = snapshot.states_of_sources([f"file:{path}" for path in (*quoted, *asked)])
    for path in dict.fromkeys((*quoted, *asked)):
        state = states.get(f"file:{path}")
        if state is not None and state.status != "indexed":
            yield Remark(RemarkKind.NOT_READ, (path, state.status))
        elif state is None and path in asked and unlisted_reason and (why := unlisted_reason(path)) not in ("", "missing"):
            yield Remark(RemarkKind.NOT_READ, (path, why))
        elif state is None and path in asked and not quoted and not ranked.leads and _is_missing(documents, path):
            name = path.rpartition("/")[2]
            like = get_close_matches(name, documents.paths_by_basename, NEAREST_MAX, NEAREST_RATIO)
            yield Remark(RemarkKind.NO_SUCH_PATH, (path, *(documents.paths_by_basename[each][0] for each in like)))


def _is_missing(documents: Documents, path: str) -> bool:
    """Whether a written path says of itself that it is a file, or stands in a folder that exists, and there is none such."""
    folder, _, name = path.rpartition("/")
    if not folder:
        return name not in documents.paths_by_basename
    paths = tuple(documents.file_names.list_paths())
    if "." not in name[1:] and (path.startswith("/") or not any(each.startswith(f"{folder}/") for each in paths)):
        return False  # a route, or a place on another machine
    is_folder = any(f"/{path}/" in f"/{each}" for each in paths)
    return not is_folder and not find_files(documents.paths_by_basename, path)


def _is_about_a_file(snapshot: Snapshot, question: Question) -> bool:
    """Whether a word of the question is the whole name of a file, or of something defined."""
    words = {word for word in question.words if word.lower() not in STOP_WORDS and len(word) > 2}
    stems = snapshot.documents.file_names.stems
    return any(word.lower() in stems or len(snapshot.names.defining(word)) for word in sorted(words))


def _is_mentioned(snapshot: Snapshot, name: str, docs: Sequence[int]) -> bool:
    """Whether the text of one of these documents holds a name, however its words are joined: its terms are stems, and may be another's.

    That a commit speaks of a name says nothing of what is here now.
    """
    wanted = _joined(name)
    ids = snapshot.documents.ids_of([doc for doc in docs if not snapshot.documents.is_commit[doc]])
    texts = [record.full_text for record in snapshot.records(ids)]
    originals = snapshot.originals({text.blob for text in texts if text.blob})
    held = (originals[text.blob][text.start : text.end].decode("utf-8", "replace") if text.blob else text.inline for text in texts)
    return any(wanted == _joined(word) for text in held for word in extract_words(text))


def _joined(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _bearing(snapshot: Snapshot, name: str, ranked: Sequence[int]) -> list[int]:
    """Return which of the ranked documents define a name, in their order; none where more than LEADS_MAX do."""
    bearing = frozenset(snapshot.names.defining(name).tolist())
    return [doc for doc in ranked if doc in bearing] if len(bearing) <= LEADS_MAX else []


def _holding(snapshot: Snapshot, name: str, ranked: Sequence[int]) -> list[int]:
    """Return which of the ranked documents hold a name of several words as a whole, in their order; none where more than LEADS_MAX do."""
    terms = split_word(name.rpartition(".")[2])
    holding = frozenset(find_holders(snapshot.documents, terms[-1], LEADS_MAX + 1) if len(terms) > 1 else ())
    return [doc for doc in ranked if doc in holding] if len(holding) <= LEADS_MAX else []


def _heaviest(docs: Sequence[int], ranked: Sequence[int]) -> int:
    """The first of the ranked documents that is one of `docs`, else the first of `docs`."""
    among = set(docs)
    return next((doc for doc in ranked if doc in among), docs[0])


def _led(docs: list[int], weights: list[float], leads: Sequence[int]) -> tuple[list[int], list[float]]:
    """The documents with those of `leads` in front, in their order, each heavier than what follows it."""
    if not leads:
        return docs, weights
    best, led = max(weights, default=1.0), set(leads)
    rest = [(doc, weight) for doc, weight in zip(docs, weights, strict=True) if doc not in led]
    front = [(doc, best * LEAD_STEP ** (len(leads) - at)) for at, doc in enumerate(leads)]
    return [doc for doc, _ in front + rest], [weight for _, weight in front + rest]


def _together(code: WeightedDocuments, sessions: WeightedDocuments) -> WeightedDocuments:
    """The documents of both that have any weight, ascending."""
    docs, weights = np.concatenate([code.docs, sessions.docs]), np.concatenate([code.weights, sessions.weights])
    order = np.argsort(docs, kind="stable")
    order = order[weights[order] > 0]
    return WeightedDocuments(docs[order], weights[order])


def _raised(
    snapshot: Snapshot, seeds: WeightedDocuments, expected: Mapping[str, float], gain: float
) -> tuple[WeightedDocuments, dict[int, MatchReason]]:
    """Raise the records of each expected file together, or add the file as a whole; return why for its best record."""
    documents = snapshot.documents
    best = float(seeds.weights.max(initial=0.0)) or 1.0
    weights, added, noted = seeds.weights.copy(), dict[int, float](), dict[int, MatchReason]()
    for path, probability in expected.items():
        code = documents.path_numbers.get(path)
        if code is None or (head := int(documents.file_documents[code])) < 0:
            continue
        among = np.flatnonzero(documents.path_codes[seeds.docs] == code)
        least = np.float32(gain * probability * best)
        if not len(among):
            added[head], first = float(least), head
        else:
            first = int(seeds.docs[among[np.argmax(weights[among])]])
            weights[among] *= np.maximum(least / weights[among].max(), np.float32(1))
        noted[first] = MatchReason(MatchKind.EXPECTED, (round(100 * probability),))
    if added:
        docs = np.concatenate([seeds.docs, np.array(list(added), seeds.docs.dtype)])
        order = np.argsort(docs, kind="stable")
        weights = np.concatenate([weights, np.array(list(added.values()), np.float32)])[order]
        return WeightedDocuments(docs[order], weights), noted
    return WeightedDocuments(seeds.docs, weights), noted


def _select_heavy(found: WeightedDocuments, count: int) -> WeightedDocuments:
    """Return the `count` heaviest documents, and those as heavy as the last of them, in their order."""
    if len(found.docs) <= count:
        return found
    keep = found.weights >= np.partition(found.weights, len(found.docs) - count)[len(found.docs) - count]
    return WeightedDocuments(found.docs[keep], found.weights[keep])


def _aged(
    snapshot: Snapshot, seeds: WeightedDocuments, stale: Sequence[tuple[str, Status]]
) -> tuple[WeightedDocuments, dict[int, MatchReason], Numbers]:
    """Weigh down what is no longer true or lives on a lower tier; return why, and the archived documents."""
    docs, owners = snapshot.documents.located([record_id for record_id, _ in stale])
    weights = seeds.weights.copy()
    places = np.minimum(np.searchsorted(seeds.docs, docs), max(len(seeds.docs) - 1, 0))
    is_found = seeds.docs[places] == docs if len(seeds.docs) else np.zeros(len(docs), np.bool_)
    docs, held = docs[is_found], cast("list[int]", owners[is_found].tolist())
    statuses = [stale[owner][1] for owner in held]
    weights[places[is_found]] *= np.array([_share(status) for status in statuses], np.float32)
    reasons = {doc: _reason(status) for doc, status in zip(docs.tolist(), statuses, strict=True)}
    is_archived = np.array([status.tier is Tier.ARCHIVED for status in statuses], np.bool_)
    return WeightedDocuments(seeds.docs, weights), reasons, docs[is_archived]


def _with_importance(snapshot: Snapshot, best: WeightedDocuments) -> WeightedDocuments:
    """The same documents, code weighed by its importance as well, heaviest first."""
    is_code = snapshot.documents.search_scope(CODE).mask[best.docs]
    weights = best.weights.copy()
    weights[is_code] *= np.exp(np.float32(IMPORTANCE_GAIN) * (compute_code_importance(snapshot, best.docs[is_code]) - np.float32(NEUTRAL)))
    return select_heaviest(snapshot, WeightedDocuments(best.docs, weights), len(best.docs))


_TIER_REASONS = {tier: MatchReason(MatchKind.TIER, (tier.name.lower(),)) for tier in Tier}


def _share(status: Status) -> float:
    share = SUPERSEDED_SHARE if not status.is_live else 1.0
    return share * (FOLDED_SHARE if status.tier is Tier.FOLDED else 1.0)


def _reason(status: Status) -> MatchReason:
    if status.is_live:
        return _TIER_REASONS[status.tier]
    return MatchReason(MatchKind.ENDED, (status.superseded_by,) if status.superseded_by else (), status.reason)
