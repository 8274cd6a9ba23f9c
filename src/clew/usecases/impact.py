"""Impact: the files that will probably have to change with others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from clew.errors import UnknownPath
from clew.impact.couplings import find_target
from clew.impact.impact import ImpactedFile, rank_impacted_files
from clew.settings import find_workspace
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.usecases.inputs import find_record


def impact(store: Reader, path: Path, names: Sequence[str], *, limit: int) -> tuple[list[str], list[ImpactedFile]]:
    """Return what was meant by `names`, and the files that will most probably change with it, the surest first.

    names  each a path, from the current folder or from the repository's root; `path::symbol`; or a handle.
    Raises UnknownPath for a path that is not indexed, UnknownHandle for what is neither.
    """
    key, root = find_workspace(path)
    with store.snapshot(LOCAL, key) as snapshot:
        meant = [_resolve_name(snapshot, root, name) for name in names]
        given = [find_target(snapshot, file, symbol) for file, symbol in meant]
        for name, each in zip(names, given, strict=True):
            if each is None:
                raise UnknownPath(name)
        found = rank_impacted_files(snapshot, [each for each in given if each is not None], limit=limit)
    return [f"{file}::{symbol}" if symbol else file for file, symbol in meant], found


def _resolve_name(snapshot: Snapshot, root: Path, name: str) -> tuple[str, str]:
    """The file and the symbol ("" for all of it) that a name means."""
    file, _, symbol = name.partition("::")
    for base in (Path.cwd(), root):
        full = Path(os.path.normpath(base / file))  # links are not followed: a path is what git calls it
        if full.is_relative_to(root) and (inside := full.relative_to(root).as_posix()) in snapshot.documents.path_numbers:
            return inside, symbol
    if symbol or "/" in file or "." in file or (Path.cwd() / file).exists():  # it looks like a path
        raise UnknownPath(name)
    record = find_record(snapshot, name)
    return record.path, "" if record.subject.startswith("file:") else record.subject.partition("::")[2]
