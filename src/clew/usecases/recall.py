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
    confidence_min  least probability that the answer is relevant; None for the calibrated threshold, 0 to answer always.
    """
    with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
        return recall_turns(
            snapshot,
            Question.of(question),
            only=None if only is None else frozenset(only),
            exclude=frozenset(exclude),
            in_window=(running, _find_window_start(snapshot, running)),
            asked_ns=time.time_ns() if asked_ns is None else asked_ns,
            turns_max=turns_max,
            sessions_max=sessions_max,
            confidence_min=confidence_min,
            embedder=load_configured_embedder(settings),
        )


def _find_window_start(snapshot: Snapshot, session: str) -> int:
    """Return the time of a session's last compaction, 0 for none."""
    records = snapshot.records_of_sources(f"session:{session}", f"session:{session}/live") if session else []
    return max((record.at_ns for record in records if record.kind == "boundary"), default=0)
