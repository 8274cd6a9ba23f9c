"""Explain: list what a record is linked to, and how."""

from __future__ import annotations

from clew.records import EdgeKind, Record, make_handle
from clew.store.ports import Snapshot
from clew.text.postings import NameUse

LINKS_MAX = 24

_OUT = {NameUse.CALL: "calls", NameUse.REFERENCE: "refers to", NameUse.INHERIT: "inherits from", NameUse.MENTION: "mentions"}
_OF_FUNCTIONS = frozenset((EdgeKind.ALIKE, EdgeKind.SEMANTIC))
_STORED: dict[str, str] = {EdgeKind.ALIKE: "may change with", EdgeKind.SEMANTIC: "a model thinks it changes with"}
_BACK = {NameUse.CALL: "called by", NameUse.REFERENCE: "referred to by", NameUse.INHERIT: "inherited by", NameUse.MENTION: "mentioned by"}


def find_links(snapshot: Snapshot, record: Record) -> tuple[tuple[str, str, str, float], ...]:
    """Return (how, name, handle, weight) of at most LINKS_MAX records linked to a record, heaviest first.

    Links found by name in the newest index, its container, and stored edges that still hold.
    """
    documents = snapshot.documents
    docs = documents.docs_of([record.id])[:1]
    found: dict[tuple[str, str], float] = {}
    if len(docs):
        out, back = snapshot.names.outgoing(docs), snapshot.names.incoming(docs)
        for words, others, kinds, weights in ((_OUT, out.heads, out.kinds, out.weights), (_BACK, back.tails, back.kinds, back.weights)):
            for other, kind, weight in zip(others.tolist(), kinds.tolist(), weights.tolist(), strict=True):
                key = (words[NameUse(kind)], documents.id_of(other))
                found[key] = max(found.get(key, 0.0), weight)
        parent = int(documents.parent[docs[0]])
        if parent >= 0:
            found["stands in", documents.id_of(parent)] = 1.0
        for child in documents.children_of(int(docs[0])).tolist():
            found["contains", documents.id_of(child)] = 1.0
    edges = snapshot.edges([record.id])
    ends = documents.docs_of([edge.head if edge.tail == record.id else edge.tail for edge in edges])
    live = set(documents.ids_of(ends[documents.alive[ends]].tolist()))
    for edge in edges:
        other = edge.head if edge.tail == record.id else edge.tail
        if edge.kind not in _OF_FUNCTIONS or other in live:  # of a function that has changed since nothing is thought
            found[_STORED.get(edge.kind, str(edge.kind)), other] = edge.weight
    rows = sorted(found.items(), key=lambda row: (-row[1], row[0]))[:LINKS_MAX]
    names = {other.id: other for other in snapshot.records([other for (_, other), _ in rows])}
    return tuple((how, _named(names[other]), make_handle(other), round(weight, 3)) for (how, other), weight in rows if other in names)


def _named(record: Record) -> str:
    return f"{record.path}: {record.name}" if record.path and record.path != record.name else record.name
