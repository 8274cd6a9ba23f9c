"""Every statement and every table fits an engine that distributes tables by tenant, and row-level security besides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import clew.store
from tests.postgres.server import address, make_database, needs_postgres, new_tenant, run

pytestmark = needs_postgres
sqlglot = pytest.importorskip("sqlglot", reason="./check-postgres installs it")
exp = pytest.importorskip("sqlglot.expressions")

from clew.store.postgres import PostgresStore  # noqa: E402  # psycopg may be missing
from clew.store.postgres.statements import SQL, STATEMENTS  # noqa: E402
from clew.store.sqlite.statements import SQL as SQLITE  # noqa: E402

ONLY_OF_SQLITE = {
    "meta.any_table", "meta.identity", "sources.count_edges", "sources.count_all_edges",
    *(name for name in SQLITE if name.startswith("packs.")),
}  # fmt: skip
ONLY_OF_POSTGRES = {"tenants.add", "tenants.identity", "tenants.describe", "workspaces.reopen"}


def is_tenant(node: exp.Expression | None) -> bool:
    return isinstance(node, exp.Parameter | exp.Placeholder) and node.sql("postgres") == "$1"


def find_missing_tenants(sql: str) -> list[str]:
    """Return the tables of a statement whose rows are not limited to the tenant of `$1`, in words; [] for none."""
    tree = sqlglot.parse_one(re.sub("FOR NO KEY UPDATE", "FOR UPDATE", sql), read="postgres")
    missing: list[str] = []
    for table in tree.find_all(exp.Table):
        if table.db != "clew":
            continue
        scope = table.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Insert)
        if isinstance(scope, exp.Insert):
            columns = [each.name for each in scope.this.expressions]
            source = scope.expression
            given = source.expressions[0].expressions[0] if isinstance(source, exp.Values) else source.expressions[0]
            distinct = isinstance(source, exp.Select) and source.args.get("distinct")
            if columns[0] != "tenant" or not is_tenant(given):
                missing.append(f"INSERT INTO {table.name}{' DISTINCT' if distinct else ''}: the first value is not the tenant")
            conflict = scope.args.get("conflict")
            if conflict is not None and next(key.name for key in conflict.args["conflict_keys"]) != "tenant":
                missing.append(f"INSERT INTO {table.name}: ON CONFLICT does not begin with the tenant")
            continue
        conditions = [scope.args["where"].this] if scope.args.get("where") else []
        conditions += [join.args["on"] for join in scope.args.get("joins") or () if join.args.get("on")]
        terms = [term for condition in conditions for term in (condition.flatten() if isinstance(condition, exp.And) else [condition])]
        named = {
            term.left.table
            for term in terms
            if isinstance(term, exp.EQ) and isinstance(term.left, exp.Column) and term.left.name == "tenant" and is_tenant(term.right)
        }
        if (table.alias or "") not in named:
            missing.append(f"{table.name} {table.alias}: not limited to the tenant")
    return missing


@pytest.mark.parametrize("name", sorted(SQL))
def test_every_statement_names_the_tenant_of_every_table(name: str) -> None:
    assert find_missing_tenants(SQL[name].sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM clew.records WHERE workspace = $2",
        "SELECT id FROM clew.records WHERE tenant = $1 OR workspace = $2",
        "SELECT r.id FROM clew.records r JOIN clew.sources s ON s.source = r.source WHERE r.tenant = $1",
        "SELECT id FROM clew.records r WHERE r.tenant = $1 AND EXISTS (SELECT 1 FROM clew.edges e WHERE e.tail = r.id)",
        "DELETE FROM clew.records WHERE workspace = $2",
        "UPDATE clew.records SET tier = 1 WHERE id = $2",
        "INSERT INTO clew.records (workspace, tenant) VALUES ($2, $1)",
        "INSERT INTO clew.records (tenant, id) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    ],
)
def test_the_check_finds_a_statement_without_the_tenant(sql: str) -> None:
    assert find_missing_tenants(sql) != []


def test_both_dialects_have_the_same_statements() -> None:
    assert SQL.keys() - ONLY_OF_POSTGRES == SQLITE.keys() - ONLY_OF_SQLITE
    assert [name for name, statement in STATEMENTS.items() if not statement.about.endswith(".")] == []


def test_every_statement_is_sent_and_every_one_that_is_sent_exists() -> None:
    folders = [Path(clew.store.__file__).parent / name for name in ("postgres", "tables")]
    code = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    rooms = {name.partition(".")[0] for name in SQL}

    assert [name for name in STATEMENTS if f'"{name}"' not in code] == []
    assert (
        sorted({name for name in re.findall(r'"(\w+\.\w+)"', code) if name.partition(".")[0] in rooms} - SQL.keys() - ONLY_OF_SQLITE) == []
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    name = make_database()
    PostgresStore(address(name), tmp_path_factory.mktemp("cache"), tenant=new_tenant()).close()
    return name


def test_every_table_begins_with_the_tenant_and_hides_the_rows_of_others(database: str) -> None:
    tables = run(
        "SELECT c.relname, a.attname, c.relrowsecurity, c.relforcerowsecurity, count(p.polname) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1 LEFT JOIN pg_policy p ON p.polrelid = c.oid"
        " WHERE c.relnamespace = 'clew'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1, 2, 3, 4 ORDER BY 1",
        database=database,
    )

    assert len(tables) >= 9
    assert [table for table in tables if table[1:] != ("tenant", True, True, 1)] == []


def test_every_key_and_index_begins_with_the_tenant(database: str) -> None:
    indexes = run(
        "SELECT i.indexrelid::regclass::text, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
        " WHERE c.relnamespace = 'clew'::regnamespace",
        database=database,
    )

    assert len(indexes) > 15
    assert [index for index in indexes if index[1] != "tenant"] == []


def test_no_key_reaches_into_another_table_and_no_sequence_is_needed(database: str) -> None:
    keys = run("SELECT conname FROM pg_constraint WHERE connamespace = 'clew'::regnamespace AND contype = 'f'", database=database)
    sequences = run("SELECT relname FROM pg_class WHERE relnamespace = 'clew'::regnamespace AND relkind = 'S'", database=database)
    triggers = run(
        "SELECT tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'clew'::regnamespace",
        database=database,
    )

    assert (keys, sequences, triggers) == ([], [], [])


def test_the_document_distributes_every_table(database: str) -> None:
    tables = run("SELECT relname FROM pg_class WHERE relnamespace = 'clew'::regnamespace AND relkind = 'r'", database=database)
    document = (Path(__file__).parents[2] / "docs" / "server.md").read_text()

    assert [name for (name,) in tables if f"SELECT create_distributed_table('clew.{name}', 'tenant'" not in document] == []
