"""Migrations: upgrade the schema of a database of an earlier release, one numbered step at a time.

A step is a file `0002_name.sql` that opens with a paragraph of why. Before each step of an existing database a backup is written beside
it, `<database>.bak-<schema>`; the step and the new schema number are one transaction, so a failed step changes nothing. The schema is
read under the write lock, so two processes that open an old database migrate it once.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import apsw

from clew.errors import StoreUnusable, StoreUnwritable
from clew.store.sqlite.connections import APPLICATION_ID, Connection, check_owner, connect_read_only, query_header, translate_errors

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step that upgrades the database from schema `number` − 1 to `number`: its SQL, and why it is needed."""

    number: int
    name: str
    why: str
    sql: str


def _load_migrations() -> tuple[Migration, ...]:
    """Read the steps of this folder. Raises ValueError as `check_migrations` does."""
    steps: list[Migration] = []
    for file in sorted(resources.files("clew.store.sqlite.migrations").iterdir(), key=lambda entry: entry.name):
        named = _FILE.fullmatch(file.name)
        if named:
            sql = file.read_text("utf-8")
            why = " ".join(line[2:].strip() for line in sql.partition("\n\n")[0].splitlines() if line.startswith("--"))
            steps.append(Migration(int(named[1]), named[2], why, sql))
    check_migrations(steps)
    return tuple(steps)


def check_migrations(steps: Sequence[Migration]) -> None:
    """Raise ValueError unless the steps are numbered 1, 2, 3 … and each has a paragraph of why."""
    for number, step in enumerate(steps, 1):
        if step.number != number or not step.why:
            raise ValueError(f"migration {step.number} {step.name}: step {number} with a paragraph of why is needed here")


def check_schema(connection: Connection, path: Path, known: int, busy_timeout_s: float) -> int:
    """Return the schema number of the database, 0 for an empty one, without changing it.

    known  the newest schema of this release. Raises SchemaTooNew, StoreUnusable (another program's, or damaged), StoreBusy.
    """
    with translate_errors(path, busy_timeout_s, is_writing=True):
        return _schema(connection, path, known)


def migrate(connection: Connection, path: Path, steps: Sequence[Migration], busy_timeout_s: float) -> int:
    """Upgrade the database to the newest schema, and return how many steps that took, usually 0.

    Raises SchemaTooNew, StoreUnusable (not ours, or a step failed), StoreBusy, StoreUnwritable (no room for the backup).
    """
    done, is_new = 0, False
    with translate_errors(path, busy_timeout_s, is_writing=True):
        while _schema(connection, path, len(steps)) < len(steps):
            with connection.transaction("IMMEDIATE"):
                schema = _schema(connection, path, len(steps))  # another process may have been first
                if schema < len(steps):
                    if schema and not is_new:
                        copy_database(path, path.with_name(f"{path.name}.bak-{schema}"), busy_timeout_s)
                    is_new |= not schema
                    _take(connection, path, steps[schema])
                    done += 1
    return done


def copy_database(path: Path, target: Path, busy_timeout_s: float) -> None:
    """Copy a database at its newest transaction to `target`, mode 0600, with SQLite's backup, and wait for the disk.

    Others may read and write it meanwhile. A file at `target` is replaced in one step. Raises StoreUnwritable, StoreUnusable, StoreBusy.
    """
    fresh = target.with_name(f"{target.name}.part")
    try:
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with translate_errors(path, busy_timeout_s, is_writing=True), contextlib.closing(connect_read_only(path, busy_timeout_s)) as source:
            copy = apsw.Connection(str(fresh), flags=apsw.SQLITE_OPEN_READWRITE)
            with contextlib.closing(copy), copy.backup("main", source.raw, "main") as backup:
                backup.step()
        sync_to_disk(fresh)
        fresh.replace(target)
        sync_to_disk(target.parent)
    except OSError as error:
        raise StoreUnwritable(target, error.strerror or str(error)) from error
    finally:
        with contextlib.suppress(OSError):  # an error above is what the caller must see
            fresh.unlink(missing_ok=True)


def _schema(connection: Connection, path: Path, known: int) -> int:
    # In this order: a process that creates the database commits its tables and its application id at once, so tables that were
    # seen before the header was read are another program's if the header has no application id.
    has_tables = connection.fetch_one("meta.any_table") is not None
    header = query_header(connection)
    check_owner(path, header, known)
    if not header.application and has_tables:
        raise StoreUnusable(path, "is a database of another program", "move it away, or point CLEW_HOME at another folder")
    return header.schema


def _take(connection: Connection, path: Path, step: Migration) -> None:
    try:
        for _ in connection.raw.execute(step.sql):
            pass  # a statement that returns rows must be stepped to its end, or those after it are not run
    except (apsw.SQLError, apsw.ConstraintError, apsw.MismatchError) as error:
        reason = f"migration {step.number} ({step.name}) failed and was undone: {error}"
        raise StoreUnusable(path, reason, "the database is as it was; this is a defect of clew: please report it") from error
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", step.number)


def sync_to_disk(path: Path) -> None:
    """Wait until a file's contents, or a folder's entries, are on the disk (fsync). Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


MIGRATIONS = _load_migrations()
"""The steps that lead to this release's schema, in order."""
