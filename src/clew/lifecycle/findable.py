"""Findable: postings of records whose own are lost, made of what the records still say."""

from __future__ import annotations

from collections.abc import Sequence

from clew.packet.options import OriginalCache
from clew.records import Delta, Record, SourceState
from clew.store.ports import Snapshot
from clew.text.postings import Document, pack

BY = "findable/1"


def postings_of(snapshot: Snapshot, source: str, state: SourceState | None, ids: Sequence[str]) -> Delta | None:
    """Return the Delta that makes these live records of a source findable again by their names, paths and words; None for none.

    The names that code defines and uses are not among it: whoever can be read again should be.
    """
    wanted = frozenset(ids)
    records = tuple(record for record in snapshot.of_source(source) if record.id in wanted)
    if state is None or not records:
        return None
    originals = OriginalCache(snapshot)
    originals.read(record.whole for record in records)
    return Delta(BY, source, is_whole=False, records=records, segment=pack([_document(each, originals) for each in records]), state=state)


def _document(record: Record, originals: OriginalCache) -> Document:
    words = originals.text_of(record.whole)
    fields = (record.name, record.path, "", "", words)
    return Document(record.id, record.layer.value, record.kind, record.path, fields, lines=words.count("\n") + 1)
