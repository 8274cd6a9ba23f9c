"""Statements: those of PostgreSQL's dialect, by name, with what their parameters are.

`$1` is the tenant in every statement, and the caller's values follow. A statement over `unnest($2…` is sent once for many rows of values,
each parameter an array of one column. A parameter that is cast to `bytea` takes bytes; all others take texts and numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from clew.store.tables.statements import load_statements

STATEMENTS = load_statements("clew.store.postgres")


@dataclass(frozen=True, slots=True)
class ServerStatement:
    """A statement as it is sent.

    is_for_rows  whether its parameters are arrays, one element for each row of values.
    binary       positions, from 0, of the caller's values that are bytes; ids those of JSON lists of ids.
    """

    sql: str
    is_for_rows: bool
    binary: frozenset[int]
    ids: frozenset[int]


def _read(sql: str) -> ServerStatement:
    def positions(cast: str) -> frozenset[int]:
        return frozenset(int(number) - 2 for number in re.findall(rf"\$(\d+)::{cast}\b", sql))

    return ServerStatement(sql, "unnest($2" in sql, positions("bytea"), positions("jsonb"))


SQL = MappingProxyType({name: _read(statement.sql) for name, statement in STATEMENTS.items()})
