"""Connections: open connections to a PostgreSQL server, keep idle ones, and translate the server's errors.

A transaction names its tenant in `clew.tenant`, which row-level security reads, and every statement names it too. A role that row-level
security does not hold for (a superuser) is exchanged for `clew_rows`, which it holds for, in each transaction.

PostgreSQL's text is UTF-8 without NUL, and not every str can be stored so: file names hold other bytes (lone surrogates in Python), and
transcripts NUL and halves of emoji. Those characters are stored as U+001A and a code, so that each str has one stored form, which
begins with the stored form of each of its beginnings; a text without them is stored as it is.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import errors, sql
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format, TransactionStatus

from clew.errors import StoreBusy, StoreClosed, StoreUnreachable, StoreUnusable, StoreUnwritable
from clew.store.postgres.statements import SQL, ServerStatement
from clew.store.tables.codec import encode_text
from clew.store.tables.connection import SqlRow, SqlValue

CONNECT_TIMEOUT_S = 5  # guess: a server that is there answers in milliseconds
BUSY_TIMEOUT_S = 10.0
ROWS_ROLE = "clew_rows"
_IDLE_MAX = 8  # guess: connections kept open; more readers at once open their own for the call
_ROWS_FETCHED = 256  # at a time, of what is read as it comes: postings of 256 sources are a few MB
_ESCAPE = "\x1a"
_UNSTORABLE = re.compile("[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile("\x1a([01]|d[89a-f][0-9a-f]{2})")

_BUSY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure, errors.TooManyConnections, errors.QueryCanceled)
_UNWRITABLE = (
    errors.InsufficientPrivilege,
    errors.ReadOnlySqlTransaction,
    errors.DiskFull,
    errors.OutOfMemory,
    errors.ConfigurationLimitExceeded,
)
_DAMAGED = (errors.DataCorrupted, errors.IndexCorrupted)
_MISSING = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName, errors.UndefinedFunction)


def encode_stored(text: str) -> str:
    """Return the form in which the server stores a text: itself, unless it holds NUL, U+001A or a lone surrogate."""

    def code(found: re.Match[str]) -> str:
        char = found[0]
        return _ESCAPE + ("0" if char == "\0" else "1" if char == _ESCAPE else f"{ord(char):x}")

    return _UNSTORABLE.sub(code, text)


def decode_stored(text: str) -> str:
    """Return the text that `encode_stored` was given."""

    def char(found: re.Match[str]) -> str:
        return "\0" if found[1] == "0" else _ESCAPE if found[1] == "1" else chr(int(found[1], 16))

    return _ESCAPED.sub(char, text) if _ESCAPE in text else text


class _TextLoader(Loader):
    """Read a text column."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        """Return the text that was stored."""
        return decode_stored(str(data, "utf-8"))


class ServerConnection:
    """A connection in a transaction of one tenant, that runs the statements of `sql/` by their names. For one thread at a time."""

    def __init__(self, raw: psycopg.Connection[Any], role: str) -> None:
        self.raw, self.role = raw, role
        self.tenant = ""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Errors that say that a row cannot be stored as it is."""
        return (errors.IntegrityError, errors.DataError, OverflowError)

    @property
    def has_counts(self) -> bool:
        """Return whether this engine counts the edges of each source, for `clew verify`: a server checks its own pages."""
        return False

    @property
    def has_packs(self) -> bool:
        """The server stores each original by itself."""
        return False

    def fetch_one(self, name: str, *values: SqlValue) -> SqlRow | None:
        """Run a statement and return its first row, None if it has none."""
        return self._send(name, [values]).fetchone()

    def fetch_all(self, name: str, *values: SqlValue) -> list[SqlRow]:
        """Run a statement and return all of its rows."""
        return self._send(name, [values]).fetchall()

    def iterate(self, name: str, *values: SqlValue) -> Iterator[SqlRow]:
        """Run a statement and yield its rows, fetched a few hundred at a time; exhaust it before the transaction ends."""
        statement = SQL[name]
        with psycopg.RawServerCursor(self.raw, "clew_rows") as cursor:
            cursor.itersize = _ROWS_FETCHED
            cursor.execute(statement.sql.encode(), self._values(statement, [values]), binary=True)
            yield from cursor

    def fetch_for_keys(self, name: str, keys: Iterable[Sequence[SqlValue]]) -> list[SqlRow]:
        """Run a statement for these parameter tuples, all at once where it takes arrays, and return the rows."""
        rows = list(keys)
        if not SQL[name].is_for_rows:
            return [row for key in rows for row in self.fetch_all(name, *key)]
        return self._send(name, rows).fetchall() if rows else []

    def execute(self, name: str, *values: SqlValue) -> int:
        """Run a statement that changes rows, and return how many it changed."""
        return self._send(name, [values]).rowcount

    def execute_many(self, name: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        """Run a statement that changes rows for these parameter tuples, all at once where it takes arrays."""
        listed = list(rows)
        if SQL[name].is_for_rows:
            if listed:
                self._send(name, listed)
            return
        for row in listed:
            self._send(name, [row])

    def prefix_bounds(self, prefix: str) -> tuple[SqlValue, ...]:
        """Return the parameters by which a statement selects the texts that begin with `prefix`."""
        return (encode_text(prefix),)

    def begin(self, tenant: str, settings: str) -> None:
        """Begin a transaction of a tenant. `settings` are what follows BEGIN, and further statements."""
        parts: list[sql.Composable] = []
        parts.append(sql.SQL("BEGIN " + settings))  # pyright: ignore[reportArgumentType]  # one of the two constants of `store`
        if self.role:
            parts.append(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(self.role)))
        parts.append(sql.SQL("SET LOCAL clew.tenant = {}").format(sql.Literal(encode_stored(tenant))))
        self.raw.execute(sql.SQL("; ").join(parts))
        self.tenant = encode_stored(tenant)

    def end(self, *, is_committed: bool) -> None:
        """Commit or roll back the transaction. Raises what the server says of a commit; the server rolls back what is lost."""
        if is_committed:
            self.raw.execute("COMMIT")
        elif self.raw.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR, TransactionStatus.ACTIVE):
            with contextlib.suppress(psycopg.Error):  # it was lost; the server rolls it back
                self.raw.execute("ROLLBACK")

    @property
    def is_usable(self) -> bool:
        """Whether it can take another transaction."""
        return not self.raw.closed and self.raw.info.transaction_status == TransactionStatus.IDLE

    def close(self) -> None:
        """Close the connection."""
        self.raw.close()

    def _send(self, name: str, rows: Sequence[Sequence[SqlValue]]) -> psycopg.Cursor[SqlRow]:
        statement = SQL[name]
        return self.raw.execute(statement.sql.encode(), self._values(statement, rows), binary=True)

    def _values(self, statement: ServerStatement, rows: Sequence[Sequence[SqlValue]]) -> list[Any]:
        if not statement.is_for_rows:
            return [self.tenant, *(_encode(value, at, statement) for at, value in enumerate(rows[0]))]
        columns = zip(*rows, strict=True)
        return [self.tenant, *([_encode(value, at, statement) for value in column] for at, column in enumerate(columns))]


def _encode(value: SqlValue, at: int, statement: ServerStatement) -> SqlValue:
    """Return a value as the server takes it: bytes only where the statement says so, texts as they are stored."""
    if isinstance(value, str):
        if at in statement.ids:
            return _drop_nul(value) if "\\u0000" in value else value
        return encode_stored(value) if "\0" in value or _ESCAPE in value else value
    if isinstance(value, bytes):
        return value if at in statement.binary else encode_stored(value.decode("utf-8", "surrogatepass"))
    return int(value) if isinstance(value, bool) else value


def _drop_nul(ids: str) -> str:
    """Return a JSON list of ids without those that hold NUL, which no record's id does."""
    return msgspec.json.encode([each for each in msgspec.json.decode(ids, type=list[str]) if "\0" not in each]).decode()


class ConnectionPool:
    """Connections to one server, handed to one thread at a time. Connections are made by who needs one, so errors are theirs."""

    def __init__(self, address: str, place: str) -> None:
        self._address, self._place = address, place
        self._lock = threading.Lock()
        self._idle: list[ServerConnection] = []
        self._is_closed = False
        self.role = ""
        self.must_wait_for_disk = False  # the server's own setting does not

    def connect(self) -> ServerConnection:
        """Open a connection. Raises StoreUnreachable, which repeats what the server or the network says, StoreBusy."""
        try:
            raw = psycopg.Connection[Any].connect(self._address, autocommit=True, cursor_factory=psycopg.RawCursor)
        except errors.TooManyConnections as error:
            raise StoreBusy(self._place, 0) from error
        except psycopg.OperationalError as error:
            raise StoreUnreachable(self._place, _last_line(error)) from error
        for name in ("text", "varchar"):
            raw.adapters.register_loader(name, _TextLoader)
        if self.must_wait_for_disk:
            raw.execute("SET synchronous_commit = on")
        return ServerConnection(raw, self.role)

    def borrow(self, tenant: str, settings: str) -> ServerConnection:
        """Return a connection in a new transaction of a tenant; one that the server has dropped meanwhile is replaced.

        Raises StoreClosed, StoreUnreachable, StoreBusy.
        """
        while True:
            with self._lock:
                if self._is_closed:
                    raise StoreClosed(self._place)
                found = self._idle.pop() if self._idle else None
            connection = found or self.connect()
            try:
                connection.begin(tenant, settings)
                return connection
            except psycopg.OperationalError as error:
                connection.close()
                if found is None:
                    raise StoreUnreachable(self._place, _last_line(error)) from error
            except BaseException:
                connection.close()
                raise

    def give_back(self, connection: ServerConnection) -> None:
        """Keep a connection for the next transaction, or close it."""
        with self._lock:
            is_kept = not self._is_closed and len(self._idle) < _IDLE_MAX and connection.is_usable
            if is_kept:
                self._idle.append(connection)
        if not is_kept:
            connection.close()

    def close(self) -> None:
        """Close idle connections, and those that are lent when they come back."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


@contextlib.contextmanager
def translate_errors(place: str, waited_s: float) -> Generator[None]:
    """Raise StoreBusy, StoreUnwritable, StoreUnreachable or StoreUnusable for the server's errors inside the `with` block; others pass."""
    try:
        yield
    except _BUSY as error:
        raise StoreBusy(place, waited_s) from error
    except _UNWRITABLE as error:
        raise StoreUnwritable(place, _last_line(error), "the database's owner can grant what is missing, or make room") from error
    except _DAMAGED as error:
        raise StoreUnusable(place, f"is damaged ({_last_line(error)})", "restore the server's own backup") from error
    except _MISSING as error:
        raise StoreUnusable(
            place, f"lacks a part of clew's schema ({_last_line(error)})", "restore the schema `clew` of the database"
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise StoreUnreachable(place, f"the connection was lost ({_last_line(error)})", is_lost=True) from error


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
