"""Copies: which backups and exports that clew wrote still hold what was purged, and purge it there too."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from clew.errors import ClewError, StoreUnusable
from clew.lifecycle.copies import Copy, list_copies
from clew.lifecycle.exchange import export_workspaces, purge_again
from clew.settings import Settings
from clew.store.export_file import read_export
from clew.store.ports import LOCAL, Writer
from clew.store.rows import RecordRow, WorkspaceRow
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.connections import BUSY_TIMEOUT_S
from clew.store.sqlite.migrations import copy_database
from clew.store.sqlite.repair import find_damage
from clew.store.tombstones import Tombstone


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """What is left of what was purged in a copy.

    held    records that were purged here and are in it. purged  of them were erased there just now.
    why     why that is not known, or was not done: the file is gone, is another one now, or cannot be read; "" for nothing.
    """

    copy: Copy
    held: int = 0
    purged: int = 0
    why: str = ""


def find_copies_holding(store: Writer, settings: Settings) -> list[HeldCopy]:
    """Return the copies that hold what was purged from the store, and those of which that is not known. Reads each whole."""
    return _look(store, settings, lambda copy, graves: HeldCopy(copy, _count(copy, graves)))


def purge_copies(store: Writer, settings: Settings) -> list[HeldCopy]:
    """Purge what was purged from the store from every copy that still holds it, and return those copies, and those where it failed.

    A copy is written anew beside the old one and then takes its place, so it is whole at any time.
    """

    def purge(copy: Copy, graves: list[Tombstone]) -> HeldCopy:
        held = _count(copy, graves)
        if not held:
            return HeldCopy(copy)
        (_renew_backup if copy.kind == "backup" else _renew_export)(copy.file, graves)
        left = _count(copy, graves)
        return HeldCopy(copy, left, held - left)

    return _look(store, settings, purge)


def _look(store: Writer, settings: Settings, use: Callable[[Copy, list[Tombstone]], HeldCopy]) -> list[HeldCopy]:
    graves, found = store.list_tombstones(), list[HeldCopy]()
    for copy in list_copies(settings.data_dir) if graves else ():
        try:
            if not copy.file.exists():
                found.append(HeldCopy(copy, why="is not there any more; if it was moved, it may hold it: delete it there"))
            elif not copy.file.is_file() or _kind_of(copy.file) != copy.kind:
                found.append(HeldCopy(copy, why="is another file now; if the copy was moved, it may hold it: delete it there"))
            else:
                found.append(use(copy, graves))
        except (ClewError, OSError) as error:
            found.append(HeldCopy(copy, why=f"cannot be read, and may hold it: delete it ({str(error).splitlines()[0]})"))
    return [each for each in found if each.held or each.purged or each.why]


def _kind_of(file: Path) -> str:
    with file.open("rb") as stream:
        return "backup" if stream.read(16) == b"SQLite format 3\0" else "export"


def _count(copy: Copy, graves: Iterable[Tombstone]) -> int:
    """Return how many of the purged records a copy holds."""
    purged: dict[str, list[str]] = {}
    for grave in graves:
        if grave.kind == "record":
            purged.setdefault(grave.workspace, []).append(grave.id)
    if copy.kind == "export":
        found, ids = 0, frozenset[str]()
        with copy.file.open("rb") as stream:
            for row in read_export(stream):
                if isinstance(row, WorkspaceRow):
                    ids = frozenset(purged.get(row.key, ()))
                found += isinstance(row, RecordRow) and row.record.id in ids
        return found
    with tempfile.TemporaryDirectory(prefix="clew-copy-") as folder:
        fresh = Path(folder, "copy.db")
        copy_database(copy.file, fresh, BUSY_TIMEOUT_S)  # which opening would upgrade
        with closing(SqliteStore(fresh)) as other:
            return sum(_count_records(other, workspace, ids) for workspace, ids in purged.items())


def _count_records(store: Writer, workspace: str, ids: Sequence[str]) -> int:
    with store.snapshot(LOCAL, workspace) as snapshot:
        return len(snapshot.records(ids))


def _renew_backup(file: Path, graves: list[Tombstone]) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent) as folder:
        fresh = Path(folder, file.name)
        copy_database(file, fresh, BUSY_TIMEOUT_S)
        with closing(SqliteStore(fresh)) as other:
            purge_again(other, graves)
        if damage := find_damage(fresh):
            raise StoreUnusable(file, f"cannot be purged ({damage[0]})", "delete it")
        fresh.replace(file)


def _renew_export(file: Path, graves: list[Tombstone]) -> None:
    room = tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent)
    with room as folder, closing(SqliteStore(Path(folder, "rows.db"))) as other:
        with file.open("rb") as stream:
            other.import_rows(read_export(stream))
        keys = [key for key, _ in other.roots()]
        purge_again(other, [grave for grave in graves if grave.workspace in keys])
        export_workspaces(other, keys, file, made_ns=time.time_ns())
