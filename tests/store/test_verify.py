"""Whatever a hand or a disk does to a database, verify names it, and repair leaves one that is well."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from clew.errors import OriginalPurged
from clew.records import Edge, EdgeKind, EndKind, EndReason, SourceState, Supersession, Tier
from clew.store.rows import JournalRow, RecordRow
from clew.store.sqlite.repair import find_damage, find_faults_beside, repair
from clew.store.sqlite.salvage import SalvageHints
from clew.store.tombstones import read_tombstones, tombstone_path
from tests.looking import look
from tests.store.conformance import make_delta
from tests.store.with_index_files import SqliteStore

HINTS = SalvageHints(source_of=lambda _, session, path: f"file:{path}" if path else f"session:{session}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Records of files and of a session, edges, ended and purged records, uses, tiers, and an index file."""
    path = tmp_path / "clew.db"
    with closing(SqliteStore(path)) as store:
        for key in ("one", "two"):
            store.open_workspace(key, f"/zw\udceei/{key}")
            for number in range(4):
                delta = make_delta(
                    f"file:zw\udceei{number}.py", [(f"{number}::{each}", f"body {each} " * 60 * number) for each in range(4)], at_ns=7
                )
                ids = [record.id for record in delta.records]
                edges = tuple(Edge(EdgeKind.CONTAINS, ids[0], each, 0.5, by="t") for each in ids[1:])
                store.apply(key, [replace(delta, edges=edges)])
            ended = (Supersession(ids[1], ids[2], EndReason(EndKind.OTHER, ("an\udce9w",)), 3, 9),)
            session = make_delta("session:s", [("turn 1", "the mast"), ("turn 2", "the keel")], note='{"at": "\ud83d"}')
            store.apply(key, [replace(session, superseded=ended)])
            store.move(key, ids[:1], Tier.ARCHIVED)
            store.touch(key, ids[:2], 99)
            store.purge(key, [session.records[0].id], "why", 5)
            store.refresh(key)
    return path


def test_a_store_that_is_well_has_no_faults(path: Path) -> None:
    assert find_damage(path) == []
    assert find_faults_beside(path) == []


def sql(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(statement)

    return change


DAMAGES: dict[str, Callable[[Path], None]] = {
    statement: sql(statement)
    for statement in (
        "UPDATE originals SET data = zeroblob(length(data)) WHERE row = 3",
        "UPDATE originals SET size = size + 1 WHERE row = 3",
        "UPDATE originals SET digest = replace(digest, 'a', 'b') WHERE row = 3",
        "UPDATE originals SET workspace = 9 WHERE row = 3",
        "UPDATE originals SET packing = 7 WHERE row = 3",
        "DELETE FROM originals WHERE row = 3",
        "DELETE FROM original_sources WHERE source = 2",
        "INSERT INTO original_sources (workspace, source, digest) VALUES (1, 2, 'absent')",
        "UPDATE records SET name = name || 'x' WHERE row = 3",
        "UPDATE records SET subject = 'other' WHERE row = 3",
        "UPDATE records SET digest = replace(digest, 'a', 'b') WHERE row IN (SELECT row FROM records WHERE digest LIKE '%a%' LIMIT 1)",
        "UPDATE records SET at_ns = at_ns + 1 WHERE row = 3",
        "UPDATE records SET texts = zeroblob(9) WHERE row = 3",
        "UPDATE records SET lineage = '[' WHERE row = 3",
        "UPDATE records SET id = replace(id, substr(id, 3, 1), '0') WHERE row = 3",
        "UPDATE records SET source = 4 WHERE row = 3",
        "UPDATE records SET source = 99 WHERE row = 3",
        "UPDATE records SET workspace = 2 WHERE row = 3",
        "UPDATE records SET tier = 9 WHERE row = 3",
        "UPDATE records SET is_live = 5 WHERE row = 3",
        "UPDATE records SET is_indexed = 0 WHERE row = 3",
        "UPDATE records SET uses = -1 WHERE row = 3",
        "UPDATE records SET uses = 1 WHERE row = 3",
        "UPDATE records SET reason = '[\"no such kind\"]' WHERE row = 3",
        "UPDATE records SET superseded_by = 'absent' WHERE row = 3",
        "DELETE FROM records WHERE row = 3",
        "UPDATE edges SET weight = 0.25 WHERE row = 3",
        "UPDATE edges SET head = 'absent' WHERE row = 3",
        "UPDATE edges SET source = 99 WHERE row = 3",
        "INSERT INTO edges VALUES (999, 1, 1, 'a', 'b', 'x', 1, '', '', '', 0)",
        "UPDATE sources SET note = '{}' WHERE name = 'session:s'",
        "UPDATE sources SET size = 12345 WHERE source = 2",
        "UPDATE sources SET name = 'file:other' WHERE source = 2",
        "UPDATE sources SET is_present = 0 WHERE source = 2",
        "DELETE FROM sources WHERE source = 2",
        "UPDATE segments SET data = zeroblob(length(data)) WHERE row = 3",
        "UPDATE segments SET digest = 'other' WHERE row = 3",
        "UPDATE segments SET source = 4 WHERE row = 3",
        "DELETE FROM segments WHERE row = 3",
        "UPDATE workspaces SET blob_bytes = blob_bytes + 1 WHERE workspace = 1",
        "UPDATE workspaces SET stored_bytes = 0 WHERE workspace = 1",
        "UPDATE workspaces SET root = '/elsewhere' WHERE workspace = 1",
        "DELETE FROM workspaces WHERE workspace = 1",
        "INSERT INTO tombstones SELECT workspace, 'record', id, '', 1 FROM records WHERE row = 3",
        "UPDATE journal SET at_ns = at_ns + 1 WHERE row = 3",
        "UPDATE journal SET ids = replace(ids, 'a', 'b') WHERE row = 3",
        "UPDATE journal SET digest = 'other' WHERE row = 3",
        "UPDATE journal SET link = 'other' WHERE row = 3",
        "UPDATE journal SET source = 99 WHERE row = 3",
        "UPDATE journal SET seq = seq + 40 WHERE row = 3",
        "UPDATE journal SET writer = 'another' WHERE row = 3",
        "DELETE FROM journal WHERE row = 3",
        "DELETE FROM journal WHERE row = (SELECT max(row) FROM journal)",
        "DELETE FROM writers",
        "UPDATE writers SET seq = seq + 1",
        "UPDATE packs SET data = zeroblob(length(data))",
        "UPDATE packs SET workspace = 2",
        "UPDATE originals SET pack_start = pack_start + 1 WHERE pack > 0",
        "UPDATE originals SET pack = 77 WHERE pack > 0",
        "DELETE FROM packs",
        "INSERT INTO tombstones SELECT workspace, 'original', digest, '', 1 FROM originals WHERE row = 3",
    )
}  # fmt: skip


def pack_old_versions(path: Path) -> dict[str, bytes]:
    """Have a file change and pack what it was; return the originals of before."""
    with closing(SqliteStore(path)) as store:
        old = make_delta("file:changed.py", [(f"c::{each}", f"old body {each} " * 40) for each in range(4)])
        store.apply("one", [old], 10)
        store.apply("one", [make_delta("file:changed.py", [("c::0", "a new body")])], 20)
        packed = store.condense("one", "file:changed.py", 1 << 20)
        assert packed.originals == 4
        assert packed.saved > 0
    return {blob.digest: blob.data for blob in old.blobs}


def test_packed_originals_read_back_and_are_purged_one_by_one(path: Path) -> None:
    """Of a pack only what is purged goes; the others stand by themselves then, byte for byte. An export is the same as before."""
    originals = pack_old_versions(path)
    assert find_damage(path) == []
    with closing(SqliteStore(path)) as store:
        assert look(store, "one").originals(list(originals)) == originals
        record = next(row.record for row in store.export_rows(["one"]) if isinstance(row, RecordRow) and row.record.name == "c::2")
        store.purge("one", [record.id], "held a secret", 30)
        kept = {digest: data for digest, data in originals.items() if digest != record.digest}
        assert look(store, "one").originals(list(kept)) == kept
        with pytest.raises(OriginalPurged):
            look(store, "one").original(record.digest)
    assert find_damage(path) == []
    assert b"old body 2 old body 2" not in path.read_bytes()


def test_a_chain_goes_on_through_purge_and_import_and_names_its_first_broken_link(path: Path, tmp_path: Path) -> None:
    with closing(SqliteStore(path)) as store, closing(SqliteStore(tmp_path / "other.db")) as other:
        entries = [row for row in store.export_rows(["one"]) if isinstance(row, JournalRow)]
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        store.purge_source("one", "session:s", "why", 6)
        other.import_rows(store.export_rows(["one"]))
        other.apply("one", [make_delta("file:here.py", [("h", "here")])], 9)
        writers = {row.writer: row.seq for row in other.export_rows(["one"]) if isinstance(row, JournalRow)}
        assert sorted(writers.values()) == [1, len(entries)]
    assert find_damage(path) == find_damage(tmp_path / "other.db") == []
    sql("UPDATE journal SET at_ns = 77 WHERE seq IN (2, 4) AND workspace = 1")(path)

    assert [each for each in find_damage(path) if each.startswith("chain")] == [
        f"chain of writer {entries[0].writer}: link 2 does not follow from what stands in it and before it"
    ]


def test_which_content_a_file_had_is_asked_by_time(path: Path) -> None:
    pack_old_versions(path)
    with closing(SqliteStore(path)) as store:
        now = look(store, "one").source_state("file:changed.py")
        store.apply(
            "one", [replace(make_delta("file:changed.py", [("c::0", "newest")]), state=SourceState("file:changed.py", "other"))], 30
        )
        then = [look(store, "one").digests_at("file:c", at_ns) for at_ns in (9, 15, 25, 30)]

    assert now is not None
    name = "file:changed.py"
    assert then == [{}, {name: (now.digest, 10)}, {name: (now.digest, 20)}, {name: ("other", 30)}]


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_named_and_mended(path: Path, name: str) -> None:
    if "pack" in name:
        pack_old_versions(path)
    DAMAGES[name](path)

    found = find_damage(path)
    assert found
    assert all(":" in each and len(each) > 20 for each in found), found

    repair(path, replace(HINTS, tombstones=read_tombstones(path)))

    assert find_damage(path) == []


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_anywhere_in_the_file_are_named_and_mended(path: Path, seed: int) -> None:
    """In any page: a row, an index, the schema. What lies in free space harms nobody."""
    sound = path.read_bytes()
    with closing(apsw.Connection(str(path))) as connection:
        leaves = [page for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE pagetype = 'leaf'")]
    chance, missed = random.Random(seed), list[int]()
    before = rows_of(path)
    for _ in range(12):
        data = bytearray(sound)
        at = (chance.choice(leaves) - 1) * 4096 + chance.randrange(4096)
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        if not find_damage(path) and rows_of(path) != before:
            missed.append(at)
    assert missed == []


WITHOUT_MEANING = {
    ("edges", "row"), ("journal", "row"), ("originals", "row"), ("records", "row"), ("segments", "row"),  # numbers that nothing else names
    ("segments", "part"),  # the order in which a source's postings came
    ("records", "importance"),  # read no more
    ("packs", "filling"),  # to which packs the next originals are added
    ("sources", "changed_in"),
    ("workspaces", "generation"), ("workspaces", "purges"),  # tell caches that they are old; a wrong one makes them anew
}  # fmt: skip
USES = {"uses", "used_at_ns", "tier", "valid_from_ns", "valid_to_ns", "recorded_at_ns", "ended_seq", "reason", "is_live", "superseded_by"}
"""What a record's status is made of: any statement may change it, so a change by SQL is a change, and one of the bytes is a damage."""


def damage(path: Path, chance: random.Random) -> str:
    """Remove a row of any table, write one twice, or give one of its values another value or type; return what was done."""
    with closing(apsw.Connection(str(path))) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
        table = chance.choice(tables)
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        row = chance.choice(list(connection.execute(f"SELECT * FROM {table}")))
        key, kind = " AND ".join(f"{column} IS ?" for column in columns), chance.choice(("delete", "twice", "change", "change", "change"))
        try:
            if kind == "delete":
                connection.execute(f"DELETE FROM {table} WHERE {key}", row)
            elif kind == "twice":
                again = [99_999 if column == "row" else value for column, value in zip(columns, row, strict=True)]
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", again)
            else:
                at = chance.randrange(len(columns))
                value, other = row[at], chance.choice((None, "x", 10**15, b"\0", -1.5, 1 << 62))
                if chance.random() < 0.7:
                    other = changed(value, chance)
                if (table, columns[at]) in WITHOUT_MEANING or (columns[at] in USES and (isinstance(value, str) or isinstance(other, int))):
                    return ""
                connection.execute(f"UPDATE {table} SET {columns[at]} = ? WHERE {key}", (other, *row))
                if next(connection.execute(f"SELECT count(*) FROM {table} WHERE {key}", row))[0]:
                    return ""  # the same value as before, or another row of the same values
                kind = f"{columns[at]} {value!r} -> {other!r}"
        except apsw.Error:  # SQLite itself refuses it
            return ""
        return f"{kind} in {table}: {row}"[:400] if connection.changes() else ""


def changed(value: object, chance: random.Random) -> object:
    """Return a value of the same type with one bit flipped, or one sign more."""
    match value:
        case int():
            return value ^ (1 << chance.randrange(40))
        case float():
            return value + 0.125
        case str() | bytes() if value:
            data = bytearray(value.encode() if isinstance(value, str) else value)
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(7)
            return data.decode("ascii", "replace") if isinstance(value, str) else bytes(data)
        case _:
            return "more"


def is_harmless(told: str) -> bool:
    """Return whether a damage has no meaning: a place in a pack for what stands in none, a check of 0, which rows have from before there
    were any, an entry of the journal that names no source, as after an import, a count of edges that says that they were not counted.
    """
    return any(
        (
            "pack_start" in told and ", 0, 0)" in told,
            told.startswith("seal ") and " -> 0 " in told,
            told.startswith("source ") and "in journal" in told,
            told.startswith("edges ") and " -> -" in told,
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_any_row_that_is_gone_twice_or_changed_is_named(path: Path, seed: int) -> None:
    """Over all tables and columns; and whatever is found, finding it raises nothing."""
    pack_old_versions(path)
    sound, chance, missed = path.read_bytes(), random.Random(seed), list[str]()
    for _ in range(60):
        path.write_bytes(sound)
        told = damage(path, chance)
        if told and not is_harmless(told) and not (find_damage(path) or find_faults_beside(path)):
            missed.append(told)
    assert missed == []


@pytest.mark.parametrize("seed", range(3))
def test_a_file_that_is_cut_or_has_a_page_twice_gone_or_zeroed_is_named(path: Path, seed: int) -> None:
    sound, before, chance, missed = path.read_bytes(), rows_of(path), random.Random(seed), list[str]()
    pages = len(sound) // 4096
    for _ in range(12):
        at, other = chance.randrange(pages) * 4096, chance.randrange(pages) * 4096
        one, size = sound[at : at + 4096], chance.randrange(len(sound))
        for what, data in {
            f"cut at {size}": sound[:size],
            f"without page {at}": sound[:at] + sound[at + 4096 :],
            f"page {at} zeroed": sound[:at] + bytes(4096) + sound[at + 4096 :],
            f"page {at} again at {other}": sound[:other] + one + sound[other + 4096 :],
        }.items():
            path.write_bytes(data)
            if data != sound and not find_damage(path) and rows_of(path) != before:  # one page of an empty index is like another
                missed.append(what)
    assert missed == []


def test_a_flipped_bit_in_a_status_is_named(path: Path) -> None:
    """It changes in use and has no check of its own; an index on it makes SQLite's own check compare the two."""
    sound = path.read_bytes()
    with closing(apsw.Connection(str(path))) as connection:
        pages = [page for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE name = 'records' AND pagetype = 'leaf'")]
    mark = (99).to_bytes(1, "big")  # used_at_ns of the records that were used
    for page in pages:
        at = sound.find(mark, (page - 1) * 4096, page * 4096)
        while at >= 0:
            path.write_bytes(sound[:at] + bytes([sound[at] ^ 8]) + sound[at + 1 :])
            assert find_damage(path) != [] or statuses_of(path) == statuses_of_bytes(path, sound)
            at = sound.find(mark, at + 1, page * 4096)


def statuses_of(path: Path) -> list[object]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return list(connection.execute(f"SELECT id, {', '.join(sorted(USES))} FROM records"))


def statuses_of_bytes(path: Path, data: bytes) -> list[object]:
    other = path.with_name("other.db")
    other.write_bytes(data)
    return statuses_of(other)


def test_index_files_that_are_flipped_cut_or_gone_are_named_and_made_again(path: Path) -> None:
    indexes = sorted(path.with_name("clew.db.snapshots").glob("*.idx"))
    chance = random.Random(5)
    for index in indexes:
        sound = index.read_bytes()
        for _ in range(10):
            at = chance.randrange(len(sound))
            for data in (sound[:at], sound[:at] + bytes([sound[at] ^ 1 << chance.randrange(8)]) + sound[at + 1 :], sound + b"\0"):
                index.write_bytes(data)
                assert find_faults_beside(path), at
        index.write_bytes(sound)
    for index in indexes:
        index.unlink()
    with closing(SqliteStore(path)) as store:
        assert len(look(store, "one").source_states()) == 5
        store.rewrite_beside()
    assert find_faults_beside(path) == []


def rows_of(path: Path) -> list[object]:
    """The rows of a database but for workspaces' counters."""
    columns = "workspace, id, source, subject, digest, seq, at_ns, layer, kind, name, parent, path, session, trust, texts, lineage, "
    columns += ", ".join(sorted(USES))
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        told = [
            list(connection.execute(f"SELECT * FROM {table}"))
            for table in ("originals", "edges", "sources", "original_sources", "segments")
        ]
        return [*map(repr, told), repr(list(connection.execute(f"SELECT {columns} FROM records")))]


def test_files_beside_the_database_are_verified_and_written_again(path: Path) -> None:
    listed = read_tombstones(path)
    for index in path.with_name("clew.db.snapshots").glob("*.idx"):
        data = bytearray(index.read_bytes())
        data[len(data) // 2] ^= 1
        index.write_bytes(data)
    tombstone_path(path).write_text("")

    assert len(find_faults_beside(path)) == 3
    assert find_damage(path) == []
    with closing(SqliteStore(path)) as store:
        store.rewrite_beside()

    assert find_faults_beside(path) == []
    assert sorted(map(repr, read_tombstones(path) or ())) == sorted(map(repr, listed or ()))


def test_a_database_of_before_is_checked_as_far_as_its_rows_have_checks(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        for table in ("records", "sources", "edges", "workspaces"):
            connection.execute(f"ALTER TABLE {table} DROP COLUMN seal")
        connection.execute(
            "DROP INDEX records_by_status; DROP INDEX sources_by_change; ALTER TABLE sources DROP COLUMN changed_in;"
            "ALTER TABLE sources DROP COLUMN edges; ALTER TABLE records DROP COLUMN recorded_at_ns"
        )
        connection.execute(
            "DROP INDEX originals_by_pack; ALTER TABLE originals DROP COLUMN pack; ALTER TABLE originals DROP COLUMN pack_start"
        )
        connection.execute("DROP TABLE journal; DROP TABLE writers; DROP TABLE packs")
        connection.pragma("user_version", 4)

    assert find_damage(path) == []
    with closing(SqliteStore(path)) as store:
        assert len(look(store, "one").source_states()) == 5
    sql("DELETE FROM originals WHERE row = 3")(path)
    assert find_damage(path) != []
