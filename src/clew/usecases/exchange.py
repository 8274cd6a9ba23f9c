"""Export and import: move what is stored of a repository to a file, and back."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clew.errors import NotReadable
from clew.lifecycle.copies import note_copy
from clew.lifecycle.exchange import export_workspaces, import_file
from clew.settings import find_repository, make_workspace_key
from clew.store.ports import Reader, Writer
from clew.store.rows import ImportResult, WorkspaceRow
from clew.usecases.places import IDENTITY_SOURCE, find_code, find_memory


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was exported: workspaces as (key, root), the number of rows, and the file's bytes."""

    workspaces: tuple[tuple[str, str], ...]
    rows: int
    size: int


def export_store(store: Reader, data_dir: Path, path: Path | None, target: Path, *, is_forced: bool = False) -> ExportResult:
    """Write all that is stored of the repository that holds `path`, or of all repositories (None), to `target`.

    data_dir   the folder in which the export is noted (`clew.lifecycle.copies`). is_forced  replace an existing file.
    Raises NotReadable where nothing is stored, or `target` exists or cannot be written.
    """
    if target.exists() and not (is_forced and target.is_file()):
        raise NotReadable(str(target), "exists", "--force replaces a file, or name another one")
    wanted = None if path is None else {find_memory(store, path)[0], find_code(store, path)[0]}
    workspaces = tuple((key, root) for key, root in store.roots() if wanted is None or key in wanted)
    if not workspaces:
        raise NotReadable(str(path or "the store"), "nothing is stored of it", "--all takes all repositories")
    made_ns = time.time_ns()
    rows = export_workspaces(store, [key for key, _ in workspaces], target, made_ns=made_ns)
    with suppress(OSError):  # as of a backup
        note_copy(data_dir, target, "export", made_ns)
    return ExportResult(workspaces, rows, target.stat().st_size)


def import_store(store: Writer, source: Path, path: Path | None = None) -> ImportResult:
    """Add what the store lacks of an export; the export's one repository becomes that which holds `path`, if it is given."""
    if path is None:
        return import_file(store, source)
    main = find_repository(path).main
    known = {root: key for key, root in store.roots()}
    place = WorkspaceRow(known.get(str(main), make_workspace_key(main)), str(main))
    return import_file(store, source, place=place, without=IDENTITY_SOURCE)
