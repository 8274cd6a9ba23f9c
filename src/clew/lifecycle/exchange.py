"""Export what is stored to one file, and import such a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from clew import __version__
from clew.errors import InvalidExport, NotReadable
from clew.store.export_file import read_export, write_export
from clew.store.ports import Reader, Writer
from clew.store.rows import ImportResult, SourceRow, StoredRow, WorkspaceRow


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
