"""Delta: what a producer proposes. The only thing that a producer emits; applied whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass

from clew.records.edges import Edge
from clew.records.reasons import EndReason
from clew.records.records import Record


@dataclass(frozen=True, slots=True)
class Blob:
    """An original: its digest (blake2b-128 in hex, over the bytes) and its bytes."""

    digest: str
    data: bytes


@dataclass(frozen=True, slots=True)
class SourceState:
    """What a producer must remember of a source to resume, and what a report says of it.

    digest    content hash of what was read ("" when nothing was).
    size      bytes read so far (the whole file, or the offset at which a growing one is resumed).
    mtime_ns  the file's own time when it was read, or a number that stands for all that its status says.
    status    "indexed", or the reason why it was only named: "binary", "generated", "minified", …
    note      the producer's own JSON, unread by the store.
    """

    source: str
    digest: str = ""
    size: int = 0
    mtime_ns: int = 0
    status: str = "indexed"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Supersession:
    """`old` is no longer true since `at_ns`/`seq`: `new` replaced it, or nothing did.

    is_undone  the opposite: `old` had ended or was in doubt, and is true again, because what ended it was taken back.
    is_doubt   `old` cites what `new` has changed: it stays, as suspect.
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
    """Everything that one source has to say now.

    by        the producer and its version, such as `codebase/1`.
    source    whose records these are: `file:src/a.py`, `session:<id>`.
    is_whole  True: `records` is everything that the source holds now, and what else it held is retired.
              False: `records` is added to what it held.
    segment   packed postings of `records`, in their order, made by `clew.text.postings`; b"" for none.
    state     the source's new state; None retires the source altogether.
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
