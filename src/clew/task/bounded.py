"""Keep what is remembered of a session bounded."""

from __future__ import annotations

from typing import Any


def drop_oldest(table: dict[str, Any], most: int) -> None:
    """Take the oldest entries of a table away until at most `most` are left."""
    while len(table) > most:
        del table[next(iter(table))]
