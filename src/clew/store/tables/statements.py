"""Statements: load every SQL statement of an engine's folder `sql/` under its name.

Each statement of `sql/records.sql` begins with `-- name: upsert` and a comment of at least one sentence; it is loaded as
`records.upsert`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

_MARK = "-- name: "


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """One SQL statement with its name and the sentence that describes it."""

    name: str
    about: str
    sql: str


def parse_statements(room: str, text: str) -> Iterator[SqlStatement]:
    """Yield the statements in the text of `<room>.sql`, named `<room>.<name>`. Raises ValueError if one lacks name, sentence or SQL."""
    front, *sections = text.split(_MARK)
    if front.strip():
        raise ValueError(f"{room}: SQL before the first name")
    for section in sections:
        name, _, rest = section.partition("\n")
        lines = rest.splitlines()
        about = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        sql = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";")
        if not name.strip() or not about or not sql:
            raise ValueError(f"{room}.{name.strip()}: a name, a sentence and a statement are needed")
        yield SqlStatement(f"{room}.{name.strip()}", " ".join(about), sql)


def load_statements(package: str) -> Mapping[str, SqlStatement]:
    """Read every file of the folder `sql/` of a package. Raises ValueError if a name occurs twice."""
    found: dict[str, SqlStatement] = {}
    folder = resources.files(package) / "sql"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            for statement in parse_statements(file.name.removesuffix(".sql"), file.read_text("utf-8")):
                if statement.name in found:
                    raise ValueError(f"{statement.name}: stands twice")
                found[statement.name] = statement
    return MappingProxyType(found)
