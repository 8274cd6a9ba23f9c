"""The repositories that are stored, as a view is asked for them: by the key of their workspace."""

from __future__ import annotations

from pathlib import Path

from clew.adapters.page.sessions import NotFound
from clew.adapters.page.views.view import Viewer


def list_roots(viewer: Viewer) -> list[tuple[str, str]]:
    """Return (key, root) of every repository that something is stored of, ordered by root."""
    return sorted(viewer.engine.store.roots(), key=lambda pair: (pair[1], pair[0]))


def find_root(viewer: Viewer, key: str) -> Path:
    """Return the root of a workspace. Raises NotFound for an unknown one."""
    root = dict(viewer.engine.store.roots()).get(key)
    if root is None:
        raise NotFound("no such repository is stored")
    return Path(root)
