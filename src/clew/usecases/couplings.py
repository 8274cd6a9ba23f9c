"""Couplings: update the edges between the files of a repository. Loads no parser, since an ingestion ends with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from clew.enrich import file_edges
from clew.enrich.file_edges import CouplingCounts
from clew.lifecycle.apply import apply_deltas
from clew.records import SourceState
from clew.store.ports import Writer
from clew.usecases.inputs import get_source_state, list_source_states


def couple_files(store: Writer, key: str, states: Sequence[SourceState] | None = None) -> CouplingCounts:
    """Update the edges of files whose content or couplings have changed, and return counts of all edges.

    key     id of the repository's workspace in the store.
    states  source states of the files; None reads them from the store.
    """
    known = list_source_states(store, key, "file:") if states is None else states
    files = {
        state.source.removeprefix("file:"): state.digest
        for state in known
        if state.source.startswith("file:") and state.digest and state.status == "indexed"
    }
    changes = file_edges.find_edge_changes(
        files, state_of=partial(get_source_state, store, key), states=partial(list_source_states, store, key, file_edges.COUPLING_SOURCE)
    )
    apply_deltas(store, key, changes)
    return file_edges.read_coupling_counts(get_source_state(store, key, file_edges.COUPLING_SOURCE))
