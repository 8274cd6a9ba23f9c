"""Index: update the records of a repository's files and commits, and the edges between its files."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from clew.codebase import TREE_SOURCE, file_changes
from clew.codebase.file_changes import IndexReport
from clew.codebase.private_paths import find_refusal_reason
from clew.enrich import history
from clew.enrich.file_edges import CouplingCounts
from clew.enrich.function_edges import ALIKE_SOURCE, CoreCounts
from clew.enrich.producers.commits import CO_CHANGE_SOURCE, PRODUCER, build_co_change_delta, compute_co_changes, is_current
from clew.errors import FolderNotIndexable, NotReadable
from clew.lifecycle.apply import ApplyTotals, apply_deltas
from clew.records import Delta
from clew.settings import Settings, find_workspace
from clew.store.ports import Writer
from clew.usecases.couplings import couple_files
from clew.usecases.freshness import update_note_statuses
from clew.usecases.inputs import ProgressCallback, get_source_state, list_source_states
from clew.usecases.places import open_code


@dataclass(frozen=True, slots=True)
class IndexResult:
    """What a run of `index` did: files read, records changed, edges written, commits known, the core, wall time in seconds."""

    workspace: str
    root: Path
    report: IndexReport
    totals: ApplyTotals
    coupled: CouplingCounts
    commits: int
    core: CoreCounts
    seconds: float


def index(store: Writer, settings: Settings, path: Path, *, progress: ProgressCallback | None = None) -> IndexResult:
    """Update the index of the repository that holds `path`: files, commits and the edges between them; return what changed.

    Raises NotReadable if `path` is no folder, FolderNotIndexable for a home folder and for folders of the system.
    """
    started = time.perf_counter()
    if not path.exists():
        raise NotReadable(str(path), "does not exist")
    if not path.is_dir():
        raise NotReadable(str(path), "is a file", "name the folder of a repository")
    root = find_workspace(path)[1]
    if refused := find_refusal_reason(root):
        raise FolderNotIndexable(str(root), refused)
    key, _ = open_code(store, path)
    states = {state.source: state for prefix in ("file:", TREE_SOURCE) for state in list_source_states(store, key, prefix)}
    report = file_changes.IndexReport()
    reading = partial(progress, "reading") if progress else None
    totals = apply_deltas(
        store, key, file_changes.find_file_changes(root, states, report, jobs=settings.jobs, embedder=settings.embedder, progress=reading)
    )  # fmt: skip
    told = _read_history(store, key, root)
    report.problems.extend(told.problems)
    coupled = couple_files(store, key, list(states.values()) if not totals.deltas else None)
    core = _update_core(store, settings, key)
    update_note_statuses(store, key, root)
    store.refresh(key)
    return IndexResult(key, root, report, totals, coupled, told.commits, core, time.perf_counter() - started)


def _update_core(store: Writer, settings: Settings, key: str) -> CoreCounts:
    if settings.core_functions == 0 and get_source_state(store, key, ALIKE_SOURCE) is None:
        return CoreCounts()
    from clew.usecases.semantic import update_function_edges  # lazy: only where it was chosen; it imports the clients of models

    return update_function_edges(store, settings, key)


def update(store: Writer, settings: Settings, path: Path, names: Iterable[str]) -> ApplyTotals:
    """Update the index for some files of the repository at `path`, after an edit; return the counts of changed records.

    names  paths relative to the repository's root; records of a file that is gone are ended.
    Does nothing in a folder that `index` refuses.
    """
    root = find_workspace(path)[1]
    if find_refusal_reason(root):
        return ApplyTotals()
    key, _ = open_code(store, path)
    known = [state.source.removeprefix("file:") for state in list_source_states(store, key, "file:")]
    tree = get_source_state(store, key, TREE_SOURCE)
    totals = apply_deltas(store, key, file_changes.find_named_file_changes(root, list(names), known, tree, embedder=settings.embedder))
    update_note_statuses(store, key, root)
    return totals


def _read_history(store: Writer, key: str, root: Path) -> history.HistoryReport:
    """Update the records of a work tree's commits, and the stored counts of files that change together."""
    report = history.HistoryReport()
    before = get_source_state(store, key, history.HISTORY_SOURCE)
    states = partial(list_source_states, store, key, history.HISTORY_SOURCE)
    apply_deltas(store, key, history.find_commit_changes(root, before, states, report))
    now, counted = get_source_state(store, key, history.HISTORY_SOURCE), get_source_state(store, key, CO_CHANGE_SOURCE)
    if now is not None and now.digest and not is_current(counted, now.digest):
        commits = history.decode_commits(list_source_states(store, key, history.HISTORY_SOURCE))
        apply_deltas(store, key, [build_co_change_delta(now.digest, compute_co_changes(commits))])
    elif now is None and counted is not None:
        apply_deltas(store, key, [Delta(PRODUCER, CO_CHANGE_SOURCE, is_whole=True, state=None)])
    return report
