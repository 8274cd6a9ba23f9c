"""What pages alone say of a database is what SQLite says of it, row for row, whatever stands in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from clew.records import Blob, Edge, EdgeKind, EndKind, EndReason, RecordText, Resolution, SourceState, Supersession, Tier
from clew.store.originals import digest_of
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.pages import DatabasePages
from clew.store.sqlite.repair import find_damage, repair
from clew.store.sqlite.salvage import SalvageHints
from clew.store.tombstones import read_tombstones
from clew.text.postings import SearchDocument, pack_postings
from tests.looking import look
from tests.store.conformance import make_delta


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Every table has rows: of all types and lengths, with names that are no valid text, ended, moved, purged."""
    path = tmp_path / "clew.db"
    store = SqliteStore(path)
    for key, root in (("one", "/one"), ("two", "/zw\udceei")):
        store.open_workspace(key, root)
        for number in range(30):
            source = f"file:{'deep/' * number}\udce9{number}.py"
            data = os.urandom(number * 1500)
            delta = make_delta(source, [(f"symbol:{number}::{each}", f"body {each} " * (number * each * 7)) for each in range(4)])
            big = RecordText(Resolution.FULL, len(data), blob=digest_of(data), end=len(data))
            first = delta.records[0]
            records = (
                replace(first, texts=(first.texts[0], big), digest=digest_of(data), lineage=(("branch", "ma\udce9in"),)),
                *delta.records[1:],
            )
            edges = [
                Edge(EdgeKind.CONTAINS, records[0].id, each.id, weight, by="t")
                for each, weight in zip(records[1:], (1, 0.25, 0), strict=True)
            ]
            documents = [SearchDocument(each.id, each.layer, each.kind, each.path, (each.name, "", "", "", "rope")) for each in records]
            store.apply(
                key,
                [
                    replace(
                        delta,
                        records=records,
                        blobs=(*delta.blobs, Blob(digest_of(data), data)),
                        edges=tuple(edges),
                        segment=pack_postings(documents),
                    )
                ],
            )
        ids = [record.id for record in look(store, key).records_of_sources("file:deep/\udce91.py")]
        store.move(key, ids[:1], Tier.ARCHIVED)
        ended = (Supersession(ids[1], ids[2], EndReason(EndKind.OTHER, ("said an\udce9w",)), 3, 9),)
        store.apply(
            key, [replace(make_delta("session:s", []), is_whole=False, superseded=ended, state=SourceState("session:s", note="{}" * 4000))]
        )
        store.purge(key, [record.id for record in look(store, key).records_of_sources("file:deep/deep/\udce92.py")][:2], "a w\udce9rd", 5)
        store.apply(key, [replace(make_delta("file:gone", [("g", "gone")])), replace(make_delta("file:gone", []), state=None)])
    store.close()
    return path


def rows_of(path: Path) -> dict[str, list[Any]]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    tables = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1")
    ]
    found = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
    connection.close()
    found["meta"] = []  # the random mark, which is the new file's own
    found["workspaces"] = [row[:3] + row[4:] for row in found["workspaces"]]  # a write more is counted
    return found


def pages(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    reading = DatabasePages(descriptor)
    assert sum(1 for _ in reading.iterate_rows()) > 100
    os.close(descriptor)
    yield from reading.damaged


def test_of_a_sound_file_every_row_of_every_table_is_found(path: Path) -> None:
    before = rows_of(path)
    assert find_damage(path) == []
    assert [name for name, rows in before.items() if not rows and name not in {"meta", "packs"}] == []

    repaired = repair(path, SalvageHints(tombstones=read_tombstones(path)))

    assert rows_of(path) == before
    assert (repaired.salvaged.damaged_pages, repaired.salvaged.lost, dict(repaired.salvaged.unsound)) == (0, [], {})
    assert list(pages(repaired.set_aside[0])) == []


def test_what_was_purged_is_listed_beside_the_database_without_its_words(path: Path) -> None:
    listed = read_tombstones(path)

    assert listed is not None
    assert {(grave.workspace, grave.kind) for grave in listed} == {(key, kind) for key in ("one", "two") for kind in ("record", "original")}
    assert path.with_name("clew.db.purged").stat().st_mode & 0o777 == 0o600


def test_a_database_of_before_gets_its_list_when_it_is_opened(path: Path) -> None:
    listed = read_tombstones(path)
    path.with_name("clew.db.purged").unlink()

    SqliteStore(path).close()

    assert read_tombstones(path) == listed


def test_where_the_list_of_what_was_purged_may_be_incomplete_that_is_said(path: Path) -> None:
    path.with_name("clew.db.purged").unlink()

    assert repair(path, SalvageHints()).salvaged.unsure == ["one", "two"]
