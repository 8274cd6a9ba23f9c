"""Name resolution: which record does a used name mean?

Names are joined here, at the time of the question: who calls `parse` is found from the names that sources define and use, and never
stored. A coupling between two files therefore cannot outlive either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.store.documents import COMMIT_KINDS, Documents, Floats, Numbers
from clew.store.places import Places
from clew.store.shard import IndexShard, expand_ranges
from clew.text.postings import NO_SCOPE, NameUse, hash_term, mix_name_arrays

NAME_BEARERS_MAX = 24  # a name that more records define tells nothing; guess from the df of `__init__`, `get`, `run`
NAME_USERS_MAX = 300  # likewise for a name that more records use; guess
C_ENDINGS = (".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".inl", ".ipp", ".tpp", ".cu", ".cuh")
C_TYPES = frozenset(("class", "struct"))
C_FILES_MAX = 3  # files that declare and define one function of a program in C; in more it is several; guess
SCOPE_SAME_FILE = 0.95  # confidences of a name's resolution: agreement with a type checker falls in this order;
SCOPE_IMPORTED = 0.85  # the figures themselves are guesses
SCOPE_UNIQUE = 0.60
SCOPE_SHARED = 0.30  # divided by the number of bearers
USE_WEIGHT: dict[NameUse, float] = {NameUse.CALL: 1.0, NameUse.REFERENCE: 0.6, NameUse.INHERIT: 1.0, NameUse.MENTION: 0.5}  # guess


@dataclass(frozen=True, slots=True)
class NameEdges:
    """Edges between records, found by name: record `tails[i]` uses a name that `heads[i]` defines, in the way `kinds[i]` (a `NameUse`).

    tails, heads (m,) int32 document numbers; kinds (m,) uint8; weights (m,) float32, 0 to 1: how sure it is that this definition is meant.
    """

    tails: Numbers
    heads: Numbers
    kinds: NDArray[np.uint8]
    weights: Floats


@dataclass(frozen=True, slots=True)
class CrossFileUses:
    """Uses between files: file `users[i]` uses a name that document `heads[i]` (the defining one) of another file defines; once per name.

    users (m,) int64 positions in `Documents.paths`; heads (m,) int64 document numbers; kinds (m,) uint8, the strongest `Use`;
    weights (m,) float32, 0 to 1: confidence that this bearer of the name is meant; is_sure (m,) the user's file says which is meant.
    """

    users: NDArray[np.int64]
    heads: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    weights: Floats
    is_sure: NDArray[np.bool_]


def get_names(documents: Documents) -> Names:
    """Return the names of a table, the same object for every question about it, so that what was followed once stays known."""
    if documents.names is None:
        documents.names = Names(documents)
    return documents.names


class Names:
    """The names that documents define and use. Thread-safe."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    @cached_property
    def _places(self) -> Places:
        return Places(self._documents)

    def defining(self, name: str) -> Numbers:
        """Return the live documents that define `name`, ascending."""
        key = hash_term(name)
        found = [
            shard["define_docs"][shard.find_rows("define", key)].astype(np.int32) + np.int32(offset)
            for shard, offset in zip(self._documents.shards, self._documents.offsets, strict=True)
        ]
        docs = np.concatenate(found) if found else np.empty(0, np.int32)
        return docs[self._documents.alive[docs]].astype(np.int32)

    def select_defined(self, names: Sequence[str]) -> list[str]:
        """Return those of many names that some live document defines, in their order. Cost: about 1 µs a name."""
        keys = np.array([hash_term(name) for name in names], np.uint64)
        known = np.zeros(len(keys), np.bool_)
        for shard in self._documents.shards:
            table = shard["define_keys"]
            if len(table):
                known |= table[np.minimum(np.searchsorted(table, keys), len(table) - 1)] == keys
        return [names[at] for at in np.flatnonzero(known).tolist() if len(self.defining(names[at]))]

    def is_used(self, name: str) -> bool:
        """Return whether a live document uses a name."""
        return len(self._users_of(np.array([hash_term(name)], np.uint64)).names) > 0

    def bearers(self, name: str) -> tuple[Numbers, str]:
        """Return the documents that bear a name, or the longest ending of a dotted name that any document bears, and that ending.

        Returns no documents, and "", where more than NAME_BEARERS_MAX bear it.
        """
        parts = [part for part in name.replace("::", ".").replace("#", ".").split(".") if part]
        for start in range(len(parts)):
            tail = ".".join(parts[start:])
            if len(tail) < 3:
                break
            docs = self.defining(tail)
            if 0 < len(docs) <= NAME_BEARERS_MAX:
                return docs, tail
        return np.empty(0, np.int32), ""

    def outgoing(self, docs: Numbers) -> NameEdges:
        """Return links from each of these documents to the documents that define the names it uses."""
        return self._resolve(self._uses_of(docs))

    def incoming(self, docs: Numbers) -> NameEdges:
        """Return links to each of these documents from the documents that use a name it defines."""
        names, _ = self._defines_of(docs)
        if not len(names):
            return _no_links()
        unique = np.union1d(names, self._places.named_otherwise(names))
        uses = self._users_of(unique)
        # A commit that changed a file does not use it; `changing` answers for those.
        uses = uses.where(~self._documents.is_commit[uses.docs])
        # A mentioned name that half the repository uses tells nothing of any user: a hub neither collects nor spreads.
        at = np.searchsorted(unique, uses.names)
        is_named = uses.scopes == 0
        users = np.bincount(at[is_named], minlength=len(unique))
        links = self._resolve(uses.where(~is_named | (users[at] <= NAME_USERS_MAX)))
        keep = np.isin(links.heads, docs)
        return NameEdges(links.tails[keep], links.heads[keep], links.kinds[keep], links.weights[keep])

    def count_users(self, docs: Numbers) -> Floats:
        """Return (n,) float32: how many documents use a name that each of these defines, a name's users shared among its bearers.

        Cost  one look at the users and the bearers of those names; nothing is resolved, so `incoming` knows better which is meant.
        """
        names, owners = self._defines_of(docs)
        unique, at = np.unique(names, return_inverse=True)
        share = self._count_rows("use", unique) / np.maximum(self._count_rows("define", unique), 1)
        order = np.argsort(docs, kind="stable")
        place = order[np.searchsorted(docs[order], owners)]
        return np.bincount(place, share[at], len(docs)).astype(np.float32)

    def changing(self, docs: Numbers) -> tuple[Numbers, Numbers]:
        """Return (m,) commits that changed these files under their present names, and (m,) which of `docs` each changed."""
        names, heads = self._defines_of(docs)
        if not len(names):
            return np.empty(0, np.int32), np.empty(0, np.int32)
        order = np.argsort(names, kind="stable")
        uses = self._users_of(np.unique(names))
        uses = uses.where(self._documents.is_commit[uses.docs])
        use_names, tails = uses.names, uses.docs
        low, high = np.searchsorted(names[order], use_names, "left"), np.searchsorted(names[order], use_names, "right")
        rows, owner = expand_ranges(low, high)
        return tails[owner].astype(np.int32), heads[order][rows].astype(np.int32)

    def sharing(self, docs: Numbers, *, files_max: int) -> tuple[NDArray[np.uint64], Numbers, NDArray[np.int64]]:
        """Return names that these documents and few other files use: (m,) keys, users elsewhere, and number of files.

        files_max  names in more files are left out, as are those that only one file uses.
        Each key is `clew.text.postings.hash_term` of the name; a user that uses a name twice is returned once.
        """
        names = self._uses_of(docs).names
        none = np.empty(0, np.uint64), np.empty(0, np.int32), np.empty(0, np.int64)
        if not len(names):
            return none
        uses = self._users_of(np.unique(names))
        keys, users = uses.names, uses.docs
        keep = self._documents.search_scope("file:").mask[users]
        keys, users = keys[keep], users[keep]
        pairs = np.unique(np.stack([keys, self._documents.path_codes[users].astype(np.uint64)]), axis=1)
        shared, files = np.unique(pairs[0], return_counts=True)
        own = np.unique(self._documents.path_codes[docs])
        at = np.searchsorted(shared, keys)
        keep = (files[at] <= files_max) & (files[at] > 1) & ~np.isin(self._documents.path_codes[users], own)
        return keys[keep], users[keep], files[at][keep]

    def imports_of(self, codes: Numbers) -> tuple[Numbers, Numbers, Floats]:
        """Return imports from and to these files: (m,) positions of the importing and of the imported path, and the confidence."""
        keys, weights = self._documents.imports
        tails, heads = (keys >> 32).astype(np.int32), (keys & 0xFFFFFFFF).astype(np.int32)
        keep = (np.isin(tails, codes) | np.isin(heads, codes)) & (tails != heads)
        return tails[keep], heads[keep], weights[keep]

    def across(self, prefix: str) -> CrossFileUses:
        """Return which files use what other files define, among the sources whose name begins with `prefix`.

        As `outgoing` of every document, but counted by file and without a file's uses of itself.
        Cost  one pass over the table of uses, and one sort of the distinct (place, name, file).
        """
        mask, codes = self._documents.search_scope(prefix).mask, self._documents.path_codes
        docs = np.flatnonzero(mask).astype(np.int32)
        uses = self._uses_of(docs)
        uses = uses.where(uses.scopes != NO_SCOPE)
        # One document stands for its file: which of a file's symbols uses a name does not matter here.
        files, first = np.unique(codes[docs], return_index=True)
        stand_in = docs[first][np.searchsorted(files, codes[uses.docs])]
        keys = mix_name_arrays(mix_name_arrays(uses.scopes, uses.names), stand_in.astype(np.uint64))
        order = np.lexsort((uses.kinds, keys))  # kinds are numbered from the strongest
        keep = order[np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])] if len(order) else order
        once = _Uses(uses.names[keep], stand_in[keep], uses.kinds[keep], np.ones(len(keep), np.uint8), uses.scopes[keep])
        is_placed = once.scopes > NO_SCOPE
        placed, named = once.where(is_placed), once.where(~is_placed)
        row, head = self._places.find(placed.scopes, placed.names)
        row_named, head_named, scope_named = self._by_name(named)
        users = np.concatenate([codes[placed.docs[row]], codes[named.docs[row_named]]]).astype(np.int64)
        heads = np.concatenate([head, head_named]).astype(np.int64)
        kinds = np.concatenate([placed.kinds[row], named.kinds[row_named]])
        weights = np.concatenate([np.full(len(row), SCOPE_IMPORTED, np.float32), scope_named])
        is_sure = np.arange(len(users)) < len(row)
        keep = (users != codes[heads]) & mask[heads]
        return CrossFileUses(users[keep], heads[keep], kinds[keep], weights[keep], is_sure[keep])

    def _count_rows(self, table: str, names: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Count the rows of a table by name, those of commits and of what is not alive left out."""
        total = np.zeros(len(names), np.int64)
        for shard, offset in zip(self._documents.shards, self._documents.offsets, strict=True):
            low, high, which = _lookup(shard, table, names)
            rows, owner = expand_ranges(low, high)
            docs = shard[f"{table}_docs"][rows].astype(np.int64)
            inside = self._documents.alive[docs + offset] & ~shard.is_of_kinds(COMMIT_KINDS)[docs]
            total += np.bincount(which[owner[inside]], minlength=len(names))
        return total

    def _uses_of(self, docs: Numbers) -> _Uses:
        pieces: list[tuple[NDArray[Any], ...]] = []
        for shard, offset in zip(self._documents.shards, self._documents.offsets, strict=True):
            local = docs[(docs >= offset) & (docs < offset + shard.size)] - offset
            ends = shard["forward_ends"]
            rows, owner = expand_ranges(ends[local], ends[local + 1])
            columns = [shard[f"forward_{column}"][rows] for column in ("kinds", "counts", "scopes")]
            pieces.append((shard["forward_names"][rows], local[owner] + offset, *columns[:2], _scope_keys(shard, columns[2])))
        return _joined(pieces)

    def _users_of(self, names: NDArray[np.uint64]) -> _Uses:
        pieces: list[tuple[NDArray[Any], ...]] = []
        for shard, offset in zip(self._documents.shards, self._documents.offsets, strict=True):
            low, high, which = _lookup(shard, "use", names)
            rows, owner = expand_ranges(low, high)
            docs = shard["use_docs"][rows].astype(np.int32) + np.int32(offset)
            live = self._documents.alive[docs]
            rows = rows[live]
            columns = [shard[f"use_{column}"][rows] for column in ("kinds", "counts", "scopes")]
            pieces.append((names[which][owner][live], docs[live], *columns[:2], _scope_keys(shard, columns[2])))
        return _joined(pieces)

    def _defines_of(self, docs: Numbers) -> tuple[NDArray[np.uint64], Numbers]:
        names: list[NDArray[Any]] = []
        heads: list[Numbers] = []
        for shard, offset in zip(self._documents.shards, self._documents.offsets, strict=True):
            local = docs[(docs >= offset) & (docs < offset + shard.size)] - offset
            ends = shard["backward_ends"]
            rows, owner = expand_ranges(ends[local], ends[local + 1])
            names.append(shard["backward_names"][rows])
            heads.append((local[owner] + offset).astype(np.int32))
        return np.concatenate(names).astype(np.uint64, copy=False), np.concatenate(heads)

    def _resolve(self, uses: _Uses) -> NameEdges:
        """Join used names with their bearers: by place where the file says one, by name alone for what prose and sessions mention."""
        placed = uses.where(uses.scopes > NO_SCOPE)
        row, head = self._places.find(placed.scopes, placed.names)
        keep = self._is_one(row, placed.docs[row], head)
        row, head = row[keep], head[keep]
        tail = placed.docs[row]
        is_same = self._documents.path_codes[tail] == self._documents.path_codes[head]
        scope = np.where(is_same, np.float32(SCOPE_SAME_FILE), np.float32(SCOPE_IMPORTED))
        named = uses.where(uses.scopes == 0)
        row_named, head_named, scope_named = self._by_name(named)
        tails = np.concatenate([tail, named.docs[row_named]])
        heads = np.concatenate([head, head_named])
        kinds = np.concatenate([placed.kinds[row], named.kinds[row_named]])
        counts = np.concatenate([placed.counts[row], named.counts[row_named]]).astype(np.float32)
        scope = np.concatenate([scope, scope_named])
        use = np.array([USE_WEIGHT[how] for how in NameUse], np.float32)[kinds]
        weight = use * scope * np.minimum(1.0, 0.5 + 0.25 * np.log2(counts + 1.0))
        keep = tails != heads
        return NameEdges(tails[keep].astype(np.int32), heads[keep].astype(np.int32), kinds[keep], weight[keep].astype(np.float32))

    def _is_one(self, row: NDArray[np.int64], tail: Numbers, head: Numbers) -> NDArray[np.bool_]:
        """Return which of the documents that a name means in C and C++ may be meant: specialisations of a template share its name.

        Of members of several types only those of the type that the user stands in, of anything in more than C_FILES_MAX files nothing.
        """
        documents = self._documents
        codes = documents.path_codes[tail]
        distinct: list[int] = np.unique(codes).tolist()
        is_c = np.isin(codes, [code for code in distinct if documents.paths[code].endswith(C_ENDINGS)])
        keep = np.ones(len(row), np.bool_)
        if not is_c.any():
            return keep
        at = np.flatnonzero(is_c)
        parent = documents.parent[head[at]]
        in_type = (parent >= 0) & documents.is_of_kinds(C_TYPES)[np.maximum(parent, 0)]
        types = np.unique(np.stack([row[at][in_type], parent[in_type].astype(np.int64)]), axis=1)[0]
        files = np.unique(np.stack([row[at], documents.path_codes[head[at]].astype(np.int64)]), axis=1)[0]
        size = int(row.max()) + 1
        is_split = np.bincount(types, minlength=size)[row[at]] > 1
        is_spread = np.bincount(files, minlength=size)[row[at]] > C_FILES_MAX
        keep[at] = np.where(is_split, in_type & (parent == documents.parent[tail[at]]), ~is_spread)
        return keep

    def _by_name(self, uses: _Uses) -> tuple[NDArray[np.int64], Numbers, Floats]:
        """Return (rows of `uses`, bearers, confidence) of names that are looked up everywhere, the nearest bearers alone."""
        names, tails = uses.names, uses.docs
        use_rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        bearers: list[Numbers] = [np.empty(0, np.int32)]
        for shard, offset in zip(self._documents.shards, self._documents.offsets, strict=True):
            low, high, which = _lookup(shard, "define", names)
            rows, owner = expand_ranges(low, high)
            heads = shard["define_docs"][rows].astype(np.int32) + np.int32(offset)
            live = self._documents.alive[heads]
            use_rows.append(which[owner][live])
            bearers.append(heads[live])
        row, head = np.concatenate(use_rows), np.concatenate(bearers)
        tail = tails[row]
        is_same = self._documents.path_codes[tail] == self._documents.path_codes[head]
        is_own = np.zeros(len(names), np.bool_)
        is_own[row[is_same]] = True  # a file that defines a name means its own
        keep = (tail != head) & (is_same | ~is_own[row])
        row, head, tail = row[keep], head[keep], tail[keep]
        bearer_count = np.bincount(row, minlength=len(names))
        scope = self._scope(tail, head, bearer_count[row])
        best = np.zeros(len(names), np.float32)
        np.maximum.at(best, row, scope)
        is_shared = (bearer_count[row] > NAME_BEARERS_MAX) & (scope < SCOPE_IMPORTED * 0.5)
        keep = (scope >= 0.5 * best[row]) & ~is_shared
        return row[keep], head[keep], scope[keep]

    def _scope(self, tail: Numbers, head: Numbers, bearers: NDArray[np.int64]) -> Floats:
        return self._between(self._documents.path_codes[tail].astype(np.int64), self._documents.path_codes[head].astype(np.int64), bearers)

    def _between(self, tail_path: NDArray[np.int64], head_path: NDArray[np.int64], bearers: NDArray[np.int64]) -> Floats:
        """Confidence that a name used in one file means its bearer in another, of so many bearers."""
        scope = np.where(bearers == 1, SCOPE_UNIQUE, SCOPE_SHARED / bearers).astype(np.float32)
        keys, weights = self._documents.imports
        if len(keys):
            pair = tail_path << 32 | head_path
            at = np.minimum(np.searchsorted(keys, pair), len(keys) - 1)
            imported = keys[at] == pair
            scope = np.where(imported, np.maximum(scope, SCOPE_IMPORTED * weights[at]), scope)
        return np.where(tail_path == head_path, np.float32(SCOPE_SAME_FILE), scope).astype(np.float32)

    @property
    def imports(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Return positions in `paths` of the importing and the imported file, and the confidence, of every import."""
        keys, weights = self._documents.imports
        return keys >> 32, keys & 0xFFFFFFFF, weights


def _no_links() -> NameEdges:
    none = np.empty(0, np.int32)
    return NameEdges(none, none, np.empty(0, np.uint8), np.empty(0, np.float32))


def _lookup(shard: IndexShard, table: str, names: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Row ranges of the names that stand in `table`, and the positions in `names` that they answer."""
    keys, ends = shard[f"{table}_keys"], shard[f"{table}_ends"]
    if not len(keys):
        none = np.empty(0, np.int64)
        return none, none, none
    at = np.minimum(np.searchsorted(keys, names), len(keys) - 1)
    which = np.flatnonzero(keys[at] == names)
    return ends[at[which]].astype(np.int64), ends[at[which] + 1].astype(np.int64), which


@dataclass(frozen=True, slots=True)
class _Uses:
    """Rows of the table of uses: names (m,) uint64, docs (m,) int32, kinds and counts (m,) uint8, scopes (m,) uint64 keys of places."""

    names: NDArray[np.uint64]
    docs: Numbers
    kinds: NDArray[np.uint8]
    counts: NDArray[np.uint8]
    scopes: NDArray[np.uint64]

    def where(self, keep: NDArray[np.bool_]) -> _Uses:
        return _Uses(self.names[keep], self.docs[keep], self.kinds[keep], self.counts[keep], self.scopes[keep])


def _scope_keys(shard: IndexShard, codes: NDArray[np.int32]) -> NDArray[np.uint64]:
    return shard["scopes"][codes] if len(codes) else np.empty(0, np.uint64)


def _joined(pieces: Sequence[tuple[NDArray[Any], ...]]) -> _Uses:
    names, docs, kinds, counts, scopes = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return _Uses(
        names.astype(np.uint64, copy=False), docs.astype(np.int32, copy=False), kinds, counts, scopes.astype(np.uint64, copy=False)
    )
