"""Indexing: hold one search index per workspace, and add changed parts to it instead of rebuilding it.

An index is taken from memory, else from the index file, else built from every stored segment. One in memory is brought up to date by
what the database says has changed since its generation; another one is compared with the database by (source, part, digest).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

from clew.store.documents import Documents
from clew.store.shard import PartKey
from clew.store.tables import index_files
from clew.store.tables.codec import decode_text, encode_text
from clew.store.tables.connection import Connection

OVERLAY_PARTS_MAX = 64  # guess: so many small changed parts are joined in a few milliseconds
_OVERLAY_SHARE_MAX = 0.10  # guess: above, joining changed parts at each start soon costs more than writing a new index file once
_REUSE_SHARE_MAX = 0.50  # guess: above, building from all segments is about as fast as joining the rest to an old index file


@dataclass(frozen=True, slots=True)
class WorkspaceCounters:
    """Row number, generation (committed writes) and purges of a workspace; all 0 for one that does not exist."""

    key: str
    number: int = 0
    generation: int = 0
    purges: int = 0


@dataclass(frozen=True, slots=True)
class _Cached:
    """An index with its generation, the number of purges before it (−1: not known), and where it came from, in words."""

    index: Documents
    generation: int
    purges: int
    origin: str


@dataclass(slots=True)
class IndexCache:
    """The search indexes of one database by workspace, in memory and in files. The caller holds `lock` while one is built.

    folder     of the index files; identity  16 random bytes that name the database, so that another one's files are not used.
    file_bytes_min  of packed postings from which an index file is written; a smaller index is built from them.
    is_shared  other machines keep files of the same database, which a purge there cannot reach: a file from before a purge is not used.
    """

    folder: Path
    identity: bytes = b""
    file_bytes_min: int = 0
    is_shared: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    _cached: dict[str, _Cached] = field(default_factory=dict[str, _Cached])

    def get(self, connection: Connection, space: WorkspaceCounters) -> Documents:
        """Return the index of a workspace at the generation that `connection` sees, building it if need be."""
        cached = self._cached.get(space.key)
        if cached is None or cached.generation != space.generation:
            made = self._make(connection, space, cached)
            if cached is None or cached.generation < space.generation:
                self._cached[space.key] = made
            return made.index
        return cached.index

    def describe_origin(self, workspace: str) -> str:
        """Return in words where the workspace's index in memory came from, such as "snapshot"; "" if there is none."""
        cached = self._cached.get(workspace)
        return cached.origin if cached else ""

    def drop(self, workspace: str) -> None:
        """Drop a workspace's index from memory and delete its index file. Raises OSError."""
        self._cached.pop(workspace, None)
        index_files.delete_index(self._place(WorkspaceCounters(workspace)))

    def find_fault(self, workspace: str) -> str:
        """Return why a workspace's index file cannot be used, "" if it can or there is none."""
        found = index_files.map_index(self._place(WorkspaceCounters(workspace)))
        return found if isinstance(found, str) and found != index_files.NO_INDEX_FILE else ""

    def clear(self) -> None:
        """Drop every index from memory; the files stay."""
        self._cached.clear()

    def write_if_due(self, connection: Connection, space: WorkspaceCounters) -> tuple[int, Path | None]:
        """Write a new index file if too much has changed, for `install` to put in place. Raises OSError.

        Returns the number of parts that changed since the present file, and the new file's path, None if none was written.
        """
        now = _keys(connection, space)
        loaded = self._load(space)
        changed = len(now) if isinstance(loaded, str) else len(now.symmetric_difference(loaded.index.parts))
        is_due = self._is_large(connection, space) if isinstance(loaded, str) else changed > _overlay_max(len(now))
        if not changed or not is_due:
            return changed, None
        cached = self._cached.get(space.key)
        is_ready = cached is not None and not cached.index.has_overlay and now == frozenset(cached.index.parts)
        index = cached.index if cached is not None and is_ready else Documents.build(_all(connection, space))
        return changed, index_files.write_index(self._place(space), space.generation, index.to_bytes())

    def install(self, space: WorkspaceCounters, fresh: Path) -> None:
        """Replace the workspace's index file by `fresh`, and use it from now on. Raises OSError."""
        index_files.install_index(self._place(space), fresh)
        loaded = self._load(space)
        if not isinstance(loaded, str):
            self._cached[space.key] = replace(loaded, purges=space.purges) if loaded.generation == space.generation else loaded

    def _make(self, connection: Connection, space: WorkspaceCounters, old: _Cached | None) -> _Cached:
        loaded: _Cached | str | None = None
        if old is not None and old.purges == space.purges and old.generation <= space.generation:
            gone, new = _compare_changed(connection, space, old)
            if old.index.changed + len(gone) + len(new) > _overlay_max(old.index.part_count):
                loaded = self._load(space)
            if loaded is None or isinstance(loaded, str) or loaded.generation <= old.generation:
                return self._updated(connection, space, old.index, gone, new)
        loaded = loaded or self._load(space)
        if not isinstance(loaded, str) and loaded.generation == space.generation:
            return replace(loaded, purges=space.purges)
        now = _keys(connection, space)
        if not isinstance(loaded, str):
            before = frozenset(loaded.index.parts)
            if len(before ^ now) <= max(OVERLAY_PARTS_MAX, len(now) * _REUSE_SHARE_MAX):
                return self._updated(connection, space, loaded.index, before - now, now - before)
            loaded = "the snapshot is too old"
        return _Cached(Documents.build(_all(connection, space)), space.generation, space.purges, f"built from {len(now)} parts: {loaded}")

    def _updated(
        self, connection: Connection, space: WorkspaceCounters, index: Documents, gone: Collection[PartKey], new: Collection[PartKey]
    ) -> _Cached:
        if gone or new:
            index = index.updated(gone, _some(connection, space, sorted(new)))
        return _Cached(index, space.generation, space.purges, f"snapshot or memory, {index.changed} parts changed")

    def _load(self, space: WorkspaceCounters) -> _Cached | str:
        mapped = index_files.map_index(self._place(space))
        if isinstance(mapped, str):
            return mapped
        try:
            index = Documents.from_bytes(mapped.data)
        except ValueError as error:
            return f"the snapshot cannot be read ({error})"
        return _Cached(index, mapped.generation, -1, "snapshot")

    def _is_large(self, connection: Connection, space: WorkspaceCounters) -> bool:
        return connection.fetch_all("segments.size", space.number)[0][0] >= self.file_bytes_min

    def _place(self, space: WorkspaceCounters) -> index_files.IndexFile:
        identity = self.identity
        if self.is_shared:
            identity = blake2b(identity + space.purges.to_bytes(8, "little"), digest_size=16).digest()
        return index_files.IndexFile(self.folder, identity, space.key)


def _overlay_max(parts: int) -> float:
    return max(OVERLAY_PARTS_MAX, parts * _OVERLAY_SHARE_MAX)


def _keys(connection: Connection, space: WorkspaceCounters) -> frozenset[PartKey]:
    rows = connection.fetch_all("segments.keys", space.number)
    return frozenset((decode_text(source), part, digest) for source, part, digest in rows)


def _compare_changed(connection: Connection, space: WorkspaceCounters, old: _Cached) -> tuple[set[PartKey], set[PartKey]]:
    """Return which parts of the index of an earlier generation are gone, and which are new. Cost: a look at the sources that changed."""
    sources: set[str] = set()
    now: set[PartKey] = set()
    changed = connection.fetch_all("segments.changed", space.number, old.generation)
    if not changed:  # tiers were moved, or a process of a release that notes no changes had the database open before it was migrated
        every, held = _keys(connection, space), frozenset(old.index.parts)
        return set(held - every), set(every - held)
    for name, part, digest in changed:
        source = decode_text(name)
        sources.add(source)
        if part is not None:
            now.add((source, part, digest))
    before = {key for source in sources for key in old.index.parts_of(source)}
    return before - now, now - before


def _all(connection: Connection, space: WorkspaceCounters) -> Iterator[tuple[PartKey, bytes]]:
    for source, part, digest, data in connection.iterate("segments.all", space.number):
        yield (decode_text(source), part, digest), data


def _some(connection: Connection, space: WorkspaceCounters, keys: Collection[PartKey]) -> Iterable[tuple[PartKey, bytes]]:
    for key in keys:
        ((data,),) = connection.fetch_all("segments.one", space.number, encode_text(key[0]), key[1])
        yield key, data
