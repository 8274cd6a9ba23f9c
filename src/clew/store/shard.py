"""Shard: join the packed postings of many parts into flat arrays, written to and memory-mapped from one file.

Each table (words, definitions, uses) is sorted by hash, so that every look-up is a binary search; definitions and uses are stored a
second time sorted by document.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from clew.store.path_words import PathWords
from clew.text.postings import PostingsSegment, Role, pack_postings, unpack_postings

PartKey: TypeAlias = tuple[str, int, str]
"""One part of an index: source, number of the part in the source, digest of its packed postings."""
_Floats: TypeAlias = NDArray[np.float32]
PROSE_KINDS = frozenset({"section", "config", "text"})

_MAGIC = b"clewidx5"
_ALIGN = 64


def compute_part_digest(data: bytes) -> str:
    """Return the digest of a part's packed postings: blake2b-128 in hex."""
    return blake2b(data, digest_size=16).hexdigest()


class ShardHeader(msgspec.Struct, array_like=True):
    """Header of a serialized IndexShard.

    parts        (source, part, digest) of what it was built from; part_starts  number of the first document of each.
    layers, kinds, paths  tables of strings, in which the columns of integer codes are positions.
    model, dims  embedding model and length of its vectors; "" and 0 for none.
    """

    parts: list[PartKey]
    part_starts: list[int]
    layers: list[str]
    kinds: list[str]
    paths: list[str]
    model: str
    dims: int
    arrays: list[tuple[str, str, list[int], int]]  # name, dtype, shape, offset


@dataclass(frozen=True, slots=True)
class ShardScope:
    """The documents of a shard from `start` to before `stop`, live or not: those of sources whose names begin alike.

    lengths (fields,) their words by field; by_path (paths,) their words by path; heads  those that no other one contains.
    """

    start: int
    stop: int
    lengths: NDArray[np.float64]
    by_path: NDArray[np.float64]
    heads: NDArray[np.int64]


class IndexShard:
    """The search index of a set of parts as numpy arrays by name; `size` is its number of documents (records)."""

    def __init__(self, meta: ShardHeader, arrays: dict[str, NDArray[Any]]) -> None:
        self.header = meta
        self.arrays = arrays
        self.ids: NDArray[np.bytes_] = arrays["ids"]
        self.size = len(self.ids)
        self._of_kinds: dict[frozenset[str], NDArray[np.bool_]] = {}
        self._scopes: dict[str, ShardScope] = {}
        self._prose: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None

    @cached_property
    def path_words(self) -> PathWords:
        """The words of its paths. Cost: about 4 µs a path, once."""
        return PathWords(self.header.paths)

    @cached_property
    def path_numbers(self) -> dict[str, int]:
        """Path → its position in the header's table."""
        return {path: at for at, path in enumerate(self.header.paths)}

    @cached_property
    def sign_bits(self) -> NDArray[np.uint8]:
        """The signs of its vectors, eight to a byte."""
        return np.packbits(self["vectors"] > 0, axis=1) if self.header.dims else np.zeros((self.size, 0), np.uint8)

    @cached_property
    def _by_path(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        codes = self["path"]
        order = np.argsort(codes, kind="stable")  # nearly sorted already: a file's documents stand together
        return order, np.searchsorted(codes[order], np.arange(len(self.header.paths) + 1))

    def docs_of_path(self, code: int) -> NDArray[np.int64]:
        """Return its documents of one of its paths, ascending."""
        order, ends = self._by_path
        return order[int(ends[code]) : int(ends[code + 1])]

    @cached_property
    def docs_by_path(self) -> NDArray[np.int64]:
        """(paths,) how many of its documents have each path."""
        return np.bincount(self["path"], minlength=len(self.header.paths))

    def is_of_kinds(self, kinds: frozenset[str]) -> NDArray[np.bool_]:
        """Return (size,) whether each document's record is of one of these kinds; the same array for the same kinds."""
        if kinds not in self._of_kinds:
            wanted = np.array([kind in kinds for kind in self.header.kinds], np.bool_)
            self._of_kinds[kinds] = wanted[self["kind"]] if self.size else np.zeros(0, np.bool_)
        return self._of_kinds[kinds]

    @cached_property
    def code_by_path(self) -> NDArray[np.int64]:
        """(paths,) how many of its documents of each path are parts of a file, and of no kind of prose."""
        is_code = ~self.is_of_kinds(PROSE_KINDS) & (self["parent"] >= 0)
        return np.bincount(self["path"][is_code], minlength=len(self.header.paths))

    @cached_property
    def is_test(self) -> NDArray[np.bool_]:
        """(size,) whether the record tests other code."""
        return self["role"] == Role.TEST

    @cached_property
    def is_container(self) -> NDArray[np.bool_]:
        """(size,) whether it contains another document."""
        held = np.zeros(self.size, np.bool_)
        held[self["parent"][self["parent"] >= 0]] = True
        return held

    @cached_property
    def log_lines(self) -> _Floats:
        """(size,) the logarithm of the number of lines, and 1."""
        return np.log1p(self["lines"].astype(np.float32))

    def find_prose(self, has_code: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (size,) whether each document is prose, from whether each path has code: the same array for the same."""
        known = self._prose  # another thread may ask for another table meanwhile
        if known is None or not np.array_equal(known[0], has_code):
            prose = (
                np.where(self["parent"] < 0, ~has_code[self["path"]], self.is_of_kinds(PROSE_KINDS)) if self.size else np.zeros(0, np.bool_)
            )
            role = self["role"]
            known = has_code, (role == Role.DOCUMENT) | (role == Role.CONFIGURATION) | (prose & (role != Role.SOURCE))
            self._prose = known
        return known[1]

    def find_part(self, key: PartKey) -> int:
        """Return the position of a part, −1 where it is not here."""
        at = bisect_left(self.header.parts, key)
        return at if at < len(self.header.parts) and self.header.parts[at] == key else -1

    def find_parts_of(self, source: str) -> Sequence[PartKey]:
        """Return the parts of a source."""
        parts = self.header.parts
        return parts[bisect_left(parts, (source,)) : bisect_right(parts, source, key=lambda part: part[0])]

    def span_of_part(self, at: int) -> tuple[int, int]:
        """Return the first document of a part and the one after its last."""
        return self.header.part_starts[at], self.header.part_starts[at + 1]

    def find_siblings(self, doc: int) -> tuple[int, int]:
        """Return the first document of the part that holds a document, and the one after its last."""
        return self.span_of_part(bisect_right(self.header.part_starts, doc) - 1)

    def find_scope(self, prefix: str) -> ShardScope:
        """Return what stands in the sources whose name begins with `prefix`. Cost: one pass over those, once."""
        if prefix not in self._scopes:
            parts, size = self.header.parts, len(prefix)
            low = bisect_left(parts, prefix, key=lambda part: part[0][:size])
            high = bisect_right(parts, prefix, key=lambda part: part[0][:size])
            start, stop = (self.header.part_starts[low], self.header.part_starts[high]) if parts else (0, 0)
            lengths = self["lengths"][start:stop]
            by_path = np.zeros(len(self.header.paths))
            by_path += np.bincount(self["path"][start:stop], lengths.sum(axis=1, dtype=np.float64), len(self.header.paths))
            heads = start + np.flatnonzero(self["parent"][start:stop] < 0)
            self._scopes[prefix] = ShardScope(start, stop, lengths.sum(axis=0, dtype=np.float64), by_path, heads)
        return self._scopes[prefix]

    def find_ids(self, ids: NDArray[np.bytes_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the documents of these record ids, and for each the position of its id in `ids`."""
        order = self["id_order"]
        low = np.searchsorted(self.ids, ids, "left", sorter=order)
        rows, owner = expand_ranges(low, np.searchsorted(self.ids, ids, "right", sorter=order))
        return order[rows].astype(np.int64), owner

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.arrays[name]

    def find_rows(self, table: str, key: int) -> slice:
        """Return the slice of rows of `table` ("term", "define" or "use") that hold the hash `key`; empty if none do."""
        keys = self.arrays[f"{table}_keys"]
        at = int(np.searchsorted(keys, np.uint64(key)))
        if at == len(keys) or int(keys[at]) != key:
            return slice(0, 0)
        ends = self.arrays[f"{table}_ends"]
        return slice(int(ends[at]), int(ends[at + 1]))

    @staticmethod
    def join_parts(parts: Sequence[tuple[PartKey, PostingsSegment]]) -> IndexShard:
        """Build a shard from unpacked parts, ordered by their keys. Cost: one sort of all postings, about 0.1 µs each."""
        segments = [segment for _, segment in parts] or [_NOTHING]
        starts = np.concatenate([[0], np.cumsum([len(segment.ids) for segment in segments])]).astype(np.int64)
        model = next((segment.model for segment in segments if segment.model), "")
        dims = next((segment.dims for segment in segments if segment.model), 0)
        layers, kinds, paths = _Codes(), _Codes(), _Codes()
        arrays: dict[str, NDArray[Any]] = {
            "ids": np.array([record_id for segment in segments for record_id in segment.ids], "S26"),
            "layer": np.array([layers[x] for s in segments for x in s.layers], np.uint8),
            "kind": np.array([kinds[x] for s in segments for x in s.kinds], np.uint8),
            "path": np.array([paths[x] for s in segments for x in s.paths], np.int32),
        }
        arrays["id_order"] = np.argsort(arrays["ids"], kind="stable").astype(np.int32)
        for name in ("role", "start_line", "lines", "lengths"):
            arrays[name] = np.concatenate([getattr(segment, name) for segment in segments])
        parents = [np.where(s.parent >= 0, s.parent + start, -1) for s, start in zip(segments, starts, strict=False)]
        arrays["parent"] = np.concatenate(parents).astype(np.int32)
        _join_table(arrays, "term", segments, starts, ("terms", "docs"), ("fields", "counts"))
        _join_table(arrays, "define", segments, starts, ("define_names", "define_docs"), ())
        scope_starts = np.cumsum([0, *(len(segment.scopes) for segment in segments)])
        arrays["scopes"] = np.concatenate([segment.scopes for segment in segments])
        scopes = [s.use_scopes + np.int32(start) for s, start in zip(segments, scope_starts.tolist(), strict=False)]
        _join_table(arrays, "use", segments, starts, ("use_names", "use_docs"), ("use_kinds", "use_counts"), np.concatenate(scopes))
        _join_table(arrays, "place", segments, starts, ("place_keys", "place_docs"), ())
        _join_table(arrays, "link", segments, starts, ("link_keys", "link_docs"), ("link_scopes", "link_names", "link_kinds"))
        _join_forward(arrays, int(starts[-1]))
        arrays["scope"], arrays["scope_weight"] = _join_scopes(segments, paths)
        if dims:
            rows = [s.vectors if s.model == model else np.zeros((len(s.ids), dims), np.int8) for s in segments]
            arrays["vectors"] = np.concatenate(rows)
            arrays["scales"] = np.concatenate([s.scales if s.model == model else np.zeros(len(s.ids), np.float32) for s in segments])
        meta = ShardHeader(
            [key for key, _ in parts], [int(x) for x in starts[: len(parts) + 1]], list(layers), list(kinds), list(paths), model, dims, []
        )
        return IndexShard(meta, arrays)


def expand_ranges(low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all numbers of the ranges [low, high), and for each the position of its range."""
    start, stop = low.astype(np.int64), high.astype(np.int64)
    sizes = stop - start
    owner = np.repeat(np.arange(len(sizes)), sizes)
    shift = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else np.empty(0, np.int64)
    return np.arange(int(sizes.sum())) - shift[owner] + start[owner], owner


_NOTHING = unpack_postings(pack_postings(()))


class _Codes(dict[str, int]):
    """Assigns numbers to names in the order in which they are first looked up."""

    def __missing__(self, name: str) -> int:
        code = self[name] = len(self)
        return code


def _join_table(
    arrays: dict[str, NDArray[Any]],
    table: str,
    segments: Sequence[PostingsSegment],
    starts: NDArray[np.int64],
    names: tuple[str, str],
    extra: tuple[str, ...],
    scopes: NDArray[np.int32] | None = None,
) -> None:
    """Sort one table by (hash, document) and keep its unique hashes with the rows of each; `scopes` are another column of it."""
    hash_name, doc_name = names
    hashes = np.concatenate([getattr(segment, hash_name) for segment in segments])
    docs = np.concatenate([getattr(s, doc_name) + np.int32(start) for s, start in zip(segments, starts, strict=False)])
    order = np.argsort(hashes, kind="stable")  # documents come in ascending order, and stay so within a hash
    sorted_hashes = hashes[order]
    first = np.flatnonzero(np.concatenate([[True], sorted_hashes[1:] != sorted_hashes[:-1]])) if len(order) else np.empty(0, np.int64)
    arrays[f"{table}_keys"] = sorted_hashes[first]
    arrays[f"{table}_ends"] = np.concatenate([first, [len(order)]]).astype(np.int64)
    arrays[f"{table}_docs"] = docs[order].astype(np.int32, copy=False)
    for column in extra:
        values = np.concatenate([getattr(segment, column) for segment in segments])
        arrays[f"{table}_{column.removeprefix(f'{table}_')}"] = values[order]
    if scopes is not None:
        arrays[f"{table}_scopes"] = scopes[order]


def _join_forward(arrays: dict[str, NDArray[Any]], size: int) -> None:
    """Store the rows of the use and define tables a second time, sorted by document."""
    for source, target, columns in (("use", "forward", ("kinds", "counts", "scopes")), ("define", "backward", ())):
        docs = arrays[f"{source}_docs"]
        spans = np.diff(arrays[f"{source}_ends"].astype(np.int64))
        names = np.repeat(arrays[f"{source}_keys"], spans)
        order = np.argsort(docs, kind="stable")
        arrays[f"{target}_names"] = names[order]
        arrays[f"{target}_ends"] = np.searchsorted(docs[order], np.arange(size + 1)).astype(np.int64)
        for column in columns:
            arrays[f"{target}_{column}"] = arrays[f"{source}_{column}"][order]


def _join_scopes(segments: Sequence[PostingsSegment], paths: _Codes) -> tuple[NDArray[np.int32], _Floats]:
    rows: list[tuple[int, int]] = []
    weights: list[float] = []
    for segment in segments:
        if segment.imports and segment.paths:
            tail = paths[segment.paths[0]]
            rows.extend((tail, paths[path]) for path, _ in segment.imports)
            weights.extend(weight for _, weight in segment.imports)
    return np.array(rows, np.int32).reshape(-1, 2), np.array(weights, np.float32)


def shard_to_bytes(shard: IndexShard) -> bytes:
    """Serialize a shard: a header with its checksum, then the arrays, aligned so that they can be memory-mapped."""
    offset = 0
    table: list[tuple[str, str, list[int], int]] = []
    for name, array in shard.arrays.items():
        table.append((name, array.dtype.str, list(array.shape), offset))
        offset += -(-array.nbytes // _ALIGN) * _ALIGN
    meta = msgspec.structs.replace(
        shard.header,
        arrays=table,
        parts=[(_plain(source), part, digest) for source, part, digest in shard.header.parts],
        paths=[_plain(path) for path in shard.header.paths],
    )
    head = msgspec.msgpack.encode(meta)
    front = _MAGIC + len(head).to_bytes(8, "little") + offset.to_bytes(8, "little") + blake2b(head, digest_size=8).digest() + head
    pieces = [front, b"\0" * (-len(front) % _ALIGN)]
    for array in shard.arrays.values():
        pieces += [array.tobytes(), b"\0" * (-array.nbytes % _ALIGN)]
    return b"".join(pieces)


def shard_from_bytes(data: bytes | memoryview) -> IndexShard:
    """Return a shard over what `shard_to_bytes` wrote, without copying. Raises ValueError if it is damaged or of another version."""
    view = memoryview(data)
    if len(view) < 32 or bytes(view[:8]) != _MAGIC:
        raise ValueError("not an index, or one of another version")
    size, body = int.from_bytes(view[8:16], "little"), int.from_bytes(view[16:24], "little")
    head = bytes(view[32 : 32 + size])
    start = -(-(32 + size) // _ALIGN) * _ALIGN
    if blake2b(head, digest_size=8).digest() != bytes(view[24:32]) or len(view) < start + body:
        raise ValueError("the index is damaged")
    meta = msgspec.msgpack.decode(head, type=ShardHeader)
    meta.parts = [(_fancy(source), part, digest) for source, part, digest in meta.parts]
    meta.paths = [_fancy(path) for path in meta.paths]
    arrays = {
        name: np.frombuffer(view, dtype, int(np.prod(shape)), start + offset).reshape(shape) for name, dtype, shape, offset in meta.arrays
    }
    return IndexShard(meta, arrays)


def _plain(name: str) -> str:
    """Encode a file name's bytes as Latin-1: one that is not UTF-8 has lone surrogates, which msgpack refuses."""
    return name.encode("utf-8", "surrogatepass").decode("latin-1")


def _fancy(name: str) -> str:
    return name.encode("latin-1").decode("utf-8", "surrogatepass")
