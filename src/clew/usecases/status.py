"""Status: the store at a glance."""

from __future__ import annotations

from collections import Counter as CountOf
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clew.records import Tier
from clew.settings import Settings, workspace_of
from clew.store.ports import Reader, Workspace
from clew.store.sqlite.migrations import MIGRATIONS


@dataclass(frozen=True, slots=True)
class Status:
    """The store at a glance. `here` is the workspace that was asked about, None when nothing is stored of it."""

    database: Path
    database_bytes: int
    schema: int
    here: Workspace | None
    workspaces: tuple[Workspace, ...]
    layers: dict[str, int]
    kinds: dict[str, int]
    tiers: dict[str, int]
    sessions: int
    files: int
    skipped: dict[str, int]


def status(store: Reader, settings: Settings, path: Path) -> Status:
    """Return the store at a glance, and what it holds of the repository at `path`."""
    key, _ = workspace_of(path)
    workspaces = tuple(store.workspaces())
    here = next((workspace for workspace in workspaces if workspace.key == key), None)
    layers: CountOf[str] = CountOf()
    kinds: CountOf[str] = CountOf()
    skipped: CountOf[str] = CountOf()
    tiers: dict[str, int] = {}
    files = sessions = 0
    if here is not None:
        index = store.index(key)
        docs = np.flatnonzero(index.alive).tolist()
        layers.update(map(index.layer_of, docs))
        kinds.update(map(index.kind_of, docs))
        moved = [standing.tier for _, standing in store.unusual(key) if standing.tier != Tier.HOT]
        tiers = {tier.name.lower(): moved.count(tier) for tier in (Tier.FOLDED, Tier.ARCHIVED)}
        tiers["hot"] = len(docs) - len(moved)
        for state in store.sources(key):
            files += state.source.startswith("file:")
            sessions += state.source.startswith("session:") and "/" not in state.source
            if state.source.startswith("file:") and state.status != "indexed":
                skipped[state.status] += 1
    database = settings.database
    size = sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*") if file.is_file())
    return Status(database, size, len(MIGRATIONS), here, workspaces, dict(layers), dict(kinds), tiers, sessions, files, dict(skipped))
