"""Trials: find the transcripts of a trial's sessions, and measure those whose outcome can no longer change.

A session is final a day after its last line once another one of its repository has begun, as what that one undoes is part of the outcome;
and after a week in any case. What is final is written into the trial's log, because a client deletes its transcripts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from clew.errors import NotReadable
from clew.evaluation.outcomes import ReadSession, measure_outcome, read_session
from clew.transcript.session_files import find_begin, find_sessions
from clew.trial.log import Assignment, Trial
from clew.trial.outcome import SessionOutcome

DAY_NS = 86_400_000_000_000
FINAL_DAYS, FINAL_DAYS_MAX = 1, 7  # guesses: most sessions are gone on with on the same day or not at all

AddedFiles: TypeAlias = Callable[[str, str], Sequence[tuple[int, str]]]
"""Given the folder of a repository and a session: (time of the prompt in ns, path) of each file that was named beside its prompts."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A transcript of a repository: its session, and when it began and was last written."""

    session: str
    path: Path
    first_ns: int
    last_ns: int


def measure_pending(
    trial: Trial, folders_of: Callable[[str], Sequence[Path]], added_to: AddedFiles = lambda _repository, _session: (), *, now_ns: int
) -> Iterator[SessionOutcome | None]:
    """Yield, for each session that was drawn and has no outcome yet, its outcome if that is final now, else None.

    folders_of  returns the folders that hold the transcripts of a repository.
    added_to    returns what was named beside the prompts of a session of a repository.
    A trial that was stopped is measured at once, up to its end.
    """
    known: dict[str, list[_Found]] = {}
    for each in trial.drawn:
        if each.session in trial.outcomes:
            continue
        if each.repository not in known:
            known[each.repository] = list(_list_transcripts(folders_of(each.repository)))
        yield _measure(trial, each, known[each.repository], added_to, now_ns)


def _measure(trial: Trial, drawn: Assignment, transcripts: Sequence[_Found], added_to: AddedFiles, now_ns: int) -> SessionOutcome | None:
    sessions = trial.list_sessions(drawn.session)
    own = sorted((each for each in transcripts if each.session in sessions), key=lambda each: sessions.index(each.session))
    now_ns = trial.stopped_ns or now_ns
    last_ns = max((each.last_ns for each in own), default=drawn.at_ns)
    others = [each for each in transcripts if each.session not in sessions and last_ns < each.first_ns <= now_ns]
    after = min(others, key=lambda each: (each.first_ns, each.session), default=None)
    idle_ns = now_ns - last_ns
    if not trial.stopped_ns and idle_ns < (FINAL_DAYS if after else FINAL_DAYS_MAX) * DAY_NS:
        return None
    if not own:
        return SessionOutcome(drawn.session, now_ns, why="it left no transcript")
    try:
        read = read_session([each.path for each in own], until_ns=trial.stopped_ns)
        follow = _read(after)
    except (NotReadable, OSError):
        return SessionOutcome(drawn.session, now_ns, why="its transcript cannot be read")
    added = [each for session in sessions for each in added_to(drawn.repository, session)]
    return measure_outcome(drawn.session, read, follow, at_ns=now_ns, added=added)


def _read(after: _Found | None) -> ReadSession | None:
    return read_session([after.path]) if after else None


def _list_transcripts(folders: Sequence[Path]) -> Iterator[_Found]:
    for folder in folders:
        with suppress(NotReadable, OSError):  # gone since
            for session in find_sessions(folder):
                if session.client and not session.agent:
                    with suppress(OSError):
                        path = session.path
                        yield _Found(session.id, path, find_begin(path), path.stat().st_mtime_ns)
