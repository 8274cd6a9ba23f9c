"""Backup: copy the database while it is in use, and put such a copy in its place."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from clew.errors import NotReadable, StoreError, StoreUnusable
from clew.lifecycle.copies import note_copy
from clew.lifecycle.exchange import purge_again
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.connections import BUSY_TIMEOUT_S
from clew.store.sqlite.migrations import copy_database
from clew.store.sqlite.repair import find_damage, replace_database
from clew.store.tombstones import Tombstone, read_tombstones, write_tombstones


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What was restored: the number of records now stored, of those purged since the backup, and new paths of the old database."""

    records: int
    purged: int
    set_aside: tuple[Path, ...]


def back_up(database: Path, target: Path, *, is_forced: bool = False) -> int:
    """Copy the database to `target` while others use it, and check the copy; return its bytes.

    is_forced  replace an existing file.
    Raises NotReadable where there is nothing to copy or `target` exists; StoreUnusable for a damaged database; StoreUnwritable.
    """
    if not database.is_file():
        raise NotReadable(str(database), "nothing is stored yet", "`clew index` makes it")
    if target.exists() and not (is_forced and target.is_file() and not target.samefile(database)):
        raise NotReadable(str(target), "exists", "--force replaces a file, or name another one")
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        copy_database(database, fresh, BUSY_TIMEOUT_S)
        damage = find_damage(fresh)
        if damage:
            raise StoreUnusable(database, f"is damaged, and was not copied ({damage[0]})")
        fresh.replace(target)
    finally:
        _delete(fresh)
    with suppress(OSError):  # a data folder that is read-only can still be copied, and nothing can be purged from it either
        note_copy(database.parent, target, "backup", time.time_ns())
    return target.stat().st_size


def restore(database: Path, source: Path) -> RestoreResult:
    """Put a backup in the place of the database, which is kept under another name. What was purged since stays purged.

    Raises NotReadable, StoreUnusable for a backup that is damaged or of another program, SchemaTooNew, StoreBusy, StoreUnwritable.
    """
    if not source.is_file():
        raise NotReadable(str(source), "is not a file" if source.exists() else "does not exist", "`clew backup` makes one")
    damage = find_damage(source)
    if damage:
        hint = "nothing was restored; another backup, or the database as it is, may be better"
        raise StoreUnusable(source, f"is damaged ({damage[0]})", hint)
    fresh = database.with_name(f"{database.name}.restoring.{os.getpid()}")
    graves = _find_tombstones(database)
    try:
        copy_database(source, fresh, BUSY_TIMEOUT_S)
        with closing(SqliteStore(fresh)) as store:  # which upgrades the copy
            purged = purge_again(store, graves)
            records = sum(workspace.records for workspace in store.workspaces())
        listed = read_tombstones(fresh)
        aside = replace_database(database, fresh)
        if listed:
            write_tombstones(database, listed)
    finally:
        _delete(fresh)
    return RestoreResult(records, purged, aside)


def _find_tombstones(database: Path) -> list[Tombstone]:
    """Return what was purged from the database, from the file beside it and from itself, as far as either can be read."""
    found = {(grave.workspace, grave.kind, grave.id): grave for grave in read_tombstones(database) or ()}
    if database.is_file():
        with suppress(StoreError), closing(SqliteStore(database, is_read_only=True)) as store:  # a damaged one is why it is restored
            found |= {(grave.workspace, grave.kind, grave.id): grave for grave in store.list_tombstones()}
    return list(found.values())


def _delete(fresh: Path) -> None:
    """Delete a file that was not put in its place, and what lies beside it."""
    for left in fresh.parent.glob(f"{escape(fresh.name)}*"):
        with suppress(OSError):  # an error before is what the caller must see
            shutil.rmtree(left) if left.is_dir() else left.unlink()
