"""Places: find the workspaces of a repository: one for its memory, which all its work trees share, and one for the code of each tree.

The main work tree has both in one. A repository whose folder was moved keeps its memory; what a session that ran in a folder which is
gone belongs to is found by the folder's path, or by where the session was stored before.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from weakref import WeakKeyDictionary

from clew.errors import UnknownHandle
from clew.records import Delta, SourceState
from clew.settings import Repository, find_repository, make_workspace_key
from clew.store.ports import LOCAL, Reader, Writer
from clew.usecases.inputs import find_record, get_source_state

PRODUCER = "places/1"
IDENTITY_SOURCE = "repository"  # its digest is the identity of the repository that a workspace belongs to
# Keys by (main, identity), for each open store: where a repository stands where it stood, its workspace stays the same.
_KEYS: WeakKeyDictionary[Reader, dict[tuple[Path, str], str]] = WeakKeyDictionary()
_WORK_TREE = re.compile(r".*?/\.?worktrees/[^/]+")


def find_memory(store: Reader, path: Path) -> tuple[str, Path]:
    """Return the workspace of the sessions and notes of the repository that holds `path`, and the root of the work tree there."""
    repository = find_repository(path)
    return _find_key(store, repository), repository.tree


def find_code(store: Reader, path: Path) -> tuple[str, Path]:
    """Return the workspace of the code of the work tree that holds `path`, and its root."""
    repository = find_repository(path)
    return make_workspace_key(repository.tree) if repository.tree != repository.main else _find_key(store, repository), repository.tree


def find_holder(store: Reader, path: Path, handle: str) -> str:
    """Return the workspace that knows a handle: that of the code at `path`, or that of its memory; where none does, of the code."""
    key, memory = find_code(store, path)[0], find_memory(store, path)[0]
    if memory != key:
        with store.snapshot(LOCAL, memory) as snapshot, suppress(UnknownHandle):
            find_record(snapshot, handle)
            return memory
    return key


def find_session_root(cwd: str, root: Path) -> Path:
    """Return the folder to which the paths of a session that began in `cwd` are relative: the work tree of `root`'s repository in which
    it ran, also if that is gone; else `root`.
    """
    if not cwd:
        return root
    folder = Path(cwd)
    there = find_repository(folder)
    if there.main != find_repository(root).main:
        return root
    gone = None if folder.is_dir() else _WORK_TREE.match(cwd)
    return Path(gone[0]) if gone and Path(gone[0]) != there.tree and Path(gone[0]).is_relative_to(there.tree) else there.tree


def open_memory(store: Writer, path: Path) -> tuple[str, Path]:
    """Make the workspace of `find_memory` ready to be written, and return it."""
    repository = find_repository(path)
    key = _find_key(store, repository)
    _open(store, key, repository)
    return key, repository.tree


def open_code(store: Writer, path: Path) -> tuple[str, Path]:
    """Make the workspace of `find_code` ready to be written, and return it."""
    key, root = find_code(store, path)
    repository = find_repository(path)
    if repository.tree == repository.main:
        _open(store, key, repository)
    else:
        store.open_workspace(key, str(root))
    return key, root


def open_session_memory(store: Writer, source: str, folder: Path, repo: Path | None = None) -> tuple[str, Path]:
    """Return the workspace in which a session is stored, ready to be written, and the folder to which its paths are relative.

    source, folder  of the session: its name in the store, and where it ran.
    repo            the repository to store it under; None for the one in which it ran.
    """
    there = find_repository(folder)
    if repo is not None:
        key, root = open_memory(store, repo)
        return key, find_session_root(str(folder), root)
    if folder.is_dir() or ((there.main / ".git").exists() and there.main != Path.home()):
        return open_memory(store, there.main)[0], find_session_root(str(folder), there.tree)
    key, root = _find_gone(store, source, folder)
    if key not in dict(store.roots()):
        store.open_workspace(key, str(root))
    return key, root


def _open(store: Writer, key: str, repository: Repository) -> None:
    store.open_workspace(key, str(repository.main))
    if repository.identity and _identity(store, key) != repository.identity:
        state = SourceState(IDENTITY_SOURCE, digest=repository.identity)
        from clew.lifecycle.apply import apply_deltas  # lazy: a question writes nothing

        apply_deltas(store, key, [Delta(PRODUCER, IDENTITY_SOURCE, is_whole=False, state=state)])


def _identity(store: Reader, key: str) -> str:
    state = get_source_state(store, key, IDENTITY_SOURCE)
    return state.digest if state else ""


def _find_key(store: Reader, repository: Repository) -> str:
    """The workspace that stood here last, or that of the same repository where it stood before it was moved, or a new one."""
    main, identity = repository.main, repository.identity
    known = _KEYS.setdefault(store, {})
    if key := known.get((main, identity)):
        return key
    roots, own = dict(store.roots()), make_workspace_key(main)
    here = [key for key, root in roots.items() if root == str(main)]
    if here:
        return known.setdefault((main, identity), own if own in here else here[0])
    for key, root in roots.items() if identity else ():
        if _identity(store, key) == identity and find_repository(Path(root)).identity != identity:
            return key
    is_taken = own in roots and Path(roots[own]).is_dir()  # by a repository that was here, and has been moved
    return make_workspace_key(main, identity) if is_taken else own


def _find_gone(store: Reader, source: str, folder: Path) -> tuple[str, Path]:
    roots = dict(store.roots())
    for above in (folder, *folder.parents):
        key = make_workspace_key(above)
        if key in roots and (above == folder or _identity(store, key)):
            return key, above
    held_in = next((key for key in roots if get_source_state(store, key, source) is not None), "")
    return held_in or make_workspace_key(folder), folder
