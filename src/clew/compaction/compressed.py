"""Compressed: what a model made of a stretch of a session, as something that may be shown beside its originals.

Each of its lines cites the records that it was made from. So a line holds only while all of them do, and what it says is
paid for once: the records that a bought text speaks of are worth less for that. Nothing here asks a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from clew.packet.options import Originals
from clew.records import Author, Blob, Delta, EdgeKind, Record, SourceState, Span, Spans, author_of, clew_says, handle_of, outside, text_of
from clew.store.originals import digest_of
from clew.store.ports import Snapshot

KIND = "compressed"
LINE_WORTH = 0.5  # of the best lines of a record, when a model's line speaks of it; guess
_CITED = re.compile(r" \[([0-9a-z]{8}(?: [0-9a-z]{8})*)\]$")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a compressed text, and the handles that it cites."""

    text: str
    handles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A line that still holds, how it is written, how long that is, and the ids of the records that it speaks of."""

    line: Line
    tokens: float
    speaks_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """A compressed text as it can be shown now: the lines that still hold. `tokens` is what it takes beside its lines."""

    record: Record
    told: tuple[Told, ...]
    tokens: float
    is_whole: bool


def source_of(session: str) -> str:
    """The name under which what was compressed of a session is kept: apart from it, so that no question finds one thing twice."""
    return f"compressed:{session}"


class Made(msgspec.Struct, array_like=True):
    """A text that was ever made of a session: its id, and the positions of the first and the last record that it was made from."""

    id: str
    first: int
    last: int


def noted(state: SourceState | None, source: str, made: Made) -> SourceState:
    """The state of a session's compressed texts, with one more: also those that have ended are known to a purge."""
    before = [each for each in _made(state) if each.id != made.id]
    return SourceState(source, made.id, len(before) + 1, note=msgspec.json.encode([*before, made]).decode())


def made_from(snapshot: Snapshot, record: Record) -> list[str]:
    """Ids of the compressed texts, true or not, in which words of a record may stand.

    Those of its part and of every later one: each was made with the state of the work before it.
    """
    is_placed = record.source == f"session:{record.session}"  # what was seen live, or by a subagent, has positions of its own
    made = _made(snapshot.source(source_of(record.session)))
    return [each.id for each in made if each.last >= record.seq or not is_placed]


def _made(state: SourceState | None) -> list[Made]:
    return msgspec.json.decode(state.note, type=list[Made]) if state is not None and state.note else []


def written(lines: Sequence[Line]) -> str:
    """The text of these lines, as `read` takes it apart."""
    return "".join(f"- {line.text} [{' '.join(line.handles)}]\n" for line in lines)


def read(text: str) -> list[Line]:
    """The lines of a compressed text. One without handles is left out: nobody could say whether it still holds."""
    found = [(row[2:], _CITED.search(row)) for row in text.split("\n") if row.startswith("- ")]
    return [Line(_CITED.sub("", row), tuple(cited[1].split(" "))) for row, cited in found if cited]


def inputs_of(snapshot: Snapshot, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each compressed record, the ids of what it was made from, ordered by id."""
    found: dict[str, list[str]] = {record_id: [] for record_id in ids}
    for edge in snapshot.edges(ids):
        if edge.kind is EdgeKind.DERIVED_FROM and edge.tail in found:
            found[edge.tail].append(edge.head)
    return {record_id: tuple(sorted(heads)) for record_id, heads in found.items()}


def ended_of(snapshot: Snapshot, record: Record) -> tuple[int, int]:
    """How many of the records that a compressed one was made from are no longer true, and how many there are."""
    ids = inputs_of(snapshot, [record.id])[record.id]
    return sum(not standing.is_live for standing in snapshot.statuses(ids)), len(ids)


def carried(snapshot: Snapshot, session: str, into: Snapshot) -> list[Delta]:
    """Return what was compressed of a session, to be told to a store that holds the session up to some point.

    A text that was made from anything that this store does not know is left out: it would speak of what came later.
    """
    source = source_of(session)
    records = snapshot.of_source(source)
    inputs = inputs_of(snapshot, [record.id for record in records])
    known = {record.id for record in into.records([one for ids in inputs.values() for one in ids])}
    kept = [record for record in records if inputs[record.id] and known.issuperset(inputs[record.id])]
    if not kept:
        return []
    originals = Originals(snapshot)
    data = [originals.bytes_of(record.whole) for record in kept]
    edges = [edge for edge in snapshot.edges([record.id for record in kept]) if edge.kind is EdgeKind.DERIVED_FROM]
    blobs = {digest_of(each): each for each in data}
    blobs_of = tuple(Blob(digest, each) for digest, each in blobs.items())
    return [Delta(kept[0].kind, source, is_whole=True, records=tuple(kept), edges=tuple(edges), blobs=blobs_of, state=SourceState(source))]


def covers(snapshot: Snapshot, session: str, live: Collection[str], measure: Callable[[Sequence[str]], Sequence[float]]) -> list[Cover]:
    """Return the compressed texts of a session that still say something true, ordered by (seq, id).

    live     ids of the records that are true now.
    measure  token counts of many texts at once.
    """
    records = snapshot.of_source(source_of(session))
    if not records:
        return []
    inputs = inputs_of(snapshot, [record.id for record in records])
    originals = Originals(snapshot)
    originals.read(record.whole for record in records)
    found: list[Cover] = []
    for record in records:
        ids = {handle_of(record_id): record_id for record_id in inputs[record.id]}
        lines = read(originals.text_of(record.whole))
        held = [line for line in lines if all(ids.get(handle, "") in live for handle in line.handles)]
        if held:
            frame, *tokens = measure([text_of(framed(record, "")), *(written([line]) for line in held)])
            told = tuple(
                Told(line, length, tuple(ids[handle] for handle in line.handles)) for line, length in zip(held, tokens, strict=True)
            )
            found.append(Cover(record, told, frame, len(held) == len(lines)))
    return found


def framed(record: Record, body: str) -> Spans:
    """Lines of a compressed text under its heading: a model's words, or those from outside that it was made from."""
    said = Span(Author.AGENT, body) if author_of(record) is Author.AGENT else outside(body)
    return clew_says(f"--- [{handle_of(record.id)}] "), Span(said.author, record.name), clew_says("\n"), said
