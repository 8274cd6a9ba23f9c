"""Documents: every record of a workspace that can be searched, as a table of columns.

Joins the packed postings of all sources into flat arrays. Immutable: a base, which is written to disk and mapped back in milliseconds,
and an overlay of the sources that changed since; `updated` makes a new overlay and leaves the base alone. Document numbers mean
something within one table only. Words, names and vectors are looked up by `bm25`, `name_resolution` and `search`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.store.shard import IndexShard, PartKey, shard_from_bytes, shard_to_bytes
from clew.text.postings import PostingsSegment, Role, unpack_postings

if TYPE_CHECKING:
    from clew.store.name_resolution import Names

Floats: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.int32]

_PATH_MARK = re.compile(r"[\s\\\"'`<>|:,;()\[\]{}=!?&*%]|^[@~#$+]|\.$")
PROSE_KINDS = frozenset({"section", "config", "text"})
COMMIT_KIND = "commit"


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The documents that a search covers: mask (n,), their count, mean words per field, words by path (paths,), and number of files."""

    mask: NDArray[np.bool_]
    count: int
    mean: NDArray[np.float64]
    path_words: NDArray[np.float64]
    files: int


class Documents:
    """A searchable table. Documents are numbered base first, then overlay; `alive` says which count."""

    def __init__(self, base: IndexShard, fresh: Sequence[tuple[PartKey, PostingsSegment]] = (), gone: Collection[PartKey] = ()) -> None:
        self._base, self._fresh, self._gone = base, tuple(fresh), frozenset(gone)
        overlay = self._overlay = IndexShard.join_parts(fresh) if fresh else None
        self.shards: tuple[IndexShard, ...] = (base,) if overlay is None else (base, overlay)
        self.offsets: tuple[int, ...] = (0,) if overlay is None else (0, base.size)
        self.size = sum(shard.size for shard in self.shards)
        self.alive = np.ones(self.size, np.bool_)
        for at, key in enumerate(base.header.parts):
            if key in self._gone:
                self.alive[base.header.part_starts[at] : base.header.part_starts[at + 1]] = False
        self.count = int(self.alive.sum())
        self.names: Names | None = None  # what `clew.store.name_resolution.get_names` made of it

    # -- making ---------------------------------------------------------------------------------

    @staticmethod
    def build(parts: Iterable[tuple[PartKey, bytes]]) -> Documents:
        """Join packed parts into a base without overlay."""
        ordered = sorted(parts, key=lambda part: part[0])
        return Documents(IndexShard.join_parts([(key, unpack_postings(data)) for key, data in ordered]))

    def updated(self, gone: Collection[PartKey], added: Iterable[tuple[PartKey, bytes]]) -> Documents:
        """Return an index without the parts `gone` and with the parts `added`; the base is shared.

        Cost: joining what differs from the base, not what is in it.
        """
        dropped = frozenset(gone)
        base_keys = set(self._base.header.parts)
        fresh = {key: segment for key, segment in self._fresh if key not in dropped}
        still_gone = (self._gone | dropped) & base_keys
        for key, data in added:
            if key in base_keys:
                still_gone -= {key}  # what had gone from the base and comes back lives there again
            else:
                fresh[key] = unpack_postings(data)
        return Documents(self._base, sorted(fresh.items(), key=lambda part: part[0]), still_gone)

    @property
    def parts(self) -> tuple[PartKey, ...]:
        """Return the keys of the parts that this table holds, ordered."""
        keys = [key for key in self._base.header.parts if key not in self._gone]
        return tuple(sorted(keys + (list(self._overlay.header.parts) if self._overlay else [])))

    @property
    def has_overlay(self) -> bool:
        """Return whether the base alone is out of date."""
        return self._overlay is not None or bool(self._gone)

    def to_bytes(self) -> bytes:
        """Serialise the base. Only of an index without overlay: raises ValueError otherwise."""
        if self.has_overlay:
            raise ValueError("an index with an overlay is not written; build it anew")
        return shard_to_bytes(self._base)

    @staticmethod
    def from_bytes(data: bytes | memoryview) -> Documents:
        """Map what `to_bytes` wrote, without copying. Raises ValueError when it is damaged."""
        return Documents(shard_from_bytes(data))

    # -- documents ------------------------------------------------------------------------------

    def id_of(self, doc: int) -> str:
        """Return the record id of a document number."""
        shard, at = self._at(doc)
        return shard.ids[at].decode()

    def ids_of(self, docs: Sequence[int]) -> list[str]:
        """Return the record ids of document numbers, in their order."""
        return [self.id_of(doc) for doc in docs]

    def kind_of(self, doc: int) -> str:
        """Return the kind of a document's record."""
        shard, at = self._at(doc)
        return shard.header.kinds[int(shard["kind"][at])]

    def layer_of(self, doc: int) -> str:
        """Return the layer of a document's record."""
        shard, at = self._at(doc)
        return shard.header.layers[int(shard["layer"][at])]

    def path_of(self, doc: int) -> str:
        """Return the path of a document's file."""
        return self.paths[int(self.path_codes[doc])]

    def _at(self, doc: int) -> tuple[IndexShard, int]:
        return (self._base, doc) if doc < self._base.size else (self.shards[1], doc - self._base.size)

    def column(self, name: str) -> NDArray[Any]:
        """Return the column `role`, `start_line`, `lines` or `lengths` of every document."""
        return np.concatenate([shard[name] for shard in self.shards]) if self._overlay else self._base[name]

    @cached_property
    def role(self) -> NDArray[np.uint8]:
        """Return (n,) the `Role` of each record."""
        return self.column("role")

    @cached_property
    def is_test(self) -> NDArray[np.bool_]:
        """Return (n,) whether the record tests other code."""
        return self.role == Role.TEST

    @cached_property
    def is_prose(self) -> NDArray[np.bool_]:
        """Return (n,) whether the record is part of a document, a configuration file or plain text, and not of code."""
        of_kind = self.is_of_kinds(PROSE_KINDS)
        # A file is prose if all that stands in it is, but a file of code may be blocks of lines that no grammar read.
        has_code = np.zeros(len(self.paths), np.bool_)
        is_file = self.parent < 0
        has_code[self.path_codes[~of_kind & ~is_file & self.alive]] = True
        prose = np.where(is_file, ~has_code[self.path_codes], of_kind)
        return np.where((self.role == Role.DOCUMENT) | (self.role == Role.CONFIGURATION), True, prose & (self.role != Role.SOURCE))

    @cached_property
    def is_commit(self) -> NDArray[np.bool_]:
        """Return (n,) whether the record is a commit."""
        return self.is_of_kinds(frozenset((COMMIT_KIND,)))

    def is_of_kinds(self, kinds: Collection[str]) -> NDArray[np.bool_]:
        """Return (n,) whether each document's record is of one of these kinds, live or not."""
        pieces: list[NDArray[np.bool_]] = []
        for shard in self.shards:
            wanted = np.array([kind in kinds for kind in shard.header.kinds], np.bool_)
            pieces.append(wanted[shard["kind"]] if shard.size else np.zeros(0, np.bool_))
        return np.concatenate(pieces)

    @cached_property
    def sources(self) -> list[str]:
        """Return every source that has a part here, ordered; `source_codes` are positions in it."""
        return sorted({source for shard in self.shards for source, _, _ in shard.header.parts})

    @cached_property
    def source_codes(self) -> Numbers:
        """Return (n,) the position of each document's source in `sources`; documents of one source ascend in the order of its parts."""
        number = {source: at for at, source in enumerate(self.sources)}
        pieces: list[Numbers] = []
        for shard in self.shards:
            codes = np.array([number[source] for source, _, _ in shard.header.parts], np.int32)
            pieces.append(np.repeat(codes, np.diff(np.array(shard.header.part_starts, np.int64))))
        return np.concatenate(pieces).astype(np.int32, copy=False)

    @cached_property
    def parent(self) -> Numbers:
        """Return (n,) the number of the containing document, −1 for none."""
        pieces = [np.where(s["parent"] >= 0, s["parent"] + off, -1) for s, off in zip(self.shards, self.offsets, strict=True)]
        return np.concatenate(pieces).astype(np.int32, copy=False)

    @cached_property
    def paths(self) -> list[str]:
        """Return every path of a live or ended part; `path_codes` are positions in it."""
        return self._path_table[0]

    @cached_property
    def path_codes(self) -> Numbers:
        """Return (n,) the position of each document's path in `paths`."""
        return self._path_table[1]

    @cached_property
    def _path_table(self) -> tuple[list[str], Numbers]:
        base_codes = self._base["path"].astype(np.int32, copy=False)
        if not self._overlay:
            return self._base.header.paths, base_codes
        names = list(self._base.header.paths)
        seen = {name: at for at, name in enumerate(names)}
        moved = np.empty(len(self._overlay.header.paths), np.int32)
        for at, name in enumerate(self._overlay.header.paths):
            if name not in seen:
                seen[name] = len(names)
                names.append(name)
            moved[at] = seen[name]
        return names, np.concatenate([base_codes, moved[self._overlay["path"].astype(np.int32)]])

    @cached_property
    def path_numbers(self) -> dict[str, int]:
        """Return path → its position in `paths`."""
        return {name: at for at, name in enumerate(self.paths)}

    @cached_property
    def paths_by_basename(self) -> dict[str, list[str]]:
        """Return last component → the paths of code files that end in it, ordered."""
        table: dict[str, list[str]] = {}
        words = self.search_scope("file:").path_words
        for code, path in sorted(enumerate(self.paths), key=lambda pair: pair[1]):
            if words[code]:
                table.setdefault(path.rsplit("/", 1)[-1], []).append(path)
        return table

    @cached_property
    def path_names(self) -> frozenset[str]:
        """Return the names of files, without their endings, and of folders, in lower case and without what joins their words."""
        folders = {part for folder in {path.rpartition("/")[0] for path in self.paths} for part in folder.split("/")}
        stems = {name.partition(".")[0] or name for name in self.paths_by_basename}
        return frozenset(name.replace("_", "").replace("-", "").lower() for name in folders | stems)

    @cached_property
    def odd_basenames(self) -> tuple[str, ...]:
        """Return the last components of code files that hold a blank, a bracket or another mark at which a text is split into words."""
        return tuple(name for name in self.paths_by_basename if _PATH_MARK.search(name))

    @cached_property
    def file_documents(self) -> Numbers:
        """Document numbers by path: for each of `paths` that of the live document for the whole code file, −1 for none."""
        heads = np.full(len(self.paths), -1, np.int32)
        docs = np.flatnonzero(self.search_scope("file:").mask & (self.parent < 0) & ~self.is_prose).astype(np.int32)
        heads[self.path_codes[docs]] = docs
        return heads

    @cached_property
    def start_line(self) -> Numbers:
        """Return (n,) the first line of each document in its file, 1-based; 0 where lines mean nothing."""
        return self.column("start_line").astype(np.int32, copy=False)

    @cached_property
    def lines(self) -> Numbers:
        """Return (n,) the number of lines of each document."""
        return self.column("lines").astype(np.int32, copy=False)

    @cached_property
    def has_children(self) -> NDArray[np.bool_]:
        """Return (n,) whether a live document is contained in it."""
        held = np.zeros(self.size, np.bool_)
        parents = self.parent[self.alive]
        held[parents[parents >= 0]] = True
        return held

    @cached_property
    def imports(self) -> tuple[NDArray[np.int64], Floats]:
        """Return (importing path << 32 | imported path) ascending, and the confidence of each import, of the files that are alive here."""
        keys: list[NDArray[np.int64]] = []
        weights: list[Floats] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            codes = np.array([self.path_numbers[path] for path in shard.header.paths], np.int64)
            is_here = np.zeros(len(codes), np.bool_)  # what a file imported before it was changed no longer counts
            is_here[shard["path"][self.alive[offset : offset + shard.size]].astype(np.int64)] = True
            pairs = shard["scope"].astype(np.int64)
            held = is_here[pairs[:, 0]] if len(pairs) else np.empty(0, np.bool_)
            pairs = pairs[held]
            keys.append(codes[pairs[:, 0]] << 32 | codes[pairs[:, 1]] if len(pairs) else np.empty(0, np.int64))
            weights.append(shard["scope_weight"][held].astype(np.float32))
        joined, confidence = np.concatenate(keys), np.concatenate(weights)
        order = np.lexsort((confidence, joined))
        return joined[order], confidence[order]

    @property
    def model(self) -> str:
        """Return the name of the model that made the vectors, "" for none."""
        return self._base.header.model or (self._overlay.header.model if self._overlay else "")

    @cached_property
    def sign_bits(self) -> tuple[NDArray[np.uint8], ...]:
        """Return the signs of each shard's vectors, eight to a byte."""
        return tuple(
            np.packbits(shard["vectors"] > 0, axis=1) if shard.header.dims else np.zeros((shard.size, 0), np.uint8) for shard in self.shards
        )

    @cached_property
    def _doc_by_id(self) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        ids = np.concatenate([shard.ids for shard in self.shards])
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def docs_of(self, ids: Sequence[str]) -> Numbers:
        """Return document numbers of the records with these ids that are alive here, in the order asked; unknown ids are left out."""
        return self.located(ids)[0]

    def located(self, ids: Sequence[str]) -> tuple[Numbers, NDArray[np.int64]]:
        """Return the same as `docs_of`, and for each document the position of its id in `ids`."""
        if not len(ids) or not self.size:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        known, order = self._doc_by_id
        wanted = np.array([record_id.encode() for record_id in ids], "S26")
        rows, owner = expand_ranges(np.searchsorted(known, wanted, "left"), np.searchsorted(known, wanted, "right"))
        docs = order[rows].astype(np.int32)
        alive = self.alive[docs]
        return docs[alive], owner[alive]

    def without(self, ids: Sequence[str]) -> Documents:
        """Return a table in which the documents of these records are not alive."""
        other = Documents(self._base, self._fresh, self._gone)
        other.alive[self.docs_of(ids)] = False
        other.count = int(other.alive.sum())
        return other

    def search_scope(self, prefix: str) -> SearchScope:
        """Return the live documents of the sources whose name begins with `prefix`, with the statistics that scoring needs."""
        cache: dict[str, SearchScope] = self.__dict__.setdefault("_searched", {})
        if prefix not in cache:
            mask = np.zeros(self.size, np.bool_)
            for shard, offset in zip(self.shards, self.offsets, strict=True):
                starts = shard.header.part_starts
                for at, (source, _, _) in enumerate(shard.header.parts):
                    if source.startswith(prefix):
                        mask[offset + starts[at] : offset + starts[at + 1]] = True
            mask &= self.alive
            lengths = self.column("lengths")
            count = int(mask.sum())
            # Whole numbers, so that the sums are exact in any order and an updated index scores as a rebuilt one.
            mean = np.maximum(lengths[mask].sum(axis=0, dtype=np.float64) / max(count, 1), 1e-9)
            words = np.zeros(len(self.paths))
            words += np.bincount(self.path_codes, np.where(mask, lengths.sum(axis=1, dtype=np.float64), 0.0), len(self.paths))
            cache[prefix] = SearchScope(mask, count, mean, words, int(np.count_nonzero(words)))
        return cache[prefix]


def expand_ranges(low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all numbers of the ranges [low, high), and for each the position of its range."""
    start, stop = low.astype(np.int64), high.astype(np.int64)
    sizes = stop - start
    owner = np.repeat(np.arange(len(sizes)), sizes)
    shift = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else np.empty(0, np.int64)
    return np.arange(int(sizes.sum())) - shift[owner] + start[owner], owner
