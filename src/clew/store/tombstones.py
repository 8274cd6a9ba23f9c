"""Tombstones: list of purged records and originals in a file beside the database, so that repairing the database restores none.

Ids and digests with their reasons, no content. Each purge replaces the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One purged record or original: `kind` is "record" or "original", `id` a record's id or an original's digest."""

    workspace: str
    kind: str
    id: str
    reason: str
    at_ns: int


def tombstone_path(database: Path) -> Path:
    """Return the path of the tombstone file of a database."""
    return database.with_name(f"{database.name}.purged")


def write_tombstones(database: Path, found: Iterable[Tombstone]) -> None:
    """Replace the tombstone file of a database, mode 0600, and wait for the disk. Raises OSError."""
    target = tombstone_path(database)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for grave in found:
            file.write(json.dumps(astuple(grave)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)


def read_tombstones(database: Path) -> list[Tombstone] | None:
    """Read the tombstone file of a database; None if there is none, or if it is damaged and may be incomplete."""
    try:
        lines = tombstone_path(database).read_text("utf-8").splitlines()
        return [Tombstone(*json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError, RecursionError):
        return None
