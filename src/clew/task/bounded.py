"""Bound the size of tables."""

from __future__ import annotations

from typing import Any


def drop_oldest(table: dict[str, Any], size_max: int) -> None:
    """Delete the oldest entries of a table until at most `size_max` are left."""
    while len(table) > size_max:
        del table[next(iter(table))]
