"""Progress: the task state of a session as it is stored with it, brought up to date with what its transcript has gained since.

Nothing is stored here: a session's state is advanced when its transcript is ingested. Reading takes a few milliseconds, and for what was
not ingested yet about 60 ms a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import msgspec

from clew.errors import NothingSaid, UnknownRecord
from clew.lifecycle.marks import StoredMark
from clew.records import AsOf, Correction, TaskState
from clew.records.wording import format_instant
from clew.store.ports import Reader
from clew.transcript.follow import ProgressReader, load_stored_progress, transcript_source
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.progress import SessionProgress, start_progress
from clew.transcript.session_files import SessionFiles, build_origin
from clew.usecases import ingest
from clew.usecases.inputs import get_source_state, is_there
from clew.usecases.marks import SessionMarks, correct_state
from clew.usecases.places import find_memory, find_session_root


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """A session and its progress before one line of its transcript.

    line          0-based line before which it holds: the number of lines that were read.
    unread_bytes  what the transcript holds behind that line and there was no time for.
    corrections   what the user corrected by hand until then, the earliest first.
    """

    session: SessionFiles
    progress: SessionProgress
    line: int
    unread_bytes: int = 0
    corrections: tuple[StoredMark[Correction], ...] = ()

    def state(self) -> TaskState:
        """Return the task state as the user corrected it."""
        return correct_state(self.progress.tracker.state(), self.progress.places, self.corrections)


def read_progress(
    store: Reader, session: str, *, path: Path, at: str | None = None, seconds_max: float = inf, as_of: AsOf | None = None
) -> ReadProgress:
    """Return a session's progress before the record `at` (its uuid or 0-based line), or at its end.

    session      path of a transcript, which is read and not ingested; or the id of an ingested session.
    path         the repository that it belongs to.
    seconds_max  time to read what is not stored yet; what is left then is counted, and the progress is that of before it.
    as_of        read no further than the first record that is later than this; of an ingested session only what was stored by then.
    Raises UnknownRecord for `at`, UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    """
    key, _ = find_memory(store, path)
    if as_of and as_of.at_ns:
        read = _read_progress_then(store, session, path=path, as_of=as_of)
        until_ns = as_of.at_ns
    else:
        read = _read_progress(store, session, path=path, at=at, seconds_max=seconds_max)
        until_ns = 0 if at is None else read.progress.at_ns
    return replace(read, corrections=tuple(SessionMarks(store, key, read.session.id).list_corrections(until_ns=until_ns)))


def _read_progress(store: Reader, session: str, *, path: Path, at: str | None, seconds_max: float) -> ReadProgress:
    key, root = find_memory(store, path)
    file = Path(session)
    if is_there(file):
        found = ingest.identify_session(file)
        reader = open_progress(store, found, path, at=at)
        reader.advance(line_max=None if at is None else find_line_of_file(file, at), seconds_max=seconds_max)
        return ReadProgress(found, reader.progress, reader.line, reader.unread_bytes)
    found = ingest.find_stored_session(store, key, session)
    state = get_source_state(store, key, transcript_source(found))
    if at is None and state and (kept := load_stored_progress(state)):
        return ReadProgress(found, *kept)
    found, lines = ingest.load_stored_transcript(store, key, session)
    count = find_line(lines, at)
    progress = start_progress(found, str(find_session_root(found.cwd, root)))
    for seen in TranscriptReader(lines[:count], origin=build_origin(found)).read_observations():
        progress.observe(seen)
    return ReadProgress(found, progress, count)


def _read_progress_then(store: Reader, session: str, *, path: Path, as_of: AsOf) -> ReadProgress:
    key, root = find_memory(store, path)
    file = Path(session)
    if is_there(file):
        found = ingest.identify_session(file)
        with open_transcript(file) as stream:
            lines = stream.readlines()
    else:
        found, lines = ingest.load_stored_transcript(store, key, session, known_by_ns=as_of.known_by_ns)
    origin = build_origin(found)
    later = (seen.record_index for seen in TranscriptReader(lines, origin=origin).read_observations() if seen.at_ns > as_of.at_ns)
    count = min(later, default=len(lines))
    if not count:
        raise NothingSaid(found.id, format_instant(as_of.at_ns))
    progress = start_progress(found, str(find_session_root(found.cwd, root)))
    for seen in TranscriptReader(lines[:count], origin=origin).read_observations():
        progress.observe(seen)
    return ReadProgress(found, progress, count)


def open_progress(store: Reader, found: SessionFiles, path: Path, *, at: str | None = None) -> ProgressReader:
    """Return a reader that continues from what is stored of a transcript, or begins at its start, for a record `at` before that."""
    key, root = find_memory(store, path)
    state = None if at else get_source_state(store, key, transcript_source(found))
    return ProgressReader(found, str(find_session_root(found.cwd, root)), state)


def find_line_of_file(file: Path, at: str) -> int:
    """Return the number of lines of a transcript before the record `at`. Raises UnknownRecord if no line has that uuid."""
    if at.isdecimal():
        return int(at)
    with open_transcript(file) as stream:
        return find_line(stream, at)


def find_line(lines: Iterable[bytes], at: str | None) -> int:
    """Return the number of lines before the record `at` (its uuid or 0-based line). Raises UnknownRecord if no line has that uuid."""
    wanted, number = (at or "").encode("utf-8", "surrogateescape"), -1
    last = int(at) if at and at.isdecimal() else None
    for number, line in enumerate(lines):
        if number == last or (at and last is None and wanted in line and _uuid_of(line) == at):
            return number
    if at and last is None:
        raise UnknownRecord(at, number + 1)
    return number + 1


def _uuid_of(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Named).uuid
    except (msgspec.DecodeError, RecursionError):  # a broken line has no uuid that could be meant
        return ""


class _Named(msgspec.Struct):
    uuid: str = ""
