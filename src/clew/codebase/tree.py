"""Tree: what is new in this folder since it was last read?

Compares a scan with the states that the last run left, reads what differs on all cores, and yields one Delta
per changed file. A file is read again when its bytes may differ, or when its imports now lead elsewhere; so
what is kept after any series of edits equals what a first run would make.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from clew.codebase.facts import Import
from clew.codebase.imports import PathIndex
from clew.codebase.parse import parse
from clew.codebase.remember import BY, name_only, read_note, remember, source_of
from clew.codebase.scan import Found, Reason, Scan, classify, language_of, scan
from clew.records import Delta, SourceState

POOL_FILES_MIN = 48  # below it starting processes costs more than they save
POOL_BYTES_MIN = 400_000
BATCH_BYTES = 256_000  # handed to a process at once
HEAD_BYTES = 8192
RACY_NS = 1_000_000_000  # a file changed within this time before it was read may change again within its mtime's resolution


@dataclass(slots=True)
class Report:
    """What a run saw and did. Counts are files; `skipped` is by reason; `problems` are sentences."""

    seen: int = 0
    read: int = 0
    unchanged: int = 0
    removed: int = 0
    read_bytes: int = 0
    records: int = 0
    broken: int = 0
    skipped: Counter[str] = field(default_factory=Counter[str])
    named: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    languages: Counter[str] = field(default_factory=Counter[str])
    problems: list[str] = field(default_factory=list[str])


_Job: TypeAlias = tuple[str, int, int]  # path, size, mtime_ns


def changes(
    root: Path,
    states: Mapping[str, SourceState],
    report: Report,
    *,
    jobs: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Delta]:
    """Yield a Delta for every file of `root` that differs from its state, and one for each that is gone.

    states    what earlier runs left, by source name.
    report    is filled while the iterator runs.
    jobs      processes; 0 for one per core. Few changes are read in this process.
    progress  is told (files done, files to read).
    Raises    NotReadable when `root` is not a folder.
    """
    found = scan(root)
    _begin(report, found)
    paths = PathIndex([file.path for file in found.files], root=root)
    todo: list[_Job] = []
    seen: set[str] = set()
    for file in found.files:
        source = source_of(file.path)
        seen.add(source)
        state = states.get(source)
        if state is not None and _is_unchanged(state, file, paths):
            report.unchanged += 1
            if state.status == "indexed":
                report.languages[read_note(state).language or "text"] += 1
            else:
                report.skipped[state.status] += 1
                report.named.append((file.path, state.status))
        else:
            todo.append((file.path, file.size, file.mtime_ns))
    for done, (job, delta) in enumerate(_read_all(root, todo, paths, jobs), 1):
        if progress:
            progress(done, len(todo))
        if delta is None:
            report.problems.append(f"{_shown(job[0])}: went away or became unreadable while it was read")
            seen.discard(source_of(job[0]))
            continue
        _account(report, delta, job)
        state = states.get(delta.source)
        if state is not None and _is_same(state, delta):
            # Touched but equal: only its time is remembered.
            yield Delta(BY, delta.source, is_whole=False, state=delta.state)
        else:
            yield delta
    for source in sorted(states.keys() - seen):
        report.removed += 1
        yield Delta(BY, source, is_whole=True, state=None)


def read_file(root: Path, path: str, size: int, mtime_ns: int, paths: PathIndex) -> Delta | None:
    """Return the Delta of one file, None when it cannot be read. Reads it once; never raises on any bytes."""
    full = root / path
    try:
        with full.open("rb") as stream:
            before = os.fstat(stream.fileno())
            head = stream.read(HEAD_BYTES)
            reason = classify(path, before.st_size, head)
            if reason is not Reason.TEXT:
                return name_only(path, reason.value, size=before.st_size, mtime_ns=before.st_mtime_ns)
            data = head + stream.read()
            after = os.fstat(stream.fileno())
    except OSError:
        return None
    has_changed = (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != after.st_size
    is_racy = has_changed or after.st_mtime_ns > time.time_ns() - RACY_NS
    facts = parse(path, data, language_of(path, head))
    resolved = resolve(paths, path, facts.language, facts.imports)
    return remember(path, data, facts, resolved, size=len(data), mtime_ns=0 if is_racy else after.st_mtime_ns)


def resolve(paths: PathIndex, path: str, language: str, imports: Iterable[Import]) -> list[tuple[str, float]]:
    """(path, confidence) of the files that the imports of `path` lead to, each once with its best confidence; ordered."""
    best: dict[str, float] = {}
    for each in imports:
        for target, confidence in paths.resolve(path, language, each):
            if target != path:
                best[target] = max(best.get(target, 0.0), round(confidence, 3))
    return sorted(best.items())


def _begin(report: Report, found: Scan) -> None:
    report.seen = len(found.files)
    report.problems.extend(found.problems)
    report.skipped.update(found.skipped)


def _is_unchanged(state: SourceState, file: Found, paths: PathIndex) -> bool:
    if state.size != file.size or state.mtime_ns != file.mtime_ns:
        return False
    note = read_note(state)
    return note.reader == BY and (not note.imports or resolve(paths, file.path, note.language, note.imports) == note.resolved)


def _is_same(state: SourceState, delta: Delta) -> bool:
    """The file's bytes, its verdict and its imports are as they were."""
    new = delta.state
    return new is not None and (state.digest, state.status, state.size, state.note) == (new.digest, new.status, new.size, new.note)


def _account(report: Report, delta: Delta, job: _Job) -> None:
    state = delta.state
    if state is None:
        return
    report.read += 1
    if state.status != "indexed":
        report.skipped[state.status] += 1
        report.named.append((job[0], state.status))
        return
    note = read_note(state)
    report.read_bytes += state.size
    report.records += note.symbols
    report.languages[note.language or "text"] += 1
    report.broken += not note.is_whole


def _read_all(root: Path, todo: Sequence[_Job], paths: PathIndex, jobs: int) -> Iterator[tuple[_Job, Delta | None]]:
    workers = min(jobs or os.cpu_count() or 1, len(todo) // POOL_FILES_MIN + 1)
    if workers <= 1 or sum(size for _, size, _ in todo) < POOL_BYTES_MIN:
        for job in todo:
            yield job, read_file(root, *job, paths)
        return
    batches = list(_batches(todo))
    # `spawn`, because a fork of a process that has threads (a daemon, numpy) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start_reader, initargs=(root, paths)) as pool:
        pending = deque(pool.submit(_read_batch, batch) for batch in batches[: workers * 3])
        for at, batch in enumerate(batches):
            deltas = pending.popleft().result()
            if at + workers * 3 < len(batches):
                pending.append(pool.submit(_read_batch, batches[at + workers * 3]))
            yield from zip(batch, deltas, strict=True)


def _batches(todo: Sequence[_Job]) -> Iterator[list[_Job]]:
    batch: list[_Job] = []
    size = 0
    for job in todo:
        batch.append(job)
        size += job[1]
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(slots=True)
class _Reading:
    """What a reading process was started with."""

    root: Path | None = None
    paths: PathIndex | None = None


_reading = _Reading()


def _start_reader(root: Path, paths: PathIndex) -> None:
    _reading.root, _reading.paths = root, paths


def _read_batch(batch: list[_Job]) -> list[Delta | None]:
    assert _reading.root is not None
    assert _reading.paths is not None
    return [read_file(_reading.root, *job, _reading.paths) for job in batch]


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
