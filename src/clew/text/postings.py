"""Postings: the search index entries of one source, packed into bytes so that a thousand sources are merged in milliseconds.

A producer calls `pack_postings` beside its records, in its own process; the store keeps the bytes and `clew.store.documents`
merges them. Packed for each record: its terms by field, the names that it defines, and the names that it uses. Names are resolved
when an index is built, so that none is stale, and an index kept up to date equals one built anew.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, TypeAlias

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from clew.text.embed import Embedder
from clew.text.words import WORD_CHARS_MAX, compose_letters, extract_words, split_word


class TextField(IntEnum):
    """The part of a record that a term occurs in. Ranking weights the parts; no weight is stored."""

    NAME = 0
    PATH = 1
    SIGNATURE = 2
    DOC = 3
    BODY = 4


class NameUse(IntEnum):
    """How a record uses a name that another one defines."""

    CALL = 0
    REFERENCE = 1
    INHERIT = 2
    MENTION = 3  # in prose or tool output; the weakest


class Role(IntEnum):
    """What a file or a part of it is for. Stored as one byte: what was indexed before there were more than two kept its meaning."""

    SOURCE = 0
    TEST = 1
    DEMO = 2
    BENCHMARK = 3
    DECLARATION = 4
    DOCUMENT = 5
    CONFIGURATION = 6
    GENERATED = 7


class LinkKind(IntEnum):
    """What a link says of its key, a place or a name in a place: it is another one; it is a part of one; one is looked through after it."""

    NAME = 0
    PART = 1
    NEXT = 2


Place: TypeAlias = tuple[int, str]
"""Where a record is found by exact means: (key of a place, name in it)."""
ScopedUse: TypeAlias = tuple[str, NameUse, int, int]
"""(name, how, times, key of the place in which it is looked up; 0 for any place, NO_SCOPE for none)."""
NameLink: TypeAlias = tuple[int, int, int, LinkKind]
"""(key, key of a place, hash of a name in it or 0 for the place itself, what that is to the key)."""
NO_SCOPE = 1

FIELD_COUNT = len(TextField)
EMBEDDED_CHARS_MAX = 1500  # guess: a mean over more tokens says less of each
BODY_CHARS_MAX = 200_000  # guess: more than any function by hand; the rest of a huge record adds no new words


@dataclass(frozen=True, slots=True)
class SearchDocument:
    """What the search index takes of one record.

    texts    one text per TextField, in the order of the enum.
    defines  names under which others refer to it: `bar`, and the subject `symbol:src/a.py::Foo.bar`.
    uses     (name, how, times, place): see ScopedUse.
    places   where it is found by exact means; its names are in `defines` as well.
    parent   position of the containing record among the documents packed together, −1 for none.
    role     what it is for.
    body_words  the words of the body with their counts, where they were counted before.
    """

    id: str
    layer: str
    kind: str
    path: str
    texts: tuple[str, str, str, str, str]
    defines: tuple[str, ...] = ()
    uses: tuple[ScopedUse, ...] = ()
    parent: int = -1
    role: Role = Role.SOURCE
    start_line: int = 0
    lines: int = 0
    places: tuple[Place, ...] = ()
    body_words: Counter[str] | None = None


class _Head(msgspec.Struct, array_like=True):
    ids: list[str]
    layers: list[str]
    kinds: list[str]
    paths: list[str]
    imports: list[tuple[str, float]]
    model: str = ""
    dims: int = 0


@dataclass(frozen=True, slots=True)
class PostingsSegment:
    """The unpacked postings of one source: n documents, p postings, d definitions, u uses.

    parent (n,) int32; role (n,) uint8; start_line, lines (n,) int32; lengths (n, FIELD_COUNT) float32, words per field.
    terms (p,) uint64, docs (p,) int32, fields (p,) uint8, counts (p,) uint8 (255 means 255 or more).
    define_names (d,) uint64, define_docs (d,) int32.
    use_names (u,) uint64, use_docs (u,) int32, use_kinds (u,) uint8, use_counts (u,) uint8, use_scopes (u,) int32 positions in
    scopes (s,) uint64, keys of places. place_keys (q,) uint64, `mix_names` of a place and a name, place_docs (q,) int32.
    link_keys, link_scopes, link_names (l,) uint64, link_kinds (l,) uint8: see NameLink; link_docs (l,) int32, the file that says so.
    imports  (path, confidence) of the files that this source's names come from.
    vectors (n, dims) int8, scales (n,) float32: the row times its scale is the embedding that `model` gave;
    dims is 0 and `model` is "" where nothing was embedded, and a scale of 0 marks a record without a vector.
    """

    ids: list[str]
    layers: list[str]
    kinds: list[str]
    paths: list[str]
    imports: list[tuple[str, float]]
    model: str
    dims: int
    parent: NDArray[np.int32]
    role: NDArray[np.uint8]
    start_line: NDArray[np.int32]
    lines: NDArray[np.int32]
    lengths: NDArray[np.float32]
    terms: NDArray[np.uint64]
    docs: NDArray[np.int32]
    fields: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    define_names: NDArray[np.uint64]
    define_docs: NDArray[np.int32]
    use_names: NDArray[np.uint64]
    use_docs: NDArray[np.int32]
    use_kinds: NDArray[np.uint8]
    use_counts: NDArray[np.uint8]
    use_scopes: NDArray[np.int32]
    scopes: NDArray[np.uint64]
    place_keys: NDArray[np.uint64]
    place_docs: NDArray[np.int32]
    link_keys: NDArray[np.uint64]
    link_scopes: NDArray[np.uint64]
    link_names: NDArray[np.uint64]
    link_kinds: NDArray[np.uint8]
    link_docs: NDArray[np.int32]
    vectors: NDArray[np.int8]
    scales: NDArray[np.float32]


_ARRAYS: tuple[tuple[str, str], ...] = (
    ("parent", "<i4"), ("role", "u1"), ("start_line", "<i4"), ("lines", "<i4"), ("lengths", "<f4"),
    ("terms", "<u8"), ("docs", "<i4"), ("fields", "u1"), ("counts", "u1"),
    ("define_names", "<u8"), ("define_docs", "<i4"),
    ("use_names", "<u8"), ("use_docs", "<i4"), ("use_kinds", "u1"), ("use_counts", "u1"), ("use_scopes", "<i4"), ("scopes", "<u8"),
    ("place_keys", "<u8"), ("place_docs", "<i4"),
    ("link_keys", "<u8"), ("link_scopes", "<u8"), ("link_names", "<u8"), ("link_kinds", "u1"), ("link_docs", "<i4"),
    ("vectors", "i1"), ("scales", "<f4"),
)  # fmt: skip
_PLACES_IN = frozenset({"docs", "define_docs", "use_docs", "place_docs", "link_docs", "use_scopes"})  # numbers of documents, and of scopes
_MAGIC, _MAGIC_BEFORE = b"clewseg2", b"clewseg1"  # the one before has no places


def make_literal_name(literal: str) -> str:
    """Return the name under which the index links files that use the same string literal; no definition can have it."""
    return f"'literal:{literal}"


def hash_term(term: str) -> int:
    """Return the 64-bit hash of a term or a name; two of a million terms share one with a chance of 3e-8."""
    return xxh64_intdigest(compose_letters(term).encode("utf-8", "surrogatepass"))


_names: dict[str, int] = {}


def hash_name(name: str) -> int:
    """Return `hash_term` of a name, remembered: the names of a repository come again and again."""
    found = _names.get(name)
    if found is None:
        if len(_names) > 1 << 17:
            _names.clear()
        found = _names[name] = hash_term(name)
    return found


def mix_names(place: int, name: int) -> int:
    """Return the key of a name in a place, from both hashes: `mix_name_arrays` of one pair."""
    mixed = (place * _MIX_1 + name * _MIX_2) & _ALL
    mixed ^= mixed >> 29
    mixed = mixed * _MIX_3 & _ALL
    return mixed ^ mixed >> 32


def mix_name_arrays(places: NDArray[np.uint64], names: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the keys of names in places, from the hashes of both: (n,) uint64 each."""
    mixed = places * np.uint64(_MIX_1) + names * np.uint64(_MIX_2)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(_MIX_3)
    return mixed ^ (mixed >> np.uint64(32))


_ALL = (1 << 64) - 1
_MIX_1, _MIX_2, _MIX_3 = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93  # odd, half of their bits set


@dataclass(slots=True)
class _Hashes:
    """Term hashes by raw word, kept between sources: most words of a repository come again and again."""

    seen: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])

    def of(self, word: str) -> tuple[int, ...]:
        word = word[:WORD_CHARS_MAX]  # no more of it counts, and runs of 200,000 digits must not be kept
        found = self.seen.get(word)
        if found is None:
            if len(self.seen) > 1 << 18:
                self.seen.clear()
            found = self.seen[word] = tuple(hash_term(term) for term in split_word(word))
        return found


_hashes = _Hashes()


def pack_postings(
    documents: Sequence[SearchDocument],
    imports: Iterable[tuple[str, float]] = (),
    embedder: Embedder | None = None,
    links: Collection[NameLink] = (),
) -> bytes:
    """Return the packed search index entries of one source's records, compressed, for `unpack_postings`.

    Vectors are kept in int8 with a scale per row: one global scale loses much of their use.
    Cost  about 120 ns a byte of text, most of it finding words; runs in the producer's process.
    """
    lengths = np.zeros((len(documents), FIELD_COUNT), np.float32)
    term_parts: list[int] = []
    count_parts: list[int] = []
    places: list[int] = []  # doc << 8 | field of each text
    sizes: list[int] = []  # of terms in each text
    define_names: list[int] = []
    place_keys: list[int] = []
    use_names: list[int] = []
    use_parts: list[int] = []  # place << 16 | count << 8 | kind
    scopes: dict[int, int] = {}
    seen, known = _hashes.seen, _names
    path, of_path = "", (dict[int, int](), 0)
    for doc, document in enumerate(documents):
        for place, text in enumerate(document.texts):
            if not text:
                continue
            if place != TextField.PATH or text != path:
                counted = document.body_words if place == TextField.BODY else None
                words = Counter(extract_words(text[:BODY_CHARS_MAX])) if counted is None else counted
                counts: dict[int, int] = {}
                for word, times in words.items():
                    for key in seen.get(word) or _hashes.of(word):
                        counts[key] = counts.get(key, 0) + times
                size = words.total()
                if place == TextField.PATH:
                    path, of_path = text, (counts, size)
            else:  # the records of a file have one path
                counts, size = of_path
            lengths[doc, place] = size
            term_parts.extend(counts)
            count_parts.extend(counts.values())
            places.append(doc << 8 | place)
            sizes.append(len(counts))
        define_names += [hash_name(name) for name in document.defines]
        place_keys += [mix_names(place, hash_name(name)) for place, name in document.places]
        use_names += [known.get(use[0]) or hash_name(use[0]) for use in document.uses]
        use_parts += [how | min(times, 255) << 8 | scopes.setdefault(scope, len(scopes)) << 16 for _, how, times, scope in document.uses]
    keys, use_rows = np.repeat(np.array(places, np.int64), sizes), np.array(use_parts, np.int64)
    linked = np.array(list(links), np.uint64).reshape(-1, 4)
    rows = embedder.embed([_embedded(document) for document in documents]) if embedder else np.zeros((len(documents), 0), np.float32)
    quantised, scales = quantise_rows(rows)
    arrays: dict[str, NDArray[Any]] = {
        "parent": np.array([document.parent for document in documents], np.int32),
        "role": np.array([document.role for document in documents], np.uint8),
        "start_line": np.array([document.start_line for document in documents], np.int32),
        "lines": np.array([document.lines for document in documents], np.int32),
        "lengths": lengths,
        "terms": np.array(term_parts, np.uint64),
        "docs": (keys >> 8).astype(np.int32),
        "fields": (keys & 255).astype(np.uint8),
        "counts": np.minimum(np.array(count_parts, np.int64), 255).astype(np.uint8),
        "define_names": np.array(define_names, np.uint64),
        "define_docs": np.repeat(np.arange(len(documents), dtype=np.int32), [len(document.defines) for document in documents]),
        "use_names": np.array(use_names, np.uint64),
        "use_docs": np.repeat(np.arange(len(documents), dtype=np.int32), [len(document.uses) for document in documents]),
        "use_kinds": (use_rows & 255).astype(np.uint8),
        "use_counts": (use_rows >> 8 & 255).astype(np.uint8),
        "use_scopes": (use_rows >> 16).astype(np.int32),
        "scopes": np.array(list(scopes), np.uint64),
        "place_keys": np.array(place_keys, np.uint64),
        "place_docs": np.repeat(np.arange(len(documents), dtype=np.int32), [len(document.places) for document in documents]),
        "link_keys": linked[:, 0],
        "link_scopes": linked[:, 1],
        "link_names": linked[:, 2],
        "link_kinds": linked[:, 3].astype(np.uint8),
        "link_docs": np.zeros(len(links), np.int32),
        "vectors": quantised,
        "scales": scales,
    }
    head = _Head(
        [document.id for document in documents],
        [document.layer for document in documents],
        [document.kind for document in documents],
        [document.path.encode("utf-8", "surrogatepass").decode("latin-1") for document in documents],
        [(path.encode("utf-8", "surrogatepass").decode("latin-1"), weight) for path, weight in imports],
        embedder.name if embedder else "",
        quantised.shape[1],
    )
    return _frame(head, arrays)


def unpack_postings(data: bytes) -> PostingsSegment:
    """Return the postings that `pack_postings` packed. Raises ValueError for other bytes."""
    raw, head, sizes, at = _opened(data)
    shapes = {"lengths": (len(head.ids), FIELD_COUNT), "vectors": (len(head.ids), head.dims)}
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind in _ARRAYS:
        if name not in sizes:  # of the version before: every name is looked up everywhere
            arrays[name] = np.zeros(sizes["use_names"] if name == "use_scopes" else int(name == "scopes"), kind)
            continue
        arrays[name] = np.frombuffer(raw, kind, sizes[name], at).reshape(shapes.get(name, (sizes[name],)))
        at += sizes[name] * np.dtype(kind).itemsize
    paths = [path.encode("latin-1").decode("utf-8", "surrogatepass") for path in head.paths]
    imports = [(path.encode("latin-1").decode("utf-8", "surrogatepass"), weight) for path, weight in head.imports]
    return PostingsSegment(head.ids, head.layers, head.kinds, paths, imports, head.model, head.dims, **arrays)


def read_packed_ids(data: bytes) -> list[str]:
    """Return the record ids of packed postings without unpacking the arrays. Raises ValueError for bytes that are no postings."""
    raw, head, sizes, at = _opened(data)
    if len(raw) != at + sum(sizes[name] * np.dtype(kind).itemsize for name, kind in _ARRAYS if name in sizes):
        raise ValueError("a segment of postings that is cut")
    return head.ids


def check_packed(data: bytes, bytes_max: int) -> list[str]:
    """Return the record ids of packed postings from a stranger. Raises ValueError where any of their numbers points out of its range.

    bytes_max  what they may take unpacked.
    """
    try:
        if zstandard.frame_content_size(data[8:]) not in range(bytes_max + 1):
            raise ValueError("they say no size, or one that is too large")
        ids = read_packed_ids(data)
        found = unpack_postings(data)
    except (struct.error, zstandard.ZstdError, msgspec.MsgspecError, UnicodeError, MemoryError) as error:
        raise ValueError(str(error)) from error
    size = len(ids)
    columns = (found.layers, found.kinds, found.paths)
    numbers = [(found.parent, -1, size), (found.fields, 0, FIELD_COUNT), (found.use_scopes, 0, len(found.scopes))]
    numbers += [(docs, 0, size) for docs in (found.docs, found.define_docs, found.use_docs, found.place_docs, found.link_docs)]
    if any(len(column) != size for column in columns) or len(set(ids)) != size:
        raise ValueError("their columns have different lengths, or an id stands twice")
    if any(len(values) and not (low <= int(values.min()) and int(values.max()) < high) for values, low, high in numbers):
        raise ValueError("a number in them points to nothing")
    weights = np.array([weight for _, weight in found.imports], np.float64)
    if not all(np.isfinite(values).all() for values in (found.lengths, found.scales, weights)):
        raise ValueError("a number in them is not finite")
    return ids


def _opened(data: bytes) -> tuple[bytes, _Head, dict[str, int], int]:
    """Return the decompressed bytes, the head, the number of values of each array, and where the first one begins."""
    if data[:8] not in (_MAGIC, _MAGIC_BEFORE):
        raise ValueError("not a segment of postings, or one of another version")
    raw = zstandard.ZstdDecompressor().decompress(data[8:])
    head_size, n, p, d, u = struct.unpack_from("<5I", raw)
    at = 20 if data[:8] == _MAGIC_BEFORE else 32
    head = msgspec.msgpack.decode(raw[at : at + head_size], type=_Head)
    sizes = dict.fromkeys(("parent", "role", "start_line", "lines", "scales"), n)
    sizes |= dict.fromkeys(("terms", "docs", "fields", "counts"), p) | dict.fromkeys(("define_names", "define_docs"), d)
    sizes |= dict.fromkeys(("use_names", "use_docs", "use_kinds", "use_counts"), u) | {"lengths": n * FIELD_COUNT, "vectors": n * head.dims}
    if at > 20:
        s, q, n_links = struct.unpack_from("<3I", raw, 20)
        sizes |= {"use_scopes": u, "scopes": s, "place_keys": q, "place_docs": q}
        sizes |= dict.fromkeys(("link_keys", "link_scopes", "link_names", "link_kinds", "link_docs"), n_links)
    return raw, head, sizes, at + head_size


def _embedded(document: SearchDocument) -> str:
    """What a vector is made of: the name, the header and the docstring, then as much of the body as still matters to a mean."""
    name, _, signature, docstring, body = document.texts
    return "\n".join(part for part in (name, signature, docstring, body[:EMBEDDED_CHARS_MAX]) if part)[:EMBEDDED_CHARS_MAX]


def quantise_rows(rows: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return (n, dims) rows as int8 with one float32 scale each: row × scale is within half a step of the original."""
    scales = (np.abs(rows).max(axis=1, initial=0.0) / 127.0).astype(np.float32)
    safe = np.where(scales > 0, scales, np.float32(1.0))
    return np.rint(rows / safe[:, None]).astype(np.int8), scales


def drop_from_postings(data: bytes, ids: Collection[str]) -> bytes:
    """Return the packed postings without those of these record ids, b"" when none is left.

    A record whose parent was removed has none afterwards. Raises ValueError for bytes that are no postings.
    """
    segment = unpack_postings(data)
    keep = np.array([record_id not in ids for record_id in segment.ids], np.bool_)
    if keep.all():
        return data
    if not keep.any():
        return b""
    numbers = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int32)
    arrays: dict[str, NDArray[Any]] = {}
    for name, _ in _ARRAYS:
        table = next((table for table in ("define", "use", "place", "link") if name.startswith(f"{table}_")), "")
        if name == "scopes":
            arrays[name] = segment.scopes
        elif table or name in ("terms", "docs", "fields", "counts"):
            docs: NDArray[np.int32] = getattr(segment, f"{table}_docs" if table else "docs")
            arrays[name] = getattr(segment, name)[keep[docs]]
        else:
            arrays[name] = getattr(segment, name)[keep]
    for name in ("docs", "define_docs", "use_docs", "place_docs", "link_docs"):
        arrays[name] = numbers[arrays[name]]
    arrays["parent"] = np.where(arrays["parent"] >= 0, numbers[arrays["parent"]], -1)
    head = _Head(
        _kept(segment.ids, keep),
        _kept(segment.layers, keep),
        _kept(segment.kinds, keep),
        _kept([path.encode("utf-8", "surrogatepass").decode("latin-1") for path in segment.paths], keep),
        [(path.encode("utf-8", "surrogatepass").decode("latin-1"), weight) for path, weight in segment.imports],
        segment.model,
        segment.dims,
    )
    return _frame(head, arrays)


def join_postings(parts: Sequence[bytes]) -> bytes:
    """Return the packed postings of parts of one source as one part, documents in their order: an index is the same with either.

    b"" where they cannot be joined: one is damaged, names imports, or has vectors of another model.
    """
    try:
        heads, segments = [_opened(part)[1] for part in parts], [unpack_postings(part) for part in parts]
    except (ValueError, struct.error, zstandard.ZstdError, msgspec.MsgspecError):
        return b""
    if any(head.imports for head in heads) or len({(head.model, head.dims) for head in heads}) > 1:
        return b""
    arrays: dict[str, NDArray[Any]] = {}
    for name, _ in _ARRAYS:
        columns, start = list[NDArray[Any]](), 0
        for segment in segments:
            column = getattr(segment, name)
            if name == "parent":
                column = np.where(column >= 0, column + start, -1)
            columns.append(column + start if name in _PLACES_IN else column)
            start += len(segment.scopes if name == "use_scopes" else segment.ids)
        arrays[name] = np.concatenate(columns)
    ids, layers, kinds, paths = ([each for head in heads for each in getattr(head, name)] for name in ("ids", "layers", "kinds", "paths"))
    return _frame(_Head(ids, layers, kinds, paths, [], heads[0].model, heads[0].dims), arrays)


def _kept(names: list[str], keep: NDArray[np.bool_]) -> list[str]:
    return [name for name, is_kept in zip(names, keep, strict=True) if is_kept]


def _frame(head: _Head, arrays: dict[str, NDArray[Any]]) -> bytes:
    packed = msgspec.msgpack.encode(head)
    counts = tuple(len(arrays[name]) for name in ("role", "terms", "define_names", "use_names", "scopes", "place_keys", "link_keys"))
    body = b"".join(arrays[name].astype(kind, copy=False).tobytes() for name, kind in _ARRAYS)
    raw = struct.pack("<8I", len(packed), *counts) + packed + body
    return _MAGIC + zstandard.ZstdCompressor(level=1).compress(raw)
