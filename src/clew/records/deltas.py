"""Delta: one atomic change of the store, the only thing that a producer of records (parser, ingester, …) emits."""

from __future__ import annotations

from dataclasses import dataclass

from clew.records.edges import Edge
from clew.records.reasons import EndReason
from clew.records.records import Record


@dataclass(frozen=True, slots=True)
class Blob:
    """An original text to store: its bytes, and their blake2b-128 digest in hex, under which records refer to it.

    is_sequential  it is read with those before and after it rather than alone, as the lines of a transcript are.
    """

    digest: str
    data: bytes
    is_sequential: bool = False


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far a source (a file, a session's transcript) has been read: what its producer needs to resume, and reports show.

    digest    content hash of what was read ("" when nothing was).
    size      bytes read so far (the whole file, or the offset at which a growing one is resumed).
    mtime_ns  the file's modification time when it was read; of a source that is no file, the producer's own version number.
    status    "indexed", or why its content was not indexed: "binary", "generated", "minified", …
    note      JSON of the producer (parser, ingester) for its next run, which the store never reads.
    """

    source: str
    digest: str = ""
    size: int = 0
    mtime_ns: int = 0
    status: str = "indexed"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Supersession:
    """The end of one record: since `at_ns`/`seq` the record with id `old` is not true; `new` is its successor's id, "" for none.

    is_undone  the reverse: `old` is true and trusted again, because what had ended it was taken back.
    is_doubt   `old` stays live but is marked suspect, since it cites what `new` has changed.
    """

    old: str
    new: str = ""
    reason: EndReason | None = None
    seq: int = 0
    at_ns: int = 0
    is_undone: bool = False
    is_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """One atomic change of the store: the records, edges and originals that a producer read from one source.

    by        the producer and its version, such as `codebase/1`.
    source    name of the source that holds the records: `file:src/a.py`, `session:<id>`.
    is_whole  True: `records` is everything that the source holds now, and what else it held is retired.
              False: `records` is added to what it held.
    segment   search index entries of `records`, in their order, packed by `clew.text.postings`; b"" for none.
    state     the source's new state; None removes the source with all its records.
    """

    by: str
    source: str
    is_whole: bool
    records: tuple[Record, ...] = ()
    edges: tuple[Edge, ...] = ()
    superseded: tuple[Supersession, ...] = ()
    blobs: tuple[Blob, ...] = ()
    segment: bytes = b""
    state: SourceState | None = None
