"""Compressed: store and show which lines of a part of a session a model would keep, and its sentences on others, beside the originals.

Lines and sentences name the records that they are of, so they count only while those are live. Lines that a shown sentence is
about lose utility, so that nothing is paid for twice. Nothing here calls a model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from clew.packet.options import OriginalCache
from clew.records import (
    Author,
    Blob,
    Delta,
    EdgeKind,
    Record,
    SourceState,
    Span,
    Spans,
    clew_span,
    infer_author,
    join_text,
    make_handle,
    outside_span,
)
from clew.store.originals import digest_of
from clew.store.ports import Snapshot

KIND = "compressed"
KEPT_FACTOR = 1.5  # of the utility of lines that a model would keep; guess: with models of 0.5 and 1.5 B it changed nothing (bench/LOG.md)
LINE_SHARE = 0.5  # of the best lines that a model's sentence is about; guess


class LineSpan(msgspec.Struct, frozen=True, array_like=True):
    """Lines of a record's text, from 0, both included. `record` is its id."""

    record: str
    first: int
    last: int


class CompressedPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """Lines that a model chose to keep, or, with `said`, lines that it would drop and a sentence on what they came to."""

    spans: tuple[LineSpan, ...]
    said: str = ""


@dataclass(frozen=True, slots=True)
class LiveSentence:
    """A sentence on lines whose records are all live, as a packet shows it, with its length in tokens."""

    part: CompressedPart
    text: str
    tokens: float


@dataclass(frozen=True, slots=True)
class CompressedText:
    """What can be used now of what a model made of a part: its sentences, and lines of live records that it kept.

    tokens  of its heading without a sentence.
    """

    record: Record
    kept: tuple[LineSpan, ...]
    sentences: tuple[LiveSentence, ...]
    tokens: float


def compressed_source(session: str) -> str:
    """Return the name of the source under which a session's compressed texts are stored, apart from the session's own records."""
    return f"compressed:{session}"


class CompressedRange(msgspec.Struct, array_like=True):
    """Id of one compressed text, live or ended, and the positions of the first and the last record that it was made from."""

    id: str
    first: int
    last: int


def add_range(state: SourceState | None, source: str, made: CompressedRange) -> SourceState:
    """Return the source state with one more range; ranges of ended texts stay, so that a purge finds them."""
    before = [each for each in _made(state) if each.id != made.id]
    return SourceState(source, made.id, len(before) + 1, note=msgspec.json.encode([*before, made]).decode())


def compressed_ids_containing(snapshot: Snapshot, record: Record) -> list[str]:
    """Return ids of the compressed texts, live or ended, in which words of a record may occur.

    Those made from its part and from every later one: each was made with the task state of the parts before it.
    """
    is_placed = record.source == f"session:{record.session}"  # what was seen live, or by a subagent, has positions of its own
    made = _made(snapshot.source_state(compressed_source(record.session)))
    return [each.id for each in made if each.last >= record.seq or not is_placed]


def _made(state: SourceState | None) -> list[CompressedRange]:
    return msgspec.json.decode(state.note, type=list[CompressedRange]) if state is not None and state.note else []


def encode_parts(parts: Sequence[CompressedPart]) -> bytes:
    """Return parts as a record stores them."""
    return msgspec.json.encode(parts)


def decode_parts(data: bytes) -> list[CompressedPart]:
    """Return the parts that a record stores; none of a record of a release that stored lines of text."""
    try:
        return msgspec.json.decode(data, type=list[CompressedPart])
    except msgspec.DecodeError:
        return []


def find_inputs(snapshot: Snapshot, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return for each compressed record the ids of the records that it was made from, ordered by id."""
    found: dict[str, list[str]] = {record_id: [] for record_id in ids}
    for edge in snapshot.edges(ids):
        if edge.kind is EdgeKind.DERIVED_FROM and edge.tail in found:
            found[edge.tail].append(edge.head)
    return {record_id: tuple(sorted(heads)) for record_id, heads in found.items()}


def count_ended_inputs(snapshot: Snapshot, record: Record) -> tuple[int, int]:
    """Return how many of the records that a compressed record was made from are no longer live, and how many it was made from."""
    ids = find_inputs(snapshot, [record.id])[record.id]
    return sum(not status.is_live for status in snapshot.statuses(ids)), len(ids)


def copy_compressed(snapshot: Snapshot, session: str, into: Snapshot) -> list[Delta]:
    """Return deltas that copy a session's compressed texts into a store that holds the session up to some point.

    A text made from a record that `into` does not hold is left out: it would tell of what came later.
    """
    source = compressed_source(session)
    records = snapshot.records_of_sources(source)
    inputs = find_inputs(snapshot, [record.id for record in records])
    known = {record.id for record in into.records([one for ids in inputs.values() for one in ids])}
    kept = [record for record in records if inputs[record.id] and known.issuperset(inputs[record.id])]
    if not kept:
        return []
    originals = OriginalCache(snapshot)
    data = [originals.bytes_of(record.full_text) for record in kept]
    edges = [edge for edge in snapshot.edges([record.id for record in kept]) if edge.kind is EdgeKind.DERIVED_FROM]
    blobs = {digest_of(each): each for each in data}
    blobs_of = tuple(Blob(digest, each) for digest, each in blobs.items())
    return [Delta(kept[0].kind, source, is_whole=True, records=tuple(kept), edges=tuple(edges), blobs=blobs_of, state=SourceState(source))]


def find_live_texts(
    snapshot: Snapshot, session: str, live: Collection[str], measure: Callable[[Sequence[str]], Sequence[float]]
) -> list[CompressedText]:
    """Return the compressed texts of a session of which something can be used, ordered by (seq, id).

    live     ids of the records that are live now.
    measure  token counts of many texts at once.
    """
    records = snapshot.records_of_sources(compressed_source(session))
    if not records:
        return []
    originals = OriginalCache(snapshot)
    originals.read(record.full_text for record in records)
    found: list[CompressedText] = []
    for record in records:
        parts = decode_parts(originals.bytes_of(record.full_text))
        kept = tuple(span for part in parts if not part.said for span in part.spans if span.record in live)
        held = [part for part in parts if part.said and all(span.record in live for span in part.spans)]
        texts = [_format_sentence(part) for part in held]
        if kept or held:
            frame, *tokens = measure([join_text(render_compressed(record, "")), *texts])
            sentences = tuple(LiveSentence(*each) for each in zip(held, texts, tokens, strict=True))
            found.append(CompressedText(record, kept, sentences, frame))
    return found


def _format_sentence(part: CompressedPart) -> str:
    handles = dict.fromkeys(make_handle(span.record) for span in part.spans)
    return f"- {part.said} [{' '.join(handles)}]\n"


def render_compressed(record: Record, body: str) -> Spans:
    """Return lines of a compressed text under its heading, attributed to the model, or to outside where the inputs came from there."""
    said = Span(Author.AGENT, body) if infer_author(record) is Author.AGENT else outside_span(body)
    return clew_span(f"--- [{make_handle(record.id)}] "), Span(said.author, record.name), clew_span("\n"), said
