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

StoredText: TypeAlias = str | bytes
_PackedText: TypeAlias = tuple[int, int, Any, str, int, int, int, int]  # Any: str or bytes, see `StoredText`

_LAYERS = {layer.value: layer for layer in Layer}
_EDGE_KINDS: dict[str, str] = {kind.value: kind for kind in EdgeKind}
_RESOLUTIONS: tuple[Resolution, ...] = tuple(Resolution)
_TIERS = {tier.value: tier for tier in Tier}
_TRUSTS = {trust.value: trust for trust in Trust}

_encoder = msgspec.msgpack.Encoder()
_json_encoder = msgspec.json.Encoder()
_texts_decoder = msgspec.msgpack.Decoder(list[_PackedText])


def encode_text(text: str) -> StoredText:
    """Return `text` itself when SQLite can hold it as TEXT, its WTF-8 bytes otherwise."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def decode_text(value: StoredText) -> str:
    """Return the str that `encode_text` was given."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def ids_to_json(ids: Sequence[str]) -> str:
    """Return distinct ids as a JSON list. What is not ASCII is left out: it is no record's id."""
    return _json_encoder.encode([record_id for record_id in dict.fromkeys(ids) if record_id.isascii()]).decode()


def compute_prefix_ranges(prefix: str) -> tuple[str, StoredText, bytes, bytes]:
    """Two ranges, low inclusive and high exclusive, of texts and of bytes: the stored forms of what begins with `prefix`."""
    data = prefix.encode("utf-8", "surrogatepass")
    above = data + b"\xff"  # a byte that stands in no UTF-8
    if isinstance(encode_text(prefix), bytes):
        return "", "", data, above  # no valid text begins so
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return prefix, b"", data, above  # SQLite sorts every text before any bytes
    after = 0xE000 if stem[-1] == "\ud7ff" else ord(stem[-1]) + 1  # what lies between them are surrogates
    return prefix, stem[:-1] + chr(after), data, above


def pack_texts(texts: Sequence[RecordText]) -> bytes:
    """Pack a record's texts into one value."""
    rows = [(t.resolution, t.chars, t.inline, t.blob, t.start, t.end, t.start_line, t.end_line) for t in texts]
    try:
        return _encoder.encode(rows)
    except UnicodeEncodeError:
        return _encoder.encode([(*row[:2], encode_text(row[2]), *row[3:]) for row in rows])


def unpack_texts(data: bytes) -> tuple[RecordText, ...]:
    """Read what `texts_to_bytes` wrote."""
    return tuple(
        RecordText(_RESOLUTIONS[step], chars, inline if isinstance(inline, str) else decode_text(inline), blob, start, end, first, last)
        for step, chars, inline, blob, start, end, first, last in _texts_decoder.decode(data)
    )


def find_blob_digests(data: bytes) -> set[str]:
    """Digests of the originals that packed texts point into."""
    return {row[3] for row in _texts_decoder.decode(data) if row[3]}


@lru_cache(maxsize=1 << 10)  # the records of a session share few
def _pack_lineage(lineage: tuple[tuple[str, str], ...]) -> StoredText:
    """Pack a record's lineage into one value, "" for none."""
    return json.dumps(lineage) if lineage else ""  # escapes what is no valid text


@lru_cache(maxsize=1 << 10)
def unpack_lineage(value: str) -> tuple[tuple[str, str], ...]:
    """Read what `lineage_to_stored` wrote."""
    return tuple((what, told) for what, told in json.loads(value)) if value else ()


def record_to_row(record: Record, workspace: int, source: int, *, is_indexed: bool) -> tuple[Any, ...]:
    """Return the parameters of `records.upsert`."""
    r = record
    words = (r.subject, r.digest, r.kind, r.name, r.parent, r.path, r.language, r.session, r.uuid, r.agent)
    if not "".join(words).isascii():
        words = tuple(map(encode_text, words))
    subject, digest, kind, name, parent, path, language, session, uuid, agent = words
    return (
        workspace, r.id, source, is_indexed, subject, digest, r.seq, r.at_ns, r.layer.value, kind, name, parent, path, language,
        session, uuid, agent, int(r.trust), r.importance, pack_texts(r.texts), _pack_lineage(r.lineage),
    )  # fmt: skip


def record_from_row(row: Sequence[Any]) -> Record:
    """Read a row of `records.by_id` and its kin; their first columns are is_live, the source's name and the row's number."""
    (_, source, _, record_id, layer, kind, subject, digest, name, texts, seq, parent, path, language, session, uuid, agent, trust,
     lineage, at_ns) = row  # fmt: skip
    words = (subject, source, digest, kind, name, parent, path, language, session, uuid, agent)
    if bytes in map(type, words):
        words = tuple(map(decode_text, words))
    subject, source, digest, kind, name, parent, path, language, session, uuid, agent = words
    return Record(
        record_id, _LAYERS[layer], kind, subject, source, digest, name, unpack_texts(texts), seq, parent, path, language, session,
        uuid, agent, _TRUSTS[trust], at_ns, unpack_lineage(lineage),
    )  # fmt: skip


def status_from_row(row: Sequence[Any]) -> Status:
    """Read a row of `records.standing`; its first two columns are the record's id and the source's name."""
    _, _, is_live, superseded_by, reason, ended_seq, valid_from_ns, valid_to_ns, tier, uses, used_at_ns = row
    replaced, why = decode_text(superseded_by), decode_reason(reason)
    return Status(bool(is_live), replaced, why, ended_seq, valid_from_ns, valid_to_ns, _TIERS[tier], uses, used_at_ns)


@lru_cache(maxsize=1024)
def encode_reason(reason: EndReason | None) -> StoredText:
    """Return a reason as a JSON list of its kind and values; "" for None."""
    return encode_text("" if reason is None else json.dumps([reason.kind.value, *reason.values], ensure_ascii=False))


@lru_cache(maxsize=1024)
def decode_reason(value: StoredText) -> EndReason | None:
    """Return the reason that `encode_reason` was given, or the one that the words of an earlier release stand for."""
    text = decode_text(value)
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
    return encode_text(state.digest), state.size, state.mtime_ns, encode_text(state.status), encode_text(state.note), source


def state_from_row(row: Sequence[Any]) -> SourceState:
    """Read a row of `sources.state`."""
    name, digest, size, mtime_ns, status, note = row
    return SourceState(decode_text(name), decode_text(digest), size, mtime_ns, decode_text(status), decode_text(note))


def edge_to_row(edge: Edge, workspace: int, source: int) -> tuple[Any, ...]:
    """Return the parameters of `edges.upsert`."""
    words = (edge.tail_digest, edge.head_digest, edge.by)
    ends = (encode_text(edge.tail), encode_text(edge.head))
    return (workspace, source, *ends, str(edge.kind), edge.weight, *map(encode_text, words))


def edge_from_row(row: Sequence[Any]) -> Edge:
    """Read a row of `edges.touching`, whose first column is its number."""
    _, kind, tail, head, weight, tail_digest, head_digest, by, _ = row
    return Edge(
        _EDGE_KINDS.get(kind, str(kind)),
        decode_text(tail),
        decode_text(head),
        weight,
        decode_text(tail_digest),
        decode_text(head_digest),
        decode_text(by),
    )
