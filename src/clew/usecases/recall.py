"""Recall: find turns of earlier sessions that are relevant for a question."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from clew.ranking.question import Question
from clew.recall.recall import Recalled
from clew.recall.recall import recall as recall_turns
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.usecases.inputs import load_configured_embedder
from clew.usecases.places import find_memory


def recall(
    store: Reader,
    settings: Settings,
    path: Path,
    question: str,
    *,
    only: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    running: str = "",
    asked_ns: int | None = None,
    turns_max: int = 10,
    sessions_max: int = 5,
    confidence_min: float | None = None,
) -> Recalled:
    """Return turns of earlier sessions of the repository at `path` that are relevant for a question; none if none is good enough.

    only, exclude   ids of sessions to search, and not to search.
    running         id of the session that asks: of it only what stood in the window before its last compaction is searched.
    asked_ns        time of the question, None for now; it decides how old a turn is.
    confidence_min  least probability that the question is answered; None for the model's threshold, 0 to answer always.
    """
    with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
        return recall_turns(
            snapshot,
            Question.of(question),
            only=None if only is None else frozenset(only),
            exclude=frozenset(exclude),
            in_window=_find_in_window(snapshot, running),
            asked_ns=time.time_ns() if asked_ns is None else asked_ns,
            turns_max=turns_max,
            sessions_max=sessions_max,
            confidence_min=confidence_min,
            embedder=load_configured_embedder(settings),
        )


def _find_in_window(snapshot: Snapshot, session: str) -> frozenset[str]:
    """Return the ids of a session's records, its subagents' included, since its last compaction; all of them where there was none."""
    if not session:
        return frozenset()
    prefix = f"session:{session}"
    sources = [state.source for state in snapshot.source_states(prefix) if state.source == prefix or state.source.startswith(f"{prefix}/")]
    records = snapshot.records_of_sources(*sources) if sources else []
    since = max((record.at_ns for record in records if record.kind == "boundary"), default=0)
    return frozenset(record.id for record in records if record.at_ns >= since)
