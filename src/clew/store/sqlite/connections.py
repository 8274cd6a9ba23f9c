"""Connections: open a database file with private permissions, and translate SQLite's errors.

A connection that writes runs in WAL mode with synchronous=FULL: what was acknowledged survives kill −9
and a loss of power. FULL costs one fsync per acknowledged call: 0.17 ms against 0.05 ms with NORMAL on an
SSD for a call with one row, and nothing that can be measured when a call brings a thousand; NORMAL would survive
kill −9 too, but not the loss of power. secure_delete stays on for good, also without a cost that can be measured,
because a purge can zero only what it frees itself, and not what an earlier update left behind.

A read-only disk: SQLite reads a WAL database only if it can make the files `-wal` and `-shm` beside it, or
finds them there. Where it can do neither, and no log is left to replay, the file is opened as immutable,
which needs no other file. That is safe on a disk that is read-only; it would not be if another machine
wrote to the same file meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import apsw

from clew.errors import SchemaTooNew, StoreBusy, StoreUnusable, StoreUnwritable
from clew.store.sqlite.statements import SQL
from clew.store.tables.codec import compute_prefix_ranges
from clew.store.tables.connection import SqlRow, SqlValue

APPLICATION_ID = 0x636C6577  # "clew", so that `file` and SQLite tell our databases from others
BUSY_TIMEOUT_S = 10.0
# The log is moved into the file at so many pages of 4 kB, and then cut back to so many bytes: with SQLite's 1,000 pages it was 4.4 MB
# beside a file of 3.4 MB after 600 tool calls.
_LOG_PAGES_MAX, _LOG_BYTES_KEPT = 128, 1 << 19
_CACHE_KIB = 32 << 10  # guess: holds the inner pages of every index of a million records
_RETRY_S = 0.01
_UNREADABLE_HINT = "see to the disk, and to who may read it; `clew doctor` looks further"

_SPACE = (apsw.FullError, apsw.ReadOnlyError, apsw.IOError, apsw.CantOpenError, apsw.PermissionsError, apsw.TooBigError)


@dataclass(frozen=True, slots=True)
class DatabaseHeader:
    """Application id and schema number in the header of a SQLite database file."""

    application: int
    schema: int


class Connection:
    """A SQLite connection that runs the statements of `sql/` by their names. For one thread at a time."""

    def __init__(self, raw: apsw.Connection) -> None:
        self.raw: Any = raw  # apsw's own stubs type its values as unknown; rows are typed where `codec` reads them

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Errors that say that a row cannot be stored as it is."""
        return (apsw.ConstraintError, OverflowError)

    @property
    def has_counts(self) -> bool:
        """Return whether this engine counts the edges of each source, for `clew verify`: a server checks its own pages."""
        return True

    @property
    def has_packs(self) -> bool:
        """Originals that are seldom read are stored in packs."""
        return True

    def fetch_one(self, name: str, *values: SqlValue) -> SqlRow | None:
        """Run a statement and return its first row, None if it has none."""
        return next(self.raw.execute(SQL[name], values), None)

    def fetch_all(self, name: str, *values: SqlValue) -> list[SqlRow]:
        """Run a statement and return all of its rows."""
        return list(self.raw.execute(SQL[name], values))

    def iterate(self, name: str, *values: SqlValue) -> Iterator[SqlRow]:
        """Run a statement and yield its rows as they are read; exhaust it before the transaction ends."""
        return iter(self.raw.execute(SQL[name], values))

    def fetch_for_keys(self, name: str, keys: Iterable[Sequence[SqlValue]]) -> list[SqlRow]:
        """Run a statement once for each of these parameter tuples, and return the rows of all runs."""
        return list(self.raw.executemany(SQL[name], keys))

    def execute(self, name: str, *values: SqlValue) -> int:
        """Run a statement that changes rows, and return how many it changed."""
        self.raw.execute(SQL[name], values)
        return self.raw.changes()

    def execute_many(self, name: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        """Run a statement that changes rows once for each of these parameter tuples."""
        self.raw.executemany(SQL[name], rows)

    def prefix_bounds(self, prefix: str) -> tuple[SqlValue, ...]:
        """Return the ends of the range of texts, and of the range of bytes, that begin with `prefix`."""
        return compute_prefix_ranges(prefix)

    def set_busy_timeout(self, seconds: float) -> None:
        """Set how many seconds later statements wait for another writer before they fail."""
        self.raw.set_busy_timeout(int(seconds * 1000))

    def pragma(self, name: str, value: SqlValue | None = None) -> Any:
        """Set a pragma to `value`, or read it if that is None; return its value."""
        return self.raw.pragma(name, value) if value is not None else self.raw.pragma(name)

    @contextlib.contextmanager
    def transaction(self, how: str) -> Generator[None]:
        """Open a transaction that is committed at the end of the `with` block, and rolled back by any exception.

        how  "DEFERRED" for reading, "IMMEDIATE" for writing.
        """
        self.raw.execute(f"BEGIN {how}")
        try:
            yield
            self.raw.execute("COMMIT")
        finally:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()


@contextlib.contextmanager
def translate_errors(path: Path, waited_s: float, *, is_writing: bool) -> Generator[None]:
    """Raise StoreBusy, StoreUnwritable or StoreUnusable for SQLite's errors inside the `with` block; others pass, as defects.

    waited_s  the busy time-out, for the message; is_writing  whether an error of the disk means that it cannot be written, or not read.
    """
    try:
        yield
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreBusy(path, waited_s) from error
    except _SPACE as error:
        if is_writing:
            raise StoreUnwritable(path, str(error)) from error
        raise StoreUnusable(path, f"cannot be read ({error})", _UNREADABLE_HINT) from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StoreUnusable(path, f"is damaged, or not a database ({error})") from error


def read_header(path: Path) -> DatabaseHeader | None:
    """Read the header of a database file without opening it; None for a file that is missing or empty.

    Raises StoreUnusable for a file that is no database, is shorter than its header says, or cannot be read.
    """
    log = path.with_name(path.name + "-wal")
    try:
        is_logged = log.exists() and log.stat().st_size > 0  # a log may hold the pages that the file still lacks
        with path.open("rb") as file:
            head = file.read(100)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnusable(path, f"cannot be read ({error.strerror})", _UNREADABLE_HINT) from error
    if not head:
        return None
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise StoreUnusable(path, "is not a database")
    pages, page = int.from_bytes(head[28:32], "big"), int.from_bytes(head[16:18], "big")
    if not is_logged and head[24:28] == head[92:96] and size < pages * (page if page > 1 else 65_536):
        raise StoreUnusable(path, f"is cut off: {size:,} bytes are left of {pages * (page if page > 1 else 65_536):,}")
    return DatabaseHeader(int.from_bytes(head[68:72], "big"), int.from_bytes(head[60:64], "big"))


def check_owner(path: Path, header: DatabaseHeader, known: int) -> None:
    """Raise StoreUnusable for another program's database, SchemaTooNew for a newer release's."""
    if header.application not in (0, APPLICATION_ID):
        reason = f"is a database of another program (application id {header.application:#x})"
        raise StoreUnusable(path, reason, "move it away, or point CLEW_HOME at another folder")
    if header.application == APPLICATION_ID and header.schema > known:
        raise SchemaTooNew(path, header.schema, known)


def make_private(path: Path) -> None:
    """Create the file with mode 0600 and its missing folders with 0700, or restrict an existing file. Raises StoreUnwritable.

    SQLite gives `-wal` and `-shm` the mode of the database. Folders that exist are left as they are.
    """
    try:
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        if path.stat().st_mode & 0o077 and path.stat().st_uid == os.getuid():
            path.chmod(0o600)
    except OSError as error:
        raise StoreUnwritable(path, error.strerror or str(error)) from error


def connect(path: Path, busy_timeout_s: float) -> Connection:
    """Open a database for reading and writing, without reading the file yet. Raises as `translate_errors` does."""
    with translate_errors(path, busy_timeout_s, is_writing=True):
        connection = _open(_name(path), apsw.SQLITE_OPEN_READWRITE, busy_timeout_s)
        connection.pragma("synchronous", "full")
        connection.pragma("secure_delete", True)
        return connection


def enable_wal(connection: Connection, path: Path, busy_timeout_s: float) -> None:
    """Switch the database to WAL mode if need be. Raises as `translate_errors` does.

    Several processes may do so to a new file at the same time. SQLite fails some of them with "busy" without waiting, so we wait here.
    """
    until = monotonic() + busy_timeout_s
    with translate_errors(path, busy_timeout_s, is_writing=True):
        while True:
            try:
                if connection.pragma("journal_mode", "wal") != "wal":
                    raise StoreUnwritable(path, "this disk does not let several processes share memory, which WAL needs")
                connection.pragma("journal_size_limit", _LOG_BYTES_KEPT)
                connection.pragma("wal_autocheckpoint", _LOG_PAGES_MAX)
                return
            except apsw.BusyError:
                if monotonic() >= until:
                    raise
                sleep(_RETRY_S)


def connect_read_only(path: Path, busy_timeout_s: float) -> Connection:
    """Open a database for reading only, also on a read-only disk. Raises StoreUnusable if that is not possible, StoreBusy."""
    with translate_errors(path, busy_timeout_s, is_writing=False):
        try:
            connection = _open(_name(path), apsw.SQLITE_OPEN_READONLY, busy_timeout_s)
            connection.pragma("schema_version")
            return connection
        except (apsw.CantOpenError, apsw.ReadOnlyError) as error:
            log = path.with_name(f"{path.name}-wal")
            if log.exists() and log.stat().st_size:
                reason = "lies on a disk that cannot be written, with a log that must be replayed first"
                raise StoreUnusable(path, reason, "copy its folder to another disk") from error
        address = f"file:{quote(os.fsencode(path.absolute()))}?immutable=1"
        connection = _open(address, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI, busy_timeout_s)
        connection.pragma("schema_version")
        return connection


def query_header(connection: Connection) -> DatabaseHeader:
    """Return the header as of the newest transaction, which may be in the log only."""
    return DatabaseHeader(int(connection.pragma("application_id") or 0), int(connection.pragma("user_version") or 0))


def _open(name: str, flags: int, busy_timeout_s: float) -> Connection:
    raw = apsw.Connection(name, flags=flags)
    raw.set_busy_timeout(int(busy_timeout_s * 1000))
    connection = Connection(raw)
    connection.pragma("temp_store", 2)  # in memory: sorted rows must not reach /tmp
    connection.pragma("cache_size", -_CACHE_KIB)
    return connection


def _name(path: Path) -> str:
    name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise StoreUnusable(path, "its name is not valid UTF-8, which SQLite needs", "point CLEW_HOME at another folder") from error
    return name
