"""Salvage: fill a new database with what can still be read of a damaged one.

Each row that `pages` finds is assigned to a table by its shape: how many values it has, and of which types. Damaged rows are left out:
an original whose bytes do not have its digest, texts and postings that cannot be decoded. Then references are mended: nothing refers to
what is lost, and what was purged stays purged. Lost records are reported as far as indexes, which are on other pages, mention them.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import apsw
import msgspec
import zstandard

from clew.records import EndKind, Layer, Tier, Trust
from clew.store import originals
from clew.store.journal import compute_link, list_stored, make_entry
from clew.store.rows import JournalRow
from clew.store.rules import ID_LENGTH_MAX
from clew.store.shard import compute_part_digest
from clew.store.sqlite.pages import CellValue, DatabasePages
from clew.store.sqlite.statements import SQL as SHARED
from clew.store.tables.codec import (
    compute_seal,
    decode_text,
    encode_text,
    entry_from_row,
    find_blob_digests,
    ids_to_json,
    unpack_lineage,
    unpack_texts,
)
from clew.store.tables.statements import parse_statements
from clew.store.tombstones import Tombstone
from clew.text import postings

_SQL = MappingProxyType(
    {
        each.name.partition(".")[2]: each.sql
        for each in parse_statements("salvage", (resources.files("clew.store.sqlite") / "salvage.sql").read_text("utf-8"))
    }
)
_UNPACK_ERRORS = (ValueError, TypeError, KeyError, IndexError, struct.error, zstandard.ZstdError, msgspec.MsgspecError)
"""Exceptions that decoding damaged bytes raises."""

_LAYERS, _TIERS, _TRUSTS = {each.value for each in Layer}, {each.value for each in Tier}, {each.value for each in Trust}
_END_KINDS = {each.value for each in EndKind}
_ID_LETTERS = frozenset("0123456789abcdefghjkmnpqrstvwxyz")
_Fields: TypeAlias = dict[str, Any]
_RECORD_SEALED = (
    "workspace", "id", "source", "subject", "digest", "seq", "at_ns", "layer", "kind", "name", "parent", "path", "language", "session",
    "uuid", "agent", "trust", "texts", "lineage",
)  # fmt: skip
_SOURCE_SEALED = ("workspace", "source", "name", "is_present", "digest", "size", "mtime_ns", "status", "note")
_EDGE_SEALED = ("workspace", "source", "tail", "head", "kind", "weight", "tail_digest", "head_digest", "by")


@dataclass(frozen=True, slots=True)
class LostRecord:
    """A record that is mentioned in an index of the damaged file and was not found. `id` is "" if only its row number is known."""

    workspace: str
    source: str
    id: str


@dataclass(slots=True)
class SalvageResult:
    """What was recovered from a damaged database.

    rows, unsound  recovered and damaged rows by table.
    records        (workspace key, source name) → number of recovered records.
    workspaces     (key, root) of each; root is "" if it is unknown.
    lost           records that an index mentions and that were not found.
    unfindable     (workspace key, source name) → ids of records whose postings are lost.
    unsure         keys of workspaces with purges whose list may be incomplete.
    relinked       entries of the journal that stood behind a break in their writer's chain, and go on in a chain of the new database.
    """

    pages: int = 0
    damaged_pages: int = 0
    rows: Counter[str] = field(default_factory=Counter[str])
    unsound: Counter[str] = field(default_factory=Counter[str])
    records: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    workspaces: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    lost: list[LostRecord] = field(default_factory=list[LostRecord])
    unfindable: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])
    unsure: list[str] = field(default_factory=list[str])
    relinked: int = 0


@dataclass(frozen=True, slots=True)
class SalvageHints:
    """Facts from outside the damaged file, to fill in what it no longer holds.

    roots       workspace key → root of the repositories that it may hold.
    source_of   returns the name of a record's source from the record's kind, session and path; "" if that is not enough.
    tombstones  what was purged, from the file beside the database; None if there is no such file.
    """

    roots: Mapping[str, str] = field(default_factory=dict[str, str])
    source_of: Callable[[str, str, str], str] = lambda kind, session, path: ""  # noqa: ARG005
    tombstones: Sequence[Tombstone] | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """A table's columns in the order of its stored rows, and the default values of columns that older rows lack."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    defaults: tuple[CellValue, ...]
    rowid_at: int | None
    has_rowid: bool
    least: int

    def fitted(self, rowid: int | None, values: Sequence[CellValue]) -> tuple[CellValue, ...] | None:
        """Return the values of a row of this table, None if it cannot be one."""
        if (rowid is not None) != self.has_rowid or not self.least <= len(values) <= len(self.columns):
            return None
        row = [*values, *self.defaults[len(values) :]]
        for at, kind in enumerate(self.types):
            if at == self.rowid_at:
                if row[at] is not None:
                    return None
                row[at] = rowid
            elif not isinstance(row[at], _TYPES[kind]):
                return None
        return tuple(row)


_TYPES: dict[str, Any] = {"INTEGER": int, "REAL": int | float, "TEXT": str | bytes, "BLOB": bytes}


def salvage(pages: DatabasePages, connection: apsw.Connection, known: SalvageHints) -> SalvageResult:
    """Fill an empty database of the newest schema with the readable rows of `pages`, in one transaction; return what was recovered.

    Cost  about 30 µs a row, and the time to decompress every original.
    """
    raw: Any = connection
    found = SalvageResult()
    tables = _tables(raw)
    raw.execute("BEGIN IMMEDIATE")
    raw.execute(_SQL["seen"])
    sources, keys = _fill(pages, raw, tables, found)
    found.pages, found.damaged_pages = pages.count, len(pages.damaged)
    _check_packs(raw, found)
    _put_back(raw, known, sources, keys)
    _bury(raw, known, found)
    _make_whole(raw)
    found.relinked = _mend_journal(raw)
    for key, source, record_id in raw.execute(_SQL["lost"]):
        found.lost.append(LostRecord(_text(key), _text(source), record_id))
    for key, source, record_id in raw.execute(_SQL["unfindable"]):
        found.unfindable.setdefault((_text(key), _text(source)), []).append(record_id)
    raw.execute(_SQL["settle_index"])
    found.records = {(_text(key), _text(source)): count for key, source, count in raw.execute(_SQL["counts"])}
    found.workspaces = sorted((_text(key), _text(root)) for _, key, root, _ in raw.execute(_SQL["known_workspaces"]))
    for table in tables:
        ((found.rows[table.name],),) = raw.execute(f"SELECT count(*) FROM {table.name}")
    raw.execute("COMMIT")
    return found


def _tables(raw: Any) -> list[_Table]:
    found: list[_Table] = []
    for _, name, kind, _, has_no_rowid, _ in list(raw.execute("PRAGMA main.table_list")):
        if kind != "table" or name.startswith("sqlite_"):
            continue
        rows = list(raw.execute(f"PRAGMA main.table_xinfo({name})"))  # (place, name, type, is not null, default, place in the key, …)
        if has_no_rowid:  # a row begins with the columns of the key there, in its order
            rows = sorted((row for row in rows if row[5]), key=lambda row: row[5]) + [row for row in rows if not row[5]]
        defaults = tuple(None if row[4] is None else next(raw.execute(f"SELECT {row[4]}"))[0] for row in rows)
        rowid_at = next((at for at, row in enumerate(rows) if not has_no_rowid and row[5] and row[2] == "INTEGER"), None)
        least = max((at for at, row in enumerate(rows, 1) if row[4] is None), default=0)
        names, types = tuple(row[1] for row in rows), tuple(row[2] for row in rows)
        found.append(_Table(name, names, types, defaults, rowid_at, not has_no_rowid, least))
    return found


def _fill(
    pages: DatabasePages, raw: Any, tables: Sequence[_Table], found: SalvageResult
) -> tuple[dict[int, tuple[int, CellValue]], dict[int, CellValue]]:
    """Insert every row into its table. Return, learnt from indexes, source number → (workspace, name), and workspace number → key."""
    inserts = {
        table.name: f"INSERT OR IGNORE INTO {table.name} ({', '.join(table.columns)}) VALUES ({', '.join('?' * len(table.columns))})"
        for table in tables
    }
    sources: dict[int, tuple[int, CellValue]] = {}
    keys: dict[int, CellValue] = {}
    for rowid, values in pages.iterate_rows():
        for table in tables:
            fitted = table.fitted(rowid, values)
            if fitted is None:
                continue
            if not is_sound(table.name, dict(zip(table.columns, fitted, strict=True))):
                found.unsound[table.name] += 1
            elif table.name != "meta" or fitted[0] != "identity":  # the new file is another database to what is cached beside it
                raw.execute(inserts[table.name], fitted)
            break
        else:
            if rowid is None:
                _learn(raw, values, sources, keys)
    return sources, keys


def _learn(raw: Any, values: Sequence[CellValue], sources: dict[int, tuple[int, CellValue]], keys: dict[int, CellValue]) -> None:
    """Learn ids and names of rows from a row of an index."""
    match values:
        case (str() as key, int() as workspace) if workspace > 0:
            keys[workspace] = key
        case (int() as workspace, str() | bytes() as name, int() as source) if ":" in _text(name):
            sources[source] = (workspace, name)
        case (int() as workspace, str() as record_id, int() as source, int() as number) if _is_id(record_id):
            raw.execute(_SQL["see"], (number, workspace, source, record_id))
        case (int() as workspace, int() as source, 0 | 1, int() as number):
            raw.execute(_SQL["see"], (number, workspace, source, ""))
        case _:
            return


def _is_id(text: str) -> bool:
    return len(text) == ID_LENGTH_MAX and _ID_LETTERS.issuperset(text)


def is_sound(table: str, row: _Fields) -> bool:
    """Return whether a row's contents fit its own digests, sizes and value ranges."""
    try:
        if any(isinstance(value, str) and "\0" in value for value in row.values()):
            return False
        match table:
            case "records" if not _is_sealed(row, _RECORD_SEALED):
                return False
            case "edges":
                return _is_sealed(row, _EDGE_SEALED)
            case "sources":
                return _is_sealed(row, _SOURCE_SEALED)
            case "workspaces":
                return _is_sealed(row, ("key", "root"))
            case "records":
                texts = unpack_texts(row["texts"])
                unpack_lineage(_text(row["lineage"]))
                return (
                    bool(texts) and 0 < len(row["id"]) <= ID_LENGTH_MAX and row["id"].isascii() and row["id"].isprintable()
                    and row["layer"] in _LAYERS and row["tier"] in _TIERS and row["trust"] in _TRUSTS
                    and not any("\0" in text.inline for text in texts)
                )  # fmt: skip
            case "originals" if row["packing"] == originals.Compression.PACKED:
                return row["pack"] > 0 and row["pack_start"] >= 0 and not row["data"]  # `_check_packs` checks its bytes
            case "packs":
                return len(originals.unpack(originals.Compression.ZSTD, row["data"])) == row["size"]
            case "originals":
                return _is_original(row["digest"], row["size"], row["packing"], row["data"])
            case "segments":
                return _is_segment(row["digest"], row["data"]) and bool(postings.read_packed_ids(row["data"]))
            case "tombstones":
                return row["kind"] in {"record", "original"}
            case _:
                return True
    except _UNPACK_ERRORS:
        return False


def is_reason(stored: CellValue) -> bool:
    """Return whether a stored reason is "", words of an earlier release, or a reason of a known kind."""
    text = _text(stored)
    try:
        return not text.startswith('["') or json.loads(text)[0] in _END_KINDS
    except ValueError:
        return False


def _is_sealed(row: _Fields, columns: Sequence[str]) -> bool:
    return not row["seal"] or row["seal"] == compute_seal(*(row[column] for column in columns))


def _is_original(digest: CellValue, size: int, packing: int, data: bytes) -> bool:
    whole = originals.unpack(packing, data)
    return len(whole) == size and originals.digest_of(whole) == digest


def _is_segment(digest: CellValue, data: bytes) -> bool:
    return compute_part_digest(data) == digest


def _check_packs(raw: Any, found: SalvageResult) -> None:
    """Store each original of a pack that has lost some by itself; let go of the lost ones, and of those that do not have their digest."""
    packer = originals.OriginalCompressor()
    for number, workspace, data in list(raw.execute(_SQL["packs"])):
        whole = originals.unpack(originals.Compression.ZSTD, data)
        members = list(raw.execute(_SQL["members"], (number,)))
        sound = [
            (row, member)
            for row, _, digest, size, start in members
            if len(member := whole[start : start + size]) == size and originals.digest_of(member) == digest
        ]
        is_whole = len(sound) == len(members) and sum(len(member) for _, member in sound) == len(whole)
        if is_whole and all(home == workspace for _, home, *_ in members):
            continue
        for row, member in sound:
            packing, alone = packer.pack(member)
            raw.execute(_SQL["take_out"], (int(packing), alone, row))
        raw.execute(_SQL["drop_pack"], (number,))
    if lost := list(raw.execute(_SQL["drop_packed"])):
        found.unsound["originals"] += len(lost)


def _mend_journal(raw: Any) -> int:
    """Let go of what the journal says of what is lost, and link what stands behind a break in a new chain; return how many entries."""
    raw.execute(_SQL["drop_homeless_entries"])
    raw.execute(_SQL["release_lost"])
    heads = dict[tuple[int, str], tuple[int, str]]()
    behind = list[tuple[int, int, int, JournalRow]]()
    broken, named = set[tuple[int, str]](), dict[int, set[str]]()
    for row, workspace, *rest in list(raw.execute(_SQL["entries"])):
        entry, place = entry_from_row(rest, ""), (workspace, rest[0])
        named.setdefault(workspace, set()).update(entry.ids)
        seq, before = heads.get(place, (0, ""))
        if rest[3] and next(raw.execute(_SQL["unaccounted"], (workspace, ids_to_json(list_stored(entry.ids)))), None):
            raw.execute(_SQL["release"], (row,))
        if place in broken or entry.seq != seq + 1 or entry.link != compute_link(before, entry):
            broken.add(place)
            behind.append((workspace, entry.at_ns, row, entry))
        else:
            heads[place] = entry.seq, entry.link
    writer = next(raw.execute(_SQL["identity"]))[0]
    for workspace, at_ns, row, entry in sorted(behind, key=lambda each: each[:3]):
        made = make_entry(heads.get((workspace, writer), (0, "")), writer, at_ns, "", entry.digest, entry.ids)
        raw.execute(_SQL["relink"], (writer, made.seq, made.link, row))
        heads[workspace, writer] = made.seq, made.link
    raw.execute(_SQL["drop_heads"])
    for (workspace, name), (seq, link) in heads.items():
        raw.execute(SHARED["journal.set_head"], (workspace, name, seq, link))
    stray = [(row,) for row, workspace, record_id in raw.execute(_SQL["recorded"]) if record_id not in named.get(workspace, ())]
    raw.executemany(_SQL["unrecord"], stray)
    return len(behind)


def _put_back(raw: Any, known: SalvageHints, sources: Mapping[int, tuple[int, CellValue]], keys: Mapping[int, CellValue]) -> None:
    """Add rows for sources and workspaces whose own rows are lost, as far as their names can be found."""
    for source, workspace, size, kind, session, path in list(raw.execute(_SQL["homeless"])):
        told = _text(sources.get(source, (0, ""))[1])
        is_meant = told and (not session or _text(session) in told) and (session or not path or _text(path) in told)
        name = encode_text(told) if is_meant else known.source_of(_text(kind), _text(session), _text(path))
        if name:
            raw.execute(_SQL["add_source"], (workspace, source, name, size))
    for name in ("drop_homeless_records", "drop_homeless_segments", "drop_homeless_edges"):
        raw.execute(_SQL[name])
    taken = {_text(key) for _, key, _, _ in raw.execute(_SQL["known_workspaces"])}
    have = {number for number, _, _, _ in raw.execute(_SQL["known_workspaces"])}
    for (number,) in list(raw.execute(_SQL["workspace_numbers"])):
        if number in have:
            continue
        files = [_text(name).removeprefix("file:") for (name,) in raw.execute(_SQL["file_names"], (number,))]
        key = _text(keys.get(number) or "") or _likeliest(files, {key: root for key, root in known.roots.items() if key not in taken})
        key = key if key and key not in taken else f"lost-{number}"
        taken.add(key)
        raw.execute(_SQL["add_workspace"], (number, key, known.roots.get(key, "")))


def _likeliest(files: Sequence[str], roots: Mapping[str, str]) -> str:
    """Return the key of the root that contains most of these files, if more than half of them; else ""."""
    counted = {key: sum((Path(root) / name).is_file() for name in files) for key, root in roots.items()}
    best = max(sorted(counted), key=lambda key: counted[key], default="")
    return best if files and counted.get(best, 0) * 2 > len(files) else ""


def _bury(raw: Any, known: SalvageHints, found: SalvageResult) -> None:
    """Erase what was purged, by the tombstones in the database and in the file beside it."""
    numbers = {_text(key): number for number, key, _, _ in raw.execute(_SQL["known_workspaces"])}
    for grave in known.tombstones or ():
        if grave.workspace not in numbers:
            numbers[grave.workspace] = max(numbers.values(), default=0) + 1
            raw.execute(_SQL["add_workspace"], (numbers[grave.workspace], grave.workspace, known.roots.get(grave.workspace, "")))
        raw.execute(SHARED["tombstones.raise"], (numbers[grave.workspace], grave.kind, grave.id, encode_text(grave.reason), grave.at_ns))
    if known.tombstones is None:
        found.unsure = sorted(_text(key) for _, key, _, purges in raw.execute(_SQL["known_workspaces"]) if purges)
    for name in ("drop_purged", "drop_purged_edges"):
        raw.execute(_SQL[name])


def _make_whole(raw: Any) -> None:
    """Delete records that refer to lost originals, and originals and postings that no record refers to."""
    there = {(workspace, digest) for workspace, digest in raw.execute(_SQL["originals"])}
    needed: set[str] = set()
    for row, workspace, source, data in list(raw.execute(_SQL["texts"])):
        digests = find_blob_digests(data)
        if any((workspace, digest) not in there for digest in digests):
            raw.execute(SHARED["records.delete"], (workspace, row))
            continue
        needed |= digests
        for digest in sorted(digests):
            raw.execute(SHARED["originals.name"], (workspace, source, digest))
    raw.execute(_SQL["drop_names"])
    raw.execute(_SQL["drop_unneeded_names"], (json.dumps(sorted(needed)),))
    raw.execute(_SQL["drop_orphans"], (json.dumps(sorted(needed)),))
    raw.execute(_SQL["drop_names"])
    raw.execute(_SQL["lift"])
    raw.execute(_SQL["drop_dangling_edges"])
    raw.execute(_SQL["forget_successors"])
    raw.execute(_SQL["mend_status"])
    unknown = [(row,) for row, reason in raw.execute(_SQL["reasons"]) if not is_reason(reason)]
    raw.executemany(_SQL["forget_reason"], unknown)
    raw.execute(_SQL["unindex"])
    for row, workspace, source, data in list(raw.execute(_SQL["segments"])):
        held = {record_id for _, record_id, _, _ in raw.execute(SHARED["records.held"], (workspace, source))}
        ids = postings.read_packed_ids(data)
        rest = postings.drop_from_postings(data, frozenset(ids) - held)
        if not rest:
            raw.execute(_SQL["delete_segment"], (row,))
            continue
        if rest is not data:
            raw.execute(_SQL["replace_segment"], (compute_part_digest(rest), rest, row))
        raw.executemany(_SQL["reindex"], [(workspace, source, record_id) for record_id in ids if record_id in held])
    raw.execute(_SQL["weigh"])
    raw.execute(_SQL["count_edges"])


def _text(value: Any) -> str:
    return "" if value is None else decode_text(value)
