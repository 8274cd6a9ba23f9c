"""Compaction: what of one session should stand in the window after it was cut?

The same packet and the same knapsack as for a question, over the records of one session. What is wanted, what
went wrong and what was just done keep their weight; exploration fades with its distance from the cut; what was
superseded before the cut is left out. The hand-off that somebody else rendered stands in front and is paid for first.
"""

from __future__ import annotations

import numpy as np

from clew.records import Packet, Record, Resolution, TaskState
from clew.retrieval.assemble import Candidate
from clew.retrieval.compressed import choose_with, covers
from clew.retrieval.deadline import Deadline
from clew.retrieval.options import Originals, Showing, heading_of, options_of
from clew.retrieval.retrieve import choose, entry_of
from clew.retrieval.seed import seed
from clew.store.ports import Reader
from clew.text.embed import Embedder
from clew.text.tokens import Counter

LASTING = frozenset({"prompt", "constraint", "decision", "plan", "error"})  # kinds that time does not make less true
HALF_LIFE_SHARE = 0.2  # of the session's length: exploration that lies so far back counts half; guess
DECAY_MIN = 0.15
NEWEST = 12  # the last records of a session are the work at hand and do not fade
RELEVANCE = 1.5  # what full agreement with the task state adds to a record's own importance; guess
WORTH = {Resolution.NAME: 0.25, Resolution.SIGNATURE: 0.45, Resolution.FOLDED: 0.7, Resolution.FULL: 1.0}


def compact(
    reader: Reader,
    workspace: str,
    source: str,
    state: TaskState,
    *,
    front: str,
    budget_tokens: int,
    counter: Counter,
    embedder: Embedder | None = None,
) -> Packet:
    """Return a packet of one session's records within the budget, `front` (the hand-off) leading it.

    source    `session:<id>`, whose records the reader holds up to the cut and no further; those that ended are left out.
    front     text that stands first; the caller keeps it within the budget.
    embedder  a local model that made the records' vectors, or None: the channel is then named as left out.
    """
    records = [record for record in reader.of_source(workspace, source) if record.importance > 0]
    weights, reasons = _weights(reader, workspace, records, state, embedder)
    order = sorted(range(len(records)), key=lambda at: (-weights[at], records[at].id))
    originals = Originals(reader, workspace)
    group = f"session {source.removeprefix('session:')}, in order of time; [handle] unfolds the rest"
    options = options_of([Showing(records[at]) for at in order], originals, counter.measure_many)
    candidates = [Candidate(records[at].id, weights[at], group, each, WORTH) for at, each in zip(order, options, strict=True)]
    spent = counter.measure(front)
    made = covers(reader, workspace, source.removeprefix("session:"), {record.id for record in records}, counter.measure_many)
    chosen, choice, bought = choose_with(
        made, candidates, lambda among, more: choose(among, budget_tokens=budget_tokens, counter=counter, spent=spent + more),
        room=budget_tokens - spent,
    )  # fmt: skip
    shown = [(records[order[number]], option, weights[order[number]], reasons[order[number]]) for number, option in sorted(chosen.items())]
    shown += [(one.record, one.option, one.weight, one.why) for one in bought]
    entries = tuple(entry_of(*each) for each in shown)
    body = "".join(option.text for _, option, *_ in sorted(shown, key=lambda row: (row[0].seq, row[0].id)))
    text = front + (heading_of(group) + body if body else "")
    return Packet(
        state.question, entries, text, counter.count(text), budget_tokens, counter.name, choice.shadow_price, choice.gap,
        () if embedder else ("vector: no embedder is chosen",),
    )  # fmt: skip


def _weights(
    reader: Reader, workspace: str, records: list[Record], state: TaskState, embedder: Embedder | None
) -> tuple[list[float], list[tuple[str, ...]]]:
    index = reader.index(workspace)
    found = seed(index, state, prefix="session:", deadline=Deadline(), embedder=embedder)
    best = float(found.weights.max(initial=0.0)) or 1.0
    docs = {index.id_of(int(doc)): int(doc) for doc in np.flatnonzero(found.weights > 0)}
    touched = {file.path for file in state.working_set}
    last = max((record.seq for record in records), default=0)
    newest = sorted(record.seq for record in records)[-NEWEST:]
    weights: list[float] = []
    reasons: list[tuple[str, ...]] = []
    for record in records:
        why = [f"{record.kind}, importance {record.importance:.2f}"]
        weight = record.importance
        doc = docs.get(record.id)
        if doc is not None:
            relevance = float(found.weights[doc]) / best
            weight *= 1.0 + RELEVANCE * relevance
            why.append(f"agrees with the task at hand ({relevance:.2f})")
        if record.path and record.path in touched:
            weight *= 1.25
            why.append("its file is in the working set")
        if newest and record.seq >= newest[0]:
            why.append("among the newest")
        elif record.kind not in LASTING:
            distance = (last - record.seq) / max(last, 1)
            weight *= max(DECAY_MIN, 0.5 ** (distance / HALF_LIFE_SHARE))
        weights.append(weight)
        reasons.append(tuple(why))
    return weights, reasons
