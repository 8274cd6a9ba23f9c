"""Export what is stored to one file, import such a file, and purge again what an older copy of the store still holds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from clew import __version__
from clew.errors import InvalidExport, NotReadable
from clew.lifecycle.forget import purge_records, purge_whole_source
from clew.store.export_file import read_export, write_export
from clew.store.ports import LOCAL, Reader, Writer
from clew.store.rows import ImportResult, SourceRow, StoredRow, TombstoneRow, WorkspaceRow
from clew.store.tombstones import Tombstone


def export_workspaces(store: Reader, workspaces: Sequence[str], target: Path, *, made_ns: int) -> int:
    """Write these workspaces to `target`, mode 0600, which is there whole or not at all; return the number of rows.

    Raises NotReadable where it cannot be written, and errors of the store.
    """
    fresh = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
            with closing(store.export_rows(workspaces)) as rows:
                count = write_export(file, rows, release=__version__, made_ns=made_ns)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except OSError as error:
        raise NotReadable(str(target), f"cannot be written ({error.strerror})", "nothing was exported") from error
    finally:
        with suppress(OSError):  # the error above is what the caller must see
            fresh.unlink(missing_ok=True)
    return count


def import_file(writer: Writer, source: Path, *, place: WorkspaceRow | None = None, without: str = "") -> ImportResult:
    """Add what the store lacks of an export, all of it or nothing.

    place    the workspace that takes the export's only one; None to keep the keys and folders of the export.
    without  name of a source that is left out, if `place` is given: what it says holds where the export was made.
    Raises InvalidExport, NotReadable, and errors of the store.
    """
    if not source.is_file():
        raise NotReadable(str(source), "is not a file" if source.exists() else "does not exist", "`clew export` makes one")
    try:
        with source.open("rb") as file:
            rows = read_export(file)
            return writer.import_rows(rows if place is None else _placed(rows, place, without))
    except OSError as error:
        raise NotReadable(str(source), error.strerror or str(error)) from error


def _placed(rows: Iterator[StoredRow], place: WorkspaceRow, without: str) -> Iterator[StoredRow]:
    is_placed = False
    for row in rows:
        if isinstance(row, WorkspaceRow):
            if is_placed:
                raise InvalidExport("it holds several repositories, and one folder was named for them", "leave --repo out")
            is_placed = True
            yield place
        elif not isinstance(row, SourceRow) or row.name != without:
            yield row


def purge_again(writer: Writer, tombstones: Sequence[Tombstone]) -> int:
    """Purge what these tombstones name from a store that is older than they are, and store them; return how many records it held.

    What was made of these records goes too, as at their first purge: words in a session's state, lines of its transcript.
    """
    roots, erased = dict(writer.roots()), 0
    by_workspace: dict[str, list[Tombstone]] = {}
    for grave in tombstones:
        by_workspace.setdefault(grave.workspace, []).append(grave)
    for workspace, graves in sorted(by_workspace.items()):
        said = {grave.id: grave for grave in graves if grave.kind == "record"}
        with writer.snapshot(LOCAL, workspace) as snapshot:
            held = snapshot.records(sorted(said))
            touched = sorted({record.source for record in held})
        for reason, at_ns in sorted({(said[record.id].reason, said[record.id].at_ns) for record in held}):
            ids = [record.id for record in held if (said[record.id].reason, said[record.id].at_ns) == (reason, at_ns)]
            erased += purge_records(writer, workspace, ids, reason=reason, now_ns=at_ns).records
        for source in touched:
            with writer.snapshot(LOCAL, workspace) as snapshot:
                is_empty = not snapshot.records_of_sources(source)
            if is_empty:  # the source was purged as a whole, and its state may still say what it held
                purge_whole_source(writer, workspace, source, reason=graves[0].reason, now_ns=graves[0].at_ns)
        rows = [TombstoneRow(grave.kind, grave.id, grave.reason, grave.at_ns) for grave in graves]
        writer.import_rows([WorkspaceRow(workspace, roots.get(workspace, "")), *rows])
    return erased
