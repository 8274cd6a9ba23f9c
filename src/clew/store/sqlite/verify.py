"""Verify: find every fault in the contents of a database that SQLite's own check passes: damaged rows, broken references, wrong counts.

Reads everything once, and changes nothing. A fault is named by what is damaged; `repair` mends all of them.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from importlib import resources
from itertools import groupby
from types import MappingProxyType
from typing import Any

import apsw
import msgspec
import zstandard

from clew.records import Tier
from clew.store import originals
from clew.store.journal import find_broken_link, list_stored
from clew.store.sqlite import salvage
from clew.store.sqlite.connections import Connection
from clew.store.tables.codec import compute_seal, entry_from_row, ids_to_json, unpack_texts
from clew.store.tables.packs import Unpacker
from clew.store.tables.statements import parse_statements
from clew.text import postings

SHOWN_MAX = 20  # faults of one kind that are named; the others are counted
_SQL = MappingProxyType(
    {
        each.name.partition(".")[2]: each.sql
        for each in parse_statements("verify", (resources.files("clew.store.sqlite") / "verify.sql").read_text("utf-8"))
    }
)
_REFERENCES = {
    "lost_workspaces": "belongs to a workspace that is not stored",
    "lost_sources": "belongs to a file or session that is not stored",
    "lost_originals": "is needed, and is not stored",
    "needless_originals": "is noted by no file or session, so no purge could reach it",
    "dangling_edges": "has an end that is no record",
    "dangling_successors": "is said to be replaced by a record that is not stored",
    "kept_though_purged": "was purged, and is stored all the same",
    "unposted": "is said to stand in the search index, and has no postings",
}
_TIERS = {each.value for each in Tier}
_STORED_AS = {"INTEGER": "('integer')", "REAL": "('real', 'integer')", "TEXT": "('text', 'blob')", "BLOB": "('blob')"}
"""How SQLite stores what a column is made for; a text that is no valid UTF-8 is stored as bytes."""
_UNPACK_ERRORS = (ValueError, TypeError, KeyError, IndexError, struct.error, zstandard.ZstdError, msgspec.MsgspecError)


def find_faults(connection: apsw.Connection) -> list[str]:
    """Return every fault of a database in words, each beginning with what is damaged; at most SHOWN_MAX of a kind, [] for none.

    Cost  about 35 µs a record, with its share of originals and postings; memory for the digests of all originals.
    """
    raw: Any = connection
    said: Counter[str] = Counter()
    found: list[str] = []
    try:
        for what, name, how in _find_by_type(raw) or _find_all(raw):
            said[how] += 1
            if said[how] <= SHOWN_MAX:
                found.append(f"{what} {_shown(name)}: {how}")
    except UnicodeDecodeError as error:
        found.append(f"a text {error.object[:40]!r}: is no valid UTF-8, so what comes after it was not checked")
    return found + [f"{count - SHOWN_MAX:,} more: {how}" for how, count in said.items() if count > SHOWN_MAX]


def _find_all(raw: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield (what is damaged, its name, how)."""
    yield from _find_in_originals(raw)
    needed = set[tuple[int, str]]()
    yield from _find_in_records(raw, needed)
    for workspace, digest in raw.execute(_SQL["digests"]):
        if (workspace, digest) not in needed:
            yield "original", digest, "is needed by no record: one that needed it is lost"
    yield from _find_in_postings(raw)
    yield from _find_in_journal(raw)
    for row in raw.execute(_SQL["edges"]):
        if not _is_sealed(row):
            yield "edge from record", row[2], "its content does not have its check"
    for row in raw.execute(_SQL["sources"]):
        if not _is_sealed(row):
            yield "file or session", row[2], "its state does not have its check"
    for name, told, held in raw.execute(_SQL["edge_counts"]):
        yield "file or session", name, f"it is said to have {told:,} edges, and has {held:,}"
    if [len(value) for (value,) in raw.execute(_SQL["identity"])] != [16]:
        yield "database", "clew.db", "has lost what tells it from another one at its path"
    for number, key, root, seal, *counts in raw.execute(_SQL["workspaces"]):
        if not _is_sealed((key, root, seal)):
            yield "workspace", key or number, "its key and folder do not have their check"
        if counts[:2] != counts[2:]:
            yield (
                "workspace",
                key,
                f"its originals are said to have {counts[0]:,} bytes, {counts[1]:,} stored; they have {counts[2]:,}, {counts[3]:,}",
            )
    for name, how in _REFERENCES.items():
        for what, one in raw.execute(_SQL[name]):
            yield what, one, how


def _find_by_type(raw: Any) -> list[tuple[str, Any, str]]:
    """Return the columns that hold a value of another type than they are made for: what counts on it is not checked then."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, declared in raw.execute(_SQL["columns"]):
        tables.setdefault(table, []).append((column, declared))
    found: list[tuple[str, Any, str]] = []
    for table, columns in sorted(tables.items()):
        if strange := [column for column, declared in columns if declared not in _STORED_AS]:
            found.append(("table", table, f"it is not said what its column {strange[0]} holds"))
            continue
        asked = ", ".join(f"sum(typeof({column}) NOT IN {_STORED_AS[declared]})" for column, declared in columns)
        for (column, declared), count in zip(columns, next(raw.execute(f"SELECT {asked} FROM {table}")), strict=True):
            if count:
                found.append(("table", table, f"{count:,} of its rows hold something else than {declared} as {column}"))
    return found


def _find_in_originals(raw: Any) -> Iterator[tuple[str, Any, str]]:
    unpack, stray = Unpacker(Connection(raw)), set[int]()
    for number, _, size, data, members in raw.execute(_SQL["packs"]):
        if not salvage.is_sound("packs", {"size": size, "data": data}):
            yield "pack", number, "its originals cannot be read"
            stray.add(number)
        elif members != size:
            yield "pack", number, f"it has {size:,} bytes, and the originals in it {members:,}"
    for workspace, digest, packing, data, pack, start, size in raw.execute(_SQL["originals"]):
        try:
            is_alone = packing != originals.Compression.PACKED
            is_sound = is_alone == (pack == 0) and (is_alone or not data) and _is_original(unpack, digest, packing, data, pack, start, size)
        except _UNPACK_ERRORS:
            is_sound = False
        if not is_sound:
            yield "original", digest, "its bytes do not have its digest and its length"
        elif pack and next(raw.execute(_SQL["pack_holder"], (pack,)))[0] != workspace:
            yield "original", digest, "stands in a pack of another workspace"


def _is_original(unpack: Unpacker, digest: Any, *stored: Any) -> bool:
    whole = unpack.read(*stored)
    return len(whole) == stored[-1] and originals.digest_of(whole) == digest


def _find_in_journal(raw: Any) -> Iterator[tuple[str, Any, str]]:
    """Yield the first broken link of each writer, and what its entries name and is not there, or was stored and stands in none of them."""
    heads = {(workspace, writer): (seq, link) for workspace, writer, seq, link in raw.execute(_SQL["writers"])}
    named = dict[int, set[str]]()
    for (workspace, writer), rows in groupby(raw.execute(_SQL["journal"]), key=lambda row: (row[0], row[1])):
        entries = [(entry_from_row(row[1:], ""), row[4]) for row in rows]
        broken = find_broken_link((entry for entry, _ in entries), heads.pop((workspace, writer), None))
        if broken:
            yield "chain of writer", writer, broken
        for entry, source in entries:
            named.setdefault(workspace, set()).update(entry.ids)
            stored = list_stored(entry.ids) if source else ()
            for (record_id,) in raw.execute(_SQL["unaccounted"], (workspace, ids_to_json(stored))) if stored else ():
                yield "record", record_id, "stands in the journal, and is neither stored nor purged"
    for _, writer in heads:
        yield "chain of writer", writer, "it is said to have links, and has none"
    for workspace, record_id in raw.execute(_SQL["recorded"]):
        if record_id not in named.get(workspace, ()):
            yield "record", record_id, "was stored, and stands in no chain of the journal"


def _find_in_records(raw: Any, needed: set[tuple[int, str]]) -> Iterator[tuple[str, Any, str]]:
    for row in raw.execute(_SQL["records"]):
        _, workspace, record_id, source, *content, seal, is_live, is_indexed, tier, reason, uses, used_at_ns = row
        if not _is_sealed((workspace, record_id, source, *content, seal)):
            yield "record", record_id, "its content does not have its check"
        try:
            texts = unpack_texts(content[-2])
        except _UNPACK_ERRORS:
            yield "record", record_id, "its texts cannot be read"
            continue
        if (
            is_live not in (0, 1)
            or is_indexed not in (0, 1)
            or tier not in _TIERS
            or uses < 0
            or (uses > 0) != (used_at_ns > 0)
            or not salvage.is_reason(reason)
        ):
            yield "record", record_id, "its status makes no sense"
        for text in texts:
            if not text.blob:
                continue
            needed.add((workspace, text.blob))
            held = next(raw.execute(_SQL["size"], (workspace, source, text.blob)), None)
            if held is None:
                yield "record", record_id, "its original is not stored"
            elif text.end > held[0] or not held[1]:
                yield "record", record_id, "its text lies outside of its original, or its source is not noted to need that"


def _find_in_postings(raw: Any) -> Iterator[tuple[str, Any, str]]:
    for (workspace, source), rows in groupby(raw.execute(_SQL["segments"]), key=lambda row: (row[0], row[1])):
        posted = Counter[str]()
        for _, _, digest, data in rows:
            if not salvage.is_sound("segments", {"digest": digest, "data": data}):
                yield "postings", digest, "their bytes do not have their digest"
                break
            posted.update(postings.read_packed_ids(data))
        else:
            indexed = Counter(record_id for (record_id,) in raw.execute(_SQL["indexed"], (workspace, source)))
            for record_id in sorted((posted - indexed).keys()):
                yield "record", record_id, "has postings, and is said not to stand in the search index, or is not stored"
            for record_id in sorted((indexed - posted).keys()):
                yield "record", record_id, "is said to stand in the search index, and its postings are not there"


def _is_sealed(row: tuple[Any, ...]) -> bool:
    return not row[-1] or row[-1] == compute_seal(*row[:-1])


def _shown(name: Any) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name)
