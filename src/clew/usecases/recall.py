"""Recall: find turns of earlier sessions that are relevant for a question, and context worth adding to a prompt."""

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
from clew.usecases.inputs import check_budget, load_configured_embedder


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
    """Return turns of earlier sessions of the repository at `path` that are relevant for a question; none if none is good enough.

    only, exclude   ids of sessions to search, and not to search; the caller excludes the current one.
    asked_ns        time of the question, None for now; it decides how old a turn is.
    confidence_min  least probability that the answer is relevant; None for the calibrated threshold, 0 to answer always.
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
            embedder=load_configured_embedder(settings),
        )


def augment_prompt(
    store: Reader, settings: Settings, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, session: str = "",
    seen: Collection[str] = (), deadline_ms: float | None = None,
) -> Packet:  # fmt: skip
    """Return context for a prompt, possibly empty: likely files, and relevant turns of other sessions.

    session  id of the current session, which is not searched; seen  handles that are in its window already.
    To answer fast, no changed file is read and nothing is written.
    """
    with store.snapshot(LOCAL, find_workspace(path)[0]) as snapshot:
        return choose_additions(
            snapshot, Question.of(prompt), session=session, seen=seen, counter=make_counter(tokenizer),
            budget_tokens=check_budget(budget_tokens), asked_ns=time.time_ns(), deadline=Deadline(deadline_ms),
            embedder=load_configured_embedder(settings),
        )  # fmt: skip
