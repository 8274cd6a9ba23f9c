"""Read a transcript from where it was last read to its present end, as Deltas of bounded size.

What the next call needs travels in `SourceState.note`: where the file ended, the calls under way, the ledger. A file that
shrank, or begins with other bytes than before, or has others right before that place, is read anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import BinaryIO

import msgspec

from clew.records import Delta, Observation, SourceState
from clew.store.originals import digest_of
from clew.task.tracker import TaskTracker
from clew.text.embed import Embedder
from clew.transcript.dialects import DIALECTS
from clew.transcript.dialects.dialect import TranscriptOrigin
from clew.transcript.extract import PRODUCER, RecordExtractor
from clew.transcript.parse import (
    UNRECOGNISED_BYTES_MAX,
    ObservationBatch,
    ResumePoint,
    TranscriptReader,
    open_transcript,
    read_first_bytes,
)
from clew.transcript.progress import SessionProgress, load_progress, start_progress
from clew.transcript.session_files import SessionFiles, build_origin, find_session_files, load_spilled_output, read_agent_label

BATCH_BYTES = 2 << 20  # of raw lines per Delta: fewer transactions than 1 MB, memory about 10 times this
HEAD_BYTES = 64 << 10  # enough to tell two transcripts apart: it holds the ids and times of the first turns
TAIL_BYTES = 4 << 10  # enough to tell the same session apart after its client wrote it anew: it holds the last records' ids
PIECE_BYTES = 256 << 10  # read at once where only the task state is wanted, which may have to stop at a time
ARCHIVES = (".xz", ".gz")  # written once
NOTE_VERSION = 6
UNRECOGNISED = "unrecognised"  # the status of a file that no known client wrote


@dataclass(frozen=True, slots=True)
class TranscriptReport:
    """Counts and faults of a transcript that was read, for the user.

    client        name of the dialect.
    lines         number of lines read.
    broken        (1-based line, reason) of the first unreadable lines; `broken_count` counts all of them.
    unknown       record types that the dialect does not know, with the number of records of each. Their lines are kept.
    is_cut        the file ends within a line, which is read once it is complete.
    """

    client: str
    session: str
    lines: int
    broken_count: int
    broken: tuple[tuple[int, str], ...]
    unknown: tuple[tuple[str, int], ...]
    is_cut: bool


class _Note(msgspec.Struct):
    version: int
    session: str
    head: str
    head_bytes: int
    carry: ResumePoint
    unknown: dict[str, int]
    is_cut: bool
    extractor: msgspec.Raw
    tail: str = ""
    tail_bytes: int = 0
    progress: str = ""
    root: str = ""  # of the progress, which a purge makes again


def transcript_source(session: SessionFiles) -> str:
    """Return the name of the source under which a transcript's records are stored; a subagent's own file is a source of its own."""
    return f"session:{session.id}/{session.agent}" if session.agent else f"session:{session.id}"


def read_deltas(
    source: Path | Iterable[bytes],
    *,
    session: SessionFiles | None = None,
    state: SourceState | None = None,
    root: str | None = None,
    batch_bytes: int = BATCH_BYTES,
    embedder: Embedder | None = None,
    observers: Sequence[Callable[[Observation], object]] = (),
) -> Iterator[Delta]:
    """Yield what a transcript adds since `state`, in Deltas of about `batch_bytes` of raw lines each.

    source     a transcript's path, or the bytes that follow what `state` has seen, in pieces of any size.
    session    its session; None takes it from the path or the records. Needed for bytes without a session id.
    state      of the last Delta that was stored; None reads from the start, and the first Delta is then whole.
    root       the repository's root, to which paths are made relative; None takes the folder that the session began in.
    embedder   adds a vector to each record, where there is a model.
    observers  are called with each observation, so that one reading serves other readers too.
    Yields     nothing when nothing was added; one empty whole Delta of status UNRECOGNISED when no known client wrote the file.
    Raises     NotReadable for a path that cannot be opened.
    """
    if isinstance(source, Path) and session is None:
        session = find_session_files(source)
    yield from _Follower(source, session, _note(state), root or "", embedder, observers).run(batch_bytes)


class _Follower:
    def __init__(
        self,
        source: Path | Iterable[bytes],
        session: SessionFiles | None,
        note: _Note | None,
        root: str,
        embedder: Embedder | None,
        observers: Sequence[Callable[[Observation], object]],
    ) -> None:
        self._session, self._root, self._embedder = session, root, embedder
        self._head, self._head_bytes, self._mtime_ns, self._size = "", 0, 0, inf
        if isinstance(source, Path):
            head = read_first_bytes(source, note.head_bytes if note and note.head_bytes else HEAD_BYTES)
            note = note if note and not _has_changed(source, note, head) else None
            self._head, self._head_bytes, self._mtime_ns = digest_of(head), len(head), (status := source.stat()).st_mtime_ns
            self._size = status.st_size
        is_agent = bool(session and session.agent)
        self._progress = load_progress(note.progress) if note and not is_agent else None
        if not is_agent and self._progress is None:  # another release's: made again from the start
            note = None
        self._note = note
        origin = build_origin(session) if session else TranscriptOrigin(note.session if note else "")
        self._reading = TranscriptReader(source, origin=origin, resume_point=note.carry if note else None)
        self._extractor: RecordExtractor | None = None
        self._observers = observers
        self._tail = b""

    def run(self, batch_bytes: int) -> Iterator[Delta]:
        is_whole, held = self._note is None, 0
        early: list[ObservationBatch] = []  # lines before anybody said what this is and whose it is
        for batch in self._reading.read_batches():
            held += len(batch.read)
            early.append(batch)
            if not self._reading.client:
                if self._reading.is_unrecognisable or held > UNRECOGNISED_BYTES_MAX:
                    break
                continue
            if not self._id and held < batch_bytes:
                continue
            self._take(early)
            early = []
            if held >= batch_bytes:
                yield self._delta(is_whole=is_whole, is_last=False)
                is_whole, held = False, 0
        if not self._reading.client:
            if self._note is None:
                state = SourceState(self._source, mtime_ns=self._mtime_ns, status=UNRECOGNISED)
                yield Delta(PRODUCER, self._source, is_whole=True, state=state)
        elif held or is_whole:
            self._take(early)
            yield self._delta(is_whole=is_whole)

    def _take(self, batches: Iterable[ObservationBatch]) -> None:
        extractor = self._open()
        for batch in batches:
            first = batch.observations[0] if batch.observations else None
            extractor.add_raw_lines(batch.raw, batch.first_line, first.seq if first else 0, first.at_ns if first else 0, self._id)
            extractor.extract(batch.observations)
            for seen in batch.client_observations:
                for observer in self._observers:
                    observer(seen)
            self._tail = batch.read[-TAIL_BYTES:]

    @property
    def _id(self) -> str:
        return self._session.id if self._session else self._reading.session

    @property
    def _source(self) -> str:
        return transcript_source(self._session) if self._session else f"session:{self._id}"

    def _open(self) -> RecordExtractor:
        if self._extractor is None:
            memory = bytes(self._note.extractor) if self._note else b""
            load = partial(load_spilled_output, self._session) if self._session else None
            label = read_agent_label(self._session.path) if self._session and self._session.agent else ""
            is_agent = bool(self._session and self._session.agent)
            self._progress = None if is_agent else self._progress or start_progress(self._session, self._root)
            self._extractor = RecordExtractor(
                self._source, root=self._root, load_spilled=load, label=label, saved_state=memory, progress=self._progress
            )
        return self._extractor

    def _delta(self, *, is_whole: bool, is_last: bool = True) -> Delta:
        carry = self._reading.resume_point()
        extractor = self._open()
        extracted = extractor.drain()
        note = _Note(
            version=NOTE_VERSION,
            session=self._id,
            head=self._head,
            head_bytes=self._head_bytes,
            carry=carry,
            unknown=self._reading.unknown_types,
            is_cut=self._reading.is_cut,
            extractor=msgspec.Raw(extractor.dump_state()),
            tail=digest_of(self._tail),
            tail_bytes=len(self._tail),
            progress=self._progress.dump(is_short=is_last or carry.offset >= self._size) if self._progress else "",
            root=self._progress.tracker.root if self._progress else "",
        )
        state = SourceState(self._source, self._head, carry.offset, self._mtime_ns, "indexed", msgspec.json.encode(note).decode())
        return extracted.to_delta(state, self._embedder, is_whole=is_whole)


class ProgressReader:
    """Follows the task state of one transcript, from where it was stored to its present end, as often as asked. Nothing is stored.

    progress      the state so far; `line` is the number of lines that were read for it.
    unread_bytes  what the last call of `advance` left unread, 0 for nothing.
    """

    def __init__(self, session: SessionFiles, root: str, state: SourceState | None = None) -> None:
        """Begin with what was stored with `state`, the session's source; at the start where that is None, or of another file or release."""
        self._session, self._root = session, root
        self._carry: ResumePoint | None = None
        self.unread_bytes = 0
        self.progress = start_progress(session, root)
        note = _note(state)
        known = load_progress(note.progress) if note else None
        if note and known:
            head = read_first_bytes(session.path, note.head_bytes or HEAD_BYTES)
            if not _has_changed(session.path, note, head):
                self.progress, self._carry = known, note.carry

    @property
    def line(self) -> int:
        """The number of lines that were read."""
        return self._carry.line if self._carry else 0

    def advance(self, *, line_max: int | None = None, seconds_max: float = inf) -> None:
        """Read what the transcript has gained, up to a line (0-based, exclusive) or for about this long. Raises NotReadable."""
        until = time.monotonic() + seconds_max
        with open_transcript(self._session.path) as stream:
            size = self._session.path.stat().st_size
            if self._carry and self._session.path.suffix not in ARCHIVES and size < self._carry.offset:  # written anew
                self._carry, self.progress = None, start_progress(self._session, self._root)
            stream.seek(self._carry.offset if self._carry else 0)
            pieces = _pieces(stream, None if line_max is None else line_max - self.line, until)
            reading = TranscriptReader(pieces, origin=build_origin(self._session), resume_point=self._carry)
            for seen in reading.read_observations():
                self.progress.observe(seen)
            self.unread_bytes = max(0, size - stream.tell()) if line_max is None else 0
        self._carry = reading.resume_point()


def _pieces(stream: BinaryIO, lines: int | None, until: float) -> Iterator[bytes]:
    """The rest of a stream, up to so many lines, until a time."""
    while (lines is None or lines > 0) and time.monotonic() < until and (piece := stream.read(PIECE_BYTES)):
        if lines is not None and piece.count(b"\n") >= lines:
            yield b"".join(piece.splitlines(keepends=True)[:lines])
            return
        lines = None if lines is None else lines - piece.count(b"\n")
        yield piece


def load_stored_progress(state: SourceState) -> tuple[SessionProgress, int] | None:
    """Return the progress that is stored with a transcript's state, and the number of lines before it; None if another release wrote it."""
    note = _note(state)
    progress = load_progress(note.progress) if note else None
    return (progress, note.carry.line) if note and progress else None


def rebuild_progress(state: SourceState, lines: Iterable[bytes], origin: TranscriptOrigin) -> SourceState:
    """Return a transcript's state with what it keeps of the transcript's words made again from its stored lines, after a purge."""
    note = _note(state)
    if note is None:
        return state
    progress = SessionProgress(TaskTracker(root=note.root))
    reading = TranscriptReader(lines, origin=origin)
    for seen in reading.read_observations():
        progress.observe(seen)
    note.progress, note.carry.calls = progress.dump(), reading.resume_point().calls
    return replace(state, note=msgspec.json.encode(note).decode())


def build_report(state: SourceState) -> TranscriptReport:
    """Return the counts and faults of a transcript from the state of its last Delta; all zero for a state of another release."""
    note = _note(state)
    if note is None:
        return TranscriptReport("", "", 0, 0, (), (), is_cut=False)
    carry = note.carry
    unknown = tuple(sorted(note.unknown.items()))
    return TranscriptReport(carry.dialect, note.session, carry.line, carry.broken_count, tuple(carry.broken), unknown, note.is_cut)


def _note(state: SourceState | None) -> _Note | None:
    """The note of a state; None if there is none, or if another release wrote it: then the transcript is read anew."""
    if state is None or not state.note:
        return None
    try:
        note = msgspec.json.decode(state.note, type=_Note)
    except (msgspec.DecodeError, RecursionError):
        return None
    return note if note.version == NOTE_VERSION and note.carry.dialect in ("", *(dialect.name for dialect in DIALECTS)) else None


def _has_changed(path: Path, note: _Note, head: bytes) -> bool:
    """Whether a file is another one than before: by its beginning, and by what stands right before the place where reading ended."""
    if digest_of(head) != note.head or len(head) != note.head_bytes:
        return True
    if path.suffix in ARCHIVES:
        return False
    with path.open("rb") as file:
        file.seek(note.carry.offset - note.tail_bytes)
        tail = file.read(note.tail_bytes)
    return path.stat().st_size < note.carry.offset or (bool(note.tail) and digest_of(tail) != note.tail)
