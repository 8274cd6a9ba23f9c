"""A tenant's rows are read, changed and erased by that tenant alone, whatever a statement asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from clew.records import Tier
from clew.store.ports import LOCAL
from tests.looking import look
from tests.postgres.server import address, make_database, needs_postgres, run
from tests.store.conformance import SPACE, make_delta

pytestmark = needs_postgres
psycopg = pytest.importorskip("psycopg", reason="./check-postgres installs it")

from clew.store.postgres import PostgresStore  # noqa: E402  # psycopg may be missing

DELTA = make_delta("file:a", [("s", "the secret of one")])
TABLES = ("tenants", "workspaces", "sources", "records", "segments", "edges", "originals", "original_sources", "tombstones")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two tenants with a workspace of the same key; that of `one` has contents."""
    name, cache = make_database(), tmp_path_factory.mktemp("cache")
    for tenant, deltas in (("one", [DELTA]), ("two", [])):
        store = PostgresStore(address(name), cache, tenant=tenant)
        store.open_workspace(SPACE, f"/{tenant}")
        store.apply(SPACE, deltas)
        store.close()
    return name


def test_another_tenants_workspace_of_the_same_key_is_another_one(database: str, tmp_path: Path) -> None:
    store = PostgresStore(address(database), tmp_path, tenant="two")
    ids = [record.id for record in DELTA.records]

    assert [(place.key, place.root, place.records) for place in store.workspaces()] == [(SPACE, "/two", 0)]
    assert look(store, SPACE).records(ids) == []
    assert look(store, SPACE).documents.count == 0
    with pytest.raises(KeyError):
        look(store, SPACE).original(DELTA.blobs[0].digest)
    assert store.move(SPACE, ids, Tier.ARCHIVED) == 0
    assert store.purge(SPACE, ids, "", 1).records == 0
    store.close()
    other = PostgresStore(address(database), tmp_path, tenant="one")
    assert look(other, SPACE).records(ids) == list(DELTA.records)
    assert [status.tier for status in look(other, SPACE).statuses(ids)] == [Tier.HOT]
    other.close()


def test_a_snapshot_of_a_named_tenant_sees_that_tenant(database: str, tmp_path: Path) -> None:
    store = PostgresStore(address(database), tmp_path, tenant="two")
    with store.snapshot("one", SPACE) as there, store.snapshot(LOCAL, SPACE) as here:
        assert (len(there.records([DELTA.records[0].id])), len(here.records([DELTA.records[0].id]))) == (1, 0)
        assert (there.documents.count, here.documents.count) == (1, 0)
    store.close()


@pytest.mark.parametrize("table", TABLES)
def test_the_server_hides_rows_from_a_statement_that_names_no_tenant(database: str, table: str) -> None:
    """Also from the role that owns the tables."""
    with psycopg.connect(address(database), autocommit=True) as connection:
        assert connection.execute(f"SELECT count(*) FROM clew.{table}").fetchone() == (0,)
        connection.execute("SELECT set_config('clew.tenant', 'two', false)")
        assert connection.execute(f"SELECT count(*) FROM clew.{table} WHERE tenant <> 'two'").fetchone() == (0,)
        assert connection.execute(f"SELECT count(*) FROM clew.{table} WHERE tenant = 'one'").fetchone() == (0,)
        assert connection.execute(f"DELETE FROM clew.{table} WHERE tenant = 'one'").rowcount == 0
        assert connection.execute(f"UPDATE clew.{table} SET tenant = 'two' WHERE tenant = 'one'").rowcount == 0


def test_the_server_takes_no_row_for_another_tenant(database: str) -> None:
    with psycopg.connect(address(database), autocommit=True) as connection:
        connection.execute("SELECT set_config('clew.tenant', 'two', false)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO clew.tombstones VALUES ('one', 1, 'record', 'x', '', 1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE clew.workspaces SET tenant = 'one'")


def test_a_superuser_takes_a_role_that_sees_one_tenant(database: str, tmp_path: Path) -> None:
    store = PostgresStore(address(database, "postgres"), tmp_path, tenant="two")
    with store._reading("two") as connection:
        assert connection.raw.execute("SELECT current_user::text, count(*) FROM clew.records GROUP BY 1").fetchall() == []
        assert connection.raw.execute("SELECT current_user::text").fetchone() == ("clew_rows",)
    with store._reading("one") as connection:
        assert connection.raw.execute("SELECT count(*) FROM clew.records").fetchone() == (1,)
    store.close()
    ((is_super, passes),) = run("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'clew_rows'")
    assert (is_super, passes) == (False, False)


@pytest.mark.parametrize("tenant", ["'; DROP TABLE clew.records; --", "a\\'b", "na\u00efve \U0001f600", "x\x1ay", "\x00", "one\udce9"])
def test_a_tenants_name_is_never_read_as_sql(database: str, tmp_path: Path, tenant: str) -> None:
    store = PostgresStore(address(database), tmp_path, tenant=tenant)
    store.open_workspace(SPACE, "/r")
    store.apply(SPACE, [DELTA])

    assert [place.records for place in store.workspaces()] == [1]
    store.close()
    assert run("SELECT count(*) > 0 FROM clew.records WHERE tenant = 'one'", database=database) == [(True,)]
