"""Recall: find turns of earlier sessions that are relevant for a question."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from clew.packet.options import OriginalCache, attribute_text
from clew.ranking.question import Question
from clew.recall.heading import make_turn_heading
from clew.recall.recall import Recalled
from clew.recall.recall import recall as recall_turns
from clew.records import AsOf, Spans, clew_span
from clew.records.wording import describe_as_of, missing_spans
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Snapshot
from clew.usecases.as_of import open_as_of
from clew.usecases.inputs import load_configured_embedder
from clew.usecases.places import find_memory

TURN_CHARS_MAX = 1_200  # of one turn as text; the whole is a handle away. Guess


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
    as_of: AsOf | None = None,
) -> Recalled:
    """Return turns of earlier sessions of the repository at `path` that are relevant for a question; none if none is good enough.

    only, exclude   ids of sessions to search, and not to search.
    running         id of the session that asks: of it only what stood in the window before its last compaction is searched.
    asked_ns        time of the question, None for now; it decides how old a turn is.
    confidence_min  least probability that the question is answered; None for the model's threshold, 0 to answer always.
    as_of           only what was said then, or on that branch, is searched, and the question is asked then; None for now.
    """
    snapshot, answered = open_as_of(store, find_memory(store, path)[0], as_of or AsOf())
    with snapshot:
        if answered.branch:
            there = snapshot.sessions_on(answered.branch) | {"remembered"}
            only = there if only is None else there.intersection(only)
        if asked_ns is None:
            asked_ns = answered.at_ns or time.time_ns()
        found = recall_turns(
            snapshot,
            Question.of(question),
            only=None if only is None else frozenset(only),
            exclude=frozenset(exclude),
            in_window=_find_in_window(snapshot, running),
            asked_ns=asked_ns,
            turns_max=turns_max,
            sessions_max=sessions_max,
            confidence_min=confidence_min,
            embedder=load_configured_embedder(settings),
        )
    return replace(found, as_of=answered)


def render_turns(store: Reader, path: Path, found: Recalled) -> Spans:
    """Return the turns that were recalled as text, each with its heading, and cut where it is long."""
    when = describe_as_of(found.as_of)
    if not found.turns:
        sure = f"(probability {found.confidence:.0%})"
        return (clew_span(f"# Earlier sessions, {when}: nothing was found that answers this {sure}\n"), *missing_spans(found.as_of))
    with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
        originals = OriginalCache(snapshot)
        originals.read(turn.record.full_text for turn in found.turns)
    parts = [clew_span(f"# Said and done before, {when} (may be out of date)\n"), *missing_spans(found.as_of)]
    for turn in found.turns:
        whole = originals.text_of(turn.record.full_text).strip()
        rest = "" if len(whole) <= TURN_CHARS_MAX else " … (unfold for the rest)"
        parts += [*make_turn_heading(turn), clew_span("\n")]
        parts += [*attribute_text(turn.record, whole[:TURN_CHARS_MAX]), clew_span(f"{rest}\n")]
    return tuple(parts)


def _find_in_window(snapshot: Snapshot, session: str) -> frozenset[str]:
    """Return the ids of a session's records, its subagents' included, since its last compaction; all of them where there was none."""
    if not session:
        return frozenset()
    prefix = f"session:{session}"
    sources = [state.source for state in snapshot.source_states(prefix) if state.source == prefix or state.source.startswith(f"{prefix}/")]
    records = snapshot.records_of_sources(*sources) if sources else []
    since = max((record.at_ns for record in records if record.kind == "boundary"), default=0)
    return frozenset(record.id for record in records if record.at_ns >= since)
