"""Index: every record of a workspace, searchable by word, by name and by vector.

Joins the packed postings of all sources into flat arrays. An Index is immutable. It is made of a base,
which is written to disk and mapped back in milliseconds, and of an overlay that holds the sources which
changed since; `updated` makes a new overlay and leaves the base alone. Scores depend on what is indexed,
never on the order in which it came, so an updated index answers as one built anew.

Names are joined here, at the time of the question: who calls `parse` is found from the names that
sources define and use, and never stored. A coupling between two files therefore cannot outlive either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.store.shard import PartKey, Shard, dump, load, part_digest
from clew.text.postings import FIELDS, Field, Segment, Use, term_hash, unpack

__all__ = ["Asked", "Index", "Lexical", "Links", "PartKey", "part_digest"]

Floats: TypeAlias = NDArray[np.float32]
Docs: TypeAlias = NDArray[np.int32]

NAME_BEARERS_MAX = 24  # a name that more records define tells nothing; guess from the df of `__init__`, `get`, `run`
RESCORED = 400  # documents whose cosine is computed; guess, a few times what a packet shows of one channel
PROSE_KINDS = frozenset({"section", "config", "text"})
COMMIT_KIND = "commit"
NAME_USERS_MAX = 300  # likewise for a name that more records use; guess
SCOPE_SAME_FILE = 0.95  # confidences of a name's resolution: agreement with a type checker falls in this order;
SCOPE_IMPORTED = 0.85  # the figures themselves are guesses
SCOPE_UNIQUE = 0.60
SCOPE_SHARED = 0.30  # divided by the number of bearers
USE_WEIGHT: dict[Use, float] = {Use.CALL: 1.0, Use.REFERENCE: 0.6, Use.INHERIT: 1.0, Use.MENTION: 0.5}  # guess


@dataclass(frozen=True, slots=True)
class Links:
    """Couplings found by name: tails[i] uses a name that heads[i] defines, `kinds[i]` says how (see `Use`).

    tails, heads (m,) int32 document numbers; kinds (m,) uint8; weights (m,) float32, 0 to 1.
    """

    tails: Docs
    heads: Docs
    kinds: NDArray[np.uint8]
    weights: Floats


@dataclass(frozen=True, slots=True)
class Across:
    """Uses between files: file users[i] uses what document heads[i] of another file defines; each pair once per name.

    users (m,) int64 positions in `Index.paths`; heads (m,) int64 document numbers; kinds (m,) uint8, the strongest `Use`;
    weights (m,) float32, 0 to 1: confidence that this bearer of the name is meant; is_imported (m,) an import says so.
    """

    users: NDArray[np.int64]
    heads: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    weights: Floats
    is_imported: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lexical:
    """Scores (n,) by document and (len(paths),) by file, and the terms that counted: (term, idf, documents that hold it)."""

    by_document: Floats
    by_path: Floats
    used: tuple[tuple[str, float, tuple[NDArray[np.int64], ...]], ...]

    def matching(self, docs: Sequence[int], limit: int = 4) -> list[list[str]]:
        """For each document the terms that it holds, rarest first, at most `limit`."""
        wanted = np.array(docs, np.int64)
        order = np.argsort(wanted, kind="stable")
        found: list[list[tuple[float, str]]] = [[] for _ in docs]
        for term, idf, pieces in self.used:
            for piece in pieces:
                at = np.minimum(np.searchsorted(piece, wanted[order]), len(piece) - 1)
                for position in order[piece[at] == wanted[order]].tolist():
                    found[int(position)].append((-idf, term))
        return [[term for _, term in sorted(rows)[:limit]] for rows in found]


@dataclass(frozen=True, slots=True)
class Asked:
    """Weighted terms that are scored together.

    terms       (term, weight ≥ 0), as `clew.text.words.terms` makes them.
    share_max   terms that stand in a larger share of the documents are left out.
    with_paths  files are scored as well.
    """

    terms: tuple[tuple[str, float], ...]
    share_max: float = 1.0
    with_paths: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    """A term, how many documents hold it, and its postings per shard: documents, fields, counts, where each document begins."""

    term: str
    df: int
    idf: float
    pieces: list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]]


@dataclass(frozen=True, slots=True)
class Among:
    """What a search runs among: mask (n,), how many documents, mean words per field, words (paths,) and number of files."""

    mask: NDArray[np.bool_]
    count: int
    mean: NDArray[np.float64]
    path_words: NDArray[np.float64]
    files: int


class Index:
    """A searchable snapshot. Documents are numbered base first, then overlay; `alive` says which count."""

    def __init__(self, base: Shard, fresh: Sequence[tuple[PartKey, Segment]] = (), gone: Collection[PartKey] = ()) -> None:
        self._base, self._fresh, self._gone = base, tuple(fresh), frozenset(gone)
        overlay = self._overlay = Shard.join(fresh) if fresh else None
        self.shards: tuple[Shard, ...] = (base,) if overlay is None else (base, overlay)
        self.offsets: tuple[int, ...] = (0,) if overlay is None else (0, base.size)
        self.size = sum(shard.size for shard in self.shards)
        self.alive = np.ones(self.size, np.bool_)
        for at, key in enumerate(base.meta.parts):
            if key in self._gone:
                self.alive[base.meta.part_starts[at] : base.meta.part_starts[at + 1]] = False
        self.count = int(self.alive.sum())

    # -- making ---------------------------------------------------------------------------------

    @staticmethod
    def build(parts: Iterable[tuple[PartKey, bytes]]) -> Index:
        """Join packed parts into a base without overlay."""
        ordered = sorted(parts, key=lambda part: part[0])
        return Index(Shard.join([(key, unpack(data)) for key, data in ordered]))

    def updated(self, gone: Collection[PartKey], added: Iterable[tuple[PartKey, bytes]]) -> Index:
        """Return an index without the parts `gone` and with the parts `added`; the base is shared.

        Cost: joining what differs from the base, not what is in it.
        """
        dropped = frozenset(gone)
        base_keys = set(self._base.meta.parts)
        fresh = {key: segment for key, segment in self._fresh if key not in dropped}
        still_gone = (self._gone | dropped) & base_keys
        for key, data in added:
            if key in base_keys:
                still_gone -= {key}  # what had gone from the base and comes back lives there again
            else:
                fresh[key] = unpack(data)
        return Index(self._base, sorted(fresh.items(), key=lambda part: part[0]), still_gone)

    @property
    def parts(self) -> tuple[PartKey, ...]:
        """Keys of the parts that this index answers from, ordered."""
        keys = [key for key in self._base.meta.parts if key not in self._gone]
        return tuple(sorted(keys + (list(self._overlay.meta.parts) if self._overlay else [])))

    @property
    def has_overlay(self) -> bool:
        """The base alone is no longer the truth."""
        return self._overlay is not None or bool(self._gone)

    def to_bytes(self) -> bytes:
        """Serialise the base. Only of an index without overlay: raises ValueError otherwise."""
        if self.has_overlay:
            raise ValueError("an index with an overlay is not written; build it anew")
        return dump(self._base)

    @staticmethod
    def from_bytes(data: bytes | memoryview) -> Index:
        """Map what `to_bytes` wrote, without copying. Raises ValueError when it is damaged."""
        return Index(load(data))

    # -- documents ------------------------------------------------------------------------------

    def id_of(self, doc: int) -> str:
        """Record id of a document number."""
        shard, at = self._at(doc)
        return shard.ids[at].decode()

    def kind_of(self, doc: int) -> str:
        """Kind of a document's record."""
        shard, at = self._at(doc)
        return shard.meta.kinds[int(shard["kind"][at])]

    def layer_of(self, doc: int) -> str:
        """Layer of a document's record."""
        shard, at = self._at(doc)
        return shard.meta.layers[int(shard["layer"][at])]

    def _at(self, doc: int) -> tuple[Shard, int]:
        return (self._base, doc) if doc < self._base.size else (self.shards[1], doc - self._base.size)

    def column(self, name: str) -> NDArray[Any]:
        """`is_test`, `start_line`, `lines` or `lengths` of every document."""
        return np.concatenate([shard[name] for shard in self.shards]) if self._overlay else self._base[name]

    @cached_property
    def is_test(self) -> NDArray[np.bool_]:
        """(n,) the record checks other code."""
        return self.column("is_test").astype(np.bool_, copy=False)

    @cached_property
    def is_prose(self) -> NDArray[np.bool_]:
        """(n,) a part of a document, of a configuration file or of plain text, and not of code."""
        pieces: list[NDArray[np.bool_]] = []
        for shard in self.shards:
            prose = np.array([kind in PROSE_KINDS for kind in shard.meta.kinds], np.bool_)
            pieces.append(prose[shard["kind"]] if shard.size else np.zeros(0, np.bool_))
        of_kind = np.concatenate(pieces)
        # A file is prose if all that stands in it is.
        has_code = np.zeros(len(self.paths), np.bool_)
        is_file = self.parent < 0
        has_code[self.path_codes[~of_kind & ~is_file & self.alive]] = True
        return np.where(is_file, ~has_code[self.path_codes], of_kind)

    @cached_property
    def is_commit(self) -> NDArray[np.bool_]:
        """(n,) a commit of the repository's history."""
        return self.of_kinds(frozenset((COMMIT_KIND,)))

    def of_kinds(self, kinds: Collection[str]) -> NDArray[np.bool_]:
        """(n,) the document's record is of one of these kinds, alive or not."""
        pieces: list[NDArray[np.bool_]] = []
        for shard in self.shards:
            wanted = np.array([kind in kinds for kind in shard.meta.kinds], np.bool_)
            pieces.append(wanted[shard["kind"]] if shard.size else np.zeros(0, np.bool_))
        return np.concatenate(pieces)

    @cached_property
    def sources(self) -> list[str]:
        """Every source that has a part here, ordered; `source_codes` points into it."""
        return sorted({source for shard in self.shards for source, _, _ in shard.meta.parts})

    @cached_property
    def source_codes(self) -> Docs:
        """(n,) number of each document's source in `sources`; the documents of one source ascend in the order of its parts."""
        number = {source: at for at, source in enumerate(self.sources)}
        pieces: list[Docs] = []
        for shard in self.shards:
            codes = np.array([number[source] for source, _, _ in shard.meta.parts], np.int32)
            pieces.append(np.repeat(codes, np.diff(np.array(shard.meta.part_starts, np.int64))))
        return np.concatenate(pieces).astype(np.int32, copy=False)

    @cached_property
    def parent(self) -> Docs:
        """(n,) number of the containing document, −1 for none."""
        pieces = [np.where(s["parent"] >= 0, s["parent"] + off, -1) for s, off in zip(self.shards, self.offsets, strict=True)]
        return np.concatenate(pieces).astype(np.int32, copy=False)

    @cached_property
    def paths(self) -> list[str]:
        """Every path that a live or ended part names; `path_codes` points into it."""
        return self._path_table[0]

    @cached_property
    def path_codes(self) -> Docs:
        """(n,) number of each document's path in `paths`."""
        return self._path_table[1]

    @cached_property
    def _path_table(self) -> tuple[list[str], Docs]:
        base_codes = self._base["path"].astype(np.int32, copy=False)
        if not self._overlay:
            return self._base.meta.paths, base_codes
        names = list(self._base.meta.paths)
        seen = {name: at for at, name in enumerate(names)}
        moved = np.empty(len(self._overlay.meta.paths), np.int32)
        for at, name in enumerate(self._overlay.meta.paths):
            if name not in seen:
                seen[name] = len(names)
                names.append(name)
            moved[at] = seen[name]
        return names, np.concatenate([base_codes, moved[self._overlay["path"].astype(np.int32)]])

    @cached_property
    def path_numbers(self) -> dict[str, int]:
        """Path → its number in `paths`."""
        return {name: at for at, name in enumerate(self.paths)}

    @cached_property
    def paths_by_basename(self) -> dict[str, list[str]]:
        """Last component → the paths of code files that end in it, ordered."""
        table: dict[str, list[str]] = {}
        words = self.among("file:").path_words
        for code, path in sorted(enumerate(self.paths), key=lambda pair: pair[1]):
            if words[code]:
                table.setdefault(path.rsplit("/", 1)[-1], []).append(path)
        return table

    @cached_property
    def heads(self) -> Docs:
        """(len(paths),) the live document that stands for each code file as a whole, −1 for none."""
        heads = np.full(len(self.paths), -1, np.int32)
        docs = np.flatnonzero(self.among("file:").mask & (self.parent < 0) & ~self.is_prose).astype(np.int32)
        heads[self.path_codes[docs]] = docs
        return heads

    @cached_property
    def start_line(self) -> Docs:
        """(n,) first line of each document in its file, 1-based; 0 where lines mean nothing."""
        return self.column("start_line").astype(np.int32, copy=False)

    @cached_property
    def lines(self) -> Docs:
        """(n,) number of lines."""
        return self.column("lines").astype(np.int32, copy=False)

    @cached_property
    def has_children(self) -> NDArray[np.bool_]:
        """(n,) some live document is contained in it."""
        held = np.zeros(self.size, np.bool_)
        parents = self.parent[self.alive]
        held[parents[parents >= 0]] = True
        return held

    @cached_property
    def _doc_by_id(self) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        ids = np.concatenate([shard.ids for shard in self.shards])
        order = np.argsort(ids, kind="stable")
        return ids[order], order

    def docs_of(self, ids: Sequence[str]) -> Docs:
        """Document numbers of the records with these ids that are alive here; unknown ones are left out."""
        if not len(ids) or not self.size:
            return np.empty(0, np.int32)
        known, order = self._doc_by_id
        wanted = np.array([record_id.encode() for record_id in ids], "S26")
        left = np.searchsorted(known, wanted, "left")
        right = np.searchsorted(known, wanted, "right")
        docs = [int(order[at]) for lo, hi in zip(left, right, strict=True) for at in range(lo, hi)]
        return np.array([doc for doc in docs if self.alive[doc]], np.int32)

    # -- by word --------------------------------------------------------------------------------

    def among(self, prefix: str) -> Among:
        """The live documents of the sources whose name begins with `prefix`: what a search runs among."""
        cache: dict[str, Among] = self.__dict__.setdefault("_among", {})
        if prefix not in cache:
            mask = np.zeros(self.size, np.bool_)
            for shard, offset in zip(self.shards, self.offsets, strict=True):
                starts = shard.meta.part_starts
                for at, (source, _, _) in enumerate(shard.meta.parts):
                    if source.startswith(prefix):
                        mask[offset + starts[at] : offset + starts[at + 1]] = True
            mask &= self.alive
            lengths = self.column("lengths")
            count = int(mask.sum())
            # Whole numbers, so that the sums are exact in any order and an updated index scores as a rebuilt one.
            mean = np.maximum(lengths[mask].sum(axis=0, dtype=np.float64) / max(count, 1), 1e-9)
            words = np.zeros(len(self.paths))
            words += np.bincount(self.path_codes, np.where(mask, lengths.sum(axis=1, dtype=np.float64), 0.0), len(self.paths))
            cache[prefix] = Among(mask, count, mean, words, int(np.count_nonzero(words)))
        return cache[prefix]

    def _rows_of(self, key: int) -> int:
        spans = (shard.slice_of("term", key) for shard in self.shards)
        return sum(span.stop - span.start for span in spans)

    def _postings(self, key: int, mask: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]]:
        found: list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            rows = shard.slice_of("term", key)
            if rows.start == rows.stop:
                continue
            docs = shard["term_docs"][rows].astype(np.int64)
            docs += offset
            keep = mask[docs]
            if keep.all():
                found.append((docs, shard["term_fields"][rows], shard["term_counts"][rows]))
            elif keep.any():
                found.append((docs[keep], shard["term_fields"][rows][keep], shard["term_counts"][rows][keep]))
        return found

    def holding(self, term: str, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
        """The documents in the mask whose body holds a term, ascending, and how often each does (255 at most)."""
        found = self._postings(term_hash(term), mask)
        docs = np.concatenate([np.empty(0, np.int64), *(docs[fields == Field.BODY] for docs, fields, _ in found)])
        counts = [counts[fields == Field.BODY].astype(np.float32) for _, fields, counts in found]
        return docs, np.concatenate([np.empty(0, np.float32), *counts])

    def lexical(
        self,
        terms: Sequence[tuple[str, float]],
        weights: Floats,
        *,
        prefix: str,
        b: Floats,
        k1: float,
        share_max: float = 1.0,
        terms_max: int = 1 << 16,
    ) -> Lexical:
        """BM25F scores of every document, and of every file, for weighted terms: `lexical_many` for one list of terms."""
        asked = [Asked(tuple(terms), share_max, with_paths=True)]
        return self.lexical_many(asked, weights, prefix=prefix, b=b, k1=k1, terms_max=terms_max)[0]

    def lexical_many(
        self, asked: Sequence[Asked], weights: Floats, *, prefix: str, b: Floats, k1: float, terms_max: int = 1 << 16
    ) -> list[Lexical]:
        """BM25F scores of every document, and of every file where asked for, for each of several lists of terms.

        asked      lists of terms; a term that stands in several is looked up once.
        weights    (FIELDS,) what an occurrence in each field counts.
        prefix     search among the sources whose name begins so; all statistics are theirs.
        b          (FIELDS,) length normalisation per field, 0 to 1; k1 > 0 saturates the weighted count.
        terms_max  of each list, the terms of most weight × idf count.
        Returns    scores by document and by path; 0 for what has no term or is not searched.
        Source     Robertson, Zaragoza 2009, eq. 3.15 to 3.17; a file's counts are the sums of its documents'.
        """
        among = self.among(prefix)
        lengths, codes = self.column("lengths"), self.path_codes
        path_mean = max(float(among.path_words.sum()) / max(among.files, 1), 1e-9)
        path_norm = (1.0 / (1.0 - b[-1] + b[-1] * among.path_words / path_mean)).astype(np.float32)
        found = {known.term: known for known in self._known(asked, among)}
        lists = [_counting(each, found, among, terms_max) for each in asked]
        scores = [np.zeros(self.size, np.float32) for _ in asked]
        by_path = [np.zeros(len(self.paths), np.float32) for _ in asked]
        owners: dict[str, list[tuple[int, float]]] = {}
        for at, counting in enumerate(lists):
            for term, weight in counting:
                owners.setdefault(term, []).append((at, weight))
        for term, owned in owners.items():
            known = found[term]
            with_paths = [(at, weight) for at, weight in owned if asked[at].with_paths]
            by_file = np.zeros(len(self.paths), np.float64)
            for docs, fields, counts, first in known.pieces:
                raw = weights[fields] * counts
                norm = (1.0 - b[fields] + b[fields] * lengths[docs, fields] / among.mean[fields]).astype(np.float32)
                mass = np.add.reduceat(raw / norm, first)
                gain, heads = mass / (np.float32(k1) + mass), docs[first]
                for at, weight in owned:
                    scores[at][heads] += np.float32(known.idf * weight) * gain
                if with_paths:
                    by_file += np.bincount(codes[docs], raw, len(self.paths))
            if with_paths:
                holders = np.flatnonzero(by_file)
                mass = by_file[holders].astype(np.float32) * path_norm[holders]
                for at, weight in with_paths:
                    by_path[at][holders] += np.float32(_idf(len(holders), among.files) * weight) * (mass / (np.float32(k1) + mass))
        return [
            Lexical(
                scores[at],
                by_path[at],
                tuple((term, found[term].idf, tuple(docs[first] for docs, _, _, first in found[term].pieces)) for term, _ in counting),
            )
            for at, counting in enumerate(lists)
        ]

    def _known(self, asked: Sequence[Asked], among: Among) -> list[_Known]:
        """The postings of every term that some list may count."""
        shares: dict[str, float] = {}
        for each in asked:
            for term, _ in each.terms:
                shares[term] = max(shares.get(term, 0.0), each.share_max)
        found: list[_Known] = []
        for term, share_max in shares.items():
            # A document holds a term in at most FIELDS rows: with more rows than these, too many live documents hold it.
            rows_max = FIELDS * (share_max * among.count) + FIELDS * (self.size - among.count)
            if self._rows_of(term_hash(term)) > rows_max:
                continue
            pieces = [(docs, fields, counts, _firsts(docs)) for docs, fields, counts in self._postings(term_hash(term), among.mask)]
            df = sum(len(first) for *_, first in pieces)
            if 0 < df <= share_max * among.count:
                found.append(_Known(term, df, _idf(df, among.count), pieces))
        return found

    # -- by name --------------------------------------------------------------------------------

    def defining(self, name: str) -> Docs:
        """Live documents that define `name`, ascending."""
        key = term_hash(name)
        found = [
            shard["define_docs"][shard.slice_of("define", key)].astype(np.int32) + np.int32(offset)
            for shard, offset in zip(self.shards, self.offsets, strict=True)
        ]
        docs = np.concatenate(found) if found else np.empty(0, np.int32)
        return docs[self.alive[docs]].astype(np.int32)

    def outgoing(self, docs: Docs) -> Links:
        """What these documents use: links from each of them to the documents that define the names."""
        names, tails, kinds, counts = self._uses_of(docs)
        return self._resolve(names, tails, kinds, counts)

    def incoming(self, docs: Docs) -> Links:
        """Who uses these documents: links from the users to each of them."""
        names, heads = self._defines_of(docs)
        if not len(names):
            return _no_links()
        unique = np.array(sorted(set(names.tolist())), np.uint64)
        use_names, tails, kinds, counts = self._users_of(unique)
        # A commit that changed a file does not use it; `changing` answers for those.
        is_user = ~self.is_commit[tails]
        use_names, tails, kinds, counts = use_names[is_user], tails[is_user], kinds[is_user], counts[is_user]
        # A name that half the repository uses tells nothing of any user: a hub neither collects nor spreads.
        users = np.bincount(np.searchsorted(unique, use_names), minlength=len(unique))
        told = users[np.searchsorted(unique, use_names)] <= NAME_USERS_MAX
        use_names, tails, kinds, counts = use_names[told], tails[told], kinds[told], counts[told]
        links = self._resolve(use_names, tails, kinds, counts)
        wanted = np.zeros(self.size, np.bool_)
        wanted[docs] = True
        keep = wanted[links.heads]
        del heads
        return Links(links.tails[keep], links.heads[keep], links.kinds[keep], links.weights[keep])

    def changing(self, docs: Docs) -> tuple[Docs, Docs]:
        """Commits that changed these files under the names that they have now: (m,) commits, and (m,) which of `docs` each changed."""
        names, heads = self._defines_of(docs)
        if not len(names):
            return np.empty(0, np.int32), np.empty(0, np.int32)
        order = np.argsort(names, kind="stable")
        use_names, tails, _, _ = self._users_of(np.unique(names))
        keep = self.is_commit[tails]
        use_names, tails = use_names[keep], tails[keep]
        low, high = np.searchsorted(names[order], use_names, "left"), np.searchsorted(names[order], use_names, "right")
        rows, owner = _ranges(low, high)
        return tails[owner].astype(np.int32), heads[order][rows].astype(np.int32)

    def sharing(self, docs: Docs, *, files_max: int) -> tuple[NDArray[np.uint64], Docs, NDArray[np.int64]]:
        """Names that these documents use and that stand in few files of code: (m,) keys, users elsewhere, and in how many files.

        files_max  names that stand in more files are left out, as are those that only one file uses.
        Each key is `clew.text.postings.term_hash` of the name; a user that uses a name twice stands there once.
        """
        names, _, _, _ = self._uses_of(docs)
        none = np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int64)
        if not len(names):
            return none
        keys, users, _, _ = self._users_of(np.unique(names))
        keep = self.among("file:").mask[users]
        keys, users = keys[keep], users[keep]
        pairs = np.unique(np.stack([keys, self.path_codes[users].astype(np.uint64)]), axis=1)
        shared, files = np.unique(pairs[0], return_counts=True)
        own = np.unique(self.path_codes[docs])
        at = np.searchsorted(shared, keys)
        keep = (files[at] <= files_max) & (files[at] > 1) & ~np.isin(self.path_codes[users], own)
        return keys[keep], users[keep], files[at][keep]

    def imports_of(self, codes: Docs) -> tuple[Docs, Docs, Floats]:
        """Imports from and to these files: (m,) numbers of the importing and of the imported path, and the confidence."""
        keys, weights = self._scopes
        tails, heads = (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)
        keep = (np.isin(tails, codes) | np.isin(heads, codes)) & (tails != heads)
        return tails[keep], heads[keep], weights[keep]

    def across(self, prefix: str) -> Across:
        """Which files use what other files define, among the sources whose name begins with `prefix`.

        As `outgoing` of every document, but counted by file and without what a file uses of itself: a file that defines a
        name means its own. Names that more than NAME_BEARERS_MAX records define tell nothing.
        Cost  one pass over the tables of uses and definitions, and one sort of the distinct (name, file) pairs.
        """
        mask, codes = self.among(prefix).mask, self.path_codes.astype(np.int64)
        names, definers, _ = self._rows_in("define", mask)
        known, number = np.unique(names, return_inverse=True)
        bearers = np.bincount(number, minlength=len(known))
        order = np.argsort(number, kind="stable")
        ends = np.concatenate([[0], np.cumsum(bearers)])
        used, users, kinds = self._rows_in("use", mask)
        at = np.minimum(np.searchsorted(known, used), max(len(known) - 1, 0))
        told = np.flatnonzero(known[at] == used) if len(known) else np.empty(0, np.int64)
        told = told[bearers[at[told]] <= NAME_BEARERS_MAX]
        rows = np.unique((at[told] * len(self.paths) + codes[users[told]]) * len(Use) + kinds[told])
        pairs, first = np.unique(rows // len(Use), return_index=True)  # kinds are numbered from the strongest
        how = (rows[first] % len(Use)).astype(np.uint8)
        name, user = pairs // max(len(self.paths), 1), pairs % max(len(self.paths), 1)
        rows, owner = _ranges(ends[name], ends[name + 1])
        heads = definers[order[rows]]
        means_own = np.zeros(len(pairs), np.bool_)
        means_own[owner[codes[heads] == user[owner]]] = True
        scope = self._between(user[owner], codes[heads], bearers[name][owner])
        best = np.zeros(len(pairs), np.float32)
        np.maximum.at(best, owner, scope)
        keep = ~means_own[owner] & (scope >= 0.5 * best[owner])
        owner = owner[keep]
        keys, _ = self._scopes
        pair = user[owner] << 32 | codes[heads[keep]]
        is_imported = np.isin(pair, keys)
        return Across(user[owner], heads[keep], how[owner], scope[keep], is_imported)

    def _rows_in(self, table: str, mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.uint8]]:
        """Names, documents and, in the table of uses, kinds of the rows whose document is in the mask."""
        names: list[NDArray[Any]] = []
        docs: list[NDArray[np.int64]] = []
        kinds: list[NDArray[np.uint8]] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            found = shard[f"{table}_docs"].astype(np.int64) + offset
            keep = mask[found]
            docs.append(found[keep])
            names.append(np.repeat(shard[f"{table}_keys"], np.diff(shard[f"{table}_ends"].astype(np.int64)))[keep])
            kinds.append(shard["use_kinds"][keep] if table == "use" else np.empty(0, np.uint8))
        return np.concatenate(names).astype(np.uint64, copy=False), np.concatenate(docs), np.concatenate(kinds)

    def _uses_of(self, docs: Docs) -> tuple[NDArray[np.uint64], Docs, NDArray[np.uint8], NDArray[np.uint8]]:
        pieces: list[tuple[NDArray[Any], ...]] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            local = docs[(docs >= offset) & (docs < offset + shard.size)] - offset
            ends = shard["forward_ends"]
            rows, owner = _ranges(ends[local], ends[local + 1])
            pieces.append(
                (shard["forward_names"][rows], local[owner] + offset, shard["forward_kinds"][rows], shard["forward_counts"][rows])
            )
        return _joined(pieces)

    def _users_of(self, names: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Docs, NDArray[np.uint8], NDArray[np.uint8]]:
        pieces: list[tuple[NDArray[Any], ...]] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            low, high, which = _lookup(shard, "use", names)
            rows, owner = _ranges(low, high)
            docs = shard["use_docs"][rows].astype(np.int32) + np.int32(offset)
            live = self.alive[docs]
            pieces.append((names[which][owner][live], docs[live], shard["use_kinds"][rows][live], shard["use_counts"][rows][live]))
        return _joined(pieces)

    def _defines_of(self, docs: Docs) -> tuple[NDArray[np.uint64], Docs]:
        names: list[NDArray[Any]] = []
        heads: list[Docs] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            local = docs[(docs >= offset) & (docs < offset + shard.size)] - offset
            ends = shard["backward_ends"]
            rows, owner = _ranges(ends[local], ends[local + 1])
            names.append(shard["backward_names"][rows])
            heads.append((local[owner] + offset).astype(np.int32))
        return np.concatenate(names).astype(np.uint64, copy=False), np.concatenate(heads)

    def _resolve(self, names: NDArray[np.uint64], tails: Docs, kinds: NDArray[np.uint8], counts: NDArray[np.uint8]) -> Links:
        """Join used names with their bearers; the weight is use × scope, the nearest scope alone where there is one."""
        if not len(names):
            return _no_links()
        use_rows: list[NDArray[np.int64]] = []
        bearers: list[Docs] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            low, high, which = _lookup(shard, "define", names)
            rows, owner = _ranges(low, high)
            heads = shard["define_docs"][rows].astype(np.int32) + np.int32(offset)
            live = self.alive[heads]
            use_rows.append(which[owner][live])
            bearers.append(heads[live])
        row, head = np.concatenate(use_rows), np.concatenate(bearers)
        tail = tails[row]
        distinct = tail != head
        row, head, tail = row[distinct], head[distinct], tail[distinct]
        if not len(row):
            return _no_links()
        bearer_count = np.bincount(row, minlength=len(names))
        scope = self._scope(tail, head, bearer_count[row])
        best = np.zeros(len(names), np.float32)
        np.maximum.at(best, row, scope)
        is_shared = (bearer_count[row] > NAME_BEARERS_MAX) & (scope < SCOPE_IMPORTED * 0.5)
        keep = (scope >= 0.5 * best[row]) & ~is_shared
        row, head, tail, scope = row[keep], head[keep], tail[keep], scope[keep]
        use = np.array([USE_WEIGHT[how] for how in Use], np.float32)[kinds[row]]
        weight = use * scope * np.minimum(1.0, 0.5 + 0.25 * np.log2(counts[row].astype(np.float32) + 1.0))
        return Links(tail.astype(np.int32), head.astype(np.int32), kinds[row], weight.astype(np.float32))

    def _scope(self, tail: Docs, head: Docs, bearers: NDArray[np.int64]) -> Floats:
        return self._between(self.path_codes[tail].astype(np.int64), self.path_codes[head].astype(np.int64), bearers)

    def _between(self, tail_path: NDArray[np.int64], head_path: NDArray[np.int64], bearers: NDArray[np.int64]) -> Floats:
        """Confidence that a name used in one file means its bearer in another, of so many bearers."""
        scope = np.where(bearers == 1, SCOPE_UNIQUE, SCOPE_SHARED / bearers).astype(np.float32)
        keys, weights = self._scopes
        if len(keys):
            pair = tail_path << 32 | head_path
            at = np.minimum(np.searchsorted(keys, pair), len(keys) - 1)
            imported = keys[at] == pair
            scope = np.where(imported, np.maximum(scope, SCOPE_IMPORTED * weights[at]), scope)
        return np.where(tail_path == head_path, np.float32(SCOPE_SAME_FILE), scope).astype(np.float32)

    @cached_property
    def _scopes(self) -> tuple[NDArray[np.int64], Floats]:
        """(importing path << 32 | imported path) ascending, and the confidence of each import, of the files that are alive here."""
        keys: list[NDArray[np.int64]] = []
        weights: list[Floats] = []
        for shard, offset in zip(self.shards, self.offsets, strict=True):
            codes = np.array([self.path_numbers[path] for path in shard.meta.paths], np.int64)
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
    def imports(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Positions in `paths` of the importing and the imported file, and the confidence, of every import."""
        keys, weights = self._scopes
        return keys >> 32, keys & 0xFFFFFFFF, weights

    # -- by vector ------------------------------------------------------------------------------

    @property
    def model(self) -> str:
        """Name of the model that made the vectors, "" for none."""
        return self._base.meta.model or (self._overlay.meta.model if self._overlay else "")

    def similarity(self, query: Floats, model: str, *, prefix: str = "") -> Floats:
        """Cosine of `query` (dims,) with the nearest documents, (n,) float32; 0 for all others.

        prefix   search among the sources whose name begins so.
        Returns  0 as well where there is no vector of this model.
        Cost     one pass over the sign bits (dims / 8 bytes a document), then RESCORED cosines.
        """
        scores = np.zeros(self.size, np.float32)
        mask = self.among(prefix).mask
        norm = float(np.linalg.norm(query)) or 1.0
        signs = np.packbits(query > 0)
        for shard, offset, bits in zip(self.shards, self.offsets, self._sign_bits, strict=True):
            if shard.meta.model != model or not shard.meta.dims or len(query) != shard.meta.dims:
                continue
            known = np.flatnonzero(mask[offset : offset + shard.size] & (shard["scales"] > 0))
            apart = np.bitwise_count(bits[known] ^ signs).sum(axis=1, dtype=np.int32)
            if len(known) > RESCORED:
                # Whoever is as near as the last one stays, so that numbering decides nothing.
                known = known[apart <= np.partition(apart, RESCORED - 1)[RESCORED - 1]]
            rows = shard["vectors"][known].astype(np.float32)
            lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
            scores[offset + known] = (rows * (query / norm)).sum(axis=1) / lengths
        return scores

    @cached_property
    def _sign_bits(self) -> tuple[NDArray[np.uint8], ...]:
        return tuple(
            np.packbits(shard["vectors"] > 0, axis=1) if shard.meta.dims else np.zeros((shard.size, 0), np.uint8) for shard in self.shards
        )


def _no_links() -> Links:
    none = np.empty(0, np.int32)
    return Links(none, none, np.empty(0, np.uint8), np.empty(0, np.float32))


def _firsts(docs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions at which a new document begins; the rows of one document stand together."""
    return np.flatnonzero(np.concatenate([[True], docs[1:] != docs[:-1]]))


def _counting(asked: Asked, found: Mapping[str, _Known], among: Among, terms_max: int) -> list[tuple[str, float]]:
    """The terms of a list that count, heaviest first; ties by term."""
    kept = [(term, weight) for term, weight in asked.terms if term in found and found[term].df <= asked.share_max * among.count]
    return sorted(kept, key=lambda pair: (-found[pair[0]].idf * pair[1], pair[0]))[:terms_max]


def _idf(holders: int, count: int) -> float:
    return float(np.log(1.0 + (count - holders + 0.5) / (holders + 0.5)))


def _ranges(low: NDArray[Any], high: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All row numbers of the ranges [low, high), and for each the range that it came from."""
    start, stop = low.astype(np.int64), high.astype(np.int64)
    sizes = stop - start
    owner = np.repeat(np.arange(len(sizes)), sizes)
    shift = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if len(sizes) else np.empty(0, np.int64)
    return np.arange(int(sizes.sum())) - shift[owner] + start[owner], owner


def _lookup(shard: Shard, table: str, names: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row ranges of the names that stand in `table`, and the positions in `names` that they answer."""
    keys, ends = shard[f"{table}_keys"], shard[f"{table}_ends"]
    if not len(keys):
        none = np.empty(0, np.int64)
        return none, none, none
    at = np.minimum(np.searchsorted(keys, names), len(keys) - 1)
    which = np.flatnonzero(keys[at] == names)
    return ends[at[which]].astype(np.int64), ends[at[which] + 1].astype(np.int64), which


def _joined(pieces: Sequence[tuple[NDArray[Any], ...]]) -> tuple[NDArray[np.uint64], Docs, NDArray[np.uint8], NDArray[np.uint8]]:
    names, docs, kinds, counts = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return names.astype(np.uint64, copy=False), docs.astype(np.int32, copy=False), kinds, counts
