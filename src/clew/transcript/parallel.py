"""Read many transcripts at once, each in a process of its own, and yield their Deltas in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from clew.errors import NotReadable
from clew.pool import BATCHES_PER_WORKER, map_in_processes
from clew.records import Delta, SourceState
from clew.text.embed import load_embedder
from clew.transcript.follow import read_deltas
from clew.transcript.session_files import SessionFiles

PARALLEL_BYTES_MAX = 256 << 20  # of transcripts whose Deltas may wait at once, in all processes; they take about twice that. Guess


@dataclass(frozen=True, slots=True)
class TranscriptJob:
    """One transcript for `read_all_deltas` to read from `state` on.

    root      the repository's root, to which paths are made relative.
    embedder  the folder of an embedding model, "" for none.
    """

    session: SessionFiles
    state: SourceState | None
    root: str
    embedder: str = ""


def read_all_deltas(jobs: Sequence[TranscriptJob], workers: int) -> Iterator[tuple[TranscriptJob, Iterator[Delta] | str]]:
    """Yield each transcript with its Deltas, or with the error message when it cannot be read, in the order given.

    A transcript that is long, or alone, is read in this process, a batch at a time, so that memory stays bounded.
    """
    # Asked once: a transcript may grow while others are read, and must not change sides.
    longest = PARALLEL_BYTES_MAX // (BATCHES_PER_WORKER * max(workers, 1)) if workers > 1 and len(jobs) > 1 else -1
    is_apart = [_size(source.session.path) <= longest for source in jobs]
    with closing(map_in_processes(_read, [source for source, apart in zip(jobs, is_apart, strict=True) if apart], workers)) as done:
        for source, apart in zip(jobs, is_apart, strict=True):
            read = next(done) if apart else _begun(source)
            yield source, iter(read) if isinstance(read, tuple) else read


def _read(source: TranscriptJob) -> tuple[Delta, ...] | str:
    try:
        return tuple(_deltas(source))
    except (NotReadable, OSError) as problem:
        return str(problem)


def _begun(source: TranscriptJob) -> Iterator[Delta] | str:
    """The Deltas of a transcript, the first of them made already: by then a file that cannot be opened has said so."""
    said = _deltas(source)
    try:
        return chain([first] if (first := next(said, None)) is not None else [], said)
    except (NotReadable, OSError) as problem:
        return str(problem)


def _deltas(source: TranscriptJob) -> Iterator[Delta]:
    embedder = load_embedder(source.embedder) if source.embedder else None
    return read_deltas(source.session.path, session=source.session, state=source.state, root=source.root, embedder=embedder)


def _size(path: Path) -> int:
    """Bytes to expect: of a compressed file about ten times its own."""
    try:
        size = path.stat().st_size
    except OSError:  # gone since it was found: reading it reports that
        return 0
    return size * 10 if path.suffix in {".xz", ".gz"} else size
