"""Outcomes of recorded sessions, as `clew trial` measures them: what the simulation draws from. No text of a session is kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clew.evaluation.outcomes import measure_outcome, read_session

NEXT_DAYS_NS = 7 * 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class RealOutcome:
    """What came of one recorded session."""

    repository: str
    is_completed: bool | None
    why: str
    units: float | None
    requests: int


def measure_folder(folder: Path, *, every: int = 1) -> list[RealOutcome]:
    """Return the outcome of every n-th session of every repository (a folder of transcripts), in order of time."""
    found: list[RealOutcome] = []
    for repository in sorted(path for path in folder.iterdir() if path.is_dir()):
        sessions = sorted(
            ((read := read_session([path])).first_ns, path.name, read) for path in sorted(repository.glob("*.jsonl*"))[::every]
        )
        for at, (_, name, read) in enumerate(sessions):
            later = (other for first_ns, _, other in sessions[at + 1 :] if read.last_ns < first_ns <= read.last_ns + NEXT_DAYS_NS)
            told = measure_outcome(name, read, next(later, None), at_ns=0)
            found.append(RealOutcome(repository.name, told.is_completed, told.why, told.units, told.requests))
    return found
