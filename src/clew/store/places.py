"""Places: follow the links between places to the documents that a name in a place means.

A place is a module, a package, a type or a function, known by the hash of its path. A producer stores under which place and name
each document is found, and links: a name that is another one (an import, a re-export, what a variable holds), a place
that is looked through after another (a base class, a wildcard import). Both are followed here, when somebody asks.
"""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clew.store.documents import Documents, Numbers
from clew.store.shard import expand_ranges
from clew.text.postings import LinkKind, mix_name_arrays, mix_names

PLACES_MAX = 24  # places looked through for one name; guess
NAMES_DEPTH_MAX = 3  # names that one after the other stand for the same: `default`, and what a barrel calls it; guess


class Places:
    """The places of one table of documents. What was followed is remembered, so a second question about a file is fast. Thread-safe."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._following = Lock()
        self._followed: dict[int, tuple[int, ...]] = {}
        self._meant: dict[tuple[int, int], tuple[int, ...]] = {}
        self._tables = [
            (shard["place_keys"], shard["place_ends"], shard["place_docs"], shard["link_keys"], shard["link_ends"], offset)
            for shard, offset in zip(documents.shards, documents.offsets, strict=True)
        ]

    def find(self, scopes: NDArray[np.uint64], names: NDArray[np.uint64]) -> tuple[NDArray[np.int64], Numbers]:
        """Return (rows, documents): which documents each name means in its place, as positions in `names` and document numbers."""
        keys = mix_name_arrays(scopes, names)
        unique, first, at = np.unique(keys, return_index=True, return_inverse=True)
        row, docs = self._defined(unique)
        missing = np.ones(len(unique), np.bool_)
        missing[row] = False
        # Of what is not defined there, only what a link may lead elsewhere is followed one by one.
        asked = np.flatnonzero(missing)
        asked = asked[self._is_linked(unique[asked]) | self._is_linked(scopes[first[asked]])]
        more_rows: list[int] = []
        more_docs: list[int] = []
        places, hashes = scopes[first[asked]].tolist(), names[first[asked]].tolist()
        with self._following:  # what is half followed means nothing yet
            for position, place, name in zip(asked.tolist(), places, hashes, strict=True):
                found = self._meaning(place, name)
                more_rows += [position] * len(found)
                more_docs += found
        row = np.concatenate([row, np.array(more_rows, np.int64)])
        docs = np.concatenate([docs, np.array(more_docs, np.int32)])
        order = np.argsort(row, kind="stable")
        row, docs = row[order], docs[order]
        wanted = at.reshape(-1)
        inner, owner = expand_ranges(np.searchsorted(row, wanted, "left"), np.searchsorted(row, wanted, "right"))
        return owner, docs[inner]

    def _defined(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], Numbers]:
        """Return (rows, documents) of the keys that live documents stand under."""
        rows: list[NDArray[np.int64]] = []
        docs: list[Numbers] = []
        for known, ends, owners, _, _, offset in self._tables:
            if not len(known):
                continue
            at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            which = np.flatnonzero(known[at] == keys)
            inner, owner = expand_ranges(ends[at[which]], ends[at[which] + 1])
            found = owners[inner].astype(np.int32) + np.int32(offset)
            live = self._documents.alive[found]
            rows.append(which[owner][live])
            docs.append(found[live])
        if not rows:
            return np.empty(0, np.int64), np.empty(0, np.int32)
        return np.concatenate(rows), np.concatenate(docs)

    def _is_linked(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        linked = np.zeros(len(keys), np.bool_)
        for _, _, _, known, _, _ in self._tables:
            if len(known):
                linked |= known[np.minimum(np.searchsorted(known, keys), len(known) - 1)] == keys
        return linked

    def _links(self, key: int) -> list[tuple[int, int, int]]:
        """Return (kind, place, name) of the live links from a key, in an order that does not depend on the table."""
        found: set[tuple[int, int, int]] = set()
        for shard, (_, _, _, known, ends, offset) in zip(self._documents.shards, self._tables, strict=True):
            at = int(np.searchsorted(known, np.uint64(key)))
            if at == len(known) or int(known[at]) != key:
                continue
            rows = slice(int(ends[at]), int(ends[at + 1]))
            docs = shard["link_docs"][rows].astype(np.int64) + offset
            columns: list[NDArray[Any]] = [shard[column][rows] for column in ("link_kinds", "link_scopes", "link_names")]
            for doc, kind, place, name in zip(docs.tolist(), *(column.tolist() for column in columns), strict=True):
                if self._documents.alive[doc]:
                    found.add((kind, place, name))
        return sorted(found)

    def _meaning(self, place: int, name: int) -> tuple[int, ...]:
        """Return the documents that a name means in a place."""
        at = (place, name)
        if at not in self._meant:
            self._meant[at] = ()  # what leads back to itself means nothing
            self._meant[at] = self._mean(place, name)
        return self._meant[at]

    def _mean(self, place: int, name: int) -> tuple[int, ...]:
        for each in self.look_through(place):
            key = mix_names(each, name)
            _, docs = self._defined(np.array([key], np.uint64))
            if len(docs):
                return tuple(docs.tolist())
            for kind, target, there in self._links(key):
                if kind == LinkKind.NAME and there and (found := self._meaning(target, there)):
                    return found
        return ()

    def look_through(self, place: int) -> tuple[int, ...]:
        """Return the places that a name is looked up in, in order: the place, what it is another name of, its bases and theirs."""
        if place not in self._followed:
            self._followed[place] = (place,)  # cycles end here
            self._followed[place] = tuple(self._look_through(place))
        return self._followed[place]

    def _look_through(self, place: int) -> list[int]:
        links = self._links(place)
        found = {place: None}
        for kind, target, name in links:
            if kind == LinkKind.NAME:
                found |= dict.fromkeys(self.look_through(mix_names(target, name) if name else target))
        if len(found) == 1 and not len(self._defined(np.array([place], np.uint64))[0]):
            for kind, above, name in links:  # a part of a place that is another name for one, or has bases
                if kind == LinkKind.PART:
                    for each in self.look_through(above)[1:PLACES_MAX]:
                        key = mix_names(each, name)
                        if key == place:
                            continue
                        inner = self.look_through(key)
                        if len(inner) > 1 or len(self._defined(np.array([key], np.uint64))[0]):
                            found |= dict.fromkeys(inner)
                            break
                    break
        for kind, target, _ in links:
            if kind == LinkKind.NEXT:
                found |= dict.fromkeys(self.look_through(target))
        return list(found)[:PLACES_MAX]

    def named_otherwise(self, names: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return the hashes of the names under which links hand on something of one of these names: `default`, a renamed export.

        Links that lead on from one another are followed NAMES_DEPTH_MAX deep.
        """
        there, here = self._renamed
        found, asked = names[:0], names
        for _ in range(NAMES_DEPTH_MAX):
            rows, _ = expand_ranges(np.searchsorted(there, asked, "left"), np.searchsorted(there, asked, "right"))
            asked = np.setdiff1d(here[rows], found)
            if not len(asked):
                break
            found = np.union1d(found, asked)
        return found

    @cached_property
    def _renamed(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """(r,) names of what renaming links lead to, ascending, and (r,) the names that they give it."""
        keys, names, kinds = (
            np.concatenate([np.repeat(shard["link_keys"], np.diff(shard["link_ends"])) for shard in self._documents.shards]),
            *(np.concatenate([shard[column] for shard in self._documents.shards]) for column in ("link_names", "link_kinds")),
        )
        is_part, is_name = kinds == LinkKind.PART, (kinds == LinkKind.NAME) & (names != 0)
        part_keys, first = np.unique(keys[is_part], return_index=True)
        part_names = names[is_part][first]
        if not len(part_keys):
            return np.empty(0, np.uint64), np.empty(0, np.uint64)
        at = np.minimum(np.searchsorted(part_keys, keys[is_name]), len(part_keys) - 1)
        known = part_keys[at] == keys[is_name]
        there, here = names[is_name][known], part_names[at[known]]
        is_other = there != here
        there, here = there[is_other], here[is_other]
        order = np.argsort(there, kind="stable")
        return there[order], here[order]
