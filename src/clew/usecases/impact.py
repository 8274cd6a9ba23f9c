"""Impact: find the files that will probably have to change together with given ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from clew.errors import UnknownPath
from clew.impact.couplings import find_target
from clew.impact.impact import ImpactedFile, rank_impacted_files
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.usecases.inputs import find_record
from clew.usecases.places import find_code


def impact(store: Reader, path: Path, names: Sequence[str], *, limit: int) -> tuple[list[str], list[ImpactedFile]]:
    """Return `names` resolved to `path` or `path::symbol`, and at most `limit` files that will probably change with them, best first.

    names  paths relative to the current folder or the repository's root, `path::symbol`, or handles.
    Raises UnknownPath for a path that is not indexed, UnknownHandle for anything else unknown.
    """
    key, root = find_code(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        meant = [_resolve_name(snapshot, root, name) for name in names]
        given = [find_target(snapshot, file, symbol) for file, symbol in meant]
        for name, each in zip(names, given, strict=True):
            if each is None:
                raise UnknownPath(name)
        found = rank_impacted_files(snapshot, [each for each in given if each is not None], limit=limit)
    return [f"{file}::{symbol}" if symbol else file for file, symbol in meant], found


def _resolve_name(snapshot: Snapshot, root: Path, name: str) -> tuple[str, str]:
    """Return the path and the symbol ("" for the whole file) that a name means. Raises UnknownPath or UnknownHandle."""
    file, _, symbol = name.partition("::")
    for base in (Path.cwd(), root):
        full = Path(os.path.normpath(base / file))  # links are not followed: a path is what git calls it
        if full.is_relative_to(root) and (inside := full.relative_to(root).as_posix()) in snapshot.documents.path_numbers:
            return inside, symbol
    if symbol or "/" in file or "." in file or (Path.cwd() / file).exists():  # it looks like a path
        raise UnknownPath(name)
    record = find_record(snapshot, name)
    return record.path, "" if record.subject.startswith("file:") else record.subject.partition("::")[2]
