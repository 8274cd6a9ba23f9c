"""Status: count what the store holds."""

from __future__ import annotations

from collections import Counter as CountOf
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clew.enrich.function_edges import ALIKE_SOURCE, JUDGE_KIND, CoreCounts, read_core_counts
from clew.lifecycle.queue import JobStatus, list_jobs
from clew.records import Tier
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Workspace
from clew.usecases.forget import ForgettingStatus, read_forgetting
from clew.usecases.places import find_code


@dataclass(frozen=True, slots=True)
class CoreCoverage:
    """How much of a repository's core a model has judged as it is now.

    judged     functions whose judgement is of their text and candidates of now.
    oldest_ns  when the oldest of those was made, 0 for none.
    """

    counts: CoreCounts
    judged: int = 0
    queued: int = 0
    failed: int = 0
    oldest_ns: int = 0


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """Place, size and schema of the database, counts of one workspace by layer, kind, tier and reason not read, and all workspaces.

    forgetting  what the daemon did unasked.
    here  the workspace in question, None if nothing is stored of it. Counts are in the order of their names.
    core  how much of the repository's core a model has judged; None where no core was chosen.
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
    core: CoreCoverage | None
    forgetting: ForgettingStatus


def read_status(store: Reader, settings: Settings, path: Path) -> StoreStatus:
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
        read_core_coverage(store, key), read_forgetting(settings),
    )  # fmt: skip


def read_core_coverage(store: Reader, key: str) -> CoreCoverage | None:
    """Return how much of the core is covered; None where there is none."""
    with store.snapshot(LOCAL, key) as snapshot:
        state = snapshot.source_state(ALIKE_SOURCE)
    if state is None:
        return None
    jobs = list_jobs(store, key, JUDGE_KIND)
    done = [job for job in jobs if job.status == JobStatus.DONE and not job.note.reason]
    return CoreCoverage(
        read_core_counts(state), len(done), sum(job.is_open for job in jobs), sum(job.status == JobStatus.FAILED for job in jobs),
        min((job.at_ns for job in done), default=0),
    )  # fmt: skip


def _by_name(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))
