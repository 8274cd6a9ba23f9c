"""Repair: check a database for damage, and replace a damaged one by a new one with all that can be recovered.

The damaged file is kept, byte for byte, under another name. It is read under SQLite's own exclusive lock, so a repair fails while
another process has it open. The new file replaces the old one in one step.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

import apsw

from clew.errors import StoreBusy, StoreUnusable, StoreUnwritable
from clew.store.sqlite import salvage, verify
from clew.store.sqlite.connections import (
    APPLICATION_ID,
    Connection,
    check_owner,
    connect,
    connect_read_only,
    query_header,
    read_header,
    translate_errors,
)
from clew.store.sqlite.migrations import MIGRATIONS, sync_to_disk
from clew.store.sqlite.pages import PAGE_BYTES, DatabasePages
from clew.store.sqlite.store import SqliteStore

# Where SQLite locks a file: "File Locking And Concurrency", section 3, https://sqlite.org/lockingv3.html
_LOCK_AT, _LOCK_BYTES = 0x4000_0000, 512
_WAIT_S = 10.0  # for a process that closes the database just now
_COPIED_BYTES = 1 << 20
_SUFFIXES = ("", "-wal", "-shm")
_OUR_TABLES = frozenset({"records", "sources", "originals", "tombstones", "workspaces"})
_SOUND_HEAD = b"SQLite format 3\0" + PAGE_BYTES.to_bytes(2, "big") + bytes((2, 2, 0, 64, 32, 32))  # how each of our files begins


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What a repair recovered.

    set_aside  new paths of the damaged files; () for a dry run.
    log        what is wrong with the database's write-ahead log, in words; "" for nothing.
    """

    salvaged: salvage.SalvageResult
    set_aside: tuple[Path, ...]
    log: str = ""


def find_damage(path: Path) -> list[str]:
    """Check a whole database, with SQLite's integrity check and by decoding its contents; return the faults in words, [] for none.

    Raises SchemaTooNew; StoreUnusable for another program's database and for a file without read permission; StoreBusy.
    Cost  one pass over the whole file.
    """
    if not os.access(path, os.R_OK):
        raise StoreUnusable(path, "cannot be read", hint="give yourself back the right to read it")
    try:
        read_header(path)  # the log may hold a sound one, and the file is refused all the same
        with (
            closing(connect_read_only(path, _WAIT_S)) as connection,
            translate_errors(path, _WAIT_S, is_writing=False),
            connection.transaction("DEFERRED"),  # others may write meanwhile
        ):
            header = query_header(connection)
            names = {str(row[0]) for row in connection.raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
            lines = [line for row in connection.raw.execute("PRAGMA integrity_check(20)") for line in str(row[0]).splitlines()]
            said = [line for line in lines if not line.startswith("***")]
            is_named = header.application == APPLICATION_ID
            is_ours = is_named or names >= _OUR_TABLES
            if is_named:
                check_owner(path, header, len(MIGRATIONS))
            elif not is_ours and (header.application or (names and said == ["ok"])):
                raise StoreUnusable(path, "is a database of another program", hint="move it away, or point CLEW_HOME at another folder")
            if said != ["ok"] or (is_ours and not is_named):
                return said if said != ["ok"] else ["its header does not say that it is a database of clew"]
            return _find_faults(connection.raw, header.schema) if is_ours else ["it is empty: it holds nothing of a database of clew"]
    except StoreUnusable as error:
        if not error.is_repairable:
            raise
        return [error.reason]


def _find_faults(raw: Any, schema: int) -> list[str]:
    """Return the faults of a sound file's contents; one of an earlier schema is checked as a copy in memory that is upgraded."""
    if schema == len(MIGRATIONS):
        return verify.find_faults(raw)
    with closing(apsw.Connection(":memory:")) as copy:
        with copy.backup("main", raw, "main") as backup:
            backup.step()
        for step in MIGRATIONS[schema:]:
            Connection(copy).raw.execute(step.sql)
        return verify.find_faults(copy)


def find_faults_beside(path: Path) -> list[str]:
    """Return in words what is wrong with the files beside a sound database: the list of what was purged, and the search index."""
    try:
        with closing(SqliteStore(path, is_read_only=True)) as store:
            return store.find_faults_beside()
    except StoreUnwritable:  # of an earlier schema: it is upgraded, and those files are made, when it is opened
        return []


def check_integrity(path: Path, *, wait_s: float) -> str:
    """Check a database with SQLite's quick check and by taking its write lock; return the first fault in words, "" for none.

    Raises SchemaTooNew, StoreUnusable, and StoreBusy where another process has held the lock for `wait_s`.
    Cost  one pass over the file, without its indexes: about 0.3 s for 100 MB.
    """
    header = read_header(path)
    if header is not None:
        check_owner(path, header, len(MIGRATIONS))
    with closing(connect_read_only(path, wait_s)) as connection, translate_errors(path, wait_s, is_writing=False):
        said = str(next(iter(connection.raw.execute("PRAGMA quick_check(1)")))[0])
    if said == "ok" and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        with closing(connect(path, wait_s)) as connection, translate_errors(path, wait_s, is_writing=True):
            connection.raw.execute("BEGIN IMMEDIATE; ROLLBACK")
    return "" if said == "ok" else said.splitlines()[-1]


def repair(path: Path, known: salvage.SalvageHints, *, dry_run: bool = False) -> RepairResult:
    """Replace the database at `path` by a new one with all that can be recovered; with dry_run only return what could be.

    Raises StoreBusy if another process has it open, StoreUnwritable if there is no space for a second file.
    """
    fresh = path.with_name(f"{path.name}.repairing.{os.getpid()}")
    room = partial(tempfile.TemporaryDirectory, dir=path.parent, prefix=f"{path.name}.repairing.")
    with _translated(path), _held(path, is_locked=not dry_run) as descriptor, room() as folder:
        try:
            if not dry_run:
                _clear(path, keeping=Path(folder))
            log, readable = _with_log(path, descriptor, Path(folder))
            try:
                found = _fill(fresh, DatabasePages(readable), known)
            finally:
                if readable != descriptor:
                    os.close(readable)
            aside = () if dry_run else _exchange(path, fresh, "damaged")
        finally:
            for suffix in _SUFFIXES:
                fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
            shutil.rmtree(fresh.with_name(f"{fresh.name}.snapshots"), ignore_errors=True)
    return RepairResult(found, aside, log)


def replace_database(path: Path, fresh: Path) -> tuple[Path, ...]:
    """Put the database `fresh` in the place of the one at `path`, in one step, and return under which names the old files are kept.

    Raises StoreBusy if another process has it open, StoreUnwritable.
    """
    with _translated(path):
        if not path.exists():
            fresh.replace(path)
            sync_to_disk(path.parent)
            return ()
        with _held(path, is_locked=True):
            aside = _exchange(path, fresh, "replaced")
    shutil.rmtree(path.with_name(f"{path.name}.snapshots"), ignore_errors=True)  # a cache of what the old one held
    return aside


@contextlib.contextmanager
def _translated(path: Path) -> Generator[None]:
    try:
        with translate_errors(path, _WAIT_S, is_writing=True):
            yield
    except OSError as error:
        raise StoreUnwritable(path, error.strerror or str(error)) from error


@contextlib.contextmanager
def _held(path: Path, *, is_locked: bool) -> Generator[int]:
    """Open the file under SQLite's exclusive lock for the length of the `with` block. Raises StoreBusy.

    Closing any other descriptor of the file in this process would release the lock, so it must not be opened a second time.
    """
    descriptor = os.open(path, os.O_RDWR if is_locked else os.O_RDONLY)
    try:
        until = time.monotonic() + _WAIT_S
        while is_locked:
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _LOCK_AT)
                break
            except (BlockingIOError, PermissionError):
                if time.monotonic() > until:
                    raise StoreBusy(path, _WAIT_S) from None
                time.sleep(0.05)  # the release of a lock cannot be waited for
        yield descriptor
    finally:
        os.close(descriptor)


def _clear(path: Path, *, keeping: Path) -> None:
    """Delete files of an earlier repair that was killed: they hold nothing that the damaged file does not."""
    for left in path.parent.glob(f"{escape(path.name)}.repairing.*"):
        if left.is_dir() and left != keeping:
            shutil.rmtree(left, ignore_errors=True)
        elif left.is_file():
            left.unlink(missing_ok=True)


def _with_log(path: Path, descriptor: int, folder: Path) -> tuple[str, int]:
    """Return what is wrong with the write-ahead log, and a descriptor of a copy with the log applied; of the file itself if it has none."""
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or not log.stat().st_size:
        return "", descriptor
    copy = folder / "copy"
    with copy.open("wb") as file:
        at = 0
        while part := os.pread(descriptor, _COPIED_BYTES, at):
            file.write(part)
            at += len(part)
    shutil.copyfile(log, folder / "copy-wal")
    said = ""
    try:
        _replay(copy)
    except apsw.Error as error:
        said = f"the log beside it cannot be read ({error}): what was written last is lost"
    return said, os.open(copy, os.O_RDONLY)


def _replay(copy: Path) -> None:
    """Have SQLite apply the log of a copy to it, even if its tables are damaged. Raises apsw.Error if it cannot."""
    with copy.open("r+b") as file:
        file.write(_SOUND_HEAD)
    raw: Any = apsw.Connection(os.fspath(copy))
    with closing(raw) as connection:
        with contextlib.suppress(apsw.Error):  # a schema that cannot be read: the log is open by then, which is what this is for
            connection.execute("PRAGMA schema_version")
        moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        if moved[0] < 0:
            raise apsw.CorruptError("it is not the log of this database")


def _fill(fresh: Path, pages: DatabasePages, known: salvage.SalvageHints) -> salvage.SalvageResult:
    SqliteStore(fresh).close()  # which makes the newest schema
    with closing(connect(fresh, _WAIT_S)) as connection:
        found = salvage.salvage(pages, connection.raw, known)
        connection.raw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return found


def _exchange(path: Path, fresh: Path, word: str) -> tuple[Path, ...]:
    """Rename the old files to `<name>.<word>-<time>`, and give the new one their name; return the new paths.

    There is a file under the name at any time.

    The log is moved first: applied to the new file it would damage that as well.
    """
    stem = f"{path.name}.{word}-{time.strftime('%Y%m%d-%H%M%S')}"
    name = next(name for name in (stem, *(f"{stem}-{count}" for count in range(2, 100))) if not path.with_name(name).exists())
    aside: list[Path] = []
    log = path.with_name(f"{path.name}-wal")
    is_logged = log.exists() and log.stat().st_size > 0  # what lies beside an empty one says nothing
    for suffix in _SUFFIXES if is_logged else _SUFFIXES[:1]:
        old, new = path.with_name(path.name + suffix), path.with_name(name + suffix)
        if old.exists():
            os.link(old, new)
            aside.append(new)
    for suffix in _SUFFIXES[1:]:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    sync_to_disk(path.parent)
    return tuple(aside)
