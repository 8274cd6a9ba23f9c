"""Graves: what was purged, in a file of its own beside the database, so that no damage to the database brings it back.

Ids and digests with their reasons, no content. Written anew, whole, with each purge.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tombstone:
    """One thing that was purged: `kind` is "record" or "original", `workspace` the key."""

    workspace: str
    kind: str
    id: str
    reason: str
    at_ns: int


def tombstone_path(database: Path) -> Path:
    """Where the list of a database lies."""
    return database.with_name(f"{database.name}.purged")


def write_tombstones(database: Path, found: Iterable[Tombstone]) -> None:
    """Write the list, mode 0600, and wait for the disk. Raises OSError."""
    target = tombstone_path(database)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for grave in found:
            file.write(json.dumps(astuple(grave)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)


def read_tombstones(database: Path) -> list[Tombstone] | None:
    """Read the list; None where there is none, or where it is damaged itself: then nobody may believe that it is whole."""
    try:
        lines = tombstone_path(database).read_text("utf-8").splitlines()
        return [Tombstone(*json.loads(line)) for line in lines]
    except (OSError, ValueError, TypeError):
        return None
