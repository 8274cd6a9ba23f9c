"""What a transcript brings is stored together, in fewer bytes, and read back one by one."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw

from clew.records import Blob, Delta
from clew.store.originals import digest_of
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.repair import find_damage, repair
from clew.store.sqlite.salvage import SalvageHints
from clew.store.tables.packs import FILLED_BYTES
from clew.store.tombstones import read_tombstones
from tests.looking import look
from tests.store.conformance import make_delta

SOURCE = "session:s"


def make_turn(chance: random.Random, number: int, *, is_first: bool) -> tuple[list[Blob], Delta]:
    """A turn of a session: its lines, and outputs that stand in them too."""
    outputs = ["".join(f"{number} {chance.random()} repeated\n" for _ in range(chance.randrange(20, 400))) for _ in range(4)]
    delta = make_delta(SOURCE, [(f"turn {number}.{at}", output) for at, output in enumerate(outputs)])
    lines = "".join(outputs).replace("\n", "\\n").encode()
    raw = make_delta(SOURCE, [(f"lines {number}", lines.decode())])
    records = (*delta.records, *raw.records)
    blobs = (Blob(digest_of(lines), lines, is_sequential=True), *delta.blobs)
    return list(blobs), replace(delta, records=records, blobs=blobs, segment=b"", is_whole=is_first)


def store_turns(store: SqliteStore, chance: random.Random) -> dict[str, bytes]:
    """Store 30 turns of a session, one after the other; return their originals."""
    originals: dict[str, bytes] = {}
    store.open_workspace("w", "/w")
    for number in range(30):
        blobs, delta = make_turn(chance, number, is_first=not number)
        store.apply("w", [delta])
        originals |= {blob.digest: blob.data for blob in blobs}
    return originals


def test_what_a_transcript_brings_is_stored_together_and_read_back(tmp_path: Path) -> None:
    """Turn by turn, in packs that are filled up; a repair keeps them, a purge takes what it erases out of them."""
    path, chance = tmp_path / "clew.db", random.Random(3)
    with closing(SqliteStore(path)) as store:
        originals = store_turns(store, chance)
        assert look(store, "w").originals(list(originals)) == originals
        assert all(look(store, "w").original(digest) == data for digest, data in originals.items())
    assert find_damage(path) == []
    with closing(apsw.Connection(str(path))) as connection:
        sizes = dict(connection.execute("SELECT filling, max(size) FROM packs GROUP BY filling"))
        ((stored,),) = connection.execute("SELECT sum(length(data)) FROM packs")
        assert list(connection.execute("SELECT count(*) FROM originals WHERE pack = 0")) == [(0,)]
    assert set(sizes) == {0, 1, 2}
    assert all(size < FILLED_BYTES[filling] for filling, size in sizes.items() if filling)
    assert stored < sum(map(len, originals.values())) / 3

    repair(path, SalvageHints(tombstones=read_tombstones(path)))
    for aside in tmp_path.glob("*.damaged-*"):
        aside.unlink()
    with closing(SqliteStore(path)) as store:
        assert look(store, "w").originals(list(originals)) == originals
        doomed = look(store, "w").records_of_sources(SOURCE)[7]
        store.purge("w", [doomed.id], "a secret", 5)
        kept = {digest: data for digest, data in originals.items() if digest != doomed.full_text.blob}
        assert len(kept) == len(originals) - 1
        assert look(store, "w").originals(list(kept)) == kept
        blobs, delta = make_turn(chance, 99, is_first=False)
        store.apply("w", [delta])
        assert look(store, "w").originals([blob.digest for blob in blobs]) == {blob.digest: blob.data for blob in blobs}
    assert find_damage(path) == []


def test_a_database_that_sqlite_wrote_anew_is_smaller_and_holds_the_same(tmp_path: Path) -> None:
    """As docs/forgetting.md has a user do it after a purge."""
    path, chance = tmp_path / "clew.db", random.Random(4)
    with closing(SqliteStore(path)) as store:
        originals = store_turns(store, chance)
        doomed = look(store, "w").records_of_sources(SOURCE)[10:]
        store.purge("w", [record.id for record in doomed], "a secret", 5)
        for record in doomed:
            originals.pop(record.full_text.blob, None)
    before = path.stat().st_size
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")

    assert path.stat().st_size < before / 2
    assert find_damage(path) == []
    with closing(SqliteStore(path)) as store:
        assert look(store, "w").originals(list(originals)) == originals


def test_an_original_that_would_fill_a_pack_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    with closing(SqliteStore(path)) as store:
        store.open_workspace("w", "/w")
        delta = make_delta(SOURCE, [("large", "x1y2 " * 40_000), ("small", "short " * 300), ("other", "other " * 300)])
        store.apply("w", [replace(delta, is_whole=False)])
        originals = {blob.digest: blob.data for blob in delta.blobs}
        assert look(store, "w").originals(list(originals)) == originals
    with closing(apsw.Connection(str(path))) as connection:
        assert [pack for (pack,) in connection.execute("SELECT pack FROM originals ORDER BY size")] == [1, 1, 0]
