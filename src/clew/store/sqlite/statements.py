"""Statements: those of SQLite's dialect, by name."""

from __future__ import annotations

from types import MappingProxyType

from clew.store.tables.statements import load_statements

STATEMENTS = load_statements("clew.store.sqlite")
SQL = MappingProxyType({name: statement.sql for name, statement in STATEMENTS.items()})
