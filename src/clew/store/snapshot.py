"""Snapshot: read one workspace at one consistent state of the store.

One read transaction from its making to its close, read in batches, without any way to change the store. Stores implement
`Rows`; ordering, filtering and searching those rows is the same for all of them and is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from types import TracebackType
from typing import Protocol, Self

from clew.records import Edge, Record, SourceState, Status
from clew.store import rules
from clew.store.documents import Documents
from clew.store.name_resolution import Names, get_names
from clew.store.search import Query, SearchResult, search

ALL_KNOWN_NS = (1 << 63) - 1


class Rows(Protocol):
    """The rows of one workspace as a store holds them, read in batches from one consistent state."""

    @property
    def generation(self) -> int:
        """Return the number of committed writes; 0 for a workspace that does not exist."""
        ...

    def records(self, ids: Collection[str]) -> dict[str, Record]:
        """Return the records with these ids, live or ended; unknown and purged ids are left out."""
        ...

    def statuses(self, ids: Collection[str]) -> dict[str, Status]:
        """Return the statuses of these ids, purged ones included; unknown ids are left out."""
        ...

    def stale_or_cold(self) -> list[tuple[str, Status]]:
        """Return (id, Status) of indexed records that are ended, or below the hot tier; ordered by id.

        Their uses may be those of when this was first read in this generation.
        """
        ...

    def begun_after(self, at_ns: int, known_by_ns: int) -> list[str]:
        """Return ids of records that became live only after a time, or were stored only after another one."""
        ...

    def changes(self) -> list[tuple[int, str, str]]:
        """Return (when it was stored, sign, id) of every change of a status that the journal holds, the earliest first."""
        ...

    def first_ns(self) -> int:
        """Return when the journal begins, the first time of which one can ask what was stored; 0 where nothing was."""
        ...

    def purged_after(self, at_ns: int) -> list[tuple[str, str]]:
        """Return ("record" or "original", id) of what was purged after a time."""
        ...

    def sessions_on(self, branch: str) -> list[str]:
        """Return the ids of the sessions in which something was said on a branch, in no order."""
        ...

    def find(self, prefix: str, limit: int) -> list[str]:
        """Return ids, live, ended or purged, that begin with `prefix`, ordered; at most `limit`."""
        ...

    def of_subject(self, subject: str) -> list[Record]:
        """Return every version of a subject, live or ended; by their own time, then in the order in which they were first stored."""
        ...

    def of_sources(self, sources: Collection[str], *, with_ended: bool, is_indexed: bool = False) -> list[Record]:
        """Return the live records of these sources, and the ended ones if asked for (if wanted only indexed ones), in no order."""
        ...

    def states(self, prefix: str) -> list[SourceState]:
        """Return the states of the sources whose name begins with `prefix`, in no order."""
        ...

    def states_of(self, sources: Collection[str]) -> list[SourceState]:
        """Return the states of these sources; unknown ones are left out."""
        ...

    def digests_at(self, prefix: str, at_ns: int) -> dict[str, tuple[str, int]]:
        """Return the last entry of the journal until a time of each source whose name begins with `prefix`: the digest, and when."""
        ...

    def edges(self, ids: Collection[str]) -> list[tuple[Edge, str]]:
        """Return edges that touch any of these ids and whose ends still have the digests they were made from, each with its source."""
        ...

    def originals(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the bytes of originals; unknown ones are left out. Raises Purged for an erased one."""
        ...

    def documents(self) -> Documents:
        """Return the searchable table of this generation."""
        ...

    def close(self) -> None:
        """End the transaction."""
        ...


class Snapshot:
    """One workspace at one state. For one thread; close it soon, because a purge waits for it.

    as_of_ns     a time: records are those that were known to be true from then or before, with the status that they had; 0 for now.
                 An ended record of which nobody knows when it ended counts as ended. States of sources and edges are those of now.
    known_by_ns  another one, with `as_of_ns`: what was stored later is not there, and what it ended is true; 0 for all that is known.
    """

    def __init__(self, rows: Rows, as_of_ns: int = 0, known_by_ns: int = 0) -> None:
        self.rows, self.as_of_ns, self.known_by_ns = rows, as_of_ns, known_by_ns

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the read transaction; what was read stays usable."""
        self.rows.close()

    @property
    def generation(self) -> int:
        """Number of acknowledged writes; 0 for a workspace that does not exist. Equal numbers mean equal contents."""
        return self.rows.generation

    # -- by key ---------------------------------------------------------------------------------

    def records(self, ids: Sequence[str]) -> list[Record]:
        """Return the records with these ids, in the order asked; unknown and purged ids are left out."""
        found = self._then(self.rows.records(ids))
        return [found[record_id] for record_id in ids if record_id in found]

    def statuses(self, ids: Sequence[str]) -> list[Status]:
        """Return one Status per id, in the order asked; an unknown id is not live, with the reason UNKNOWN, and a purged one says so."""
        found = self.rows.statuses(ids)
        if self.as_of_ns:
            found = {key: then for key, status in found.items() if (then := self._status_then(key, status))}
        return [found.get(record_id, rules.UNKNOWN) for record_id in ids]

    def stale_or_cold(self) -> list[tuple[str, Status]]:
        """Return (id, Status) of each indexed record that is no longer true, or was moved to a cheaper tier than HOT; ordered by id."""
        pairs = self.rows.stale_or_cold()
        if not self.as_of_ns:
            return pairs
        known = {key: status for key, status in pairs if key not in self._changes}
        again = self.rows.statuses(self._changes)  # what is live now may have been ended then
        then = [(key, self._status_then(key, status)) for key, status in sorted({**known, **again}.items())]
        return [(key, status) for key, status in then if status and rules.is_stale_or_cold(status)]

    def find(self, prefix: str, limit: int = 8) -> list[str]:
        """Return ids, live or not, that begin with `prefix`, ordered, at most `limit`; purged ones as well, to say what became of them."""
        return self.rows.find(prefix, limit)

    def of_subject(self, subject: str) -> list[Record]:
        """Return every version of a subject, live or not, oldest first by its own time, then by when it first came."""
        versions = self.rows.of_subject(subject)
        known = self._then({record.id: record for record in versions})
        return [record for record in versions if record.id in known]

    def records_of_sources(self, *sources: str) -> list[Record]:
        """Return the live records of one or several sources: source after source as asked, each ordered by (seq, id)."""
        place = {source: at for at, source in enumerate(sources)}
        records = self.rows.of_sources(sources, with_ended=bool(self.as_of_ns))
        if self.as_of_ns:
            statuses = self.statuses([record.id for record in records])
            records = [record for record, status in zip(records, statuses, strict=True) if status.is_live]
        return sorted(records, key=lambda record: (place[record.source], record.seq, record.id))

    def records_ever_of(self, source: str) -> list[Record]:
        """Return the records of a source, live or ended, those excepted that a later reading of it no longer held; ordered by (seq, id)."""
        found = self._then({record.id: record for record in self.rows.of_sources([source], with_ended=True, is_indexed=True)})
        if self.as_of_ns:  # such ones were true at the time
            found |= {record.id: record for record in self.records_of_sources(source)}
        return sorted(found.values(), key=lambda record: (record.seq, record.id))

    def source_states(self, prefix: str = "") -> list[SourceState]:
        """Return how far each source (a file, a session) has been read, for names that begin with `prefix`; ordered by name."""
        return sorted(self.rows.states(prefix), key=lambda state: state.source)

    def source_state(self, source: str) -> SourceState | None:
        """Return how far one source (a file, a session) has been read; None for an unknown one."""
        return self.states_of_sources([source]).get(source)

    def states_of_sources(self, sources: Collection[str]) -> dict[str, SourceState]:
        """Return how far each of these sources (files, sessions) has been read, by name; unknown ones are left out."""
        return {state.source: state for state in self.rows.states_of(sources)}

    def digests_at(self, prefix: str, at_ns: int) -> dict[str, tuple[str, int]]:
        """Return which content each source whose name begins with `prefix` had at a time: its digest, "" for none, and when it was stored.

        A source of which nothing was stored until then is left out.
        """
        return self.rows.digests_at(prefix, at_ns)

    def first_ns(self) -> int:
        """Return when the journal begins, the first time of which one can ask what was stored; 0 where nothing was."""
        return self.rows.first_ns()

    def purged_after(self, at_ns: int) -> list[tuple[str, str]]:
        """Return ("record" or "original", id) of what was purged after a time."""
        return self.rows.purged_after(at_ns)

    def sessions_on(self, branch: str) -> frozenset[str]:
        """Return the ids of the sessions in which something was said on a branch."""
        return frozenset(self.rows.sessions_on(branch))

    def edges(self, ids: Collection[str]) -> list[Edge]:
        """Return stored edges that touch any of these ids and whose ends still have the digests they were made from.

        Ordered by (tail, head, kind). An edge is hidden while the store knows no record at one of its ends.
        """
        pairs = self.rows.edges(ids)
        pairs.sort(key=lambda pair: (pair[0].tail, pair[0].head, pair[0].kind, pair[0].by, pair[1]))
        return [edge for edge, _ in pairs]

    def originals(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return the bytes of originals by digest. Raises KeyError for an unknown digest, Purged for an erased one."""
        found = self.rows.originals(digests)
        for digest in digests:
            if digest not in found:
                raise KeyError(digest)
        return found

    def original(self, digest: str) -> bytes:
        """Return the bytes of one original. Raises as `originals` does."""
        return self.originals([digest])[digest]

    # -- search ---------------------------------------------------------------------------------

    @cached_property
    def documents(self) -> Documents:
        """The searchable table of this state."""
        table = self.rows.documents()
        later = self.rows.begun_after(self.as_of_ns, self.known_by_ns or ALL_KNOWN_NS) if self.as_of_ns else ()
        return table.without(later) if later else table

    @cached_property
    def names(self) -> Names:
        """The names that those documents define and use."""
        return get_names(self.documents)

    def search(self, query: Query, allows: Callable[[str], bool] = lambda _: True) -> SearchResult:
        """Return what each channel says of code and of sessions; see `clew.store.search.search`."""
        return search(self.documents, self.names, query, allows)

    # -- inside ---------------------------------------------------------------------------------

    def _then(self, found: dict[str, Record]) -> dict[str, Record]:
        """Those of the records that were there at the time of the snapshot."""
        if not self.as_of_ns:
            return found
        statuses = self.rows.statuses(found)
        return {key: record for key, record in found.items() if self._status_then(key, statuses.get(key, rules.UNKNOWN))}

    def _status_then(self, record_id: str, status: Status) -> Status | None:
        return rules.status_at(status, self.as_of_ns, self.known_by_ns, self._changes.get(record_id, ()))

    @cached_property
    def _changes(self) -> dict[str, list[tuple[int, str]]]:
        """What the journal holds of each record whose status was set after what is known ends."""
        found: dict[str, list[tuple[int, str]]] = {}
        for stored_ns, sign, record_id in self.rows.changes() if self.known_by_ns else ():
            found.setdefault(record_id, []).append((stored_ns, sign))
        return {record_id: changes for record_id, changes in found.items() if changes[-1][0] > self.known_by_ns}
