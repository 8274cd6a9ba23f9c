"""Retrieve: the packet of code and memory for a question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clew.packet.retrieve import retrieve as assemble_packet
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.records import Packet
from clew.settings import Settings, workspace_of
from clew.store.ports import Snapshot, Writer
from clew.text.tokens import counter as counter_of
from clew.usecases import freshness
from clew.usecases.inputs import budget, embedder


def retrieve(
    store: Writer, settings: Settings, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None
) -> Packet:
    """Return the packet for a question to the repository at `path`. Raises UsageError, UnknownTokenizer.

    Files that it would show and that have changed since they were indexed are read again first: what is shown is what
    stands there now. Else it writes only that its entries were used, so that they do not age, never at the price of the answer.
    """
    key, _ = workspace_of(path)
    deadline = Deadline(deadline_ms)
    asked, counter = Question.of(question), counter_of(tokenizer)
    model, room = embedder(settings), budget(budget_tokens)

    def answer(snapshot: Snapshot) -> Packet:
        packet = assemble_packet(snapshot, asked, budget_tokens=room, counter=counter, deadline=deadline, embedder=model)
        return freshness.marked(snapshot, path, packet)

    packet = freshness.settled(store, settings, path, answer, freshness.files_of, deadline)
    packet = replace(packet, skipped=tuple(dict.fromkeys([*deadline.skipped, *packet.skipped])))
    freshness.count_use(store, key, packet)
    return packet
