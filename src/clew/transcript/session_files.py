"""Find transcript files, and read which session, client and folder each belongs to.

Finds session files under a path, each with its subagents' own files, and reads a session's id, client and folder from its
first lines. Also the one place that reads what a client wrote beside a transcript.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from clew.errors import NotReadable
from clew.text.secrets import mask_bytes
from clew.transcript.dialects import Dialect, TranscriptOrigin, find_dialect
from clew.transcript.dialects.values import mapping_or_empty, text_or_empty
from clew.transcript.parse import TranscriptReader, read_first_bytes

HEAD_BYTES = 128 << 10  # real sessions name their folder in the first 100 kB
HEAD_BYTES_MAX = 4 << 20  # but instructions before it may be longer
HEAD_LINES = 200
SPILL_BYTES_MAX = 64 << 20  # guess: twice the longest output that a client is known to write
TRANSCRIPT_SUFFIXES = (".jsonl", ".jsonl.xz", ".jsonl.gz")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SUBAGENTS, _SPILLS = "subagents", "tool-results"


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """The transcript files of one session on disk.

    path      its transcript; for a subagent without its session's transcript, the subagent's.
    id        the session's id.
    client    name of the dialect, "" for a file that no known client wrote.
    cwd       the folder that it began in, "" when unknown.
    agent     id of the subagent, if `path` is a subagent's.
    agents    files of its subagents, ordered by name.
    """

    path: Path
    id: str
    client: str = ""
    cwd: str = ""
    agent: str = ""
    agents: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class _Head:
    client: str
    session: str
    cwd: str


def find_sessions(path: Path) -> Iterator[SessionFiles]:
    """Yield the sessions at `path`: one transcript, or all in a folder and below it, ordered by name.

    In a folder, files that no known client wrote are left out, and so are broken links and pipes. One that cannot be read is
    yielded, so that reading it reports why. Links to folders are not followed.
    Raises NotReadable if there is nothing at `path`.
    """
    if path.is_dir():
        own: list[Path] = []
        helpers: list[Path] = []
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if name != _SPILLS)
            for name in sorted(files):
                if name.endswith(TRANSCRIPT_SUFFIXES):
                    (helpers if _is_agent(Path(folder, name)) else own).append(Path(folder, name))
        claimed: set[Path] = set()
        for file in own:
            session = _found(file)
            if session:
                claimed.update(session.agents)
                yield session
        for file in helpers:
            if file not in claimed and (session := _found(file)):
                yield session
    else:
        yield find_session_files(path)


def _found(path: Path) -> SessionFiles | None:
    """The session of a file that was met in a folder, None for something else."""
    if not path.is_file():
        return None
    try:
        session = find_session_files(path)
    except (NotReadable, OSError):  # it must not hide the others; reading it raises again, and that is reported
        return SessionFiles(path, _stem(path))
    return session if session.client else None


def find_session_files(path: Path) -> SessionFiles:
    """Return the session that a transcript belongs to (id, client, files), from its path and first lines.

    Raises NotReadable for a file that cannot be opened.
    """
    head = _head(path)
    if _is_agent(path):
        session = path.parent.parent.name if path.parent.name == _SUBAGENTS else head.session
        return SessionFiles(path, session or head.session or _stem(path), head.client, head.cwd, _stem(path).removeprefix("agent-"))
    session = find_named_session(path) or head.session or _stem(path)
    return SessionFiles(path, session, head.client, head.cwd, "", _agents_of(path, session))


def find_origin(path: Path, session: str, known: Collection[str]) -> str:
    """Return which of the `known` sessions a session goes on, by the first lines of its transcript; "" for none.

    A client that resumes or forks a session copies its records: they name the other session, or its transcript in the same folder begins
    with a record of the same id.
    """
    named, records = _read_lineage(path)
    found = next((name for name in named if name != session and name in known), "")
    if found or not records:
        return found
    others = (path.with_name(f"{name}{suffix}") for name in known if name != session for suffix in TRANSCRIPT_SUFFIXES)
    return next((_stem(other) for other in others if other.is_file() and records & _read_lineage(other)[1]), "")


def _read_lineage(path: Path) -> tuple[list[str], set[str]]:
    """The sessions that the first lines of a transcript name, in order, and the ids of their records."""
    named: dict[str, None] = {}
    records: set[str] = set()
    for line in read_first_bytes(path, HEAD_BYTES).split(b"\n")[:HEAD_LINES]:
        try:
            told = mapping_or_empty(msgspec.json.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # cut, or broken
            continue
        for value in (mapping_or_empty(told.get("forkedFrom")).get("sessionId"), told.get("sessionId")):
            if name := text_or_empty(value):
                named[name] = None
        if name := text_or_empty(told.get("uuid")):
            records.add(name)
    return list(named), records


def find_named_session(path: Path) -> str:
    """Return the id of a session that its transcript's name holds, "" for none."""
    named = _UUID.findall(path.name)
    return named[-1] if named else ""


def find_begin(path: Path) -> int:
    """Return the time of the first record of a transcript that has one, in nanoseconds since 1970; 0 where its first lines have none."""
    observations = TranscriptReader([read_first_bytes(path, HEAD_BYTES)]).read_observations()
    return next((seen.at_ns for seen in observations if seen.at_ns), 0)


def find_start_folder(lines: Sequence[bytes]) -> str:
    """Return the folder that a session began in, from the first lines of its transcript; "" when they do not name it."""
    return _head_of(lines[:HEAD_LINES]).cwd


def build_origin(session: SessionFiles) -> TranscriptOrigin:
    """Return what a parser must know about where a session's transcript lies."""
    apart = frozenset(_stem(path).removeprefix("agent-") for path in session.agents)
    return TranscriptOrigin(session.id, session.agent, apart)


def load_spilled_output(session: SessionFiles, name: str) -> bytes | None:
    """Return a long output that the client wrote to a file named `name`, credentials masked; None if it is gone or not such a file.

    A transcript quotes words from anywhere, so a path in it is believed only if it lies in a folder of spilled results of this
    project: first the one beside the transcript, which may have been moved with it, then the one that was named.
    """
    home = session.path.parent.parent if session.agent else session.path.parent / session.id
    return read_spilled_file(home / _SPILLS / name.replace("\\", "/").rpartition("/")[2], (home,)) or read_spilled_file(
        Path(name), (home.parent,)
    )


def read_spilled_file(path: Path, folders: Sequence[Path], *, bytes_max: int = SPILL_BYTES_MAX) -> bytes | None:
    """Return a file of spilled results, credentials masked; None for anything that the client cannot have put there.

    folders  of the client's own: a project's, whose sessions have folders of results; or any that is for nothing else. The file lies
             in one of them where it really is, in a folder of results, is a plain file with one name, and belongs to this user.
    """
    if "\0" in str(path):
        return None
    try:
        place = Path(os.path.realpath(path.parent))
        if place.name != _SPILLS or not any(place.is_relative_to(os.path.realpath(folder)) for folder in folders):
            return None
        # Opened without following or waiting, and judged by what was opened: a name may mean another file a moment later.
        descriptor = os.open(place / path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # gone, or never there: the preview in the conversation is what is left of it
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid() or about.st_nlink != 1 or about.st_size > bytes_max:
            return None
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            data = stream.read(bytes_max + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return mask_bytes(data) if len(data) <= bytes_max else None


def read_agent_label(path: Path) -> str:
    """Return the type and task that the client noted of a subagent beside its transcript; "" for none."""
    about = path.with_name(_stem(path) + ".meta.json")
    try:
        noted = mapping_or_empty(msgspec.json.decode(about.read_bytes()) if about.is_file() and about.stat().st_size < 1 << 16 else None)
    except (OSError, msgspec.DecodeError, RecursionError):  # a label is all that is lost
        return ""
    return ": ".join(part for key in ("agentType", "description") if (part := text_or_empty(noted.get(key))))


def _is_agent(path: Path) -> bool:
    return path.parent.name == _SUBAGENTS or path.name.startswith("agent-")


def _stem(path: Path) -> str:
    name = path.name
    for suffix in sorted(TRANSCRIPT_SUFFIXES, key=len, reverse=True):
        if name.endswith(suffix):
            return name[: -len(suffix)]
    return name


def _agents_of(path: Path, session: str) -> tuple[Path, ...]:
    folder = path.parent / session / _SUBAGENTS
    if not folder.is_dir():
        return ()
    return tuple(sorted(file for file in folder.iterdir() if file.name.startswith("agent-") and file.name.endswith(TRANSCRIPT_SUFFIXES)))


def _head(path: Path) -> _Head:
    lines = read_first_bytes(path, HEAD_BYTES).split(b"\n")
    head = _head_of(lines[:HEAD_LINES])
    if (head.client and head.session and head.cwd) or len(lines) > HEAD_LINES:
        return head
    return _head_of(read_first_bytes(path, HEAD_BYTES_MAX).split(b"\n")[:HEAD_LINES])


def _head_of(lines: Iterable[bytes]) -> _Head:
    """What the first lines say of a transcript."""
    dialect: Dialect | None = None
    session = cwd = ""
    for line in lines:
        try:
            record: object = msgspec.json.decode(line) if line else None
        except (msgspec.DecodeError, RecursionError):  # counted and named when the session is read
            continue
        if not isinstance(record, dict):
            continue
        known = cast("Mapping[str, object]", record)
        dialect = dialect or find_dialect(known)
        if dialect:
            here, folder = dialect.parse_session_info(known)
            session, cwd = session or here, cwd or ("" if "\0" in folder else folder)  # no system has such a folder
            if session and cwd:
                break
    return _Head(dialect.name if dialect else "", session, cwd)
