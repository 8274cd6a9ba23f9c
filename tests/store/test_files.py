"""The database as a file: who may read it, and what is said of one that cannot be used."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from clew.errors import InvalidDelta, SchemaTooNew, StoreBusy, StoreError, StoreUnusable, StoreUnwritable
from clew.records import Tier, make_id
from clew.store.sqlite import MIGRATIONS
from tests.looking import look
from tests.store.conformance import make_delta
from tests.store.with_index_files import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "clew" / "clew.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """A database that was written and closed."""
    store = SqliteStore(path)
    store.open_workspace("w", "/w")
    store.apply("w", [make_delta("file:a", [("s", "body")])])
    store.refresh("w")
    store.close()
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_private_whatever_the_umask(path: Path) -> None:
    """0700 for folders that were made, 0600 for the database, its log, its shared memory and its snapshots."""
    before = os.umask(0)
    try:
        store = SqliteStore(path)
        store.open_workspace("w", "/w")
        store.apply("w", [make_delta("file:a", [("s", "body")])])
        assert store.refresh("w").is_written
        files = [file for file in path.parent.rglob("*") if file.is_file()]
        assert {file.name for file in files} >= {"clew.db", "clew.db-wal", "clew.db-shm"}
        assert len(files) == 4
        assert {mode_of(file) for file in files} == {0o600}
        folders = [path.parent, path.parent.parent, path.with_name("clew.db.snapshots")]
        assert [mode_of(folder) for folder in folders] == [0o700] * 3
        store.close()
    finally:
        os.umask(before)


def test_a_database_that_others_could_read_is_made_private(filled: Path) -> None:
    filled.chmod(0o644)

    SqliteStore(filled).close()

    assert mode_of(filled) == 0o600


def test_a_newer_database_is_refused_and_left_as_it_is(filled: Path) -> None:
    """Also when the number of the newer schema still stands in the log of a process that was killed."""
    connection = apsw.Connection(str(filled))
    connection.pragma("user_version", len(MIGRATIONS) + 5)
    log = shutil.copy(filled.with_name("clew.db-wal"), filled.with_name("kept"))
    connection.close()
    at_rest = filled.read_bytes()

    for is_read_only in (False, True):
        with pytest.raises(SchemaTooNew) as refused:
            SqliteStore(filled, is_read_only=is_read_only)
        assert (refused.value.found, refused.value.known) == (len(MIGRATIONS) + 5, len(MIGRATIONS))
        assert "hint:" in str(refused.value)
    assert filled.read_bytes() == at_rest

    os.truncate(filled, 0)
    with pytest.raises(StoreError):
        SqliteStore(filled, is_read_only=True)
    filled.write_bytes(at_rest)
    shutil.copy(log, filled.with_name("clew.db-wal"))
    with pytest.raises(SchemaTooNew):
        SqliteStore(filled)
    assert filled.read_bytes() == at_rest


def test_a_newer_schema_that_stands_only_in_the_log_is_not_moved_into_the_file(filled: Path) -> None:
    at_rest = filled.read_bytes()
    script = (
        "import apsw, os, sys; c = apsw.Connection(sys.argv[1]); c.pragma('user_version', 99);"
        "os._exit(0)"  # as kill −9: no checkpoint, the log stays
    )
    subprocess.run([sys.executable, "-c", script, str(filled)], check=True)
    assert filled.with_name("clew.db-wal").stat().st_size > 0
    assert filled.read_bytes() == at_rest

    with pytest.raises(SchemaTooNew):
        SqliteStore(filled)

    assert filled.read_bytes() == at_rest


def test_another_programs_database_is_refused_and_left_as_it_is(path: Path) -> None:
    path.parent.mkdir(parents=True)
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    connection.close()
    for application in (0, 0x1234):
        with contextlib.closing(apsw.Connection(str(path))) as connection:
            connection.pragma("application_id", application)
        before = path.read_bytes()

        with pytest.raises(StoreUnusable, match="another program"):
            SqliteStore(path)

        assert path.read_bytes() == before
        assert [file.name for file in path.parent.iterdir()] == ["clew.db"]


@pytest.mark.parametrize("content", [b"not a database at all", b"SQLite format 3\0", b"x" * 5000])
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    for is_read_only in (False, True):
        with pytest.raises(StoreUnusable) as refused:
            SqliteStore(path, is_read_only=is_read_only)
        assert str(path) in str(refused.value)
    assert path.read_bytes() == content


def read_and_write(path: Path) -> None:
    with contextlib.closing(SqliteStore(path)) as store:
        assert look(store, "w").generation == 1
        (record,) = look(store, "w").records_of_sources("file:a")
        assert look(store, "w").original(record.digest) == b"body"
        assert look(store, "w").find("") == [record.id]
        assert look(store, "w").documents.count == 1
        store.apply("w", [make_delta("file:b", [(str(number), "body") for number in range(50)])])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.99])
def test_a_truncated_database_is_named_and_never_silently_empty(filled: Path, share: float) -> None:
    """Whatever is asked of it, the answer is right, or a StoreError that names the file."""
    data = filled.read_bytes()
    filled.write_bytes(data[: int(len(data) * share)])
    shutil.rmtree(filled.with_name("clew.db.snapshots"))

    with pytest.raises(StoreUnusable) as refused:
        read_and_write(filled)

    assert "clew.db" in str(refused.value)


def test_an_empty_file_becomes_a_database(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()

    with contextlib.closing(SqliteStore(path)) as store:
        assert store.workspaces() == []


def test_a_folder_in_the_place_of_the_database_is_refused(path: Path) -> None:
    path.mkdir(parents=True)

    with pytest.raises(StoreUnusable):
        SqliteStore(path)


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")

    with pytest.raises(StoreError, match="home"):
        SqliteStore(tmp_path / "home" / "clew.db")


def test_a_reader_makes_no_database(path: Path) -> None:
    with pytest.raises(StoreUnusable, match="does not exist"):
        SqliteStore(path, is_read_only=True)
    assert not path.exists()


def test_a_reader_reads_beside_a_writer_and_refuses_to_write(filled: Path) -> None:
    with contextlib.closing(SqliteStore(filled)) as writer, contextlib.closing(SqliteStore(filled, is_read_only=True)) as reader:
        writer.apply("w", [make_delta("file:b", [("t", "more")])])
        assert look(reader, "w").documents.count == 2
        for call in (
            lambda: reader.open_workspace("v", ""),
            lambda: reader.apply("w", []),
            lambda: reader.move("w", [], Tier.HOT),
            lambda: reader.touch("w", [], 1),
            lambda: reader.purge("w", [], "", 1),
            lambda: reader.purge_source("w", "", "", 1),
        ):
            with pytest.raises(StoreUnwritable, match="for reading only"):
                call()
        assert not reader.refresh("w").is_written


@contextlib.contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    """The folder as a disk that cannot be written, even by root."""
    made = subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"needs the right to mount: {made.stderr.decode().strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], capture_output=True, check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.skipif(not shutil.which("mount") or os.getuid() != 0, reason="needs the right to mount")
def test_a_read_only_disk_can_be_read(filled: Path) -> None:
    """Records, originals and the snapshot; a writer says what is wrong."""
    with mounted_read_only(filled.parent):
        with pytest.raises(StoreUnwritable) as refused:
            SqliteStore(filled)
        assert "hint:" in str(refused.value)

        with contextlib.closing(SqliteStore(filled, is_read_only=True)) as store:
            (record,) = look(store, "w").records_of_sources("file:a")
            assert look(store, "w").original(record.digest) == b"body"
            assert look(store, "w").documents.count == 1
            assert store._indexes.describe_origin("w") == "snapshot"


@pytest.mark.skipif(not shutil.which("mount") or os.getuid() != 0, reason="needs the right to mount")
def test_a_log_that_must_be_replayed_on_a_read_only_disk_is_not_ignored(filled: Path) -> None:
    """Opening without it would answer from an older state; the error says what to do."""
    script = (
        "import os, sys; from pathlib import Path;"
        "from tests.store.conformance import make_delta; from clew.store.sqlite import SqliteStore;"
        "s = SqliteStore(Path(sys.argv[1])); s.apply('w', [make_delta('file:b', [('t', 'more')])]); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(filled)], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    filled.with_name("clew.db-shm").unlink()
    with mounted_read_only(filled.parent), pytest.raises(StoreUnusable, match="copy its folder"):
        SqliteStore(filled, is_read_only=True)

    with contextlib.closing(SqliteStore(filled, is_read_only=True)) as store:
        assert look(store, "w").generation == 2


def as_nobody(path: Path) -> None:
    """In a process of its own: open a database in a folder that this user may not write."""
    os.setgid(65534)
    os.setuid(65534)
    try:
        SqliteStore(path)
    except StoreUnwritable:
        os._exit(10)
    os._exit(11)


@pytest.mark.skipif(os.getuid() != 0, reason="gives up root's rights in a child process")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"clew-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    try:
        child = multiprocessing.get_context("spawn").Process(target=as_nobody, args=(folder / "clew.db",))
        child.start()
        child.join()
        assert child.exitcode == 10
    finally:
        shutil.rmtree(folder)


def test_a_full_disk_stores_nothing_of_the_call_and_goes_on_when_there_is_room(path: Path) -> None:
    """What was acknowledged before stands; what was refused left no trace."""
    noise = [("big", os.urandom(200_000).hex())]
    with contextlib.closing(SqliteStore(path)) as store:
        store.open_workspace("w", "/w")
        first = make_delta("file:a", [("s", "body")])
        store.apply("w", [first])
        connection = store._write_connection
        assert connection is not None
        connection.pragma("max_page_count", connection.pragma("page_count") + 3)

        with pytest.raises(StoreUnwritable) as refused:
            store.apply("w", [make_delta("file:b", [("t", "small")]), make_delta("file:c", noise)])

        assert "hint:" in str(refused.value)
        assert (look(store, "w").generation, [state.source for state in look(store, "w").source_states()]) == (1, ["file:a"])
        assert look(store, "w").find("") == [first.records[0].id]
        connection.pragma("max_page_count", 1 << 30)
        assert store.apply("w", [make_delta("file:c", noise)]).added == 1


def write_until_refused(store: SqliteStore) -> int:
    """Returns how many calls were acknowledged."""
    for number in range(1000):
        try:
            store.apply("w", [make_delta(f"file:{number:03}", [("s", os.urandom(8000).hex())])])
        except StoreUnwritable:
            return number
    raise AssertionError("nothing was refused")


@pytest.mark.skipif(not shutil.which("mount") or os.getuid() != 0, reason="needs the right to mount")
def test_a_disk_that_fills_up_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """A real file system of two megabytes: writes until it is full, then reads everything back."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"needs the right to mount: {made.stderr.decode().strip()}")
    try:
        store = SqliteStore(folder / "clew.db")
        store.open_workspace("w", "/w")
        acknowledged = write_until_refused(store)
        assert acknowledged > 20
        refreshed = store.refresh("w")
        assert not refreshed.is_written
        assert refreshed.reason
        assert (look(store, "w").generation, len(look(store, "w").source_states())) == (acknowledged, acknowledged)
        store.close()
        with contextlib.closing(SqliteStore(folder / "clew.db", is_read_only=True)) as again:
            assert (look(again, "w").generation, len(look(again, "w").source_states()), look(again, "w").documents.count) == (
                acknowledged,
            ) * 3
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_writer_waits_its_turn_and_then_says_so(filled: Path) -> None:
    other = apsw.Connection(str(filled))
    other.execute("BEGIN IMMEDIATE")
    with contextlib.closing(SqliteStore(filled, busy_timeout_s=0.2)) as store:
        with pytest.raises(StoreBusy) as refused:
            store.apply("w", [make_delta("file:b", [("t", "more")])])
        assert refused.value.waited_s == 0.2
        assert look(store, "w").generation == 1
        other.execute("ROLLBACK")
        other.close()
        assert store.apply("w", [make_delta("file:b", [("t", "more")])]).generation == 2


def test_a_reader_sees_the_old_state_during_a_long_write(filled: Path) -> None:
    """The write is under way, in another thread of this process and seen from another store."""
    reached, proceed = threading.Event(), threading.Event()
    with contextlib.closing(SqliteStore(filled)) as store, contextlib.closing(SqliteStore(filled)) as other:

        def write() -> None:
            with store._writing() as connection:
                connection.execute("workspaces.advance", 1)
                connection.execute("records.move", 2, 1, make_id("s", "body"))
                reached.set()
                proceed.wait(10)

        writer = threading.Thread(target=write)
        writer.start()
        assert reached.wait(10)
        for reader in (store, other):
            assert (look(reader, "w").generation, look(reader, "w").stale_or_cold(), look(reader, "w").documents.count) == (1, [], 1)
        proceed.set()
        writer.join()
        for reader in (store, other):
            assert (look(reader, "w").generation, len(look(reader, "w").stale_or_cold())) == (2, 1)


def test_threads_share_a_store(filled: Path) -> None:
    """Writers take turns, readers never see half a call: the two records of each delta come together."""
    failures: list[str] = []
    with contextlib.closing(SqliteStore(filled)) as store:
        done = threading.Event()

        def write(name: str) -> None:
            for number in range(15):
                store.apply("w", [make_delta(f"file:{name}", [("s", f"{name}{number}"), ("t", f"{name}{number}")])])

        def read() -> None:
            while not done.is_set():
                for name in "xyz":
                    bodies = [look(store, "w").original(record.digest) for record in look(store, "w").records_of_sources(f"file:{name}")]
                    if len(set(bodies)) > 1:
                        failures.append(f"{name}: {bodies}")
                if look(store, "w").documents.count % 2 != 1:
                    failures.append("half a delta in the index")

        writers = [threading.Thread(target=write, args=(name,)) for name in "xyz"]
        readers = [threading.Thread(target=read) for _ in range(2)]
        for thread in (*writers, *readers):
            thread.start()
        for thread in writers:
            thread.join()
        done.set()
        for thread in readers:
            thread.join()
        assert failures == []
        assert look(store, "w").generation == 1 + 45


def test_a_failing_call_leaves_the_store_usable(filled: Path) -> None:
    with contextlib.closing(SqliteStore(filled)) as store:
        for _ in range(3):
            with pytest.raises(InvalidDelta):
                store.apply("w", [make_delta("file:b", [("t", "x"), ("t", "x")])])
        assert store.apply("w", [make_delta("file:b", [("t", "x")])]).generation == 2
