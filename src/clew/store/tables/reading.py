"""Reading: read the rows of one workspace from one read transaction."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import zstandard

from clew.errors import OriginalPurged, StoreUnusable
from clew.records import Edge, Record, SourceState, Status
from clew.store import rules
from clew.store.documents import Documents
from clew.store.journal import list_changed
from clew.store.tables import packs
from clew.store.tables.codec import (
    decode_text,
    edge_from_row,
    encode_text,
    ids_to_json,
    pack_lineage,
    record_from_row,
    state_from_row,
    status_from_row,
)
from clew.store.tables.connection import Connection, SqlRow
from clew.store.tables.indexing import WorkspaceCounters

_CACHED_BYTES_MAX = 24_000_000  # of originals, uncompressed
_CACHED_RECORDS_MAX = 8_000  # decoded, about 1.5 kB each


@dataclass(frozen=True, slots=True)
class ReadCache:
    """Records and originals read lately of one generation of a workspace. Immutable, because other threads may read it.

    A purge advances the generation, so nothing purged is read from here.
    """

    key: str = ""
    generation: int = 0
    records: dict[str, Record] = field(default_factory=dict[str, Record])
    originals: dict[str, bytes] = field(default_factory=dict[str, bytes])
    stale: list[tuple[str, Status]] | None = None


class TableRows:
    """The `Rows` of one workspace of a database. Every method raises StoreUnusable if a row is damaged, and what `translate` raises."""

    def __init__(
        self, connection: Connection, space: WorkspaceCounters, place: Path | str, *, translate: Callable[[], AbstractContextManager[None]],
        documents: Callable[[], Documents], recent: ReadCache, keep: Callable[[ReadCache], None], give_back: Callable[[], None],
    ) -> None:  # fmt: skip
        self._connection, self._space, self._place, self._translate = connection, space, place, translate
        self._documents, self._keep, self._give_back = documents, keep, give_back
        self._unpacker = packs.Unpacker(connection)
        is_known = (recent.key, recent.generation) == (space.key, space.generation)
        self._recent = recent if is_known else ReadCache(space.key, space.generation)

    @property
    def generation(self) -> int:
        """Number of committed writes of the workspace; 0 if the workspace does not exist."""
        return self._space.generation

    def records(self, ids: Collection[str]) -> dict[str, Record]:
        """Return records by id; unknown ids are left out. Cost: about 20 µs a record, 1 µs if it was read before in this generation."""
        known = self._recent.records
        missing = [record_id for record_id in ids if record_id not in known]
        fresh: dict[str, Record] = {}
        if missing:
            with self._asking() as connection:
                rows = _select_rows(connection.fetch_all("records.by_id", self._space.number, ids_to_json(missing)))
                fresh = {record_id: record_from_row(row) for record_id, row in rows.items()}
            kept = {**known, **fresh} if len(known) + len(fresh) <= _CACHED_RECORDS_MAX else fresh
            self._remember(replace(self._recent, records=kept))
        return {record_id: record for record_id in ids if (record := known.get(record_id) or fresh.get(record_id)) is not None}

    def statuses(self, ids: Collection[str]) -> dict[str, Status]:
        """Return statuses by record id, also of purged records; unknown ids are left out."""
        number = self._space.number
        with self._asking() as connection:
            holders: dict[str, list[tuple[bool, str, Status]]] = {}
            for row in connection.fetch_all("records.status", number, ids_to_json(list(ids))):
                holders.setdefault(row[0], []).append((bool(row[2]), decode_text(row[1]), status_from_row(row)))
            found = {record_id: status for record_id, held in holders.items() if (status := rules.select_holder(held)) is not None}
            absent = [(number, "record", encode_text(record_id)) for record_id in dict.fromkeys(ids) if record_id not in found]
            for record_id, reason, at_ns in connection.fetch_for_keys("tombstones.get", absent) if absent else ():
                found[record_id] = rules.purged_status(decode_text(reason), at_ns)
        return found

    def stale_or_cold(self) -> list[tuple[str, Status]]:
        """Return (id, Status) of indexed records that are ended or below the hot tier, ordered by id."""
        if self._recent.stale is None:
            with self._asking() as connection:
                ids = [record_id for (record_id,) in connection.fetch_all("records.stale_or_cold", self._space.number)]
            statuses = self.statuses(ids)
            pairs = [(record_id, statuses[record_id]) for record_id in ids]
            self._remember(replace(self._recent, stale=[pair for pair in pairs if rules.is_stale_or_cold(pair[1])]))
        return self._recent.stale or []

    def begun_after(self, at_ns: int, known_by_ns: int) -> list[str]:
        """Return ids of records that became live after a time, or were stored after another one."""
        with self._asking() as connection:
            return [record_id for (record_id,) in connection.fetch_all("records.begun_after", self._space.number, at_ns, known_by_ns)]

    def changes(self) -> list[tuple[int, str, str]]:
        """Return (when it was stored, sign, id) of every change of a status that the journal holds, the earliest first."""
        with self._asking() as connection:
            rows = connection.fetch_all("journal.changes", self._space.number)
        return [(stored_ns, *change) for stored_ns, ids in rows for change in list_changed(ids.split())]

    def first_ns(self) -> int:
        """Return when the journal begins; 0 where it is empty."""
        with self._asking() as connection:
            return connection.fetch_all("journal.first", self._space.number)[0][0] or 0

    def purged_after(self, at_ns: int) -> list[tuple[str, str]]:
        """Return ("record" or "original", id) of what was purged after a time."""
        with self._asking() as connection:
            rows = connection.fetch_all("tombstones.of_workspace", self._space.number)
        return [(kind, decode_text(name)) for kind, name, _, purged_ns in rows if purged_ns > at_ns]

    def sessions_on(self, branch: str) -> list[str]:
        """Return the ids of the sessions in which something was said on a branch. Cost: a look at each record, about 1 µs."""
        with self._asking() as connection:
            rows = connection.fetch_all("records.sessions_on", self._space.number, pack_lineage((("branch", branch),))[1:-1])
        return [decode_text(session) for (session,) in rows]

    def find(self, prefix: str, limit: int) -> list[str]:
        """Return at most `limit` record ids that begin with `prefix`, ordered; of live, ended and purged records."""
        if not prefix.isascii():
            return []
        with self._asking() as connection:
            rows = connection.fetch_all("records.find", self._space.number, prefix, prefix + "\x7f", limit)
        return [record_id for (record_id,) in rows]

    def of_subject(self, subject: str) -> list[Record]:
        """Return all records with this subject, live or ended, oldest first."""
        with self._asking() as connection:
            rows = _select_rows(connection.fetch_all("records.by_subject", self._space.number, encode_text(subject)))
            return [record_from_row(row) for row in sorted(rows.values(), key=lambda row: (row[-1], row[2]))]

    def of_sources(self, sources: Collection[str], *, with_ended: bool, is_indexed: bool = False) -> list[Record]:
        """Return the live records of these sources, and the ended ones too if asked for (if wanted only indexed ones), in no order."""
        keys = [(self._space.number, encode_text(source), int(not with_ended), int(is_indexed)) for source in dict.fromkeys(sources)]
        with self._asking() as connection:
            return [record_from_row(row) for row in connection.fetch_for_keys("records.by_source", keys)] if keys else []

    def states(self, prefix: str) -> list[SourceState]:
        """Return the states of the sources whose name begins with `prefix`, in no order."""
        with self._asking() as connection:
            rows = connection.fetch_all("sources.states", self._space.number, *connection.prefix_bounds(prefix))
            return [state_from_row(row) for row in rows]

    def states_of(self, sources: Collection[str]) -> list[SourceState]:
        """Return the states of these sources; unknown ones are left out."""
        keys = [(self._space.number, encode_text(source)) for source in dict.fromkeys(sources)]
        with self._asking() as connection:
            return [state_from_row(row) for row in connection.fetch_for_keys("sources.state", keys)] if keys else []

    def digests_at(self, prefix: str, at_ns: int) -> dict[str, tuple[str, int]]:
        """Return the last entry of the journal until a time of each source whose name begins with `prefix`: the digest, and when."""
        with self._asking() as connection:
            rows = connection.fetch_all("journal.digests_at", self._space.number, at_ns, *connection.prefix_bounds(prefix))
        return {decode_text(name): (decode_text(digest), stored_ns) for name, digest, stored_ns in rows}

    def edges(self, ids: Collection[str]) -> list[tuple[Edge, str]]:
        """Return (edge, source) of edges at any of these records whose ends still have the digests that the edge was made from."""
        with self._asking() as connection:
            rows = connection.fetch_all("edges.touching", self._space.number, ids_to_json(list(ids)))
        return [(edge_from_row(row), decode_text(row[8])) for row in rows]

    def originals(self, digests: Collection[str]) -> dict[str, bytes]:
        """Return originals' bytes by digest; unknown digests are left out. Raises Purged for an erased one."""
        opened = self._recent.originals
        found = {digest: opened[digest] for digest in digests if digest in opened}
        missing = [digest for digest in dict.fromkeys(digests) if digest not in found]
        if not missing:
            return found
        number = self._space.number
        with self._asking() as connection:
            rows = connection.fetch_for_keys("originals.get", [(number, encode_text(digest)) for digest in missing])
            if len(rows) < len(missing):
                gone = connection.fetch_for_keys("tombstones.get", [(number, "original", encode_text(digest)) for digest in missing])
                if gone:
                    raise OriginalPurged(decode_text(gone[0][0]), decode_text(gone[0][1]))
        for digest, *stored in sorted(rows, key=lambda row: row[3:5]):  # those of one pack together
            try:
                found[decode_text(digest)] = self._unpacker.read(*stored)
            except ValueError as error:
                raise StoreUnusable(self._place, f"original {decode_text(digest)} is damaged ({error})") from error
        self._remember(replace(self._recent, originals=_within({**opened, **found}, found)))
        return found

    def documents(self) -> Documents:
        """Return the search index of this generation."""
        with self._asking():
            return self._documents()

    def close(self) -> None:
        """End the read transaction and give the connection back."""
        self._give_back()

    def _remember(self, recent: ReadCache) -> None:
        self._recent = recent
        self._keep(recent)

    @contextlib.contextmanager
    def _asking(self) -> Generator[Connection]:
        with self._translate(), translate_unpack_errors(self._place):
            yield self._connection


@contextlib.contextmanager
def translate_unpack_errors(place: Path | str) -> Generator[None]:
    """Raise StoreUnusable for errors of decoding a row, which is damaged without the database having noticed."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, struct.error, zstandard.ZstdError, msgspec.DecodeError) as error:
        raise StoreUnusable(place, f"is damaged: a row cannot be unpacked ({type(error).__name__})") from error


def _within(all_of_them: dict[str, bytes], last: dict[str, bytes]) -> dict[str, bytes]:
    """Return the originals to cache: all of them if they fit, else those read last, else none."""
    if sum(map(len, all_of_them.values())) <= _CACHED_BYTES_MAX:
        return all_of_them
    return last if sum(map(len, last.values())) <= _CACHED_BYTES_MAX else {}


def _select_rows(rows: Iterable[SqlRow]) -> dict[str, SqlRow]:
    """Return one row per record id: that of a live source first, then of the first source by name. Rows are as in `records.by_id`."""
    found: dict[str, SqlRow] = {}
    for row in rows:
        other = found.get(row[3])
        if other is None or (not row[0], decode_text(row[1])) < (not other[0], decode_text(other[1])):
            found[row[3]] = row
    return found
