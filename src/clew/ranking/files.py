"""Files: rank the files of a workspace for a question, without choosing any text of them.

Uses the ranking of packets (`clew.ranking.rank.rank`) and adds up its records by file. Reads a Snapshot, never writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.ranking.rank import CANDIDATES_MAX, CANDIDATES_MIN, Ranked, UnlistedReason, find_reasons, find_remarks, rank
from clew.ranking.seed import compute_strength
from clew.ranking.weights import Weights
from clew.records import AsOf, MatchReason, Remark, make_handle
from clew.store.ports import Snapshot
from clew.text.embed import Embedder

CANDIDATES_PER_FILE = 40  # guess: records that are ranked for each file of the list
FURTHER_SHARE = 0.1  # a file's second record counts this share of its weight, its third this share squared, and so on; guess


@dataclass(frozen=True, slots=True)
class RankedFile:
    """One file of the list.

    score    relative to the best file's, which is 1, or less where some of the question is nowhere.
    name     of its best symbol, "" where only the file as a whole was found; `handle` and `line` are that record's.
    records  how many of its records were ranked.
    why      reasons of its heaviest record, strongest first.
    """

    path: str
    score: float
    name: str
    handle: str
    line: int
    records: int
    why: tuple[MatchReason, ...]


@dataclass(frozen=True, slots=True)
class FileList:
    """Files in order of rank, the names of the ranking stages that were skipped, and what is to be said of the question itself.

    strength  how much of the question the best record holds, in nats before scores are made relative; 0 when nothing was found.
    """

    question: str
    files: tuple[RankedFile, ...]
    skipped: tuple[str, ...] = ()
    strength: float = 0.0
    remarks: tuple[Remark, ...] = ()
    as_of: AsOf = field(default_factory=AsOf, compare=False)


def rank_files(
    snapshot: Snapshot,
    question: Question,
    *,
    limit: int,
    deadline: Deadline | None = None,
    embedder: Embedder | None = None,
    weights: Weights | None = None,
    unlisted_reason: UnlistedReason | None = None,
    expected: Mapping[str, float] | None = None,
) -> FileList:
    """Return at most `limit` files for a question, the most relevant first; ties break by path.

    deadline, embedder, weights, unlisted_reason, expected  as for `retrieve`.
    """
    deadline = deadline or Deadline()
    candidates_max = min(max(limit * CANDIDATES_PER_FILE, CANDIDATES_MIN), CANDIDATES_MAX)
    ranked = rank(
        snapshot, question, candidates_max=candidates_max, deadline=deadline, embedder=embedder, weights=weights, expected=expected
    )
    found = group_by_file(snapshot, ranked)[:limit]
    # Reasons are the heaviest record's; the name is that of the heaviest symbol, which is mostly the same record.
    heads = [docs[0] for _, _, docs in found]
    best = [next((doc for doc in docs if snapshot.documents.parent[doc] >= 0), docs[0]) for _, _, docs in found]
    told = [tail for _, tail in ranked.flow.largest_contributions(snapshot, heads).values()] if ranked.flow else []
    ids = snapshot.documents.ids_of(list(dict.fromkeys([*heads, *best, *told])))
    records = {record.id: record for record in snapshot.records(ids)}
    reasons = find_reasons(snapshot, ranked, heads, records, question)
    remarks, share = find_remarks(snapshot, ranked, question, unlisted_reason, [record.name for record in records.values()])
    rows: list[RankedFile] = []
    for (path, score, docs), head, doc in zip(found, heads, best, strict=True):
        record = records.get(snapshot.documents.id_of(doc))
        if record is None:  # purged while the question was answered
            continue
        name = "" if record.name == path else record.name
        line = record.texts[0].start_line or record.full_text.start_line
        rows.append(RankedFile(path, round(share * score / found[0][1], 6), name, make_handle(record.id), line, len(docs), reasons[head]))
    skipped = tuple(dict.fromkeys([*deadline.skipped, *(() if embedder else ("vector: no embedder is chosen",))]))
    return FileList(question.text, tuple(rows), skipped, compute_strength(ranked.found.code, question, weights), remarks)


def group_by_file(snapshot: Snapshot, ranked: Ranked) -> list[tuple[str, float, Sequence[int]]]:
    """Return (path, score, its document numbers heaviest first) of every ranked file, best first; sessions are left out."""
    documents = snapshot.documents
    mask = documents.search_scope("file:").mask
    held: dict[str, tuple[float, float, list[int]]] = {}
    for doc, weight in zip(ranked.docs, ranked.weights, strict=True):
        if not mask[doc]:
            continue
        path = documents.path_of(doc)
        score, share, docs = held.get(path, (0.0, 1.0, []))
        docs.append(doc)
        held[path] = (score + share * weight, share * FURTHER_SHARE, docs)
    return sorted(((path, score, docs) for path, (score, _, docs) in held.items()), key=lambda row: (-row[1], row[0]))
