"""Codec: convert records, statuses, source states and edges to rows of the database and back, without loss.

SQLite's TEXT is UTF-8, and not every str can be encoded so: file names may hold other bytes (Python keeps them as lone surrogates), and
transcripts hold halves of emoji where JavaScript cut them. A str that is valid is stored as TEXT; any other as BLOB, in UTF-8 with its
surrogates passed through (WTF-8), so that each str has one stored form, equal forms mean equal strs, and bytes sort as the strs do.
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
from xxhash import xxh3_64_intdigest

from clew.records import Edge, EdgeKind, EndKind, EndReason, Layer, Record, RecordText, Resolution, SourceState, Status, Tier, Trust
from clew.store.rows import JournalRow

StoredText: TypeAlias = str | bytes
"""A str as the database holds it: itself, or its WTF-8 bytes when it is no valid UTF-8."""
_PackedText: TypeAlias = tuple[int, int, Any, str, int, int, int, int]  # Any: str or bytes, see `StoredText`

_LAYERS = {layer.value: layer for layer in Layer}
_EDGE_KINDS: dict[str, str] = {kind.value: kind for kind in EdgeKind}
_RESOLUTIONS: tuple[Resolution, ...] = tuple(Resolution)
_TIERS = {tier.value: tier for tier in Tier}
_TRUSTS = {trust.value: trust for trust in Trust}

_encoder = msgspec.msgpack.Encoder()
_json_encoder = msgspec.json.Encoder()
_texts_decoder = msgspec.msgpack.Decoder(list[_PackedText])


def compute_seal(*values: StoredText | float) -> int:
    """Return the check of a row's values as they are stored: 63 bits of xxh3, never 0."""
    return xxh3_64_intdigest(_encoder.encode(values)) >> 1 or 1


def encode_text(text: str) -> StoredText:
    """Return `text` itself if SQLite can store it as TEXT, its WTF-8 bytes otherwise."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def decode_text(value: StoredText) -> str:
    """Return the str that `encode_text` stored as `value`."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


def ids_to_json(ids: Sequence[str]) -> str:
    """Return record ids as a JSON list, each once; what is not ASCII is left out, because no record id is."""
    return _json_encoder.encode([record_id for record_id in dict.fromkeys(ids) if record_id.isascii()]).decode()


def compute_prefix_ranges(prefix: str) -> tuple[str, StoredText, bytes, bytes]:
    """Return (low text, high text, low bytes, high bytes), high ends excluded: the stored forms of all strs that begin with `prefix`."""
    data = prefix.encode("utf-8", "surrogatepass")
    above = data + b"\xff"  # a byte that stands in no UTF-8
    if isinstance(encode_text(prefix), bytes):
        return "", "", data, above  # no valid text begins so
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return prefix, b"", data, above  # SQLite sorts every text before any bytes
    after = 0xE000 if stem[-1] == "\ud7ff" else ord(stem[-1]) + 1  # what lies between them are surrogates
    return prefix, stem[:-1] + chr(after), data, above


def pack_texts(texts: Sequence[RecordText], name: str = "") -> bytes:
    """Encode a record's texts as one msgpack value; nil stands for a text that is the record's name, which has a column of its own."""
    rows = [
        (t.resolution, t.chars, None if name and t.inline == name else t.inline, t.blob, t.start, t.end, t.start_line, t.end_line)
        for t in texts
    ]
    try:
        return _encoder.encode(rows)
    except UnicodeEncodeError:
        return _encoder.encode([(*row[:2], row[2] and encode_text(row[2]), *row[3:]) for row in rows])


def unpack_texts(data: bytes, name: str = "") -> tuple[RecordText, ...]:
    """Decode what `pack_texts` encoded. Raises a msgspec error if it is damaged."""
    return tuple(
        RecordText(_RESOLUTIONS[step], chars, name if inline is None else decode_text(inline), blob, start, end, first, last)
        for step, chars, inline, blob, start, end, first, last in _texts_decoder.decode(data)
    )


def find_blob_digests(data: bytes) -> set[str]:
    """Return the digests of the originals that texts encoded by `pack_texts` refer to."""
    return {row[3] for row in _texts_decoder.decode(data) if row[3]}


@lru_cache(maxsize=1 << 10)  # the records of a session share few
def pack_lineage(lineage: tuple[tuple[str, str], ...]) -> StoredText:
    """Encode a record's lineage as JSON, "" for none."""
    return json.dumps(lineage) if lineage else ""  # escapes lone surrogates


@lru_cache(maxsize=1 << 10)
def unpack_lineage(value: str) -> tuple[tuple[str, str], ...]:
    """Decode a record's lineage, pairs of (what, value), from its stored JSON."""
    return tuple((what, told) for what, told in json.loads(value)) if value else ()


def record_to_row(record: Record, workspace: int, source: int, *, is_indexed: bool, at_ns: int = 0) -> tuple[Any, ...]:
    """Return a record as the parameters of the statement `records.upsert`."""
    r = record
    words = (r.subject, r.digest, r.kind, r.name, r.parent, r.path, r.language, r.session, r.uuid, r.agent)
    if not "".join(words).isascii():
        words = tuple(map(encode_text, words))
    subject, digest, kind, name, parent, path, language, session, uuid, agent = words
    content = (
        subject, digest, r.seq, r.at_ns, r.layer.value, kind, name, parent, path, language,
        session, uuid, agent, int(r.trust), pack_texts(r.texts, r.name), pack_lineage(r.lineage),
    )  # fmt: skip
    return workspace, r.id, source, is_indexed, *content, compute_seal(workspace, r.id, source, *content), at_ns


def record_from_row(row: Sequence[Any]) -> Record:
    """Return the record in a row of `records.by_id`, `by_subject` or `by_source`, which begin with is_live, source name, row number."""
    (_, source, _, record_id, layer, kind, subject, digest, name, texts, seq, parent, path, language, session, uuid, agent, trust,
     lineage, at_ns) = row  # fmt: skip
    words = (subject, source, digest, kind, name, parent, path, language, session, uuid, agent)
    if bytes in map(type, words):
        words = tuple(map(decode_text, words))
    subject, source, digest, kind, name, parent, path, language, session, uuid, agent = words
    return Record(
        record_id, _LAYERS[layer], kind, subject, source, digest, name, unpack_texts(texts, name), seq, parent, path, language, session,
        uuid, agent, _TRUSTS[trust], at_ns, unpack_lineage(lineage),
    )  # fmt: skip


def status_from_row(row: Sequence[Any]) -> Status:
    """Return the status in a row of `records.status`, which begins with record id and source name."""
    _, _, is_live, superseded_by, reason, ended_seq, valid_from_ns, valid_to_ns, tier, uses, used_at_ns, recorded_at_ns = row
    replaced, why = decode_text(superseded_by), decode_reason(reason)
    return Status(bool(is_live), replaced, why, ended_seq, valid_from_ns, valid_to_ns, _TIERS[tier], uses, used_at_ns, recorded_at_ns)


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


def entry_from_row(row: Sequence[Any], source: str) -> JournalRow:
    """Return the entry in a row of `journal.all`; `source` is the name of its source."""
    writer, seq, at_ns, _, digest, ids, link = row
    return JournalRow(writer, seq, at_ns, source, decode_text(digest), tuple(ids.split()), link)


def entry_to_row(entry: JournalRow, workspace: int, source: int) -> tuple[Any, ...]:
    """Return an entry as the parameters of the statement `journal.add`."""
    return (
        workspace, entry.writer, entry.seq, entry.at_ns, source, encode_text(entry.digest), " ".join(entry.ids), entry.link,
    )  # fmt: skip


def state_to_row(state: SourceState, workspace: int, source: int) -> tuple[Any, ...]:
    """Return a source's state as the parameters of the statement `sources.set_state`."""
    values = (encode_text(state.digest), state.size, state.mtime_ns, encode_text(state.status), encode_text(state.note))
    return *values, compute_seal(workspace, source, encode_text(state.source), 1, *values), workspace, source


def compute_gone_seal(name: str, workspace: int, source: int) -> int:
    """Return the check of a source without a state."""
    return compute_seal(workspace, source, encode_text(name), 0, "", 0, 0, "", "")


def state_from_row(row: Sequence[Any]) -> SourceState:
    """Return the source state in a row of `sources.state` or `sources.states`."""
    name, digest, size, mtime_ns, status, note = row
    return SourceState(decode_text(name), decode_text(digest), size, mtime_ns, decode_text(status), decode_text(note))


def edge_to_row(edge: Edge, workspace: int, source: int) -> tuple[Any, ...]:
    """Return an edge as the parameters of the statement `edges.upsert`."""
    words = (edge.tail_digest, edge.head_digest, edge.by)
    ends = (encode_text(edge.tail), encode_text(edge.head))
    values = (workspace, source, *ends, str(edge.kind), float(edge.weight), *map(encode_text, words))
    return *values, compute_seal(*values)


def edge_from_row(row: Sequence[Any]) -> Edge:
    """Return the edge in a result row of the SQL statement `edges.touching`, whose first column is the rowid."""
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
