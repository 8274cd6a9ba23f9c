"""Many sessions at once: each read in a process of its own, their Deltas given back in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from clew.errors import NotReadable
from clew.pool import AHEAD, spread
from clew.records import Delta, SourceState
from clew.text.embed import load
from clew.transcript.follow import deltas
from clew.transcript.sessions import Session

PARALLEL_BYTES_MAX = 256 << 20  # of transcripts whose Deltas may wait at once, in all processes; they take about twice that. Guess


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
    """Yield each job with its Deltas, or with the sentence that says why it could not be read; in the order given.

    A transcript that is long, or alone, is read in this process, a batch at a time, so that memory stays bounded.
    """
    # Asked once: a transcript may grow while others are read, and must not change sides.
    longest = PARALLEL_BYTES_MAX // (AHEAD * max(workers, 1)) if workers > 1 and len(jobs) > 1 else -1
    is_apart = [_size(job.session.path) <= longest for job in jobs]
    with closing(spread(_follow, [job for job, apart in zip(jobs, is_apart, strict=True) if apart], workers)) as done:
        for job, apart in zip(jobs, is_apart, strict=True):
            if apart:
                followed = next(done)
                yield job, followed.problem or iter(followed.deltas)
            else:
                yield job, _begun(job)


def _follow(job: Job) -> Followed:
    try:
        return Followed(job, tuple(_deltas(job)))
    except (NotReadable, OSError) as problem:
        return Followed(job, problem=str(problem))


def _begun(job: Job) -> Iterator[Delta] | str:
    """The Deltas of a job, the first of them made already: by then a file that cannot be opened has said so."""
    said = _deltas(job)
    try:
        return chain([first] if (first := next(said, None)) is not None else [], said)
    except (NotReadable, OSError) as problem:
        return str(problem)


def _deltas(job: Job) -> Iterator[Delta]:
    embedder = load(job.embedder) if job.embedder else None
    return deltas(job.session.path, session=job.session, state=job.state, root=job.root, embedder=embedder)


def _size(path: Path) -> int:
    """Bytes to expect: of a compressed file about ten times its own."""
    try:
        size = path.stat().st_size
    except OSError:  # gone since it was found: whoever reads it says so
        return 0
    return size * 10 if path.suffix in {".xz", ".gz"} else size
