"""Migrations: make the schema `clew` of a database, and upgrade that of an earlier release, one numbered step at a time.

A step is a file `schema/0002_name.sql` that opens with a paragraph of why. All steps that are due are one transaction, under a lock that
one process holds at a time. The function `clew.schema_number` says which was the last; a table would belong to no tenant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources

from psycopg import errors, sql

from clew.errors import SchemaTooNew, StoreUnusable, StoreUnwritable
from clew.store.postgres.connections import ROWS_ROLE, ServerConnection

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_LOCK = 0x636C6577  # "clew": the number of the advisory lock under which the schema changes


@dataclass(frozen=True, slots=True)
class Step:
    """One step that upgrades the schema from `number` − 1 to `number`."""

    number: int
    name: str
    sql: str


def _load_steps() -> tuple[Step, ...]:
    files = sorted((resources.files("clew.store.postgres") / "schema").iterdir(), key=lambda entry: entry.name)
    named = [(found, file.read_text("utf-8")) for file in files if (found := _FILE.fullmatch(file.name))]
    return tuple(Step(int(found[1]), found[2], text) for found, text in named)


STEPS = _load_steps()
_PRESENT = """SELECT EXISTS (SELECT 1 FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = 'schema_number')
  FROM pg_namespace n WHERE n.nspname = 'clew'"""
_MAY = """SELECT has_schema_privilege($1, 'clew', 'USAGE') AND bool_and(has_table_privilege($1, oid, 'DELETE'))
  FROM pg_class WHERE relnamespace = 'clew'::regnamespace AND relkind IN ('r', 'p')"""


def _read_schema(connection: ServerConnection, place: str) -> int:
    """Return the number of the database's schema, 0 where there is none. Raises StoreUnusable where another program has a schema `clew`."""
    # From the catalog's tables: what a name resolves to may be remembered from before another process made it.
    found = connection.raw.execute(_PRESENT.encode()).fetchone()
    if found is None:
        return 0
    if not found[0]:
        reason = "has a schema `clew` that is not clew's"
        raise StoreUnusable(place, reason, "name another database")
    row = connection.raw.execute("SELECT clew.schema_number()").fetchone()
    return int(row[0]) if row else 0


def migrate(connection: ServerConnection, place: str, steps: tuple[Step, ...] = STEPS) -> None:
    """Bring the schema to the newest of this release. Raises SchemaTooNew, StoreUnwritable where the role may not."""
    known = len(steps)
    if check(connection, place, known) == known:
        return
    try:
        with connection.raw.transaction():
            connection.raw.execute(f"SELECT pg_advisory_xact_lock({_LOCK})".encode())
            done = check(connection, place, known)
            if not done:
                connection.raw.execute("CREATE SCHEMA IF NOT EXISTS clew")
            for step in steps[done:]:
                connection.raw.execute(step.sql.encode())
            if done < known:
                number = f"CREATE OR REPLACE FUNCTION clew.schema_number() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT {known}'"
                connection.raw.execute(number.encode())
    except errors.InsufficientPrivilege as error:
        hint = "let the database's owner call `clew status` once, which makes the schema (docs/server.md)"
        raise StoreUnwritable(place, f"its schema must be made or upgraded to {known}, and this role may not", hint) from error


def find_role(connection: ServerConnection, *, is_read_only: bool) -> str:
    """Return the role to take in each transaction: "" for the own one, ROWS_ROLE where row-level security does not hold for that.

    The role is made if it is missing, unless is_read_only.
    """
    found = connection.raw.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
    if found is None or not found[0]:
        return ""
    if is_read_only:
        return ROWS_ROLE
    role = sql.Identifier(ROWS_ROLE)
    with connection.raw.transaction():
        connection.raw.execute(f"SELECT pg_advisory_xact_lock({_LOCK})".encode())
        if connection.raw.execute("SELECT 1 FROM pg_roles WHERE rolname = $1", [ROWS_ROLE]).fetchone() is None:
            connection.raw.execute(sql.SQL("CREATE ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS").format(role))
        may = connection.raw.execute(_MAY.encode(), [ROWS_ROLE]).fetchone()
        if may is None or not may[0]:
            connection.raw.execute(sql.SQL("GRANT USAGE ON SCHEMA clew TO {}").format(role))
            connection.raw.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA clew TO {}").format(role))
    return ROWS_ROLE


def check(connection: ServerConnection, place: str, known: int) -> int:
    """Return the number of the database's schema. Raises SchemaTooNew, StoreUnusable."""
    found = _read_schema(connection, place)
    if found > known:
        raise SchemaTooNew(place, found, known)
    return found
