"""Rank: which records matter for a question? seed, then diffuse, then what is no longer true steps back. Pure over a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clew.ranking.deadline import Deadline
from clew.ranking.diffuse import Flow, diffuse, frontier_ids, heaviest
from clew.ranking.seed import Seeds, seed, words_of
from clew.ranking.weights import DEFAULT, Weights
from clew.records import EdgeKind, Record, Standing, TaskState, Tier, handle_of
from clew.store.index import Index
from clew.store.ports import Reader
from clew.task.clues import clues
from clew.text.embed import Embedder

# Prefix of its sources, and the power that makes a worth of its weights: those of code are worths already, those of sessions
# say how much of the question is held, and half of it is worth a tenth. Guess; after SHARPNESS it is the square.
PIPELINES: tuple[tuple[str, float], ...] = (("file:", 1.0), ("session:", 3.3))
CANDIDATES_MIN, CANDIDATES_MAX = 160, 2000
WEIGHT_SHARE_MIN = 0.00001  # of the best candidate's weight: below it a record is not worth a line
NAME_CHARS_MAX = 60  # of another record's name in a reason
HEADS_MAX = 6  # files whose imports are candidates: a fifth of all fixes changes an import as well
HEAD_SHARE = 0.5  # of the worth of the file's best record, before SHARPNESS; LINE 51 without, 55 from .3 to .6
# What else changes with a file is not what an issue is about: on 117 issues no verdict differed with these edges or without.
OF_SESSIONS = frozenset((EdgeKind.CONTAINS, EdgeKind.MENTIONS, EdgeKind.FIXES, EdgeKind.DERIVED_FROM))
SUPERSEDED_SHARE = 0.04  # what a record that is no longer true keeps of its weight; guess
FOLDED_SHARE = 0.36  # likewise one on the folded tier; guess


@dataclass(frozen=True, slots=True)
class Ranked:
    """Documents in order of rank with their final weights, and what is needed to explain them."""

    docs: list[int]
    weights: list[float]
    seeds: Seeds
    flow: Flow | None


def rank(
    reader: Reader,
    workspace: str,
    index: Index,
    state: TaskState,
    *,
    candidates_max: int,
    deadline: Deadline,
    embedder: Embedder | None = None,
    weights: Weights = DEFAULT,
) -> Ranked:
    """Return the documents that matter for a task state, heaviest first, at most `candidates_max`."""
    total = Seeds(np.zeros(index.size, np.float32))
    read = clues(state.question)
    for prefix, power in PIPELINES:
        found = seed(index, state, prefix=prefix, deadline=deadline, found=read, embedder=embedder, weights=weights)
        total.lexical.extend(found.lexical)
        total.weights += found.weights if power == 1.0 else found.weights ** np.float32(power)
        total.reasons.update(found.reasons)
        total.by_path.update(found.by_path)
    flow = None
    if total.weights.any() and deadline.allows("diffuse"):
        edges = tuple(edge for edge in reader.edges(workspace, frontier_ids(index, total)) if edge.kind in OF_SESSIONS)
        flow = diffuse(index, total, edges=edges)
    is_hot = (total.weights > 0) & index.alive
    live = np.flatnonzero(is_hot).astype(np.int32)
    is_hot[_age(reader, workspace, index, total)] = False
    hot = np.flatnonzero(is_hot).astype(np.int32)
    # What was archived is found when nothing else answers.
    docs = heaviest(index, total.weights, hot if len(hot) else live, candidates_max).tolist()
    worths = [float(total.weights[doc]) for doc in docs]
    kept = [(doc, worth) for doc, worth in zip(docs, worths, strict=True) if worth >= WEIGHT_SHARE_MIN * worths[0]]
    return Ranked([doc for doc, _ in kept], [weight for _, weight in kept], total, flow)


def with_heads(index: Index, ranked: Ranked) -> list[tuple[int, float]]:
    """The ranked documents and the heads of the first files among them, in order of weight: an edit needs what its file imports."""
    worths = dict(zip(ranked.docs, ranked.weights, strict=True))
    best: dict[int, float] = {}
    for doc, worth in worths.items():
        best.setdefault(int(index.path_codes[doc]), worth)
    for code, worth in list(best.items())[:HEADS_MAX]:
        head = int(index.heads[code])
        if head >= 0:
            worths[head] = max(worths.get(head, 0.0), HEAD_SHARE * worth)
    return sorted(worths.items(), key=lambda pair: (-pair[1], index.id_of(pair[0])))


def _age(reader: Reader, workspace: str, index: Index, total: Seeds) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Weigh down what is no longer true or lives on a lower tier; return the archived documents."""
    archived: list[int] = []
    for record_id, standing in reader.unusual(workspace):
        for doc in index.docs_of([record_id]).tolist():
            if total.weights[doc] <= 0:
                continue
            total.weights[doc] *= np.float32(_share(standing))
            total.reasons.setdefault(doc, []).append(_said(standing))
            if standing.tier == Tier.ARCHIVED:
                archived.append(doc)
    return np.array(archived, np.int32)


def _share(standing: Standing) -> float:
    share = SUPERSEDED_SHARE if not standing.is_live else 1.0
    return share * (FOLDED_SHARE if standing.tier == Tier.FOLDED else 1.0)


def _said(standing: Standing) -> str:
    if standing.is_live:
        return f"on the {standing.tier.name.lower()} tier"
    by = f" by ⟨{handle_of(standing.superseded_by)}⟩" if standing.superseded_by else ""
    return f"no longer true: {standing.reason or 'superseded'}{by}"


def reasons_of(
    index: Index, ranked: Ranked, docs: Sequence[int], records: Mapping[str, Record], question: str
) -> dict[int, tuple[str, ...]]:
    """Reasons in words for the chosen documents, strongest first."""
    matches = [found.matching(docs) for found in ranked.seeds.lexical]
    said = words_of(question)
    words = [[said.get(term, term) for match in matches for term in match[at]] for at in range(len(docs))]
    given = ranked.flow.reasons(index, docs) if ranked.flow else {}
    out: dict[int, tuple[str, ...]] = {}
    for doc, matched in zip(docs, words, strict=True):
        of_file = ranked.seeds.by_path.get(int(index.path_codes[doc]), "")
        why = list(dict.fromkeys((*ranked.seeds.reasons.get(doc, ()), *((of_file,) if of_file else ()))))[:3]
        if matched:
            why.append("words: " + ", ".join(dict.fromkeys(matched)))
        if doc in given:
            form, tail = given[doc]
            told = records.get(index.id_of(tail))
            name = told.name if told else "another record"
            why.append(form.format(name if len(name) <= NAME_CHARS_MAX else name[: NAME_CHARS_MAX - 1] + "…"))
        out[doc] = tuple(why or ["its file matches"])
    return out
