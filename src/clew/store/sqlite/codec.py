"""Codec: nouns to rows and back, exactly.

SQLite's TEXT is UTF-8, and not every str is: names of files may hold bytes that are not (Python keeps
those as lone surrogates), and transcripts hold halves of emoji where JavaScript cut them. A str that is
valid goes in as TEXT; any other goes in as BLOB, in UTF-8 with its surrogates passed through (WTF-8), so
that each str has one stored form, equal forms mean equal strs, and bytes sort as the strs do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from clew.records import Edge, EdgeKind, EndKind, EndReason, Layer, Record, RecordText, Resolution, SourceState, Status, Tier, Trust

Stored: TypeAlias = str | bytes
_PackedText: TypeAlias = tuple[int, int, Any, str, int, int, int, int]  # Any: str or bytes, see `Stored`

_LAYERS = {layer.value: layer for layer in Layer}
_EDGE_KINDS: dict[str, str] = {kind.value: kind for kind in EdgeKind}
_RESOLUTIONS: tuple[Resolution, ...] = tuple(Resolution)
_TIERS = {tier.value: tier for tier in Tier}
_TRUSTS = {trust.value: trust for trust in Trust}

_encoder = msgspec.msgpack.Encoder()
_json_encoder = msgspec.json.Encoder()
_texts_decoder = msgspec.msgpack.Decoder(list[_PackedText])


def to_stored(text: str) -> Stored:
    """Return `text` itself when SQLite can hold it as TEXT, its WTF-8 bytes otherwise."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_stored(value: Stored) -> str:
    """Return the str that `to_stored` was given."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def ids_to_json(ids: Sequence[str]) -> str:
    """Return distinct ids as a JSON list. What is not ASCII is left out: it is no record's id."""
    return _json_encoder.encode([record_id for record_id in dict.fromkeys(ids) if record_id.isascii()]).decode()


def prefix_ranges(prefix: str) -> tuple[str, Stored, bytes, bytes]:
    """Two ranges, low inclusive and high exclusive, of texts and of bytes: the stored forms of what begins with `prefix`."""
    data = prefix.encode("utf-8", "surrogatepass")
    above = data + b"\xff"  # a byte that stands in no UTF-8
    if isinstance(to_stored(prefix), bytes):
        return "", "", data, above  # no valid text begins so
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return prefix, b"", data, above  # SQLite sorts every text before any bytes
    after = 0xE000 if stem[-1] == "\ud7ff" else ord(stem[-1]) + 1  # what lies between them are surrogates
    return prefix, stem[:-1] + chr(after), data, above


def texts_to_bytes(texts: Sequence[RecordText]) -> bytes:
    """Pack a record's texts into one value."""
    rows = [(t.resolution, t.chars, t.inline, t.blob, t.start, t.end, t.start_line, t.end_line) for t in texts]
    try:
        return _encoder.encode(rows)
    except UnicodeEncodeError:
        return _encoder.encode([(*row[:2], to_stored(row[2]), *row[3:]) for row in rows])


def texts_from_bytes(data: bytes) -> tuple[RecordText, ...]:
    """Read what `texts_to_bytes` wrote."""
    return tuple(
        RecordText(_RESOLUTIONS[step], chars, inline if isinstance(inline, str) else from_stored(inline), blob, start, end, first, last)
        for step, chars, inline, blob, start, end, first, last in _texts_decoder.decode(data)
    )


def blobs_in(data: bytes) -> set[str]:
    """Digests of the originals that packed texts point into."""
    return {row[3] for row in _texts_decoder.decode(data) if row[3]}


@lru_cache(maxsize=1 << 10)  # the records of a session share few
def lineage_to_stored(lineage: tuple[tuple[str, str], ...]) -> Stored:
    """Pack a record's lineage into one value, "" for none."""
    return json.dumps(lineage) if lineage else ""  # escapes what is no valid text


@lru_cache(maxsize=1 << 10)
def lineage_from_stored(value: str) -> tuple[tuple[str, str], ...]:
    """Read what `lineage_to_stored` wrote."""
    return tuple((what, told) for what, told in json.loads(value)) if value else ()


def record_to_row(record: Record, workspace: int, source: int, *, is_indexed: bool) -> tuple[Any, ...]:
    """Return the parameters of `records.upsert`."""
    r = record
    words = (r.subject, r.digest, r.kind, r.name, r.parent, r.path, r.language, r.session, r.uuid, r.agent)
    if not "".join(words).isascii():
        words = tuple(map(to_stored, words))
    subject, digest, kind, name, parent, path, language, session, uuid, agent = words
    return (
        workspace, r.id, source, is_indexed, subject, digest, r.seq, r.at_ns, r.layer.value, kind, name, parent, path, language,
        session, uuid, agent, int(r.trust), texts_to_bytes(r.texts), lineage_to_stored(r.lineage),
    )  # fmt: skip


def record_from_row(row: Sequence[Any]) -> Record:
    """Read a row of `records.by_id` and its kin; their first columns are is_live, the source's name and the row's number."""
    (_, source, _, record_id, layer, kind, subject, digest, name, texts, seq, parent, path, language, session, uuid, agent, trust,
     lineage, at_ns) = row  # fmt: skip
    words = (subject, source, digest, kind, name, parent, path, language, session, uuid, agent)
    if bytes in map(type, words):
        words = tuple(map(from_stored, words))
    subject, source, digest, kind, name, parent, path, language, session, uuid, agent = words
    return Record(
        record_id, _LAYERS[layer], kind, subject, source, digest, name, texts_from_bytes(texts), seq, parent, path, language, session,
        uuid, agent, _TRUSTS[trust], at_ns, lineage_from_stored(lineage),
    )  # fmt: skip


def status_from_row(row: Sequence[Any]) -> Status:
    """Read a row of `records.standing`; its first two columns are the record's id and the source's name."""
    _, _, is_live, superseded_by, reason, ended_seq, valid_from_ns, valid_to_ns, tier, uses, used_at_ns = row
    replaced, why = from_stored(superseded_by), reason_from_stored(reason)
    return Status(bool(is_live), replaced, why, ended_seq, valid_from_ns, valid_to_ns, _TIERS[tier], uses, used_at_ns)


@lru_cache(maxsize=1024)
def reason_to_stored(reason: EndReason | None) -> Stored:
    """Return a reason as a JSON list of its kind and values; "" for None."""
    return to_stored("" if reason is None else json.dumps([reason.kind.value, *reason.values], ensure_ascii=False))


@lru_cache(maxsize=1024)
def reason_from_stored(value: Stored) -> EndReason | None:
    """Return the reason that `reason_to_stored` was given, or the one that the words of an earlier release stand for."""
    text = from_stored(value)
    if text.startswith('["'):
        with suppress(ValueError):  # words may begin so too: with the name of a file
            kind, *values = json.loads(text)
            return EndReason(EndKind(kind), tuple(values))
    return _reason_from_words(text) if text else None


def _reason_from_words(words: str) -> EndReason:
    patterns: dict[str, str] = json.loads(Path(__file__).with_name("old_reasons.json").read_bytes())
    for kind, pattern in patterns.items():
        if found := re.fullmatch(f"(?:what it cites was )?(?:{pattern})", words, re.DOTALL):
            return EndReason(EndKind(kind), tuple(value for value in found.groups() if value))
    return EndReason(EndKind.OTHER, (words,))


def state_to_row(state: SourceState, source: int) -> tuple[Any, ...]:
    """Return the parameters of `sources.set_state`."""
    return to_stored(state.digest), state.size, state.mtime_ns, to_stored(state.status), to_stored(state.note), source


def state_from_row(row: Sequence[Any]) -> SourceState:
    """Read a row of `sources.state`."""
    name, digest, size, mtime_ns, status, note = row
    return SourceState(from_stored(name), from_stored(digest), size, mtime_ns, from_stored(status), from_stored(note))


def edge_to_row(edge: Edge, workspace: int, source: int) -> tuple[Any, ...]:
    """Return the parameters of `edges.upsert`."""
    words = (edge.tail_digest, edge.head_digest, edge.by)
    ends = (to_stored(edge.tail), to_stored(edge.head))
    return (workspace, source, *ends, str(edge.kind), edge.weight, *map(to_stored, words))


def edge_from_row(row: Sequence[Any]) -> Edge:
    """Read a row of `edges.touching`, whose first column is its number."""
    _, kind, tail, head, weight, tail_digest, head_digest, by, _ = row
    return Edge(
        _EDGE_KINDS.get(kind, str(kind)),
        from_stored(tail),
        from_stored(head),
        weight,
        from_stored(tail_digest),
        from_stored(head_digest),
        from_stored(by),
    )
