"""The index is the same however it came about; a snapshot only makes it come sooner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from clew.records import Delta
from clew.store.tables.indexing import OVERLAY_PARTS_MAX
from tests.looking import look
from tests.store.conformance import make_delta, retirement
from tests.store.with_index_files import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clew.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    store.open_workspace("w", "/w")
    store.apply("w", files(range(20)))
    yield store
    store.close()


def files(numbers: range, body: str = "body") -> list[Delta]:
    return [make_delta(f"file:{number:04}", [("s", f"{body} {number}"), ("t", f"{number} {body}")]) for number in numbers]


def snapshot_of(path: Path) -> Path:
    (found,) = path.with_name(f"{path.name}.snapshots").iterdir()
    return found


def answer_of(path: Path) -> tuple[str, list[str], tuple]:
    """What a new process would answer: where the index came from, its documents, and its parts."""
    with contextlib.closing(SqliteStore(path, is_read_only=True)) as store:
        index = look(store, "w").documents
        documents = sorted(index.id_of(doc) for doc in range(index.size) if index.alive[doc])
        return store._indexes.describe_origin("w"), documents, index.parts


def test_without_a_snapshot_the_index_is_built(store: SqliteStore, path: Path) -> None:
    origin, documents, parts = answer_of(path)

    assert origin == "built from 20 parts: no snapshot"
    assert (len(documents), len(parts)) == (40, 20)


def test_a_snapshot_answers_as_a_built_index_does(store: SqliteStore, path: Path) -> None:
    _, *built = answer_of(path)

    assert store.refresh("w").is_written

    origin, *loaded = answer_of(path)
    assert origin == "snapshot"
    assert loaded == built
    assert store._indexes.describe_origin("w") == "snapshot"


def test_changes_are_laid_over_a_snapshot(store: SqliteStore, path: Path) -> None:
    store.refresh("w")
    store.apply("w", [*files(range(3), "changed"), retirement("file:0005"), *files(range(30, 32))])

    origin, *overlaid = answer_of(path)

    assert origin == "snapshot or memory, 9 parts changed"
    snapshot_of(path).unlink()
    assert answer_of(path)[1:] == tuple(overlaid)
    index = look(store, "w").documents
    assert (sorted(index.id_of(doc) for doc in range(index.size) if index.alive[doc]), index.parts) == tuple(overlaid)


def test_what_changes_nothing_in_the_index_needs_no_overlay(store: SqliteStore, path: Path) -> None:
    store.refresh("w")
    store.apply("w", files(range(20)))
    store.move("w", look(store, "w").find("", 3), 2)

    with contextlib.closing(SqliteStore(path)) as other:
        assert not look(other, "w").documents.has_overlay
        assert look(other, "w").documents.count == 40


def test_a_write_of_a_release_that_notes_no_changes_is_seen_all_the_same(store: SqliteStore, path: Path) -> None:
    """Its process may have opened the database before it was migrated, and goes on writing."""
    assert look(store, "w").documents.count == 40
    with contextlib.closing(SqliteStore(path)) as other:
        other.apply("w", [*files(range(5), "other"), *files(range(20, 25))])
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE sources SET changed_in = 0")

    assert look(store, "w").documents.parts == answer_of(path)[2]


def test_a_snapshot_is_written_when_there_is_none_or_too_much_has_changed(store: SqliteStore) -> None:
    refreshed = store.refresh("w")
    assert (refreshed.is_written, refreshed.parts_changed) == (True, 20)
    refreshed = store.refresh("w")
    assert (refreshed.is_written, refreshed.parts_changed, refreshed.reason) == (False, 0, "")

    half = OVERLAY_PARTS_MAX // 2  # each changed part is one that went and one that came
    store.apply("w", files(range(100, 100 + half * 2)))
    assert (store.refresh("w").is_written, store.refresh("w").parts_changed) == (False, half * 2)
    store.apply("w", files(range(1), "changed"))
    assert store.refresh("w").is_written
    assert store.refresh("w").parts_changed == 0


def test_an_empty_workspace_needs_no_snapshot(store: SqliteStore, path: Path) -> None:
    store.open_workspace("empty", "/empty")

    for workspace in ("empty", "unknown"):
        assert store.refresh(workspace) == replace(store.refresh("unknown"), is_written=False, parts_changed=0, reason="")
        assert look(store, workspace).documents.count == 0
    assert not path.with_name("clew.db.snapshots").exists()


def test_a_long_lived_reader_takes_up_a_newer_snapshot(store: SqliteStore, path: Path) -> None:
    """Its own overlay would grow without end otherwise."""
    store.refresh("w")
    with contextlib.closing(SqliteStore(path)) as reader:
        assert look(reader, "w").documents.count == 40
        store.apply("w", files(range(100, 200)))
        store.refresh("w")

        assert look(reader, "w").documents.count == 240
        assert reader._indexes.describe_origin("w") == "snapshot"
        store.apply("w", files(range(200, 300)))
        assert look(reader, "w").documents.count == 440
        assert look(reader, "w").documents.parts == look(store, "w").documents.parts


@pytest.mark.parametrize("damage", ["empty", "cut in its head", "cut", "longer", "head", "body", "other version", "no file"])
def test_a_damaged_snapshot_is_left_out_and_named(store: SqliteStore, path: Path, damage: str) -> None:
    _, *wanted = answer_of(path)
    store.refresh("w")
    file = snapshot_of(path)
    data = bytearray(file.read_bytes())
    if damage == "empty":
        data = bytearray()
    elif damage.startswith("cut"):
        del data[60 if "head" in damage else -1 :]
    elif damage == "longer":
        data += b"x"
    elif damage == "no file":
        file.unlink()
        file.mkdir()
    else:
        data[{"head": 44, "body": len(data) // 2, "other version": 7}[damage]] ^= 1
    if file.is_file():
        file.unlink()  # others may have it mapped
        file.write_bytes(data)

    origin, *found = answer_of(path)

    assert found == wanted
    assert origin.startswith("built from 20 parts: the snapshot")
    if damage != "no file":
        assert store.refresh("w").is_written
        assert answer_of(path)[0] == "snapshot"


def test_the_snapshot_of_another_database_is_left_out(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """A database that was deleted and made again may reach the same generation with other contents."""
    store.refresh("w")
    with contextlib.closing(SqliteStore(tmp_path / "other" / "clew.db")) as other:
        other.open_workspace("w", "/w")
        other.apply("w", files(range(2)))
        other.refresh("w")
        snapshot_of(path).replace(snapshot_of(other.path))

        assert look(other, "w").documents.count == 4

    assert answer_of(tmp_path / "other" / "clew.db")[0] == "built from 2 parts: the snapshot is of another database"


def test_a_snapshot_that_cannot_be_written_fails_nothing(store: SqliteStore, path: Path) -> None:
    path.with_name("clew.db.snapshots").write_text("a file in the place of the folder")

    refreshed = store.refresh("w")

    assert not refreshed.is_written
    assert refreshed.reason
    assert look(store, "w").documents.count == 40


def test_a_snapshot_that_cannot_be_put_in_place_leaves_nothing(store: SqliteStore, path: Path) -> None:
    """Another process holds the write lock, or this one may not write at all."""
    with contextlib.closing(SqliteStore(path, busy_timeout_s=0.1)) as other, store._writing():
        assert "locked" in other.refresh("w").reason
    with contextlib.closing(SqliteStore(path, is_read_only=True)) as reader:
        assert "reading only" in reader.refresh("w").reason

    assert not list(path.parent.rglob("*.part"))
    assert not list(path.parent.rglob("*.idx"))


def test_half_written_snapshots_of_killed_processes_are_cleared_away(store: SqliteStore, path: Path) -> None:
    store.refresh("w")
    file = snapshot_of(path)
    left = file.with_suffix(".12345.part")
    left.write_bytes(b"half")
    file.unlink()

    assert store.refresh("w").is_written

    assert not left.exists()


def test_an_index_outlives_the_store_and_its_snapshot(store: SqliteStore, path: Path) -> None:
    store.refresh("w")
    index = look(store, "w").documents
    documents = [index.id_of(doc) for doc in range(index.size)]

    store.purge("w", documents[:1], "", 1)
    store.close()

    assert not list(path.with_name("clew.db.snapshots").iterdir())
    assert [index.id_of(doc) for doc in range(index.size)] == documents
