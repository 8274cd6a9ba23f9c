"""Recall: the turns of earlier sessions that bear on a question."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from clew.ranking.question import Question
from clew.recall.recall import Recalled
from clew.recall.recall import recall as recall_turns
from clew.settings import Settings, workspace_of
from clew.store.ports import LOCAL, Reader
from clew.usecases.inputs import embedder


def recall(
    store: Reader,
    settings: Settings,
    path: Path,
    question: str,
    *,
    only: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    asked_ns: int | None = None,
    turns_max: int = 10,
    sessions_max: int = 5,
    confidence_min: float | None = None,
) -> Recalled:
    """Return the turns of earlier sessions of the repository at `path` that bear on a question, or nothing.

    only, exclude   ids of sessions; the one at work is for the caller to exclude.
    asked_ns        when it is asked; None for now.
    confidence_min  None takes the calibrated threshold, 0 always answers.
    """
    with store.snapshot(LOCAL, workspace_of(path)[0]) as snapshot:
        return recall_turns(
            snapshot,
            Question.of(question),
            only=None if only is None else frozenset(only),
            exclude=frozenset(exclude),
            asked_ns=time.time_ns() if asked_ns is None else asked_ns,
            turns_max=turns_max,
            sessions_max=sessions_max,
            confidence_min=confidence_min,
            embedder=embedder(settings),
        )
