"""Impact: find the files that will probably have to change together with given ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from clew.errors import UnknownPath, UsageError
from clew.impact.couplings import find_target
from clew.impact.impact import ImpactedFile, rank_impacted_files
from clew.records import FileStatus, MatchKind, MatchReason, Remark, TaskState
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.store.quoted_paths import find_file
from clew.usecases.explain import find_symbol_changes
from clew.usecases.inputs import find_record, list_unread, resolve_path
from clew.usecases.places import find_code

_CHANGES = frozenset((FileStatus.EDITED, FileStatus.WRITTEN, FileStatus.MOVED))


def impact(
    store: Reader, path: Path, names: Sequence[str], *, limit: int, task: TaskState | None = None
) -> tuple[list[str], list[ImpactedFile]]:
    """Return `names` resolved to `path` or `path::symbol`, and at most `limit` files that will probably change with them, best first.

    names  paths relative to the current folder or the repository's root, `path::symbol`, or handles; none for what the session of
           `task` has changed and not committed.
    task   what the agent that asks is working on: of files that it has changed already the reasons say so. The order stays.
    Raises UnknownPath for a path that is not indexed, UnknownHandle for anything else unknown, UsageError where nothing is meant.
    """
    key, root = find_code(store, path)
    changed = [file for file in task.files if file.state in _CHANGES and not file.is_stashed] if task else []
    with store.snapshot(LOCAL, key) as snapshot:
        basenames = snapshot.documents.paths_by_basename
        found_at = {name: file for file in changed if (name := find_file(basenames, file.path))}
        names = names or [name for name, file in found_at.items() if file.is_committed is not True]
        if not names:
            raise UsageError("no file is meant\nhint: name a file, or the session that changed some without a commit")
        meant = [_resolve_name(snapshot, root, name) for name in names]
        given = [find_target(snapshot, file, symbol) for file, symbol in meant]
        for name, each in zip(names, given, strict=True):
            if each is None:
                raise UnknownPath(name)
        found = rank_impacted_files(snapshot, [each for each in given if each is not None], limit=limit)
        for file in dict.fromkeys(file for file, _ in meant):
            _mark_users_of_changed_signatures(snapshot, file, found)
    for one in found:
        if one.path in found_at:
            one.reasons = (MatchReason(MatchKind.IN_SESSION, ("changed already",)), *one.reasons)
    return [f"{file}::{symbol}" if symbol else file for file, symbol in meant], found


def find_unread_targets(store: Reader, path: Path, names: Sequence[str]) -> tuple[Remark, ...]:
    """Return a remark for each target of `impact`, as it returns them, whose text was not read: only its name and history are known."""
    key, _ = find_code(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        known = snapshot.documents.path_numbers
        return list_unread(snapshot, [name if name in known else name.partition("::")[0] for name in names])


def _mark_users_of_changed_signatures(snapshot: Snapshot, path: str, found: Sequence[ImpactedFile]) -> None:
    """Give files that use a symbol of `path` whose signature its latest indexed change altered a first reason that says so."""
    changes = find_symbol_changes(snapshot, path)
    documents = snapshot.documents
    for name in changes.signature if changes is not None else ():
        users = snapshot.names.incoming(snapshot.names.defining(f"symbol:{path}::{name}")).tails
        paths = {documents.path_of(int(doc)) for doc in users.tolist()}
        for one in found:
            if one.path in paths:
                one.reasons = (MatchReason(MatchKind.SIGNATURE_CHANGED, (name,)), *one.reasons)


def _resolve_name(snapshot: Snapshot, root: Path, name: str) -> tuple[str, str]:
    """Return the path and the symbol ("" for the whole file) that a name means. Raises UnknownPath or UnknownHandle."""
    for cut in (name, name.partition("::")[0]):  # a file's own name may hold colons
        with suppress(UnknownPath):
            if path := resolve_path(snapshot, root, cut):
                return path, name[len(cut) + 2 :]
    file, _, symbol = name.partition("::")
    if resolve_path(snapshot, root, file) or symbol:
        raise UnknownPath(name)
    record = find_record(snapshot, name)
    return record.path, "" if record.subject.startswith("file:") else record.subject.partition("::")[2]
