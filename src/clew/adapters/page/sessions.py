"""List the sessions of this user, and find one by its id: transcripts that clients keep, and stored sessions whose transcript is gone.

Reads a transcript's first lines for its title, and nothing more of it. A session is named by its id alone, so no address can name a file.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clew.adapters import clients
from clew.adapters.page.render import clip
from clew.engine import Engine
from clew.errors import ClewError
from clew.records import Observation, ObservationKind
from clew.samples import TIES
from clew.sessions.live import LiveSession
from clew.store.ports import LOCAL
from clew.task.prompts import extract_typed_text
from clew.transcript.parse import TranscriptReader, open_transcript, read_first_bytes
from clew.transcript.session_files import TRANSCRIPT_SUFFIXES, SessionFiles, build_origin, find_named_session, find_session_files
from clew.usecases.ingest import load_stored_transcript
from clew.usecases.places import find_memory

SAMPLE = "sample"
TITLE_BYTES = 192 << 10  # of a transcript's beginning, in which its first prompt is looked for; guess
TITLE_CHARS_MAX = 110
CUTS_KEPT_MAX = 32  # sessions whose compactions are remembered; guess


class NotFound(Exception):
    """There is nothing at this address; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session in the list.

    file       its transcript; None for a session that only the store holds.
    workspace  root of the repository that it is stored under, "" where it is not stored.
    at_s       when it was last written, in seconds since 1970; 0 when unknown.
    """

    id: str
    file: Path | None
    workspace: str
    at_s: float = 0.0
    bytes: int = 0
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class SessionHead:
    """What the first lines of a session say of it; "" for what they do not say."""

    title: str = ""
    folder: str = ""
    branch: str = ""


@dataclass(frozen=True, slots=True)
class FoundSession:
    """A session to be shown. `name` is how the engine is asked for it: a path or an id; `path` the repository that it belongs to."""

    row: SessionRow
    name: str
    path: Path

    @property
    def session(self) -> str:
        """The session's own id, under which it is stored; that of the sample is in its transcript."""
        return find_session_files(self.row.file).id if self.row.id == SAMPLE and self.row.file else self.row.id


class RunningSessions(Protocol):
    """Tells which sessions run, or ran lately."""

    def list_recent(self) -> list[LiveSession]:
        """Return all known sessions, the last used first."""
        ...


class SessionCatalogue:
    """All sessions of this user, and their titles as far as they were read."""

    def __init__(self, engine: Engine, live: RunningSessions) -> None:
        self._engine, self._live = engine, live
        self._heads: dict[Path, SessionHead] = {}
        self._cuts: OrderedDict[tuple[str, int, int, int], list[tuple[int, int, str]]] = OrderedDict()

    def list_all(self) -> list[SessionRow]:
        """Return every session, the last written first."""
        stored = dict(self._stored())
        running = {live.id for live in self._live.list_recent() if not live.ended}
        rows: dict[str, SessionRow] = {}
        for file in self._transcripts():
            with suppress(OSError):  # gone since
                about, name = file.stat(), session_id_of(file)
                if name not in rows or rows[name].at_s < about.st_mtime:
                    rows[name] = SessionRow(name, file, stored.get(name, ""), about.st_mtime, about.st_size, name in running)
        for name, root in stored.items():
            rows.setdefault(name, SessionRow(name, None, root))
        return sorted(rows.values(), key=lambda row: (-row.at_s, row.id))

    def find(self, session_id: str) -> FoundSession:
        """Return the session with this id, or the sample. Raises NotFound where there is none."""
        if session_id == SAMPLE:
            about = TIES.stat()
            row = SessionRow(SAMPLE, TIES, "", 0.0, about.st_size)
        else:
            row = next((row for row in self.list_all() if row.id == session_id), None)
        if row is None:
            raise NotFound(f"no session has the id {session_id!r}\nhint: the list of sessions has all that this machine knows")
        return self.locate(row)

    def locate(self, row: SessionRow) -> FoundSession:
        """Return where the session of a row of the list is read."""
        folder = self.read_head(row).folder
        place = row.workspace or folder or (str(row.file.parent) if row.file else "/")
        return FoundSession(row, str(row.file) if row.file else row.id, Path(place))

    def read_head(self, row: SessionRow) -> SessionHead:
        """Return title, folder and branch of a session, as its first lines tell them."""
        if row.file is None:
            return SessionHead(folder=row.workspace)
        if row.file not in self._heads:
            head = _read_head(row.file)
            if not head.title:  # it may still come
                return head
            self._heads[row.file] = head
        return self._heads[row.file]

    def read_observations(self, found: FoundSession, first: int, count: int) -> tuple[list[tuple[int, Observation]], int]:
        """Return (0-based line, observation) of some lines of a session's transcript, and how many lines it has in all.

        Each line is read for itself, so a result bears no call. Raises NotReadable.
        """
        session, lines = self._read_lines(found)
        reader = TranscriptReader(lines[first : first + count], origin=build_origin(session))
        return [(first + seen.record_index, seen) for seen in reader.read_observations()], len(lines)

    def stamp(self, found: FoundSession) -> tuple[str, int, int, int]:
        """Return what changes when the session goes on, or when something of its repository is stored or erased."""
        store = self._engine.store
        with store.snapshot(LOCAL, find_memory(store, found.path)[0]) as snapshot:
            generation = snapshot.generation
        about = found.row.file.stat() if found.row.file else None
        return found.name, about.st_mtime_ns if about else 0, about.st_size if about else 0, generation

    def read_compactions(self, found: FoundSession) -> list[tuple[int, int, str]]:
        """Return (0-based line, time in ns, summary) of what the client wrote of its compactions. Raises NotReadable."""
        stamp = self.stamp(found)
        if stamp not in self._cuts:
            session, lines = self._read_lines(found)
            self._cuts[stamp] = [
                (seen.record_index, seen.at_ns, seen.text if seen.kind is ObservationKind.SUMMARY else "")
                for seen in TranscriptReader(lines, origin=build_origin(session)).read_observations()
                if seen.kind in (ObservationKind.BOUNDARY, ObservationKind.SUMMARY) and not seen.agent
            ]
            while len(self._cuts) > CUTS_KEPT_MAX:
                self._cuts.popitem(last=False)
        return self._cuts[stamp]

    def _read_lines(self, found: FoundSession) -> tuple[SessionFiles, list[bytes]]:
        if found.row.file is None:
            store = self._engine.store
            return load_stored_transcript(store, find_memory(store, found.path)[0], found.row.id)
        with open_transcript(found.row.file) as stream:
            return find_session_files(found.row.file), stream.readlines()

    def _stored(self) -> Iterator[tuple[str, str]]:
        """(session, root of its repository) of all that is stored."""
        for key, root in self._engine.store.roots():
            with self._engine.store.snapshot(LOCAL, key) as snapshot:
                for source in snapshot.documents.sources:
                    if source.startswith("session:") and "/" not in source:
                        yield source.removeprefix("session:"), root

    def _transcripts(self) -> Iterator[Path]:
        for client in clients.load_all_clients():
            for folder in client.list_transcript_dirs():
                with suppress(OSError), os.scandir(folder) as entries:
                    names = [entry.path for entry in entries if entry.name.endswith(TRANSCRIPT_SUFFIXES)]
                    yield from (Path(name) for name in names if not name.rpartition("/")[2].startswith("agent-"))
        yield from (Path(live.transcript) for live in self._live.list_recent() if live.has_transcript)


def session_id_of(file: Path) -> str:
    """Return the id that a transcript's name gives its session: nothing of the file is read, as there may be thousands."""
    return find_named_session(file) or file.name.partition(".jsonl")[0]


def _read_head(file: Path) -> SessionHead:
    try:
        session = find_session_files(file)
        lines = read_first_bytes(file, TITLE_BYTES).splitlines(keepends=True)
        return _describe(session, lines[:-1] if len(lines) > 1 and not lines[-1].endswith(b"\n") else lines)
    except (ClewError, OSError, EOFError):  # the row stands in the list without a title; its own page says what is wrong
        return SessionHead()


def _describe(session: SessionFiles, lines: list[bytes]) -> SessionHead:
    branch = ""
    for seen in TranscriptReader(lines, origin=build_origin(session)).read_observations():
        branch = branch or seen.branch
        if seen.kind is ObservationKind.PROMPT and not seen.is_meta and (words := extract_typed_text(seen.text)):
            return SessionHead(clip(words, TITLE_CHARS_MAX), session.cwd, branch)
    return SessionHead("", session.cwd, branch)
