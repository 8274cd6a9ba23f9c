"""An old database is brought up to date once, after a backup, and a step that fails leaves what stood before."""

from __future__ import annotations

import contextlib
import multiprocessing
import stat
from multiprocessing.synchronize import Barrier
from pathlib import Path

import apsw
import pytest

from clew.errors import SchemaTooNew, StoreUnusable, StoreUnwritable
from clew.store.sqlite import MIGRATIONS, Migration, SqliteStore
from tests.looking import look
from tests.store.conformance import make_delta

NEWEST = len(MIGRATIONS)
SECOND = Migration(NEWEST + 1, "second", "A column for the tests.", "ALTER TABLE records ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';")
THIRD = Migration(
    NEWEST + 2,
    "third",
    "A table for the tests, filled from what stands there.",
    "CREATE TABLE moods (mood TEXT NOT NULL); INSERT INTO moods SELECT mood FROM records; UPDATE records SET mood = 'bold';",
)
BROKEN = Migration(
    NEWEST + 2,
    "broken",
    "Changes much, and then fails.",
    "CREATE TABLE moods (mood TEXT NOT NULL); UPDATE records SET mood = 'lost'; DELETE FROM workspaces; INSERT INTO nowhere VALUES (1);",
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database at the newest schema that ships, with one record, in a folder of its own."""
    path = tmp_path / "clew.db"
    store = SqliteStore(path)
    store.open_workspace("w", "/w")
    store.apply("w", [make_delta("file:a", [("s", "body")])])
    store.close()
    return path


def schema_of(path: Path) -> int:
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert connection.pragma("integrity_check") == "ok"
        return int(connection.pragma("user_version"))


def rows_of(path: Path, sql: str) -> list:
    with contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return list(connection.execute(sql))


def backups_of(path: Path) -> list[str]:
    return sorted((file.name for file in path.parent.glob("*.bak*")), key=lambda name: (len(name), name))  # bak-9 before bak-10


def test_the_steps_that_ship_are_dense_and_say_why() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))
    assert all(step.why.endswith(".") and len(step.why) > 100 for step in MIGRATIONS)


@pytest.mark.parametrize("steps", [[SECOND], [*MIGRATIONS, THIRD], [*MIGRATIONS, Migration(NEWEST + 1, "silent", "", "SELECT 1")]])
def test_steps_with_gaps_or_without_a_reason_are_a_defect(steps: list[Migration], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="paragraph of why"):
        SqliteStore(tmp_path / "clew.db", steps=steps)


def test_a_new_database_goes_through_every_step_without_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"

    SqliteStore(path, steps=[*MIGRATIONS, SECOND, THIRD]).close()

    assert (schema_of(path), backups_of(path)) == (NEWEST + 2, [])


def test_an_old_database_is_backed_up_before_each_step(old: Path) -> None:
    with contextlib.closing(SqliteStore(old, steps=[*MIGRATIONS, SECOND, THIRD])) as store:
        (record,) = look(store, "w").records_of_sources("file:a")
        assert look(store, "w").original(record.digest) == b"body"

    assert schema_of(old) == NEWEST + 2
    assert rows_of(old, "SELECT mood FROM records UNION ALL SELECT mood FROM moods") == [("bold",), ("calm",)]
    assert backups_of(old) == [f"clew.db.bak-{NEWEST}", f"clew.db.bak-{NEWEST + 1}"]
    for number in (NEWEST, NEWEST + 1):
        backup = old.with_name(f"clew.db.bak-{number}")
        assert schema_of(backup) == number
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        assert rows_of(backup, "SELECT count(*) FROM records") == [(1,)]


def test_a_backup_can_be_used_in_the_place_of_the_database(old: Path) -> None:
    SqliteStore(old, steps=[*MIGRATIONS, SECOND]).close()
    old.with_name(f"clew.db.bak-{NEWEST}").replace(old)

    with contextlib.closing(SqliteStore(old)) as store:
        assert len(look(store, "w").records_of_sources("file:a")) == 1


def test_opening_again_migrates_nothing(old: Path) -> None:
    steps = [*MIGRATIONS, SECOND]
    SqliteStore(old, steps=steps).close()
    old.with_name(f"clew.db.bak-{NEWEST}").unlink()

    SqliteStore(old, steps=steps).close()

    assert backups_of(old) == []


def test_a_step_that_fails_half_way_is_undone(old: Path) -> None:
    """The steps before it stand, the database opens at their schema, and the backup is there."""
    with pytest.raises(StoreUnusable, match=rf"migration {NEWEST + 2} \(broken\) failed and was undone: .*nowhere"):
        SqliteStore(old, steps=[*MIGRATIONS, SECOND, BROKEN])

    assert schema_of(old) == NEWEST + 1
    assert backups_of(old) == [f"clew.db.bak-{NEWEST}", f"clew.db.bak-{NEWEST + 1}"]
    assert rows_of(old, "SELECT mood FROM records") == [("calm",)]
    assert rows_of(old, "SELECT count(*) FROM sqlite_schema WHERE name = 'moods'") == [(0,)]
    with contextlib.closing(SqliteStore(old, steps=[*MIGRATIONS, SECOND])) as store:
        assert look(store, "w").generation == 1


def test_a_first_step_that_fails_leaves_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"

    with pytest.raises(StoreUnusable, match="migration 1"):
        SqliteStore(path, steps=[Migration(1, "broken", "Fails.", "CREATE TABLE a (b); CREATE TABLE a (b);")])

    with contextlib.closing(SqliteStore(path)) as store:
        assert store.workspaces() == []


def test_the_older_release_refuses_what_the_newer_one_migrated(old: Path) -> None:
    SqliteStore(old, steps=[*MIGRATIONS, SECOND]).close()
    before = old.read_bytes()

    with pytest.raises(SchemaTooNew):
        SqliteStore(old)

    assert old.read_bytes() == before


def test_a_reader_does_not_migrate(old: Path) -> None:
    with pytest.raises(StoreUnwritable, match=f"must be migrated to {NEWEST + 1}"):
        SqliteStore(old, is_read_only=True, steps=[*MIGRATIONS, SECOND])
    assert (schema_of(old), backups_of(old)) == (NEWEST, [])


def test_without_room_for_the_backup_nothing_is_migrated(old: Path) -> None:
    """A folder stands where the backup has to go."""
    blocked = old.with_name(f"clew.db.bak-{NEWEST}")
    blocked.mkdir()
    (blocked / "file").touch()

    with pytest.raises(StoreUnwritable, match=f"bak-{NEWEST}"):
        SqliteStore(old, steps=[*MIGRATIONS, SECOND])

    assert schema_of(old) == NEWEST
    assert not list(old.parent.glob("*.part"))


def open_and_report(path: Path, barrier: Barrier, results: multiprocessing.Queue) -> None:
    """In a process of its own: wait for the others, open, and say what is there."""
    barrier.wait(30)
    with contextlib.closing(SqliteStore(path, steps=[*MIGRATIONS, SECOND, THIRD])) as store:
        results.put([workspace.key for workspace in store.workspaces()])


@pytest.mark.parametrize("is_new", [True, False])
def test_processes_that_open_a_database_at_once_migrate_it_once(old: Path, tmp_path: Path, *, is_new: bool) -> None:
    """A second run of these steps would fail: the column and the table are there."""
    path = tmp_path / "fresh" / "clew.db" if is_new else old
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(3), context.Queue()
    children = [context.Process(target=open_and_report, args=(path, barrier, results)) for _ in range(3)]
    for child in children:
        child.start()
    found = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()

    assert [child.exitcode for child in children] == [0, 0, 0]
    assert found == ([[]] * 3 if is_new else [["w"]] * 3)
    assert rows_of(path, "SELECT count(*) FROM moods") == [(0 if is_new else 1,)]
