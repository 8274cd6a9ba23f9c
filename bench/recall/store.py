"""Store: conversations as records, by the door that a client's live observations take, and clew's answers to questions over them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from bench.recall.arms import Answer
from bench.recall.source import Haystack, Held, Question, hashed
from clew.engine import Engine
from clew.recall.recall import Recalled
from clew.records import Observation, ObservationKind
from clew.settings import find_workspace
from clew.store.ports import LOCAL
from clew.transcript.live import live_source

TURNS, SESSIONS = 10, 5


def name_of(session: Held) -> str:
    """The id of a session in the store. One session stands in several haystacks, at different times."""
    return hashed(session.id, str(session.at_ns))


def remember(engine: Engine, path: Path, haystack: Haystack) -> int:
    """Write the sessions that the store does not hold yet; return how many those were."""
    key, _ = find_workspace(path)
    written = 0
    with engine.store.snapshot(LOCAL, key) as snapshot:
        known = snapshot.states_of_sources([live_source(name_of(session)) for session in haystack.sessions])
    for session in haystack.sessions:
        name = name_of(session)
        if live_source(name) in known:
            continue
        engine.write(
            path,
            [
                Observation(
                    name,
                    at,
                    at,
                    turn.uuid,
                    ObservationKind.PROMPT if turn.is_user else ObservationKind.MESSAGE,
                    turn.text,
                    at_ns=session.at_ns,
                )
                for at, turn in enumerate(session.turns)
            ],
        )
        written += 1
    return written


def recalled(
    engine: Engine, path: Path, haystack: Haystack, question: Question, *, without: Collection[str] = (), confidence_min: float | None = 0.0
) -> Recalled:
    """What clew says to a question over a haystack; `without`: ids of sessions that are left out of it."""
    return engine.recall(
        path,
        question.text,
        only=[name_of(session) for session in haystack.sessions if session.id not in without],
        asked_ns=question.asked_ns,
        turns_max=TURNS,
        sessions_max=SESSIONS,
        confidence_min=confidence_min,
    )


def answer_of(found: Recalled, haystack: Haystack) -> Answer:
    """The same in the ids of the set."""
    of = {name_of(session): session.id for session in haystack.sessions}
    return Answer(tuple(of[name] for name, _ in found.sessions), tuple(turn.record.uuid for turn in found.turns))
