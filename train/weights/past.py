"""Past: a repository as it was at one commit after another, without a work tree.

Trees and files are read from git's objects, and a file is parsed once for all commits in which it is the same. The
index of a commit is made from that of the commit before, so going on costs what has changed. Nothing is written, and
nothing later than the commit is looked at.

An import is resolved among the paths of the commit at which its file was first read here, as after `update`: files that
come later are reached by the imports of files that are read later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.codebase.file_changes import MANIFEST_BYTES_MAX, MANIFESTS_MAX
from clew.codebase.file_records import build_file_delta, build_unread_file_delta
from clew.codebase.imports import find_manifests, read_manifest_roots, resolve_imports
from clew.codebase.parse import HEAD_BYTES, parse_file
from clew.codebase.path_index import PathIndex
from clew.codebase.scan import FileCategory, classify_file
from clew.enrich import history
from clew.enrich.git import GitFailed, run_git
from clew.records import Delta, Record
from clew.store.documents import Documents
from clew.store.shard import PartKey, compute_part_digest

ASKED_MAX = 1000  # objects that git is asked for at once: their names fill two thirds of a pipe, so neither side waits for the other
ASKED_BYTES = 16_000_000  # likewise bytes: what is held at once
OVERLAY_SHARE_MAX = 0.2  # of the documents: with more in the overlay joining it each time costs more than a new base; guess
FILE_MODES = (b"100644", b"100755", b"100664")  # neither links nor submodules


@dataclass(frozen=True, slots=True)
class _File:
    """A file as one commit has it: git's name of its bytes, its packed postings and its records."""

    blob: str
    part: PartKey | None
    segment: bytes
    records: tuple[Record, ...]


class Past:
    """A Reader of the tree of one commit, of the commits before it, and of nothing else. There is one workspace: any name means it."""

    def __init__(self, root: Path, progress: Callable[[int, int], None] | None = None) -> None:
        self._root, self._progress = root, progress
        self._commit = ""
        self._files: dict[str, _File] = {}
        self._known: dict[tuple[str, str], _File] = {}
        self._claims: dict[str, dict[str, str]] = {}
        self._told: dict[str, tuple[PartKey, bytes]] = {}
        self._index: Documents | None = None

    def stand_at(self, commit: str) -> None:
        """Stand at this commit. Raises GitFailed; then nothing has moved. Cost: one call of git, and what differs."""
        files = dict(self._files)
        blobs = {path: file.blob for path, file in files.items()}
        for path, blob in self._listed(commit) if not self._commit else self._differing(commit):
            if blob:
                blobs[path] = blob
            else:
                blobs.pop(path, None)
                files.pop(path, None)
        todo = sorted((path, blob) for path, blob in blobs.items() if path not in files or files[path].blob != blob)
        missing = [pair for pair in todo if pair not in self._known]
        if missing:
            for file, pair in self._read(missing, self._paths_of(blobs)):
                self._known[pair] = file
        for pair in todo:
            files[pair[0]] = self._known[pair]
        self._exchange(self._files.values(), files.values())
        self._commit, self._files = commit, files

    def tell(self, reads: Sequence[history.CommitWithMessage]) -> None:
        """Add commits (newest first): from now on they can be found by their words."""
        if not reads:
            return
        delta = history.build_block_delta(history.HISTORY_SOURCE + reads[-1].commit.id[:16], reads, "")
        part = (delta.source, 0, compute_part_digest(delta.segment)), delta.segment
        self._told[delta.source] = part
        if self._index is not None:
            self._index = self._index.updated((), [part])

    def documents(self) -> Documents:
        """Return the searchable table of the present commit."""
        if self._index is None or self._index.size - self._index.shards[0].size > OVERLAY_SHARE_MAX * self._index.size:
            parts = [(file.part, file.segment) for file in self._files.values() if file.part is not None]
            self._index = Documents.build([*parts, *self._told.values()])
        return self._index

    def _exchange(self, old: Iterable[_File], new: Iterable[_File]) -> None:
        if self._index is None:
            return
        before = {file.part: file.segment for file in old if file.part is not None}
        after = {file.part: file.segment for file in new if file.part is not None}
        gone = before.keys() - after.keys()
        added = [(part, segment) for part, segment in after.items() if part not in before]
        if gone or added:
            self._index = self._index.updated(gone, sorted(added, key=lambda pair: pair[0]))

    # -- git ------------------------------------------------------------------------------------

    def _listed(self, commit: str) -> Iterator[tuple[str, str]]:
        for line in run_git(self._root, "ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0"):
            about, _, name = line.partition(b"\t")
            words = about.split()
            if words and words[0] in FILE_MODES:
                yield name.decode("utf-8", "surrogateescape"), words[2].decode()

    def _differing(self, commit: str) -> Iterator[tuple[str, str]]:
        """Path and blob of what differs from where we stand; "" for what is gone."""
        said = run_git(self._root, "diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", self._commit, commit).split(b"\0")
        for about, name in zip(said[::2], said[1::2], strict=False):
            words = about.removeprefix(b":").split()
            yield name.decode("utf-8", "surrogateescape"), words[3].decode() if words[1] in FILE_MODES else ""

    def _bytes(self, blobs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Each object with its bytes, in the order asked."""
        said = run_git(self._root, "cat-file", "--batch", given="\n".join(blobs).encode() + b"\n")
        at = 0
        for blob in blobs:
            end = said.index(b"\n", at)
            size = int(said[at:end].split()[2])
            yield blob, said[end + 1 : end + 1 + size]
            at = end + size + 2

    def _sizes(self, blobs: Sequence[str]) -> dict[str, int]:
        """Sizes of these objects; those that a partial clone lacks are left out."""
        sizes: dict[str, int] = {}
        for start in range(0, len(blobs), ASKED_MAX):
            asked = blobs[start : start + ASKED_MAX]
            said = run_git(self._root, "cat-file", "--batch-check", given="\n".join(asked).encode() + b"\n")
            for blob, line in zip(asked, said.splitlines(), strict=True):
                words = line.split()
                if len(words) == 3 and words[1] == b"blob":
                    sizes[blob] = int(words[2])
        return sizes

    # -- files ----------------------------------------------------------------------------------

    def _read(self, missing: Sequence[tuple[str, str]], paths: PathIndex) -> Iterator[tuple[_File, tuple[str, str]]]:
        sizes = self._sizes(list(dict.fromkeys(blob for _, blob in missing)))
        wanted: list[tuple[str, str]] = []
        done = 0
        for path, blob in missing:
            if blob not in sizes:
                raise GitFailed(f"the clone is partial: {path} is not here")
            category = classify_file(path, sizes[blob], b"")
            if category is FileCategory.TEXT:
                wanted.append((path, blob))
            else:
                yield _file_of(blob, build_unread_file_delta(path, category.value, size=sizes[blob], stamp=0)), (path, blob)
        for batch in _batches(wanted, sizes):
            for (path, _), (blob, data) in zip(batch, self._bytes([blob for _, blob in batch]), strict=True):
                done += 1
                if self._progress and not self._commit:
                    self._progress(done, len(wanted))
                delta = _read_bytes(path, data, paths)
                yield _file_of(blob, delta), (path, blob)

    def _paths_of(self, blobs: dict[str, str]) -> PathIndex:
        names = sorted(blobs)
        manifests = find_manifests(names)[:MANIFESTS_MAX]
        unread = [name for name in manifests if name + "\0" + blobs[name] not in self._claims]
        sizes = self._sizes([blobs[name] for name in unread])
        small = [(name, blobs[name]) for name in unread if 0 < sizes.get(blobs[name], 0) <= MANIFEST_BYTES_MAX]
        for batch in _batches(small, sizes):
            for (name, _), (blob, data) in zip(batch, self._bytes([blob for _, blob in batch]), strict=True):
                self._claims[name + "\0" + blob] = dict(read_manifest_roots(name, data))
        roots: dict[str, str] = {}
        for name in manifests:
            for claimed, folder in self._claims.get(name + "\0" + blobs[name], {}).items():
                roots.setdefault(claimed, folder)
        return PathIndex(names, roots)


def _batches(pairs: Sequence[tuple[str, str]], sizes: dict[str, int]) -> Iterator[list[tuple[str, str]]]:
    batch: list[tuple[str, str]] = []
    size = 0
    for pair in pairs:
        if batch and (len(batch) >= ASKED_MAX or size + sizes[pair[1]] > ASKED_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(pair)
        size += sizes[pair[1]]
    if batch:
        yield batch


def _file_of(blob: str, delta: Delta) -> _File:
    part = (delta.source, 0, compute_part_digest(delta.segment)) if delta.segment else None
    return _File(blob, part, delta.segment, delta.records)


def _read_bytes(path: str, data: bytes, paths: PathIndex) -> Delta:
    """Return the Delta of a file whose bytes are at hand, such as a file of an old commit."""
    category = classify_file(path, len(data), data[:HEAD_BYTES])
    if category is not FileCategory.TEXT:
        return build_unread_file_delta(path, category.value, size=len(data), stamp=0)
    facts = parse_file(path, data)
    return build_file_delta(path, data, facts, resolve_imports(paths, path, facts.language, facts.imports), size=len(data), stamp=0)
