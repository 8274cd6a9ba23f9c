"""Looking: one question about the newest state of a workspace, for tests that ask few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clew.store.ports import LOCAL, Reader


class look:  # noqa: N801  it reads as a verb
    """`look(store, key).records(ids)` answers from a snapshot that is opened and closed for it."""

    def __init__(self, store: Reader, workspace: str) -> None:
        self._store, self._workspace = store, workspace

    def __getattr__(self, name: str) -> Any:
        with self._store.snapshot(LOCAL, self._workspace) as snapshot:
            if name in ("generation", "documents", "names"):
                return getattr(snapshot, name)
        return self._asking(name)

    def _asking(self, name: str) -> Callable[..., Any]:
        def ask(*arguments: Any, **options: Any) -> Any:
            with self._store.snapshot(LOCAL, self._workspace) as snapshot:
                return getattr(snapshot, name)(*arguments, **options)

        return ask
