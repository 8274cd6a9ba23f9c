"""Many sessions at once: each read in a process of its own, their Deltas given back in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.errors import NotReadable
from clew.pool import spread
from clew.records import Delta, SourceState
from clew.text.embed import load
from clew.transcript.follow import deltas
from clew.transcript.sessions import Session

PARALLEL_BYTES_MAX = 64 << 20  # a longer file is read in this process, a batch at a time, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class Job:
    """One transcript to follow from `state`; `root` names its files, `embedder` is the folder of a model or ""."""

    session: Session
    state: SourceState | None
    root: str
    embedder: str = ""


@dataclass(frozen=True, slots=True)
class Followed:
    """What a transcript had to say, or why it could not be read."""

    job: Job
    deltas: tuple[Delta, ...] = ()
    problem: str = ""


def follow_all(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Iterator[Delta] | str]]:
    """Yield each job with its Deltas, or with the sentence that says why it could not be read; in the order given."""
    short = [job for job in jobs if _size(job.session.path) <= PARALLEL_BYTES_MAX]
    done = spread(_follow, short, workers)
    for job in jobs:
        if _size(job.session.path) <= PARALLEL_BYTES_MAX:
            followed = next(done)
            yield job, followed.problem or iter(followed.deltas)
        else:
            yield job, _deltas(job)


def _follow(job: Job) -> Followed:
    try:
        return Followed(job, tuple(_deltas(job)))
    except (NotReadable, OSError) as problem:
        return Followed(job, problem=str(problem))


def _deltas(job: Job) -> Iterator[Delta]:
    embedder = load(job.embedder) if job.embedder else None
    return deltas(job.session.path, session=job.session, state=job.state, root=job.root, embedder=embedder)


def _size(path: Path) -> int:
    """Bytes to expect: of a compressed file about ten times its own."""
    size = path.stat().st_size if path.exists() else 0
    return size * 10 if path.suffix in {".xz", ".gz"} else size
