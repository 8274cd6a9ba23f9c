"""Recall: the turns of earlier sessions that bear on a question, and what is worth adding to a prompt that the user has typed."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from pathlib import Path

from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.recall.augment import augment_prompt as choose_additions
from clew.recall.recall import Recalled
from clew.recall.recall import recall as recall_turns
from clew.records import Packet
from clew.settings import Settings, find_workspace
from clew.store.ports import LOCAL, Reader
from clew.text.tokens import make_counter
from clew.usecases.inputs import check_budget, load_embedder


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
    with store.snapshot(LOCAL, find_workspace(path)[0]) as snapshot:
        return recall_turns(
            snapshot,
            Question.of(question),
            only=None if only is None else frozenset(only),
            exclude=frozenset(exclude),
            asked_ns=time.time_ns() if asked_ns is None else asked_ns,
            turns_max=turns_max,
            sessions_max=sessions_max,
            confidence_min=confidence_min,
            embedder=load_embedder(settings),
        )


def augment_prompt(
    store: Reader, settings: Settings, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, session: str = "",
    seen: Collection[str] = (), deadline_ms: float | None = None,
) -> Packet:  # fmt: skip
    """Return what is worth adding to a prompt, which may be nothing: likely files, and what other sessions said of it.

    session  the one at work, whose own words are no memory; seen  handles that stand in its window already.
    Nothing is read anew and nothing is written: what is shown are places and beginnings, and the prompt waits.
    """
    with store.snapshot(LOCAL, find_workspace(path)[0]) as snapshot:
        return choose_additions(
            snapshot, Question.of(prompt), session=session, seen=seen, counter=make_counter(tokenizer),
            budget_tokens=check_budget(budget_tokens), asked_ns=time.time_ns(), deadline=Deadline(deadline_ms),
            embedder=load_embedder(settings),
        )  # fmt: skip
