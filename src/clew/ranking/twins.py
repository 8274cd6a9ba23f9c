"""Twins: files that play the same part in parallel folders, such as `win/tty.c` beside `unix/tty.c`.

Two files are twins if their names are the same, their folders differ in one place, they are for the same thing (neither tests the other),
and they define some of the same names. When a question leads to one of them, the others are likely to be meant or to need the same change.
Reads a Snapshot, never writes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clew.ranking.diffuse import WeightedDocuments
from clew.records import MatchKind, MatchReason
from clew.store.documents import Documents
from clew.store.ports import Snapshot
from clew.store.search import CODE

FILES_MAX = 12  # the first files whose twins are looked for
TWINS_MAX = 4  # a name that more parallel folders hold is a convention (`index.ts`), and says nothing of a part played; guess
TWIN_SHARE = 0.6  # of the weight that a file's twin has at least
SHARED_NAMES_MIN = 0.15  # of the names that the smaller of the two defines; guess


def add_twins(snapshot: Snapshot, best: WeightedDocuments) -> tuple[WeightedDocuments, dict[int, MatchReason]]:
    """Return the documents, in order of weight, with the twins of the first files raised, and why for those that are new or raised."""
    documents = snapshot.documents
    is_code = documents.search_scope(CODE).mask
    first: dict[int, tuple[int, float]] = {}
    for doc, weight in zip(best.docs.tolist(), best.weights.tolist(), strict=True):
        if is_code[doc]:
            first.setdefault(int(documents.path_codes[doc]), (doc, weight))
            if len(first) >= FILES_MAX:
                break
    raised: dict[int, float] = {}
    why: dict[int, MatchReason] = {}
    twins = {code: list(_twins(documents, code)) for code in first}
    parts = [documents.id_of(doc) for code, (doc, _) in first.items() if twins[code] and documents.parent[doc] >= 0]
    names = {record.id: record.name for record in snapshot.records(parts)}
    for code, (doc, weight) in first.items():
        for twin in twins[code]:
            target = _counterpart(snapshot, names.get(documents.id_of(doc), ""), twin)
            if target >= 0 and raised.get(target, 0.0) < TWIN_SHARE * weight:
                raised[target] = TWIN_SHARE * weight
                why[target] = MatchReason(MatchKind.TWIN, (documents.paths[code],))
    held = dict(zip(best.docs.tolist(), best.weights.tolist(), strict=True))
    raised = {doc: weight for doc, weight in raised.items() if weight > held.get(doc, 0.0)}
    if not raised:
        return best, {}
    rows = sorted((held | raised).items(), key=lambda pair: (-pair[1], documents.id_of(pair[0])))
    docs, weights = np.array([doc for doc, _ in rows], np.int32), np.array([weight for _, weight in rows], np.float32)
    return WeightedDocuments(docs, weights), {doc: why[doc] for doc in raised}


def _twins(documents: Documents, code: int) -> Iterator[int]:
    """Yield positions of the paths of a file's twins."""
    *folders, name = documents.paths[code].split("/")
    if not folders:
        return
    found: list[int] = []
    for path in documents.paths_by_basename.get(name, ()):
        others = path.split("/")[:-1]
        if len(others) == len(folders) and sum(a != b for a, b in zip(folders, others, strict=True)) == 1:
            found.append(documents.path_numbers[path])
    heads = documents.file_documents
    if heads[code] < 0:
        return
    # A test or a demo of the same name does not play the same part.
    role = documents.role[heads[code]]
    found = [other for other in found if heads[other] >= 0 and documents.role[heads[other]] == role]
    if 0 < len(found) < TWINS_MAX:
        own = _defined(documents, code)
        for other in found:
            names = _defined(documents, other)
            if len(np.intersect1d(own, names)) > SHARED_NAMES_MIN * max(min(len(own), len(names)), 1):
                yield other


def _defined(documents: Documents, code: int) -> NDArray[np.uint64]:
    """The distinct hashes of the names that a file's symbols define."""
    docs = documents.docs_of_path(code)
    docs = docs[documents.parent[docs] >= 0]
    pieces: list[NDArray[np.uint64]] = []
    for shard, offset in zip(documents.shards, documents.offsets, strict=True):
        ends = shard["backward_ends"]
        inside = docs[(docs >= offset) & (docs < offset + shard.size)] - offset
        pieces += [shard["backward_names"][ends[doc] : ends[doc + 1]] for doc in inside.tolist()]
    return np.unique(np.concatenate(pieces)) if pieces else np.empty(0, np.uint64)


def _counterpart(snapshot: Snapshot, name: str, twin: int) -> int:
    """The record of the twin that bears this name, or the twin as a whole, as for "", the name of a file."""
    if name:
        bearers = snapshot.names.defining(name)
        same = bearers[snapshot.documents.path_codes[bearers] == twin]
        if len(same):
            return int(same[0])
    return int(snapshot.documents.file_documents[twin])
