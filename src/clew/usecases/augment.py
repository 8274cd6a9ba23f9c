"""Augment: what is worth adding to a prompt that the user has typed."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.recall.augment import augment_prompt as choose
from clew.records import Packet
from clew.settings import Settings, workspace_of
from clew.store.ports import LOCAL, Reader
from clew.text.tokens import counter as counter_of
from clew.usecases.inputs import budget, embedder


def augment_prompt(
    store: Reader, settings: Settings, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, session: str = "",
    seen: Collection[str] = (), deadline_ms: float | None = None,
) -> Packet:  # fmt: skip
    """Return what is worth adding to a prompt, which may be nothing: likely files, and what other sessions said of it.

    session  the one at work, whose own words are no memory; seen  handles that stand in its window already.
    Nothing is read anew and nothing is written: what is shown are places and beginnings, and the prompt waits.
    """
    with store.snapshot(LOCAL, workspace_of(path)[0]) as snapshot:
        return choose(
            snapshot, Question.of(prompt), session=session, seen=seen, counter=counter_of(tokenizer),
            budget_tokens=budget(budget_tokens), asked_ns=time.time_ns(), deadline=Deadline(deadline_ms), embedder=embedder(settings),
        )  # fmt: skip
