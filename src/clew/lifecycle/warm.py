"""Warm: what is dear to make is made before anybody asks: a transformer's vectors of code, the likeliest first.

Works in small portions, each durable when it is done, so it may be ended at any time and goes on where it was. A record that
changed has another id and therefore no vector, until the next run makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clew.records import Record
from clew.retrieval.options import Originals
from clew.store.index import Index
from clew.store.ports import Writer
from clew.text.embed import Embedder
from clew.text.rerank import packed

PORTION = 64  # vectors of one transaction: what an end in the middle costs, a few seconds
TEXTS_AT_ONCE = 8  # between two looks at the clock, about half a second
EMBEDDED_CHARS_MAX = 1000  # the model reads 256 tokens, about so many characters of code


@dataclass(slots=True)
class Warmed:
    """How many vectors this run made, how many live records of code there are, and how many of them have none yet."""

    made: int = 0
    records: int = 0
    left: int = 0
    seconds: float = 0.0


def warm(writer: Writer, workspace: str, model: Embedder, *, is_over: Callable[[], bool]) -> Warmed:
    """Make the vectors that are missing in a workspace, until none is or `is_over` says so.

    Order  code before tests and documents, then what more records hang on, then by record id.
    Raises StoreBusy or StoreUnwritable; what was made in earlier portions stands.
    """
    index = writer.index(workspace)
    ids = [index.id_of(doc) for doc in _likeliest(index)]
    missing = [record_id for record_id, data in zip(ids, writer.vectors(workspace, model.name, ids), strict=True) if not data]
    done = Warmed(records=len(ids), left=len(missing))
    originals = Originals(writer, workspace)
    for at in range(0, len(missing), PORTION):
        records = writer.records(workspace, missing[at : at + PORTION])
        made: list[tuple[str, bytes]] = []
        for first in range(0, len(records), TEXTS_AT_ONCE):
            if is_over():
                break
            some = records[first : first + TEXTS_AT_ONCE]
            rows = packed(model.embed([embedded(record, originals) for record in some]))
            made += [(record.id, row) for record, row in zip(some, rows, strict=True)]
        done.made += writer.keep_vectors(workspace, model.name, made) if made else 0
        if len(made) < len(records):
            break
    done.left -= done.made
    return done


def embedded(record: Record, originals: Originals) -> str:
    """What a vector is made of: the name, and the head of the text, which begins with the signature and the docstring.

    Both are named by the record's id, so an equal id means an equal vector.
    """
    return f"{record.name}\n{originals.text_of(record.whole)[:EMBEDDED_CHARS_MAX]}"[:EMBEDDED_CHARS_MAX]


def _likeliest(index: Index) -> list[int]:
    docs = np.flatnonzero(index.among("file:").mask & index.alive).astype(np.int32)
    hanging = np.bincount(index.incoming(docs).heads, minlength=index.size)
    aside = index.is_test | index.is_prose
    return sorted(docs.tolist(), key=lambda doc: (bool(aside[doc]), -int(hanging[doc]), index.id_of(doc)))
