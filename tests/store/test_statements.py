"""Every statement is described, fits the schema, and is sent by somebody; none scans a table that grows."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

import clew.store
from clew.store.sqlite import MIGRATIONS
from clew.store.sqlite.statements import SQL, STATEMENTS
from clew.store.tables.statements import parse_statements

FOLDERS = [Path(clew.store.__file__).parent / name for name in ("sqlite", "tables")]


@pytest.fixture(scope="module")
def empty() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    for step in MIGRATIONS:
        connection.execute(step.sql)
    return connection


def explain(connection: apsw.Connection, sql: str) -> list[str]:
    numbered = [int(number) for number in re.findall(r"\?(\d+)", sql)]
    values = max(numbered) if numbered else sql.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * values)]


@pytest.mark.parametrize("name", sorted(SQL))
def test_statement_fits_the_schema_and_scans_nothing_that_grows(empty: apsw.Connection, name: str) -> None:
    scans = [step for step in explain(empty, SQL[name]) if step.startswith("SCAN")]

    assert [step for step in scans if step.split()[1] not in ("w", "asked", "found", "(subquery-2)", "sqlite_schema")] == []


def test_every_statement_has_a_sentence_and_is_sent() -> None:
    code = "\n".join(path.read_text() for folder in FOLDERS for path in folder.rglob("*.py"))

    assert [name for name in STATEMENTS if f'"{name}"' not in code] == []
    assert [name for name, statement in STATEMENTS.items() if not statement.about.endswith(".")] == []


def test_every_statement_that_is_sent_exists() -> None:
    code = "\n".join(path.read_text() for folder in FOLDERS for path in folder.rglob("*.py"))
    rooms = {name.partition(".")[0] for name in SQL}

    sent = {name for name in re.findall(r'"(\w+\.\w+)"', code) if name.partition(".")[0] in rooms}

    assert sorted(sent - SQL.keys()) == []


@pytest.mark.parametrize(
    "text", ["SELECT 1;", "-- name: a\nSELECT 1;", "-- name: a\n-- Says nothing.\n", "-- name: \n-- A sentence.\nSELECT 1;"]
)
def test_a_statement_without_name_sentence_or_sql_is_a_defect(text: str) -> None:
    with pytest.raises(ValueError, match="room"):
        list(parse_statements("room", text))
