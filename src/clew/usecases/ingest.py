"""Ingest: read session transcripts into records."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from clew.enrich.producers.sessions import SESSION_EDITS_SOURCE, build_session_edits_delta, decode_session_edits, find_edited_paths
from clew.errors import NotReadable, UnknownHandle
from clew.lifecycle.apply import apply_deltas
from clew.packet.options import OriginalCache
from clew.records import Delta
from clew.settings import Settings
from clew.store.ports import LOCAL, Reader, Writer
from clew.store.snapshot import ALL_KNOWN_NS
from clew.transcript.follow import UNRECOGNISED, build_report, transcript_source
from clew.transcript.live import live_source
from clew.transcript.parallel import TranscriptJob, read_all_deltas
from clew.transcript.parse import open_transcript
from clew.transcript.session_files import SessionFiles, find_session_files, find_sessions, find_start_folder
from clew.usecases.couplings import couple_files
from clew.usecases.inputs import ProgressCallback, get_source_state, is_there
from clew.usecases.marks import apply_rule_ends
from clew.usecases.places import open_session_memory

PRODUCER = "engine/1"


@dataclass(slots=True)
class IngestResult:
    """What a run of `ingest` did: counts, unknown record types with their number, and problems as sentences.

    workspaces  workspace key → (root, ids of the sessions that were stored there).
    """

    sessions: int = 0
    unchanged: int = 0
    records: int = 0
    raw_bytes: int = 0
    broken_lines: int = 0
    unknown: dict[str, int] = field(default_factory=dict[str, int])
    workspaces: dict[str, tuple[str, list[str]]] = field(default_factory=dict[str, tuple[str, list[str]]])
    problems: list[str] = field(default_factory=list[str])
    seconds: float = 0.0


def ingest(
    store: Writer, settings: Settings, paths: Sequence[Path], *, repo: Path | None = None, progress: ProgressCallback | None = None
) -> IngestResult:
    """Read what is new in transcripts (files, or folders of them) into records, and return what was read.

    repo  the repository to store them under; None for the one in which each session ran.
    A transcript that cannot be read becomes a sentence in `problems`; the others are read all the same.
    """
    started = time.perf_counter()
    done = IngestResult()
    jobs: list[tuple[str, TranscriptJob]] = []
    for path in paths:
        try:
            found = find_sessions_with_agents(path)
        except (NotReadable, OSError) as problem:
            done.problems.append(str(problem))
            continue
        if not found:
            done.problems.append(f"{path}: holds no transcript of a known client")
        for session in found:
            folder = Path(session.cwd) if session.cwd else session.path.parent
            key, root = open_session_memory(store, transcript_source(session), folder, repo)
            done.workspaces.setdefault(key, (dict(store.roots()).get(key, str(root)), []))
            state = get_source_state(store, key, transcript_source(session))
            jobs.append((key, TranscriptJob(session, state, str(root), settings.embedder)))
    workers = settings.jobs or os.cpu_count() or 1
    for at, ((key, _), (job, said)) in enumerate(zip(jobs, read_all_deltas([job for _, job in jobs], workers), strict=True), 1):
        if progress:
            progress("ingesting", at, len(jobs))
        if isinstance(said, str):
            done.problems.append(said)
            continue
        try:
            _take_session(store, key, job.session, said, done, before=job.state.size if job.state else 0)
        except (NotReadable, OSError) as problem:  # it became unreadable while it was read; what came before stands
            done.problems.append(str(problem))
    for key, (_, names) in done.workspaces.items():
        if names:
            record_edited_files(store, key, names)
            store.refresh(key)
    done.seconds = time.perf_counter() - started
    return done


def find_sessions_with_agents(path: Path) -> list[SessionFiles]:
    """Return the sessions of a transcript file or of a folder of them, each followed by its subagents.

    Raises NotReadable if there is no such file, OSError if it cannot be read.
    """
    return [each for session in find_sessions(path) for each in (session, *(find_session_files(agent) for agent in session.agents))]


def record_edited_files(store: Writer, key: str, session_ids: Iterable[str]) -> None:
    """Store in workspace `key` which files these sessions edited (subagents' included), and update the edges between them."""
    before = get_source_state(store, key, SESSION_EDITS_SOURCE)
    known = decode_session_edits(before)
    for name in dict.fromkeys(name.partition("/")[0] for name in session_ids):
        with store.snapshot(LOCAL, key) as snapshot:
            sources = [state.source for state in snapshot.source_states(f"session:{name}")]
            mine = [source for source in sources if source.removeprefix("session:").partition("/")[0] == name]
            known[name] = find_edited_paths(snapshot.records_of_sources(*mine))
    delta = build_session_edits_delta(known)
    if delta.state is not None and (before.digest if before else "") != delta.state.digest:
        apply_deltas(store, key, [delta])
        couple_files(store, key)


def load_transcript(store: Writer, settings: Settings, key: str, session: str, path: Path) -> tuple[SessionFiles, list[bytes]]:
    """Return a session and the lines of its transcript, which is ingested first if it is a file.

    key      id of the repository's workspace in the store.
    session  path of a transcript, or id of an ingested session, whose lines are read from the store.
    path     the repository that it belongs to.
    Raises NotReadable if the file is no transcript, UnknownHandle if the session is not stored.
    """
    file = Path(session)
    if not is_there(file):
        return load_stored_transcript(store, key, session)
    found = ingest_transcript(store, settings, session, path)
    with open_transcript(file) as stream:
        return found, stream.readlines()


def ingest_transcript(store: Writer, settings: Settings, session: str, path: Path) -> SessionFiles:
    """Ingest the transcript at path `session`, and return its session. Raises NotReadable for a folder or a file of no known client."""
    file = Path(session)
    if file.is_dir():
        raise NotReadable(session, "is a folder", "name one transcript")
    ingest(store, settings, [file], repo=path)
    return identify_session(file)


def identify_session(file: Path) -> SessionFiles:
    """Return the session of a transcript file. Raises NotReadable if no known client wrote it."""
    found = find_session_files(file)
    if not found.client:
        raise NotReadable(str(file), "no known client wrote this", "transcripts of Claude Code and Codex are understood")
    return found


def find_stored_session(store: Reader, key: str, session: str) -> SessionFiles:
    """Return the ingested session of workspace `key` whose id begins with `session`. Raises UnknownHandle for none, or more than one."""
    with store.snapshot(LOCAL, key) as snapshot:
        states = [state for state in snapshot.source_states(f"session:{session}") if "/" not in state.source]
    if len(states) != 1:
        raise UnknownHandle(session, tuple(state.source.removeprefix("session:") for state in states))
    return SessionFiles(Path(session), states[0].source.removeprefix("session:"))


def load_stored_transcript(store: Reader, key: str, session: str, known_by_ns: int = 0) -> tuple[SessionFiles, list[bytes]]:
    """Return an ingested session and its transcript's lines from the store, without purged ones.

    key          id of the repository's workspace in the store.
    known_by_ns  time until which lines were stored; 0 for all.
    Raises UnknownHandle if no session, or more than one, has an id that begins with `session`.
    """
    found = find_stored_session(store, key, session)
    source = transcript_source(found)
    with store.snapshot(LOCAL, key, ALL_KNOWN_NS if known_by_ns else 0, known_by_ns) as snapshot:
        pieces = [record for record in snapshot.records_of_sources(source) if record.kind == "transcript"]
        pieces.sort(key=lambda record: record.full_text.start_line)
        originals = OriginalCache(snapshot)
        originals.read(record.full_text for record in pieces)
        raw = b"".join(originals.bytes_of(record.full_text) for record in pieces)
    lines = raw.splitlines(keepends=True)
    return replace(found, cwd=find_start_folder(lines)), lines


def _take_session(store: Writer, key: str, session: SessionFiles, deltas: Iterable[Delta], done: IngestResult, *, before: int) -> None:
    totals = apply_deltas(store, key, deltas)
    state = get_source_state(store, key, transcript_source(session))
    if state is None or state.status == UNRECOGNISED:
        done.problems.append(f"{session.path}: no known client wrote this")
        return
    if not totals.deltas:
        done.unchanged += 1
        return
    if get_source_state(store, key, live_source(session.id)) is not None:  # the transcript now holds what was written live
        apply_deltas(store, key, [Delta(PRODUCER, live_source(session.id), is_whole=True)])
    apply_rule_ends(store, key, session.id)
    told = build_report(state)
    done.sessions += 1
    done.records += totals.added
    done.raw_bytes += max(0, state.size - (before if before <= state.size else 0))
    done.broken_lines += told.broken_count
    done.workspaces[key][1].append(session.id)
    for kind, times in told.unknown:
        done.unknown[kind] = done.unknown.get(kind, 0) + times
    done.problems.extend(f"{session.path}: line {line} is broken ({reason}); it was kept and passed over" for line, reason in told.broken)
