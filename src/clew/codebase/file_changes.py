"""Find which files of a repository changed since the last index run, and yield one Delta (store changes) for each.

Compares a scan with the states that the last run left, and reads what differs on all cores. A file is read
again when its bytes may differ, or when its imports now lead elsewhere; so
what is kept after any series of edits equals what a first run would make.

What an import leads to depends on which files there are. The set of all paths is therefore remembered as a
source of its own, `tree:`; while it stays the same, no unchanged file's imports are looked at.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from clew.codebase import TREE_SOURCE, compute_stamp
from clew.codebase.decoding import decode_source
from clew.codebase.file_records import (
    PRODUCER,
    build_file_delta,
    build_unread_file_delta,
    file_source_name,
    read_index_note,
    read_language,
)
from clew.codebase.imports import find_manifests, link_imports, read_manifest_roots, resolve_imports
from clew.codebase.languages import detect_language
from clew.codebase.parse import HEAD_BYTES, parse_file
from clew.codebase.parts import write_out_cells
from clew.codebase.path_index import PathIndex
from clew.codebase.private_paths import is_credential_path, is_hidden_path
from clew.codebase.scan import NO_RULES, FileCategory, FolderRules, ScannedFile, classify_file, read_folder_rules, scan_files
from clew.codebase.scopes import digest_links
from clew.pool import map_in_processes, run_in_process
from clew.records import Delta, SourceState
from clew.store.originals import digest_of
from clew.text.embed import Embedder, load_embedder
from clew.text.secrets import mask_bytes, mask_lines

PARALLEL_FILES_MIN = 48  # files to read; below it starting processes costs more than they save
PARALLEL_BYTES_MIN = 400_000  # of these files together, as above
READ_BATCH_BYTES = 256_000  # of files handed to a process at once
READ_BATCH_FILES = 256  # handed to a process at once: many small files take more memory than their bytes, each has its records
CUT_BYTES = 200_000  # read of a huge or minified file: some 80 blocks; more of them would drown the rest; guess
MANIFESTS_MAX = 2000  # package manifests that are read in one run; guess
MANIFEST_BYTES_MAX = 1_000_000  # of one manifest; what follows is not read
# The source that holds, until a first run has ended, the producer of its records: a run that was killed goes on where it was.
FIRST_RUN_SOURCE = f"{TREE_SOURCE}begun"
# A file that changed within this time before it was read may change again within the resolution of its time, which is a second
# where times are whole seconds, else a tick of the kernel (10 ms at most; five of them).
RACY_WINDOW_NS, RACY_WINDOW_FINE_NS = 1_000_000_000, 50_000_000


@dataclass(slots=True)
class IndexReport:
    """Counts of one run of `find_file_changes`, for the report of `clew index`.

    seen, read, unchanged, removed, broken   files; broken ones did not parse whole.
    read_bytes, records   of the files that were read.
    skipped               reason → files not read in full.
    named                 (path, reason) of files indexed by name alone.
    languages             language → files.
    problems              sentences for the user.
    """

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


_Job: TypeAlias = tuple[str, int, int]  # path, size, stamp


def find_file_changes(
    root: Path,
    states: Mapping[str, SourceState],
    report: IndexReport,
    *,
    jobs: int = 0,
    embedder: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Delta]:
    """Yield a Delta for every file of `root` that differs from its stored state, and one for each that is gone.

    states    what earlier runs left, by source name.
    report    is filled while the iterator runs.
    jobs      processes; 0 for one per core. Few changes are read in this process.
    embedder  folder of a model that gives each record a vector; "" for none. With another one every file is read again.
    progress  called with (files done, files to read).
    Raises    NotReadable when `root` is not a folder that can be read.
    """
    found = scan_files(root)
    report.seen = len(found.files)
    report.problems.extend(found.problems)
    report.skipped.update({str(reason): count for reason, count in found.skipped.items()})
    files = drop_credential_names(found.files, report)
    names = [file.path for file in files]
    roots = find_roots(root, names)
    paths = PathIndex(names, roots)
    shape = _shape(names, roots)
    before, begun = states.get(TREE_SOURCE), states.get(FIRST_RUN_SOURCE)
    rules = read_folder_rules(root, names)
    made_by = _maker(embedder, rules)
    known = before or begun
    is_ours = known is not None and known.note == made_by
    is_same_shape = is_ours and before is not None and before.digest == shape
    if before is not None and not is_same_shape:
        # Until the end the old shape must not count: a run that is killed leaves imports behind that lead elsewhere.
        yield Delta(PRODUCER, TREE_SOURCE, is_whole=False, state=SourceState(TREE_SOURCE, note=made_by if is_ours else ""))
    if before is None and not is_ours:
        yield Delta(PRODUCER, FIRST_RUN_SOURCE, is_whole=False, state=SourceState(FIRST_RUN_SOURCE, note=made_by))
    todo: list[_Job] = []
    seen: set[str] = set()
    for file in files:
        source = file_source_name(file.path)
        seen.add(source)
        state = states.get(source)
        if (
            is_ours
            and state is not None
            and (state.size, state.mtime_ns) == (file.size, file.stamp)
            and (is_same_shape or leads_as_before(state, file.path, paths))
        ):
            _account(report, state, is_read=False)
        else:
            todo.append((file.path, file.size, file.stamp))
    for done, (job, delta) in enumerate(_read_all(root, todo, paths, jobs, embedder, rules=rules), 1):
        if progress:
            progress(done, len(todo))
        if delta is None or delta.state is None:
            report.problems.append(f"{printable_path(job[0])}: went away or became unreadable while it was read")
            seen.discard(file_source_name(job[0]))
            continue
        _account(report, delta.state, is_read=True)
        state = states.get(delta.source)
        # A file that was touched but is equal has only its time remembered.
        yield (
            Delta(PRODUCER, delta.source, is_whole=False, state=delta.state)
            if is_ours and state and _is_same(state, delta.state)
            else delta
        )
    for source in sorted(source for source in states if source.startswith("file:") and source not in seen):
        report.removed += 1
        yield Delta(PRODUCER, source, is_whole=True, state=None)
    if not is_same_shape:
        yield Delta(PRODUCER, TREE_SOURCE, is_whole=False, state=SourceState(TREE_SOURCE, shape, len(found.files), 0, "indexed", made_by))
    if before is None or begun is not None:
        yield Delta(PRODUCER, FIRST_RUN_SOURCE, is_whole=True, state=None)


def find_named_file_changes(
    root: Path, names: Sequence[str], known: Iterable[str], before: SourceState | None, *, embedder: str = ""
) -> Iterator[Delta]:
    """Yield a Delta for each named file as it is now; one that is gone is retired.

    Files that hold credentials, and hidden ones that are not indexed already, are passed over: see `private_paths`.

    known   every path that is indexed, for resolving imports. When a file comes or goes, the imports of others that
            lead to it are found by the next whole run.
    before  the state of TREE_SOURCE: where it remembers other paths, the next whole run reads these files again.
    """
    indexed = set(known)
    names = [name for name in names if not is_credential_path(name) and (name in indexed or not is_hidden_path(name))]
    everything = sorted({*indexed, *names})
    roots, rules = find_roots(root, everything), read_folder_rules(root, everything)
    paths = PathIndex(everything, roots)
    is_same_shape = before is not None and before.digest == _shape(everything, roots)
    for name in names:
        full = root / name
        if full.is_symlink() or not full.is_file():
            yield Delta(PRODUCER, file_source_name(name), is_whole=True, state=None)
        elif (
            delta := build_delta_of_path(root, name, paths, load_embedder(embedder) if embedder else None, rules=rules)
        ) is not None and delta.state is not None:
            yield delta if is_same_shape else replace(delta, state=replace(delta.state, mtime_ns=0))


def build_delta_of_path(
    root: Path, path: str, paths: PathIndex, embedder: Embedder | None = None, *, is_plain: bool = False, rules: FolderRules = NO_RULES
) -> Delta | None:
    """Read and parse the file at `path` below `root`, and return its Delta; None when it cannot be read. Never raises on any bytes.

    is_plain  read it as lines of plain text instead of parsing it.
    rules     what the repository's own files say of others' code and of generated files.
    Of a huge or minified file the first CUT_BYTES are read as lines of plain text; its state is then "cut".
    """
    full = root / path
    try:
        with full.open("rb") as stream:
            before = os.fstat(stream.fileno())
            head = stream.read(HEAD_BYTES)
            category = classify_file(path, before.st_size, head, rules)
            is_cut = category in (FileCategory.HUGE, FileCategory.MINIFIED)
            if category is not FileCategory.TEXT and not is_cut:
                return build_unread_file_delta(path, category.value, size=before.st_size, stamp=_settled(before, before))
            read = head + (stream.read(CUT_BYTES) if is_cut else stream.read())
            after = os.fstat(stream.fileno())
    except OSError:
        return None
    text, encoding = decode_source(read)
    data = mask_bytes(text[: text.rfind(b"\n", 0, CUT_BYTES) + 1 or CUT_BYTES] if is_cut and len(text) > CUT_BYTES else text)
    language = "text" if is_plain or is_cut else detect_language(path, head)
    if language == "notebook" and (cells := write_out_cells(data)) is not None:
        data, language = mask_bytes(cells[0]), cells[1]
    return build_delta_of_text(
        path,
        data,
        language,
        paths,
        size=after.st_size if is_cut else len(read),
        stamp=_settled(before, after) if is_cut or len(read) == after.st_size else 0,
        embedder=embedder,
        status="cut" if is_cut else "indexed",
        encoding=encoding,
    )


def build_delta_of_text(
    path: str, data: bytes, language: str | None, paths: PathIndex, *, size: int, stamp: int = 0, embedder: Embedder | None = None,
    status: str = "indexed", encoding: str = "",
) -> Delta:  # fmt: skip
    """Parse a file's text as it is stored, and return its Delta; arguments as those of `parse_file` and `build_file_delta`."""
    facts = parse_file(path, data, language)
    resolved = resolve_imports(paths, path, facts.language, facts.imports)
    linked = link_imports(paths, path, facts.language, facts.imports)
    return build_file_delta(
        path, data, facts, resolved, linked, size=size, stamp=stamp, embedder=embedder, status=status, encoding=encoding
    )


def _settled(before: os.stat_result, after: os.stat_result) -> int:
    """The stamp of a file that was read between two looks at it; 0 if it changed meanwhile, or may do so within its time."""
    is_racy = after.st_mtime_ns > time.time_ns() - (RACY_WINDOW_FINE_NS if after.st_mtime_ns % 1_000_000_000 else RACY_WINDOW_NS)
    return 0 if is_racy or (before.st_size, compute_stamp(before)) != (after.st_size, compute_stamp(after)) else compute_stamp(after)


def drop_credential_names(files: Sequence[ScannedFile], report: IndexReport) -> Sequence[ScannedFile]:
    """Return the files whose names hold no credential.

    A name stands in every packet, and cannot be masked, since the file is read by it.
    """
    names = "\0".join(file.path for file in files).replace("\n", " ").replace("\0", "\n").encode("utf-8", "surrogateescape")
    clean = mask_lines(names)
    if clean == names:
        return files
    kept = [file for file, name, masked in zip(files, names.split(b"\n"), clean.split(b"\n"), strict=True) if name == masked]
    report.skipped["credential in its name"] += len(files) - len(kept)
    return kept


def printable_path(path: str) -> str:
    """Return a path as valid text, with bytes that are not UTF-8 escaped."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _maker(embedder: str, rules: FolderRules) -> str:
    """Return the producer of the records: this release, with this model, by what the repository's files say of others."""
    words = repr((sorted(rules.vendored), rules.attributes))
    said = f" {digest_of(words.encode('utf-8', 'backslashreplace'))}" if rules != NO_RULES else ""
    return f"{PRODUCER} {load_embedder(embedder).name}{said}" if embedder else f"{PRODUCER}{said}"


def _shape(names: Sequence[str], roots: Mapping[str, str]) -> str:
    """Digest of all that decides where an import leads besides the import: the paths, and what manifests call them."""
    words = [*names, "", *(f"{name}={folder}" for name, folder in sorted(roots.items()))]
    return digest_of("\0".join(words).encode("utf-8", "surrogateescape"))


def find_roots(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the names that manifests give to folders; of two manifests that claim one name the first path has it."""
    roots: dict[str, str] = {}
    for name in find_manifests(names)[:MANIFESTS_MAX]:
        try:
            with (root / name).open("rb") as stream:
                data = stream.read(MANIFEST_BYTES_MAX)
        except OSError:  # the file itself is reported as unreadable when its turn comes
            continue
        for claimed, folder in read_manifest_roots(name, data).items():
            roots.setdefault(claimed, folder)
    return roots


def leads_as_before(state: SourceState, path: str, paths: PathIndex) -> bool:
    """Return whether the imports of a file with this state lead to the same places among other paths."""
    note = read_index_note(state)
    language = read_language(state)
    return not note.imports or (
        resolve_imports(paths, path, language, note.imports) == note.resolved
        and digest_links(link_imports(paths, path, language, note.imports)) == note.linked
    )


def _is_same(old: SourceState, new: SourceState) -> bool:
    """The file's bytes, its verdict and what its imports lead to are as they were."""
    return (old.digest, old.status, old.size, old.note) == (new.digest, new.status, new.size, new.note)


def _account(report: IndexReport, state: SourceState, *, is_read: bool) -> None:
    report.read += is_read
    report.unchanged += not is_read
    if state.status not in ("indexed", "cut"):
        report.skipped[state.status] += 1
        report.named.append((state.source.removeprefix("file:"), state.status))
        return
    if state.status == "cut":
        report.skipped["cut"] += 1
        report.named.append((state.source.removeprefix("file:"), "cut"))
    report.languages[read_language(state) or "text"] += 1
    if is_read:
        note = read_index_note(state)
        report.read_bytes += state.size
        report.records += note.symbols
        report.broken += not note.is_whole


_Work: TypeAlias = Callable[[list[_Job]], list[Delta | None]]


def _read_all(
    root: Path,
    todo: Sequence[_Job],
    paths: PathIndex,
    jobs: int,
    embedder: str,
    work: _Work | None = None,
    *,
    rules: FolderRules = NO_RULES,
) -> Iterator[tuple[_Job, Delta | None]]:
    """Yield each file with its Delta, in order. A process that a file killed is replaced, and that file read as plain text."""
    is_small = len(todo) < PARALLEL_FILES_MIN or sum(size for _, size, _ in todo) < PARALLEL_BYTES_MIN
    workers = 1 if is_small else jobs or os.cpu_count() or 1
    batches, given = list(_batches(todo)), (root, paths, embedder, rules)
    read = work or _read_batch
    at = 0
    while at < len(batches):
        try:
            with closing(map_in_processes(read, batches[at:], workers, initializer=_start_reader, initializer_args=given)) as done:
                for deltas in done:
                    yield from zip(batches[at], deltas, strict=True)
                    at += 1
        except BrokenProcessPool:
            # This batch killed its process: it is read apart, then all go on.
            yield from zip(batches[at], _read_apart(read, batches[at], given), strict=True)
            at += 1


def _read_apart(read: _Work, batch: list[_Job], given: tuple[Path, PathIndex, str, FolderRules]) -> list[Delta | None]:
    """Read a batch in processes of its own: halves of halves, until the file that kills stands alone."""
    try:
        return run_in_process(read, batch, initializer=_start_reader, initializer_args=given)
    except BrokenProcessPool:
        if half := len(batch) // 2:
            return [*_read_apart(read, batch[:half], given), *_read_apart(read, batch[half:], given)]
        root, paths, embedder, rules = given
        model = load_embedder(embedder) if embedder else None
        return [build_delta_of_path(root, batch[0][0], paths, model, is_plain=True, rules=rules)]


def _batches(todo: Sequence[_Job]) -> Iterator[list[_Job]]:
    batch: list[_Job] = []
    size = 0
    for job in todo:
        batch.append(job)
        size += job[1]
        if size >= READ_BATCH_BYTES or len(batch) >= READ_BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@dataclass(slots=True)
class _Reading:
    """What a reading process was started with."""

    root: Path | None = None
    paths: PathIndex | None = None
    embedder: Embedder | None = None
    rules: FolderRules = NO_RULES


_reading = _Reading()


def _start_reader(root: Path, paths: PathIndex, embedder: str, rules: FolderRules) -> None:
    _reading.root, _reading.paths, _reading.rules = root, paths, rules
    _reading.embedder = load_embedder(embedder) if embedder else None


def _read_batch(batch: list[_Job]) -> list[Delta | None]:
    assert _reading.root is not None
    assert _reading.paths is not None
    return [build_delta_of_path(_reading.root, job[0], _reading.paths, _reading.embedder, rules=_reading.rules) for job in batch]
