"""Augment: what is worth adding to a prompt that the user has typed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from clew.packet.options import Originals
from clew.ranking.deadline import Deadline
from clew.ranking.files import files
from clew.recall.augment import FILES_MAX, TURNS_MAX, is_worth_asking, worth
from clew.records import Packet
from clew.settings import Settings, workspace_of
from clew.store.ports import Reader
from clew.task.question import question_state
from clew.text.tokens import counter as counter_of
from clew.usecases.inputs import budget, embedder
from clew.usecases.recall import recall


def augment_prompt(
    store: Reader, settings: Settings, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, session: str = "",
    seen: Collection[str] = (), deadline_ms: float | None = None,
) -> Packet:  # fmt: skip
    """Return what is worth adding to a prompt, which may be nothing: likely files, and what other sessions said of it.

    session  the one at work, whose own words are no memory; seen  handles that stand in its window already.
    Nothing is read anew and nothing is written: what is shown are places and beginnings, and the prompt waits.
    """
    key, _ = workspace_of(path)
    counter = counter_of(tokenizer)
    if not budget_tokens or not is_worth_asking(prompt):
        return Packet(prompt, (), (), 0, budget_tokens, counter.name, 0.0, 0.0)
    recalled = recall(store, settings, path, prompt, exclude=[session] if session else (), turns_max=TURNS_MAX + len(seen))
    found = files(
        store, key, question_state(prompt),
        limit=FILES_MAX + len(seen), deadline=Deadline(deadline_ms), embedder=embedder(settings),
    )  # fmt: skip

    def doubt(record_id: str) -> str:
        [standing] = store.standings(key, [record_id])
        return f"suspect: {standing.reason}" if standing.is_suspect else ""

    return worth(
        prompt, found, recalled.turns, Originals(store, key),
        seen=seen, counter=counter, budget_tokens=budget(budget_tokens), standing=doubt,
    )  # fmt: skip
