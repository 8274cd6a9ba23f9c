"""Connection: what a connection to a database offers to the modules that the engines share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

SqlRow: TypeAlias = tuple[Any, ...]
SqlValue: TypeAlias = int | float | str | bytes


class Connection(Protocol):
    """A connection, in a transaction, that runs statements by their names. For one thread at a time."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Return the errors that say that a row cannot be stored as it is: a constraint, or a number out of range."""
        ...

    @property
    def has_counts(self) -> bool:
        """Return whether this engine counts the edges of each source, for `clew verify`: a server checks its own pages."""
        ...

    @property
    def has_packs(self) -> bool:
        """Return whether this engine stores originals that are seldom read in packs (`clew.store.tables.packs`)."""
        ...

    def fetch_one(self, name: str, *values: SqlValue) -> SqlRow | None:
        """Run a statement and return its first row, None if it has none."""
        ...

    def fetch_all(self, name: str, *values: SqlValue) -> list[SqlRow]:
        """Run a statement and return all of its rows."""
        ...

    def iterate(self, name: str, *values: SqlValue) -> Iterator[SqlRow]:
        """Run a statement and yield its rows as they are read; exhaust it before the transaction ends."""
        ...

    def fetch_for_keys(self, name: str, keys: Iterable[Sequence[SqlValue]]) -> list[SqlRow]:
        """Run a statement once for each of these parameter tuples, and return the rows of all runs, in no order."""
        ...

    def execute(self, name: str, *values: SqlValue) -> int:
        """Run a statement that changes rows, and return how many it changed."""
        ...

    def execute_many(self, name: str, rows: Iterable[Sequence[SqlValue]]) -> None:
        """Run a statement that changes rows once for each of these parameter tuples."""
        ...

    def prefix_bounds(self, prefix: str) -> tuple[SqlValue, ...]:
        """Return the parameters by which a statement of this engine selects the texts that begin with `prefix`."""
        ...
