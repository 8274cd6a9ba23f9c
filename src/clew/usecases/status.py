"""Status: count what the store holds."""

from __future__ import annotations

from collections import Counter as CountOf
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clew.records import Tier
from clew.store.ports import LOCAL, Reader, Workspace
from clew.usecases.places import find_code


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Place, size and schema of the database, counts of one workspace by layer, kind, tier and reason not read, and all workspaces.

    here  the workspace in question, None if nothing is stored of it. Counts are in the order of their names.
    """

    database: str
    database_bytes: int
    schema: int
    here: Workspace | None
    files: int
    sessions: int
    layers: dict[str, int]
    kinds: dict[str, int]
    tiers: dict[str, int]
    skipped: dict[str, int]
    workspaces: tuple[Workspace, ...]


def read_status(store: Reader, path: Path) -> StoreStatus:
    """Return the size of the database and counts of what it holds of the repository at `path`."""
    key, _ = find_code(store, path)
    workspaces = tuple(store.workspaces())
    here = next((workspace for workspace in workspaces if workspace.key == key), None)
    layers: CountOf[str] = CountOf()
    kinds: CountOf[str] = CountOf()
    skipped: CountOf[str] = CountOf()
    tiers: dict[str, int] = {}
    files = sessions = 0
    with store.snapshot(LOCAL, key) as snapshot:
        if here is not None:
            documents = snapshot.documents
            docs = np.flatnonzero(documents.alive).tolist()
            layers.update(map(documents.layer_of, docs))
            kinds.update(map(documents.kind_of, docs))
            moved = [status.tier for _, status in snapshot.stale_or_cold() if status.tier != Tier.HOT]
            tiers = {tier.name.lower(): moved.count(tier) for tier in (Tier.FOLDED, Tier.ARCHIVED)}
            tiers["hot"] = len(docs) - len(moved)
            for state in snapshot.source_states():
                files += state.source.startswith("file:")
                sessions += state.source.startswith("session:") and "/" not in state.source
                if state.source.startswith("file:") and state.status != "indexed":
                    skipped[state.status] += 1
    described = store.describe()
    return StoreStatus(
        described.place, described.size, described.schema, here, files, sessions,
        _by_name(layers), _by_name(kinds), _by_name(tiers), _by_name(skipped), workspaces,
    )  # fmt: skip


def _by_name(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
