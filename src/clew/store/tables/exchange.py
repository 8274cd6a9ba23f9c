"""Exchange: read all rows of a workspace for an export, and add the rows of an import, inside the caller's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from clew.errors import InvalidExport
from clew.records import Status
from clew.store.journal import compute_link
from clew.store.originals import OriginalCompressor, digest_of
from clew.store.rows import (
    EdgeRow,
    HeldOriginal,
    ImportResult,
    JournalRow,
    OriginalRow,
    PostingsRow,
    RecordRow,
    SourceRow,
    StoredRow,
    TombstoneRow,
    WorkspaceRow,
    check_rows,
)
from clew.store.shard import compute_part_digest
from clew.store.tables import packs
from clew.store.tables.codec import (
    compute_seal,
    decode_text,
    edge_from_row,
    edge_to_row,
    encode_reason,
    encode_text,
    entry_from_row,
    entry_to_row,
    record_from_row,
    record_to_row,
    state_from_row,
    state_to_row,
    status_from_row,
)
from clew.store.tables.connection import Connection, SqlRow
from clew.text import postings


def read_rows(connection: Connection, workspace: int, key: str) -> Iterator[StoredRow]:
    """Yield all rows of a workspace, in the order of `clew.store.rows`; memory grows with the number of its sources alone."""
    ((root,),) = [(decode_text(root),) for other, root in connection.fetch_all("workspaces.roots") if decode_text(other) == key]
    yield WorkspaceRow(key, root)
    names: dict[int, str] = {}
    for number, name, is_present, *rest in connection.iterate("sources.all", workspace):
        names[number] = decode_text(name)
        yield SourceRow(names[number], state_from_row((name, *rest)) if is_present else None)
    for source, digest in connection.iterate("originals.all_names", workspace):
        yield HeldOriginal(names[source], digest)
    unpack = packs.Unpacker(connection)
    for name in ("originals.all", "packs.originals") if connection.has_packs else ("originals.all",):
        for digest, *stored in connection.iterate(name, workspace):
            whole = unpack.read(*stored)
            if digest_of(whole) != digest:
                raise ValueError("an original does not have its digest")
            yield OriginalRow(digest, whole)
    for row in connection.iterate("records.all", workspace):
        is_indexed, *ending = row[20:]
        yield RecordRow(record_from_row(row[:20]), status_from_row((row[3], row[1], row[0], *ending)), bool(is_indexed))
    for source, part, data in connection.iterate("segments.in_order", workspace):
        yield PostingsRow(names[source], part, data)
    for row in connection.iterate("edges.all", workspace):
        yield EdgeRow(names[row[8]], edge_from_row(row))
    for kind, name, reason, at_ns in connection.iterate("tombstones.of_workspace", workspace):
        yield TombstoneRow(kind, decode_text(name), decode_text(reason), at_ns)
    for row in connection.iterate("journal.all", workspace):
        yield entry_from_row(row, names.get(row[3], ""))


def write_rows(connection: Connection, rows: Iterable[StoredRow]) -> ImportResult:
    """Add the rows that the database lacks, and return what was added. Raises InvalidExport, and errors of SQLite."""
    result = ImportResult()
    current: _Import | None = None
    try:
        for row in check_rows(rows):
            if isinstance(row, WorkspaceRow):
                if current is not None:
                    current.finish()
                current = _Import(connection, row, result)
            elif current is not None:
                current.add(row)
        if current is not None:
            current.finish()
    except connection.refusals as error:
        raise InvalidExport(f"a row of it cannot be stored ({error})") from error
    return result


class _Import:
    """The import of one workspace: which of its sources are new, and what was added so far."""

    def __init__(self, connection: Connection, row: WorkspaceRow, result: ImportResult) -> None:
        self._connection, self._result = connection, result
        key = encode_text(row.key)
        if connection.fetch_one("workspaces.by_key", key) is None:
            connection.execute("workspaces.open", key, encode_text(row.root), compute_seal(key, encode_text(row.root)))
        self._workspace, _, _ = connection.fetch_one("workspaces.lock", key) or (0, 0, 0)
        self._has_tombstones = connection.fetch_one("tombstones.any", self._workspace) is not None
        self._new: dict[str, int] = {}
        self._seen: set[str] = set()
        self._indexed = Counter[str]()
        self._posted = Counter[str]()
        self._of_source: tuple[str, set[str]] = ("", set())
        self._packer = OriginalCompressor()
        self._weight = [0, 0]
        self._has_buried = False
        self._heads: dict[str, tuple[int, str]] = {}
        self._begun: set[str] = set()
        result.workspaces += 1

    def add(self, row: StoredRow) -> None:
        """Store a row, unless the workspace has its source, or has purged it."""
        match row:
            case SourceRow():
                self._add_source(row)
            case HeldOriginal(source, digest) if self._number(source) and not self._is_purged("original", digest):
                self._connection.execute("originals.name", self._workspace, self._number(source), encode_text(digest))
            case OriginalRow():
                self._add_original(row)
            case RecordRow() if self._number(row.record.source):
                self._add_record(row)
            case PostingsRow() if self._number(row.source):
                self._add_postings(row)
            case EdgeRow(source, edge) if number := self._number(source):
                if not self._is_purged("record", edge.tail) and not self._is_purged("record", edge.head):
                    self._connection.execute("edges.upsert", *edge_to_row(edge, self._workspace, number))
            case TombstoneRow():
                self._add_tombstone(row)
            case JournalRow():
                self._add_entry(row)
            case _:
                pass

    def finish(self) -> None:
        """Check what could not be checked row by row, and count the write. Raises InvalidExport."""
        absent = self._connection.fetch_one("originals.named_but_absent", self._workspace)
        if absent is not None:
            raise InvalidExport(f"original {decode_text(absent[0])} is named in it, and is not there")
        for source, count in self._indexed.items():
            if self._posted[source] != count:
                raise InvalidExport(f"postings of {source!r} are missing")
        for writer, head in self._heads.items():
            self._connection.execute("journal.set_head", self._workspace, writer, *head)
        if self._connection.has_counts:
            self._connection.execute("sources.count_all_edges", self._workspace)
        self._connection.execute("workspaces.weigh", *self._weight, self._workspace)
        self._connection.fetch_all("workspaces.advance", self._workspace)

    def _number(self, source: str) -> int:
        """Return the number of a source that is new here, 0 for one that the workspace had. Raises InvalidExport for an unknown one."""
        if source not in self._seen:
            raise InvalidExport(f"a row names the source {source!r}, which is not in it")
        return self._new.get(source, 0)

    def _is_purged(self, kind: str, name: str) -> bool:
        return self._find_tombstone(kind, name) is not None

    def _find_tombstone(self, kind: str, name: str) -> SqlRow | None:
        return self._connection.fetch_one("tombstones.get", self._workspace, kind, encode_text(name)) if self._has_tombstones else None

    def _add_source(self, row: SourceRow) -> None:
        name = encode_text(row.name)
        if row.name in self._seen:
            raise InvalidExport(f"source {row.name!r} stands in it twice")
        self._seen.add(row.name)
        if self._connection.fetch_one("sources.by_name", self._workspace, name) is not None:
            here = self._connection.fetch_one("sources.state", self._workspace, name)
            self._result.kept += 1
            self._result.differing += (state_from_row(here) if here else None) != row.state
            return
        ((number,),) = self._connection.fetch_all("sources.add", self._workspace, name)
        self._new[row.name] = number
        self._result.sources += 1
        if row.state is not None:
            self._connection.execute("sources.set_state", *state_to_row(row.state, self._workspace, number))

    def _add_original(self, row: OriginalRow) -> None:
        digest = encode_text(row.digest)
        if self._is_purged("original", row.digest):
            self._result.purged += 1
        elif (
            self._connection.fetch_one("originals.exists", self._workspace, digest) is None
            and self._connection.fetch_one("originals.sources", self._workspace, digest) is not None
        ):
            packing, data = self._packer.pack(row.data)
            self._connection.execute("originals.add", self._workspace, digest, len(row.data), int(packing), data)
            self._result.originals += 1
            self._result.size += len(row.data)
            self._weight = [self._weight[0] + len(row.data), self._weight[1] + len(data)]

    def _add_record(self, row: RecordRow) -> None:
        record, status, number = row.record, row.status, self._number(row.record.source)
        digests = {text.blob for text in record.texts if text.blob}
        graves = [self._find_tombstone("original", digest) for digest in sorted(digests)]
        if self._is_purged("record", record.id) or any(graves):
            for grave in graves:
                if grave and not self._is_purged("record", record.id):
                    self._connection.execute("tombstones.raise", self._workspace, "record", encode_text(record.id), *grave[1:])
            self._result.purged += 1
            return
        for text in record.texts:
            if text.blob:
                found = self._connection.fetch_one("originals.size", self._workspace, encode_text(text.blob))
                if found is None or text.end > found[0]:
                    raise InvalidExport(f"a text of record {record.id} lies outside of its original {text.blob!r}")
                self._connection.execute("originals.name", self._workspace, number, encode_text(text.blob))
        if self._connection.fetch_one("records.held_one", self._workspace, record.id, number) is not None:
            raise InvalidExport(f"record {record.id} stands in it twice")
        stored = record_to_row(record, self._workspace, number, is_indexed=row.is_indexed, at_ns=status.recorded_at_ns)
        self._connection.execute("records.upsert", *stored)
        if status != Status(valid_from_ns=record.at_ns, recorded_at_ns=status.recorded_at_ns):
            ending = (encode_text(status.superseded_by), encode_reason(status.reason), status.ended_seq)
            times = (status.valid_from_ns, status.valid_to_ns, int(status.tier), status.uses, status.used_at_ns, status.recorded_at_ns)
            self._connection.execute("records.restore", status.is_live, *ending, *times, self._workspace, record.id, number)
        self._result.records += 1
        self._indexed[record.source] += row.is_indexed

    def _add_postings(self, row: PostingsRow) -> None:
        number = self._number(row.source)
        if self._of_source[0] != row.source:
            if self._posted[row.source]:
                raise InvalidExport(f"the postings of {row.source!r} are out of their order")
            self._of_source = (row.source, set())
        ids = postings.read_packed_ids(row.data)
        gone = frozenset(record_id for record_id in ids if not self._is_held(record_id, number))
        if not self._of_source[1].isdisjoint(ids):
            raise InvalidExport(f"the postings of {row.source!r} name a record twice")
        data = postings.drop_from_postings(row.data, gone) if gone else row.data
        if data:
            self._connection.execute("sources.mark", self._workspace, number)
            self._connection.execute("segments.add", self._workspace, number, row.part, compute_part_digest(data), data)
        self._of_source[1].update(ids)
        self._posted[row.source] += len(ids) - len(gone)

    def _is_held(self, record_id: str, source: int) -> bool:
        """Return whether postings may name a record; False for one that was left out as purged. Raises InvalidExport for others."""
        held = self._connection.fetch_one("records.held_one", self._workspace, encode_text(record_id), source)
        if held is None and not self._has_tombstones:
            raise InvalidExport(f"postings name record {record_id!r}, which is not in it")
        if held is not None and not held[3]:
            raise InvalidExport(f"postings name record {record_id}, which is said not to be in the index")
        return held is not None

    def _add_tombstone(self, row: TombstoneRow) -> None:
        if self._is_purged(row.kind, row.id):
            return
        name = encode_text(row.id)
        found = "records.sources_of" if row.kind == "record" else "originals.exists"
        if self._connection.fetch_one(found, self._workspace, name) is not None:
            self._result.still_held += 1
            return
        if not self._has_buried:
            self._connection.execute("workspaces.count_purge", self._workspace)
            self._has_buried = True
        self._connection.execute("tombstones.raise", self._workspace, row.kind, name, encode_text(row.reason), row.at_ns)
        self._result.tombstones += 1

    def _add_entry(self, row: JournalRow) -> None:
        """Add an entry that follows the last one of its writer. Left out: one that is here, a chain that went on differently."""
        if row.writer not in self._heads:
            found = self._connection.fetch_one("journal.head", self._workspace, row.writer)
            self._heads[row.writer] = (found[0], found[1]) if found else (0, "")
            self._begun |= {row.writer} if found else set[str]()
        seq, link = self._heads[row.writer]
        if row.seq == seq + 1 and row.link == compute_link(link, row):
            self._connection.execute("journal.add", *entry_to_row(row, self._workspace, self._new.get(row.source, 0)))
            self._heads[row.writer] = row.seq, row.link
        elif row.writer not in self._begun and row.seq > seq:
            raise InvalidExport(f"the chain of writer {row.writer!r} breaks at link {row.seq}")
        elif self._connection.fetch_one("journal.link", self._workspace, row.writer, row.seq) != (row.link,) and row.source in self._new:
            keys = [(self._workspace, record_id, self._new[row.source]) for record_id in row.ids]
            self._connection.execute_many("records.unrecord", keys)  # no chain here says when they were stored
