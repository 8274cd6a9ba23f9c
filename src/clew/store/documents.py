"""Documents: every record of a workspace that can be searched, as a table of columns.

Joins the packed postings of all sources into flat arrays. Immutable: a base, which is written to disk and mapped back in milliseconds,
and layers of what changed since, each at most half as large as the one before it; `updated` adds one and leaves the others alone.
What is the same for many tables is kept with the shard that it is of, so a change costs what it changes. Document numbers mean
something within one table only. Words, names and vectors are looked up by `bm25`, `name_resolution` and `search`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.store.shard import PROSE_KINDS, IndexShard, PartKey, shard_from_bytes, shard_to_bytes
from clew.text.postings import PostingsSegment, unpack_postings

if TYPE_CHECKING:
    from clew.store.name_resolution import Names

Floats: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.int32]

_PATH_MARK = re.compile(r"[\s\\\"'`<>|:,;()\[\]{}=!?&*%]|^[@~#$+]|\.$")
COMMIT_KINDS = frozenset({"commit"})


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The documents that a search covers: mask (n,), their count, mean words per field, words by path (paths,), and number of files."""

    mask: NDArray[np.bool_]
    count: int
    mean: NDArray[np.float64]
    path_words: NDArray[np.float64]
    files: int


@dataclass(frozen=True, slots=True)
class FileNames:
    """What code files are called. `by_basename`: last component → their paths, ordered.

    path_names  names of files, without their endings, and of folders, in lower case and without what joins their words.
    stems       last components until the first dot, in lower case.
    odd         last components that hold a blank, a bracket or another mark at which a text is split into words.
    """

    codes: NDArray[np.int64]
    paths: Sequence[str]
    by_basename: dict[str, list[str]]
    path_names: frozenset[str]
    stems: frozenset[str]
    odd: tuple[str, ...]

    def list_paths(self) -> Iterator[str]:
        """Yield the paths of all code files, those of one name together."""
        return chain.from_iterable(self.by_basename.values())


class Column:
    """Values of every document, in one piece for each shard: `column[docs]` reads what is asked for without joining the pieces.

    Numbers below 0 count from the end, as in an array; so -1, which stands for "none" in many places, may be read and then left out.
    """

    def __init__(self, pieces: Sequence[NDArray[Any]], offsets: Sequence[int]) -> None:
        self._pieces, self._offsets = pieces, offsets
        self._size = sum(map(len, pieces))

    def __getitem__(self, docs: Any) -> Any:
        if len(self._pieces) == 1:
            return self._pieces[0][docs]
        wanted: NDArray[Any] = np.asarray(docs)
        if not wanted.ndim:
            doc = int(wanted) + (self._size if wanted < 0 else 0)
            at = bisect_right(self._offsets, doc) - 1
            return self._pieces[at][doc - self._offsets[at]]
        if wanted.dtype == np.bool_:
            return self.whole[wanted]
        if len(wanted) and wanted.min() < 0:
            wanted = np.where(wanted < 0, wanted + self._size, wanted)
        first = self._pieces[0]
        out = np.empty((len(wanted), *first.shape[1:]), first.dtype)
        for piece, offset in zip(self._pieces, self._offsets, strict=True):
            inside = (wanted >= offset) & (wanted < offset + len(piece))
            out[inside] = piece[wanted[inside] - offset]
        return out

    @cached_property
    def whole(self) -> NDArray[Any]:
        """The values of all documents. Cost: a copy of them, once, where there are several shards."""
        return self._pieces[0] if len(self._pieces) == 1 else np.concatenate(self._pieces)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Parts that changed since the base was made: joined, and each by itself for the next join."""

    shard: IndexShard
    parts: tuple[tuple[PartKey, PostingsSegment], ...]


class Documents:
    """A searchable table. Documents are numbered base first, then layer after layer; `alive` says which count."""

    def __init__(self, base: IndexShard, layers: Sequence[_Layer] = (), gone: Collection[PartKey] = ()) -> None:
        self._base, self._layers, self._gone = base, tuple(layers), frozenset(gone)
        self.shards: tuple[IndexShard, ...] = (base, *(layer.shard for layer in layers))
        sizes = [shard.size for shard in self.shards]
        self.offsets: tuple[int, ...] = tuple(sum(sizes[:at]) for at in range(len(sizes)))
        self.size = sum(sizes)
        self.alive = np.ones(self.size, np.bool_)
        for key in self._gone:
            for shard, offset in zip(self.shards, self.offsets, strict=True):
                if (at := shard.find_part(key)) >= 0:
                    first, last = shard.span_of_part(at)
                    self.alive[offset + first : offset + last] = False
        self.count = int(np.count_nonzero(self.alive))
        self.names: Names | None = None  # what `clew.store.name_resolution.get_names` made of it
        self._scopes: dict[str, SearchScope] = {}
        self._files: FileNames | None = None  # of the table before

    # -- making ---------------------------------------------------------------------------------

    @staticmethod
    def build(parts: Iterable[tuple[PartKey, bytes]]) -> Documents:
        """Join packed parts into a base without layers."""
        ordered = sorted(parts, key=lambda part: part[0])
        return Documents(IndexShard.join_parts([(key, unpack_postings(data)) for key, data in ordered]))

    def updated(self, gone: Collection[PartKey], added: Iterable[tuple[PartKey, bytes]]) -> Documents:
        """Return an index without the parts `gone` and with the parts `added`; the base is shared.

        Cost: joining what changes, and with it again what changed lately, so each part a few times until the next base.
        """
        left = {key for key in {*self._gone, *gone} if any(shard.find_part(key) >= 0 for shard in self.shards)}
        fresh: dict[PartKey, PostingsSegment] = {}
        for key, data in added:
            if any(shard.find_part(key) >= 0 for shard in self.shards):
                left.discard(key)  # what had gone and comes back lives there again
            else:
                fresh[key] = unpack_postings(data)
        layers, top = list(self._layers), list(fresh.items())
        size = sum(len(segment.ids) for _, segment in top)
        while layers and top and 2 * size >= layers[-1].shard.size:
            below = [(key, segment) for key, segment in layers[-1].parts if key not in left]
            left -= {key for key, _ in layers.pop().parts}
            top += below
            size += sum(len(segment.ids) for _, segment in below)
        if top:
            top.sort(key=lambda part: part[0])
            layers.append(_Layer(IndexShard.join_parts(top), tuple(top)))
        made = Documents(self._base, layers, left)
        made._files = self._files
        return made

    @property
    def parts(self) -> tuple[PartKey, ...]:
        """Return the keys of the parts that this table holds, ordered."""
        return tuple(sorted(key for shard in self.shards for key in shard.header.parts if key not in self._gone))

    def parts_of(self, source: str) -> set[PartKey]:
        """Return the keys of the parts of a source that this table holds."""
        return {key for shard in self.shards for key in shard.find_parts_of(source) if key not in self._gone}

    @property
    def changed(self) -> int:
        """Return how many parts were added to the base, or taken from it."""
        return sum(len(layer.parts) for layer in self._layers) + len(self._gone)

    @property
    def part_count(self) -> int:
        """Return how many parts this table holds."""
        return sum(len(shard.header.parts) for shard in self.shards) - len(self._gone)

    @property
    def has_overlay(self) -> bool:
        """Return whether the base alone is out of date."""
        return bool(self._layers or self._gone)

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
        wanted = np.array(docs, np.int64)
        ids: list[bytes] = Column([shard.ids for shard in self.shards], self.offsets)[wanted].tolist()
        return [record_id.decode() for record_id in ids]

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
        at = bisect_right(self.offsets, doc) - 1
        return self.shards[at], doc - self.offsets[at]

    def _column(self, name: str) -> Column:
        return Column([shard[name] for shard in self.shards], self.offsets)

    @cached_property
    def lengths(self) -> Column:
        """Words (n, fields) of each document."""
        return self._column("lengths")

    @cached_property
    def role(self) -> Column:
        """The `Role` (n,) of each record."""
        return self._column("role")

    @cached_property
    def start_line(self) -> Column:
        """The first line (n,) of each document in its file, 1-based; 0 where lines mean nothing."""
        return self._column("start_line")

    @cached_property
    def lines(self) -> Column:
        """The number of lines (n,) of each document."""
        return self._column("lines")

    @cached_property
    def parent(self) -> Column:
        """The number (n,) of the containing document, −1 for none."""
        pieces = [self._base["parent"].astype(np.int32, copy=False)]
        for layer, offset in zip(self._layers, self.offsets[1:], strict=True):
            parent = layer.shard["parent"]
            pieces.append(np.where(parent >= 0, parent + offset, -1).astype(np.int32, copy=False))
        return Column(pieces, self.offsets)

    def is_of_kinds(self, kinds: Collection[str]) -> Column:
        """Return (n,) whether each document's record is of one of these kinds, live or not."""
        wanted = frozenset(kinds)
        return Column([shard.is_of_kinds(wanted) for shard in self.shards], self.offsets)

    @property
    def is_commit(self) -> Column:
        """Whether (n,) the record is a commit."""
        return self.is_of_kinds(COMMIT_KINDS)

    @cached_property
    def is_test(self) -> Column:
        """Whether (n,) the record tests other code."""
        return Column([shard.is_test for shard in self.shards], self.offsets)

    @cached_property
    def is_prose(self) -> Column:
        """Whether (n,) the record is part of a document, a configuration file or plain text, and not of code."""
        # A file is prose if all that stands in it is, but a file of code may be blocks of lines that no grammar read.
        has_code = self._has_code
        return Column([shard.find_prose(has_code[moved]) for shard, moved in zip(self.shards, self._moved, strict=True)], self.offsets)

    @cached_property
    def log_lines(self) -> Column:
        """The logarithm (n,) of the number of lines of each document, and 1."""
        return Column([shard.log_lines for shard in self.shards], self.offsets)

    @cached_property
    def _has_code(self) -> NDArray[np.bool_]:
        """(paths,) whether a live part of the file is code."""
        counts = self._by_path([shard.code_by_path for shard in self.shards])
        dead = self.dead
        dead = dead[~self.is_of_kinds(PROSE_KINDS)[dead] & (self.parent[dead] >= 0)]
        return counts - np.bincount(self.path_codes[dead], minlength=len(self.paths)) > 0

    def _by_path(self, found: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        """Add up whole numbers of each shard by its paths: (paths,)."""
        out = np.zeros(len(self.paths))
        for values, codes in zip(found, self._moved, strict=True):
            out[codes] += values  # a shard names each of its paths once
        return out

    @cached_property
    def dead(self) -> NDArray[np.int64]:
        """The documents that do not count, ascending."""
        return np.flatnonzero(~self.alive)

    @cached_property
    def sources(self) -> list[str]:
        """Return every source that has a part here, ordered; `source_codes` are positions in it."""
        return sorted({source for shard in self.shards for source, _, _ in shard.header.parts})

    @cached_property
    def source_codes(self) -> Column:
        """The position (n,) of each document's source in `sources`; documents of one source ascend in the order of its parts."""
        number = {source: at for at, source in enumerate(self.sources)}
        pieces: list[Numbers] = []
        for shard in self.shards:
            codes = np.array([number[source] for source, _, _ in shard.header.parts], np.int32)
            pieces.append(np.repeat(codes, np.diff(np.array(shard.header.part_starts, np.int64))))
        return Column(pieces, self.offsets)

    @cached_property
    def paths(self) -> list[str]:
        """Return every path of a live or ended part; `path_codes` are positions in it."""
        more = list(self._more_paths)
        return [*self._base.header.paths, *more] if more else self._base.header.paths

    @cached_property
    def _more_paths(self) -> dict[str, int]:
        """Path → its position, of those that the base does not name."""
        known, more = self._base.path_numbers, dict[str, int]()
        for layer in self._layers:
            for path in layer.shard.header.paths:
                if path not in known and path not in more:
                    more[path] = len(known) + len(more)
        return more

    @cached_property
    def path_numbers(self) -> Mapping[str, int]:
        """Return path → its position in `paths`."""
        return ChainMap(self._more_paths, self._base.path_numbers) if self._more_paths else self._base.path_numbers

    @cached_property
    def _moved(self) -> list[Numbers]:
        """For each shard, the positions in `paths` of its own paths."""
        of_layers = [np.array([self.path_numbers[path] for path in layer.shard.header.paths], np.int32) for layer in self._layers]
        return [np.arange(len(self._base.header.paths), dtype=np.int32), *of_layers]

    @cached_property
    def path_codes(self) -> Column:
        """The position (n,) of each document's path in `paths`."""
        pieces = [self._base["path"].astype(np.int32, copy=False)]
        pieces += [codes[layer.shard["path"]] for layer, codes in zip(self._layers, self._moved[1:], strict=True)]
        return Column(pieces, self.offsets)

    def docs_of_path(self, code: int) -> Numbers:
        """Return the live documents of one of `paths`, those of sessions as well, ascending."""
        path = self.paths[code]
        pieces = [
            shard.docs_of_path(shard.path_numbers[path]) + offset
            for shard, offset in zip(self.shards, self.offsets, strict=True)
            if path in shard.path_numbers
        ]
        docs = np.concatenate([np.empty(0, np.int64), *pieces])
        return docs[self.alive[docs]].astype(np.int32)

    def has_children(self, doc: int) -> bool:
        """Return whether a document contains a live one."""
        shard, at = self._at(doc)
        return bool(shard.is_container[at]) and len(self.children_of(doc)) > 0

    def docs_of_file(self, code: int) -> Numbers:
        """Return the live documents of the code file at one of `paths`, ascending: without sessions that name it."""
        docs = self.docs_of_path(code)
        return docs[self.search_scope("file:").mask[docs]]

    def has_file(self, path: str) -> bool:
        """Return whether there is a code file with this path."""
        code = self.path_numbers.get(path)
        return code is not None and len(self.docs_of_file(code)) > 0

    def children_of(self, doc: int) -> Numbers:
        """Return the live documents that a document contains, ascending. Cost: a look at those of its part."""
        shard, at = self._at(doc)
        first, last = shard.find_siblings(at)
        docs = np.flatnonzero(shard["parent"][first:last] == at) + first + doc - at
        return docs[self.alive[docs]].astype(np.int32)

    @property
    def paths_by_basename(self) -> Mapping[str, Sequence[str]]:
        """Return last component → the paths of code files that end in it, ordered."""
        return self.file_names.by_basename

    @cached_property
    def file_names(self) -> FileNames:
        """What the code files are called; that of the table before where no file came or went."""
        codes, before, base = np.flatnonzero(self.search_scope("file:").path_words), self._files, len(self._base.header.paths)
        more: list[int] = codes[codes >= base].tolist()
        if before is None or not np.array_equal(before.codes, codes) or any(before.paths[code] != self.paths[code] for code in more):
            before = _name_files(codes, self.paths)
        self._files = before
        return before

    @cached_property
    def file_documents(self) -> Numbers:
        """Document numbers by path: for each of `paths` that of the live document for the whole code file, −1 for none."""
        heads = np.full(len(self.paths), -1, np.int32)
        found = [shard.find_scope("file:").heads + offset for shard, offset in zip(self.shards, self.offsets, strict=True)]
        docs = np.concatenate(found)
        docs = docs[self.alive[docs]]
        docs = docs[~self.is_prose[docs]]
        heads[self.path_codes[docs]] = docs
        return heads

    @cached_property
    def imports(self) -> tuple[NDArray[np.int64], Floats]:
        """Return (importing path << 32 | imported path) ascending, and the confidence of each import, between files that are alive here."""
        keys: list[NDArray[np.int64]] = []
        weights: list[Floats] = []
        # What a file imported before it was changed no longer counts, nor that it imported what is no longer there.
        is_here = [np.zeros(len(codes), np.bool_) for codes in self._moved]
        is_file = np.zeros(len(self.paths), np.bool_)
        for shard, offset, codes, here in zip(self.shards, self.offsets, self._moved, is_here, strict=True):
            heads = shard.find_scope("file:").heads
            here[shard["path"][heads[self.alive[heads + offset]]]] = True
            is_file[codes[here]] = True
        for shard, moved, here in zip(self.shards, self._moved, is_here, strict=True):
            pairs, codes = shard["scope"].astype(np.int64), moved.astype(np.int64)
            held = here[pairs[:, 0]] & is_file[codes[pairs[:, 1]]]
            pairs = pairs[held]
            keys.append(codes[pairs[:, 0]] << 32 | codes[pairs[:, 1]])
            weights.append(shard["scope_weight"][held].astype(np.float32))
        joined = np.concatenate([np.empty(0, np.int64), *keys])
        confidence = np.concatenate([np.empty(0, np.float32), *weights])
        order = np.lexsort((confidence, joined))
        return joined[order], confidence[order]

    @property
    def model(self) -> str:
        """Return the name of the model that made the vectors, "" for none."""
        return next((shard.header.model for shard in self.shards if shard.header.model), "")

    def docs_of(self, ids: Sequence[str]) -> Numbers:
        """Return document numbers of the records with these ids that are alive here, in the order asked; unknown ids are left out."""
        return self.located(ids)[0]

    def located(self, ids: Sequence[str]) -> tuple[Numbers, NDArray[np.int64]]:
        """Return the same as `docs_of`, and for each document the position of its id in `ids`."""
        if not len(ids) or not self.size:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        wanted = np.array([record_id.encode() for record_id in ids], "S26")
        found = [shard.find_ids(wanted) for shard in self.shards]
        docs = np.concatenate([rows + offset for (rows, _), offset in zip(found, self.offsets, strict=True)])
        owner = np.concatenate([owner for _, owner in found])
        if len(found) > 1:
            order = np.argsort(owner, kind="stable")
            docs, owner = docs[order], owner[order]
        alive = self.alive[docs]
        return docs[alive].astype(np.int32), owner[alive]

    def without(self, ids: Sequence[str]) -> Documents:
        """Return a table in which the documents of these records are not alive."""
        other = Documents(self._base, self._layers, self._gone)
        other.alive[self.docs_of(ids)] = False
        other.count = int(np.count_nonzero(other.alive))
        return other

    def search_scope(self, prefix: str) -> SearchScope:
        """Return the live documents of the sources whose name begins with `prefix`, with the statistics that scoring needs."""
        if prefix not in self._scopes:
            found = [shard.find_scope(prefix) for shard in self.shards]
            mask = np.zeros(self.size, np.bool_)
            for scope, offset in zip(found, self.offsets, strict=True):
                mask[offset + scope.start : offset + scope.stop] = True
            dead = self.dead
            dead = dead[mask[dead]]
            mask[dead] = False
            gone = self.lengths[dead]
            # Whole numbers, so that the sums are exact in any order and an updated index scores as a rebuilt one.
            total = np.sum([scope.lengths for scope in found], axis=0) - gone.sum(axis=0, dtype=np.float64)
            words = self._by_path([scope.by_path for scope in found])
            words -= np.bincount(self.path_codes[dead], gone.sum(axis=1, dtype=np.float64), len(self.paths))
            count = int(np.count_nonzero(mask))
            mean = np.maximum(total / max(count, 1), 1e-9)
            self._scopes[prefix] = SearchScope(mask, count, mean, words, int(np.count_nonzero(words)))
        return self._scopes[prefix]


def _name_files(codes: NDArray[np.int64], paths: Sequence[str]) -> FileNames:
    by_basename: dict[str, list[str]] = {}
    numbers: list[int] = codes.tolist()
    for path in sorted(paths[code] for code in numbers):
        by_basename.setdefault(path.rsplit("/", 1)[-1], []).append(path)
    folders = {part for folder in {paths[code].rpartition("/")[0] for code in numbers} for part in folder.split("/")}
    names = {name.partition(".")[0] or name for name in by_basename}
    return FileNames(
        codes,
        paths,
        by_basename,
        frozenset(name.replace("_", "").replace("-", "").lower() for name in folders | names),
        frozenset(name.partition(".")[0].lower() for name in by_basename),
        tuple(name for name in by_basename if _PATH_MARK.search(name)),
    )
