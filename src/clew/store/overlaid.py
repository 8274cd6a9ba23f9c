"""OverlaidSnapshot: a workspace as of a time, in which another store's sources stand in place of those that have changed since.

What is said of sessions is that of the time; what is said of files, commits and their edges is what the other store holds, and what this
one holds of sources that are as they were then. Neither store is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property

import numpy as np

from clew.records import Edge, Record, SourceState, Status
from clew.store.documents import Documents
from clew.store.shard import PartKey
from clew.store.snapshot import ALL_KNOWN_NS, Snapshot


class OverlaidSnapshot(Snapshot):
    """The snapshot `here` as of its time, below one of another store; what that one holds counts as true.

    over, parts  the other snapshot, closed with this one, and its packed postings by part.
    is_ours      says of the name of a source whether it is looked at as of the time, as a session is; all others are shown as they are.
    is_current   says of such another one whether it is shown at all: it holds what it held then.
    is_hidden    says of a source of the first kind whether it is left out.
    """

    def __init__(
        self, here: Snapshot, *, over: Snapshot, parts: Sequence[tuple[PartKey, bytes]],
        is_ours: Callable[[str], bool], is_current: Callable[[str], bool], is_hidden: Callable[[str], bool],
    ) -> None:  # fmt: skip
        super().__init__(here.rows, here.as_of_ns, here.known_by_ns)
        self._over, self._parts = over, parts
        self._is_ours, self._is_current, self._is_hidden = is_ours, is_current, is_hidden

    def close(self) -> None:
        """End both read transactions."""
        self._over.close()
        super().close()

    def records(self, ids: Sequence[str]) -> list[Record]:
        """Return the records with these ids, in the order asked; unknown and purged ids are left out."""
        shown = {key: record for key, record in self.rows.records(ids).items() if self._is_shown(record.source)}
        ours = {key: record for key, record in shown.items() if self._is_ours(record.source)}
        current = {key: record for key, record in shown.items() if key not in ours}
        found = {record.id: record for record in self._over.records(ids)} | current | self._then(ours)
        return [found[record_id] for record_id in ids if record_id in found]

    def statuses(self, ids: Sequence[str]) -> list[Status]:
        """Return one Status per id, in the order asked: what is no session's is true."""
        sources = {record.id: record.source for record in self.records(ids)}
        then = dict(zip(ids, super().statuses(ids), strict=True))
        return [Status() if record_id in sources and not self._is_ours(sources[record_id]) else then[record_id] for record_id in ids]

    def stale_or_cold(self) -> list[tuple[str, Status]]:
        """Return (id, Status) of each indexed record of a session that was no longer true, or was on a cheaper tier; ordered by id."""
        pairs = super().stale_or_cold()
        theirs = {record.id for record in self._over.records([record_id for record_id, _ in pairs])}
        return [pair for pair in pairs if pair[0] not in theirs]

    def records_of_sources(self, *sources: str) -> list[Record]:
        """Return the live records of one or several sources, of each from the store that speaks of it."""
        return [
            record
            for source in sources
            for record in (super().records_of_sources(source) if self._is_ours(source) else self._records_of_current(source))
        ]

    def source_states(self, prefix: str = "") -> list[SourceState]:
        """Return how far each source had been read: of sessions as now, of all others as the other store says; ordered by name."""
        ours = [state for state in super().source_states(prefix) if self._is_ours(state.source)]
        return sorted([*ours, *self._over.source_states(prefix)], key=lambda state: state.source)

    def states_of_sources(self, sources: Collection[str]) -> dict[str, SourceState]:
        """Return how far each of these sources had been read, by name; unknown ones are left out."""
        ours = super().states_of_sources([source for source in sources if self._is_ours(source)])
        return {**ours, **self._over.states_of_sources(sources)}

    def edges(self, ids: Collection[str]) -> list[Edge]:
        """Return the edges of the other store, and of those here that sessions gave the ones whose ends were there."""
        pairs = [edge for edge, source in self.rows.edges(ids) if self._is_ours(source)]
        known = {record.id for record in self.records([end for edge in pairs for end in (edge.tail, edge.head)])}
        found = [*self._over.edges(ids), *(edge for edge in pairs if edge.tail in known and edge.head in known)]
        return sorted(found, key=lambda edge: (edge.tail, edge.head, edge.kind, edge.by))

    def originals(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the bytes of originals by digest. Raises KeyError for an unknown digest, Purged for an erased one."""
        found = self.rows.originals(digests)  # of what was purged here nothing is shown, wherever else it stands
        missing = [digest for digest in digests if digest not in found]
        return {**found, **(self._over.originals(missing) if missing else {})}

    @cached_property
    def documents(self) -> Documents:
        """The searchable table: parts of the other store, and those here that are current or a session's, without what came later."""
        here = self.rows.documents()
        table = here.updated([key for key in here.parts if not self._is_shown(key[0])], self._parts)
        later = table.docs_of(self.rows.begun_after(self.as_of_ns, self.known_by_ns or ALL_KNOWN_NS))
        ours = np.array([self._is_ours(source) for source in table.sources], np.bool_)
        return table.without(table.ids_of(later[ours[table.source_codes[later]]].tolist())) if len(later) else table

    def _is_shown(self, source: str) -> bool:
        return not self._is_hidden(source) if self._is_ours(source) else self._is_current(source)

    def _records_of_current(self, source: str) -> list[Record]:
        if found := self._over.records_of_sources(source):
            return found
        here = self.rows.of_sources([source], with_ended=False) if self._is_current(source) else []
        return sorted(here, key=lambda record: (record.seq, record.id))
