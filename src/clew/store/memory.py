"""MemoryStore: a store in plain dicts, for one thread, without durability.

It is the reference that other stores are compared with, the test double, and the store for records that need not outlive the process,
such as those of a compaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

from clew.errors import InvalidExport, OriginalPurged, StoreClosed, UnknownWorkspace
from clew.records import Delta, Edge, Record, SourceState, Status, Tier
from clew.store import rules
from clew.store.documents import Documents
from clew.store.journal import compute_link, list_changed, make_entry, name_change
from clew.store.ports import CondenseResult, PurgeResult, RefreshResult, Snapshot, StoreDescription, Workspace, WriteResult
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
from clew.store.shard import PartKey, compute_part_digest
from clew.store.tombstones import Tombstone
from clew.text import postings


@dataclass(slots=True)
class _Holding:
    """A record as one source holds, or held, it. `born` numbers holdings in the order in which they were first stored."""

    record: Record
    status: Status
    is_indexed: bool
    born: int

    def end_as(self, ending: Status) -> None:
        """Copy whether, when and why it ended from `ending`; the rest of the status stays."""
        old = self.status
        kept = (old.valid_from_ns, old.tier, old.uses, old.used_at_ns, old.recorded_at_ns)
        self.status = replace(ending, valid_from_ns=kept[0], tier=kept[1], uses=kept[2], used_at_ns=kept[3], recorded_at_ns=kept[4])


@dataclass(slots=True)
class _Space:
    """One workspace. `holdings` is keyed by record id, then by source.

    ids_of_subject only grows: its ids are looked up again. originals_of holds all digests that a source ever referred to.
    purged_originals maps digests to reasons.
    """

    root: str
    generation: int = 0
    births: int = 0
    holdings: dict[str, dict[str, _Holding]] = field(default_factory=dict[str, dict[str, _Holding]])
    ids_of: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    ids_of_subject: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    states: dict[str, SourceState] = field(default_factory=dict[str, SourceState])
    segments: dict[str, dict[int, bytes]] = field(default_factory=dict[str, dict[int, bytes]])
    edges: dict[str, dict[tuple[str, str, str], Edge]] = field(default_factory=dict[str, dict[tuple[str, str, str], Edge]])
    originals: dict[str, bytes] = field(default_factory=dict[str, bytes])
    originals_of: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    purged_records: dict[str, Status] = field(default_factory=dict[str, Status])
    purged_originals: dict[str, str] = field(default_factory=dict[str, str])
    journal: dict[str, list[JournalRow]] = field(default_factory=dict[str, list[JournalRow]])
    documents: tuple[int, Documents] | None = None
    readers: int = 0  # open snapshots

    def select(self, record_id: str) -> _Holding | None:
        holders = self.holdings.get(record_id, {})
        return rules.select_holder((holding.status.is_live, source, holding) for source, holding in holders.items())


class MemoryStore:
    """A Writer that holds everything in dicts of this process. For one thread at a time.

    writer  its name in the journal.
    """

    def __init__(self, writer: str = "memory") -> None:
        self._writer = writer
        self._contents: dict[str, _Space] | None = {}

    # -- Reader ---------------------------------------------------------------------------------

    @property
    def is_read_only(self) -> bool:
        """Whether it takes no writes: it always does."""
        return False

    def describe(self) -> StoreDescription:
        """Return that it is in memory, with the bytes of its originals."""
        return StoreDescription("memory", sum(place.blob_bytes for place in self.workspaces()), 0)

    def workspaces(self) -> list[Workspace]:
        """Return every workspace, ordered by key; `stored_bytes` equals `blob_bytes`, because originals are not compressed."""
        return [_describe(key, space) for key, space in sorted(self._spaces.items())]

    def roots(self) -> list[tuple[str, str]]:
        """Return (key, root) of every workspace, ordered by key."""
        return sorted((key, space.root) for key, space in self._spaces.items())

    def snapshot(self, tenant: str, workspace: str, as_of_ns: int = 0, known_by_ns: int = 0) -> Snapshot:
        """Open one workspace for reading, now or as of a time; while it is open, writes go to a copy of the workspace."""
        rows = _MemoryRows(self._spaces.get(rules.stored_key(tenant, workspace)) or _Space(""))
        return Snapshot(rows, as_of_ns, known_by_ns)

    def export_rows(self, workspaces: Sequence[str]) -> Generator[StoredRow]:
        """Yield all that these workspaces hold. Raises UnknownWorkspace."""
        for key in workspaces:
            if key not in self._spaces:
                raise UnknownWorkspace(key)
            yield from _list_rows(key, deepcopy(self._spaces[key]))

    def list_tombstones(self) -> list[Tombstone]:
        """Return a tombstone for each record and original that was purged."""
        return [
            Tombstone(key, row.kind, row.id, row.reason, row.at_ns)
            for key, _ in self.roots() for row in self.export_rows([key]) if isinstance(row, TombstoneRow)
        ]  # fmt: skip

    def close(self) -> None:
        """Drop all contents; later calls raise StoreClosed."""
        self._contents = None

    # -- Writer ---------------------------------------------------------------------------------

    def open_workspace(self, key: str, root: str) -> None:
        """Create the workspace if it is new, and set its folder."""
        self._spaces.setdefault(key, _Space(root)).root = root

    def apply(self, workspace: str, deltas: Sequence[Delta], at_ns: int = 0) -> WriteResult:
        """Apply all deltas or none, and return the counts of changed records. Raises InvalidDelta, UnknownWorkspace."""
        space = self._written(workspace)
        rules.check(deltas, lambda digests: set(digests) - space.originals.keys() - space.purged_originals.keys())
        if not deltas:
            return WriteResult(space.generation)
        refusals = rules.PurgedKeys(space.purged_records.keys(), space.purged_originals.keys())
        space.generation += 1
        counts = Counter[str]()
        for delta in deltas:
            rest = rules.drop_purged(delta, refusals)
            self._note(space, rest, at_ns)
            _apply(space, rest, counts, at_ns)
        return WriteResult(space.generation, **counts)

    def _note(self, space: _Space, delta: Delta, at_ns: int) -> None:
        """Add an entry to the journal for a delta that is about to be applied, if it changes what its source holds."""
        held, before = space.ids_of.get(delta.source, set()), space.states.get(delta.source)
        fresh = list(dict.fromkeys(record.id for record in delta.records if record.id not in held))
        digest = delta.state.digest if delta.state else ""
        known = space.holdings.keys() | {record.id for record in delta.records}
        fresh += [name_change(each) for each in delta.superseded if each.old in known]
        if fresh or digest != (before.digest if before else ""):
            chain = space.journal.setdefault(self._writer, [])
            head = (chain[-1].seq, chain[-1].link) if chain else (0, "")
            chain.append(make_entry(head, self._writer, at_ns, delta.source, digest, fresh))

    def replace_state(self, workspace: str, before: SourceState, after: SourceState) -> bool:
        """Replace the state of a source if it is still `before`, and return whether it was. Raises UnknownWorkspace."""
        states = self._written(workspace).states
        if states.get(before.source) != before or after.source != before.source:
            return False
        states[before.source] = after
        return True

    def refresh(self, workspace: str) -> RefreshResult:
        """Do nothing: there is no index file. Raises StoreClosed."""
        self._spaces.get(workspace)
        return RefreshResult(is_written=False)

    def move(self, workspace: str, ids: Sequence[str], tier: Tier) -> int:
        """Set the tier of these records, and return how many had another one. Raises UnknownWorkspace."""
        space = self._written(workspace)
        moved = 0
        for record_id in dict.fromkeys(ids):
            elsewhere = [holding for holding in space.holdings.get(record_id, {}).values() if holding.status.tier != tier]
            for holding in elsewhere:
                holding.status = replace(holding.status, tier=tier)
            moved += bool(elsewhere)
        space.generation += bool(moved)
        return moved

    def condense(self, workspace: str, source: str, bytes_max: int) -> CondenseResult:  # noqa: ARG002 - as the port
        """Do nothing: what is stored in memory is not compressed. Raises UnknownWorkspace."""
        self._written(workspace)
        return CondenseResult()

    def touch(self, workspace: str, ids: Sequence[str], at_ns: int) -> None:
        """Count a use of each of these records at a time. Raises UnknownWorkspace."""
        space = self._written(workspace)
        for record_id in dict.fromkeys(ids):
            for holding in space.holdings.get(record_id, {}).values():
                holding.status = replace(holding.status, uses=holding.status.uses + 1, used_at_ns=at_ns)

    def purge(self, workspace: str, ids: Sequence[str], reason: str, at_ns: int) -> PurgeResult:
        """Erase these records and the originals that only they need, leaving tombstones; unknown ids are ignored."""
        space = self._written(workspace)
        known = {record_id for record_id in ids if record_id in space.holdings}
        touched = {source for record_id in known for source in space.holdings[record_id]}
        for record_id in known:
            for source in space.holdings.pop(record_id):
                space.ids_of[source].discard(record_id)
        return _bury(space, known, touched, (reason, at_ns), is_done=bool(known))

    def purge_source(self, workspace: str, source: str, reason: str, at_ns: int) -> PurgeResult:
        """Erase a source with its records and originals, leaving tombstones; what another source also holds stays there."""
        space = self._written(workspace)
        is_known = source in space.ids_of
        gone: set[str] = set()
        for record_id in space.ids_of.pop(source, set()):
            held = space.holdings[record_id]
            del held[source]
            if not held:
                del space.holdings[record_id]
                gone.add(record_id)
        for table in (space.states, space.segments, space.edges):
            table.pop(source, None)
        purge = _bury(space, gone, {source}, (reason, at_ns), is_done=is_known)
        space.originals_of.pop(source, None)
        for chain in space.journal.values():
            chain[:] = [replace(entry, source="") if entry.source == source else entry for entry in chain]
        return purge

    def import_rows(self, rows: Iterable[StoredRow]) -> ImportResult:
        """Add what this store lacks of these rows, or nothing. Raises InvalidExport."""
        result = ImportResult()
        changed: dict[str, _Space] = {}
        coming: list[StoredRow] = []
        for row in [*check_rows(rows), WorkspaceRow("", "")]:
            if isinstance(row, WorkspaceRow):
                if coming and isinstance(head := coming[0], WorkspaceRow):
                    space = changed.get(head.key) or deepcopy(self._spaces.get(head.key)) or _Space(head.root)
                    changed[head.key] = replace(space, readers=0)
                    _add_rows(changed[head.key], coming[1:], result)
                coming = []
            coming.append(row)
        self._spaces.update(changed)
        return result

    # -- inside ---------------------------------------------------------------------------------

    @property
    def _spaces(self) -> dict[str, _Space]:
        if self._contents is None:
            raise StoreClosed
        return self._contents

    def _written(self, workspace: str) -> _Space:
        """Return the workspace to change, copied first if snapshots of it are open. Raises UnknownWorkspace."""
        space = self._spaces.get(workspace)
        if space is None:
            raise UnknownWorkspace(workspace)
        if space.readers:
            space = self._spaces[workspace] = replace(deepcopy(space), readers=0)
        return space


class _MemoryRows:
    """The `Rows` of one workspace in memory; `documents` is built once per generation."""

    def __init__(self, space: _Space) -> None:
        self._space, self._is_open = space, True
        space.readers += 1

    def close(self) -> None:
        self._space.readers -= self._is_open
        self._is_open = False

    @property
    def generation(self) -> int:
        return self._space.generation

    def records(self, ids: Collection[str]) -> dict[str, Record]:
        return {record_id: holding.record for record_id in ids if (holding := self._space.select(record_id)) is not None}

    def statuses(self, ids: Collection[str]) -> dict[str, Status]:
        purged = {record_id: self._space.purged_records[record_id] for record_id in ids if record_id in self._space.purged_records}
        return purged | {record_id: holding.status for record_id in ids if (holding := self._space.select(record_id)) is not None}

    def stale_or_cold(self) -> list[tuple[str, Status]]:
        ids = sorted(record_id for record_id, held in self._space.holdings.items() if any(each.is_indexed for each in held.values()))
        return [pair for pair in self.statuses(ids).items() if rules.is_stale_or_cold(pair[1])]

    def begun_after(self, at_ns: int, known_by_ns: int) -> list[str]:
        found = self.statuses(self._space.holdings).items()
        return [key for key, status in found if status.valid_from_ns > at_ns or status.recorded_at_ns > known_by_ns]

    def changes(self) -> list[tuple[int, str, str]]:
        entries = [entry for chain in self._space.journal.values() for entry in chain]
        return [(entry.at_ns, *change) for entry in sorted(entries, key=lambda entry: entry.at_ns) for change in list_changed(entry.ids)]

    def purged_after(self, at_ns: int) -> list[tuple[str, str]]:
        records = [("record", key) for key, status in self._space.purged_records.items() if status.valid_to_ns > at_ns]
        return records + [("original", digest) for digest in self._space.purged_originals]  # of which no time is kept

    def sessions_on(self, branch: str) -> list[str]:
        held = [holding.record for holders in self._space.holdings.values() for holding in holders.values()]
        return list({record.session for record in held if ("branch", branch) in record.lineage})

    def first_ns(self) -> int:
        return min((entry.at_ns for chain in self._space.journal.values() for entry in chain), default=0)

    def find(self, prefix: str, limit: int) -> list[str]:
        ids = self._space.holdings.keys() | self._space.purged_records.keys()
        return sorted(record_id for record_id in ids if record_id.startswith(prefix))[:limit]

    def of_subject(self, subject: str) -> list[Record]:
        ids = self._space.ids_of_subject.get(subject, ())
        versions = [holding for record_id in ids if (holding := self._space.select(record_id)) and holding.record.subject == subject]
        return [holding.record for holding in sorted(versions, key=lambda holding: (holding.record.at_ns, holding.born))]

    def of_sources(self, sources: Collection[str], *, with_ended: bool, is_indexed: bool = False) -> list[Record]:
        held = [self._space.holdings[record_id][source] for source in sources for record_id in self._space.ids_of.get(source, ())]
        return [
            holding.record for holding in held if holding.status.is_live or (with_ended and (holding.is_indexed or not is_indexed))
        ]  # fmt: skip

    def states(self, prefix: str) -> list[SourceState]:
        return [state for source, state in self._space.states.items() if source.startswith(prefix)]

    def states_of(self, sources: Collection[str]) -> list[SourceState]:
        return [self._space.states[source] for source in sources if source in self._space.states]

    def digests_at(self, prefix: str, at_ns: int) -> dict[str, tuple[str, int]]:
        entries = [entry for chain in self._space.journal.values() for entry in chain if entry.source.startswith(prefix) and entry.source]
        known = sorted((entry for entry in entries if entry.at_ns <= at_ns), key=lambda entry: entry.at_ns)
        return {entry.source: (entry.digest, entry.at_ns) for entry in known}

    def edges(self, ids: Collection[str]) -> list[tuple[Edge, str]]:
        space, wanted = self._space, set(ids)
        return [
            (edge, source)
            for source, edges in space.edges.items()
            for edge in edges.values()
            if (edge.tail in wanted or edge.head in wanted)
            and _has_digest(space, edge.tail, edge.tail_digest)
            and _has_digest(space, edge.head, edge.head_digest)
        ]

    def originals(self, digests: Collection[str]) -> dict[str, bytes]:
        for digest in digests:
            if (reason := self._space.purged_originals.get(digest)) is not None:
                raise OriginalPurged(digest, reason)
        return {digest: self._space.originals[digest] for digest in digests if digest in self._space.originals}

    def documents(self) -> Documents:
        space = self._space
        if space.documents is None or space.documents[0] != space.generation:
            parts: list[tuple[PartKey, bytes]] = [
                ((source, part, compute_part_digest(data)), data) for source, held in space.segments.items() for part, data in held.items()
            ]
            space.documents = (space.generation, Documents.build(parts))
        return space.documents[1]


def _describe(key: str, space: _Space) -> Workspace:
    holdings = [holding for held in space.holdings.values() for holding in held.values()]
    size = sum(map(len, space.originals.values()))
    live = sum(holding.status.is_live for holding in holdings)
    return Workspace(key, space.root, space.generation, len(holdings), live, len(space.states), size, size)


def _has_digest(space: _Space, record_id: str, digest: str) -> bool:
    return any(not digest or holding.record.digest == digest for holding in space.holdings.get(record_id, {}).values())


def _apply(space: _Space, delta: Delta, counts: Counter[str], at_ns: int) -> None:
    """Apply one delta that was checked before; cannot fail."""
    source = delta.source
    held = space.ids_of.setdefault(source, set())
    before = {record_id: space.holdings[record_id][source] for record_id in held}
    is_replaced = delta.is_whole or delta.state is None
    again = () if is_replaced else {record.id for record in delta.records if record.id in before and before[record.id].is_indexed}
    for record in delta.records:
        space.ids_of_subject.setdefault(record.subject, set()).add(record.id)
        holding = before.get(record.id)
        if holding is None:
            space.births += 1
            holding = _Holding(record, Status(valid_from_ns=record.at_ns, recorded_at_ns=at_ns), bool(delta.segment), space.births)
            space.holdings.setdefault(record.id, {})[source] = holding
            held.add(record.id)
            counts["added"] += 1
            continue
        counts["kept" if holding.status.is_live else "added"] += 1
        holding.record = record
        holding.is_indexed = bool(delta.segment) or (holding.is_indexed and not delta.is_whole)
        holding.end_as(Status())
    if is_replaced:
        staying = {record.id for record in delta.records}
        _end(space, delta, [holding for record_id, holding in before.items() if record_id not in staying], counts, at_ns)
    for supersession in delta.superseded:
        said = rules.status_of_supersession(supersession)
        for holding in space.holdings.get(supersession.old, {}).values():
            holding.end_as(said)
        counts["superseded"] += supersession.old in space.holdings and not said.is_live
    _replace_parts(space, replace(delta, segment=rules.drop_indexed(delta.segment, again)))


def _end(space: _Space, delta: Delta, leaving: Sequence[_Holding], counts: Counter[str], at_ns: int) -> None:
    """End the records that the source no longer holds."""
    ending = [holding for holding in leaving if holding.status.is_live]
    for holding in leaving:
        holding.is_indexed = False
    for holding in ending:
        holding.status = replace(holding.status, is_live=False)
    for holding in ending:
        successor = rules.find_successor(delta.source, _live_of(space, holding.record.subject))
        counts["retired" if successor is None else "superseded"] += 1
        holding.status = rules.ended_status(holding.status, successor, is_source_gone=delta.state is None, at_ns=at_ns)


def _live_of(space: _Space, subject: str) -> list[rules.Successor]:
    return [
        rules.Successor(other.record.id, source, other.record.seq, other.record.at_ns)
        for record_id in space.ids_of_subject.get(subject, ())
        for source, other in space.holdings.get(record_id, {}).items()
        if other.status.is_live and other.record.subject == subject
    ]


def _replace_parts(space: _Space, delta: Delta) -> None:
    """Replace, or add to, the source's segments, edges, originals and state."""
    source = delta.source
    if delta.is_whole or delta.state is None:
        space.segments.pop(source, None)
        space.edges.pop(source, None)
    if delta.segment:
        parts = space.segments.setdefault(source, {})
        parts[max(parts, default=-1) + 1] = delta.segment
    edges = space.edges.setdefault(source, {})
    for edge in delta.edges:
        edges[edge.tail, edge.head, edge.kind] = edge
    for blob in delta.blobs:
        space.originals[blob.digest] = blob.data
        space.purged_originals.pop(blob.digest, None)
    space.originals_of.setdefault(source, set()).update(rules.find_originals(delta))
    if delta.state is None:
        space.states.pop(source, None)
    else:
        space.states[source] = delta.state


def _bury(space: _Space, gone: Collection[str], touched: Collection[str], said: tuple[str, int], *, is_done: bool) -> PurgeResult:
    """Erase postings and edges of erased records and the originals that no source needs any more, and leave tombstones."""
    space.purged_records.update(dict.fromkeys(gone, rules.purged_status(*said)))
    for source in touched:
        parts = {part: postings.drop_from_postings(data, gone) for part, data in space.segments.get(source, {}).items()}
        space.segments[source] = {part: data for part, data in parts.items() if data}
    for source, edges in space.edges.items():
        space.edges[source] = {key: edge for key, edge in edges.items() if edge.tail not in gone and edge.head not in gone}
    dropped: set[str] = set()
    for source in touched:
        held = [space.holdings[record_id][source] for record_id in space.ids_of.get(source, ())]
        needed = {text.blob for holding in held for text in holding.record.texts}
        dropped |= space.originals_of.get(source, set()) - needed
        space.originals_of[source] = space.originals_of.get(source, set()) & needed
    erased = dropped.difference(*space.originals_of.values())
    sizes = [len(space.originals.pop(digest)) for digest in erased & space.originals.keys()]
    space.purged_originals.update(dict.fromkeys(erased, said[0]))
    space.generation += is_done
    return PurgeResult(len(gone), len(sizes), sum(sizes))


def _list_rows(key: str, space: _Space) -> Iterable[StoredRow]:
    yield WorkspaceRow(key, space.root)
    yield from (SourceRow(source, space.states.get(source)) for source in space.ids_of)
    yield from (HeldOriginal(source, digest) for source, digests in space.originals_of.items() for digest in sorted(digests))
    yield from (OriginalRow(digest, data) for digest, data in space.originals.items())
    held = [holding for holders in space.holdings.values() for holding in holders.values()]
    for holding in sorted(held, key=lambda holding: holding.born):
        yield RecordRow(holding.record, holding.status, holding.is_indexed)
    yield from (PostingsRow(source, part, data) for source, parts in space.segments.items() for part, data in sorted(parts.items()))
    yield from (EdgeRow(source, edge) for source, edges in space.edges.items() for edge in edges.values())
    for record_id, status in space.purged_records.items():
        yield TombstoneRow("record", record_id, "".join(map(str, status.reason.values)) if status.reason else "", status.valid_to_ns)
    yield from (TombstoneRow("original", digest, reason, 0) for digest, reason in space.purged_originals.items())
    yield from (entry for _, chain in sorted(space.journal.items()) for entry in chain)


def _add_rows(space: _Space, rows: Iterable[StoredRow], result: ImportResult) -> None:
    """Add rows that were checked to a workspace. Raises InvalidExport, and may then have added some."""
    had, seen, begun = set(space.ids_of), set[str](), set(space.journal)
    result.workspaces += 1
    space.generation += 1

    def is_new(source: str) -> bool:
        if source not in seen:
            raise InvalidExport(f"a row names the source {source!r}, which is not in it")
        return source not in had

    for row in rows:
        match row:
            case SourceRow(name, state):
                if name in seen:
                    raise InvalidExport(f"source {name!r} stands in it twice")
                seen.add(name)
                result.kept += name in had
                result.differing += name in had and space.states.get(name) != state
                if is_new(name):
                    result.sources += 1
                    space.ids_of[name] = set()
                    if state is not None:
                        space.states[name] = state
            case HeldOriginal(source, digest) if is_new(source) and digest not in space.purged_originals:
                space.originals_of.setdefault(source, set()).add(digest)
            case OriginalRow(digest, data):
                is_named = any(digest in digests for digests in space.originals_of.values())
                result.purged += digest in space.purged_originals
                if digest not in space.purged_originals and digest not in space.originals and is_named:
                    space.originals[digest] = data
                    result.originals += 1
                    result.size += len(data)
            case RecordRow(record) if is_new(record.source):
                digests = {text.blob for text in record.texts if text.blob}
                if record.id in space.purged_records or not digests.isdisjoint(space.purged_originals):
                    reasons = [reason for digest, reason in space.purged_originals.items() if digest in digests]
                    space.purged_records.setdefault(record.id, rules.purged_status("".join(reasons[:1]), 0))
                    result.purged += 1
                    continue
                if any(text.blob and text.end > len(space.originals.get(text.blob, b"")) for text in record.texts):
                    raise InvalidExport(f"a text of record {record.id} points into an original that is not there, or ends before")
                if record.id in space.ids_of[record.source]:
                    raise InvalidExport(f"record {record.id} stands in it twice")
                space.births += 1
                space.holdings.setdefault(record.id, {})[record.source] = _Holding(record, row.status, row.is_indexed, space.births)
                space.ids_of[record.source].add(record.id)
                space.ids_of_subject.setdefault(record.subject, set()).add(record.id)
                space.originals_of.setdefault(record.source, set()).update(digests)
                result.records += 1
            case PostingsRow(source, part, data) if is_new(source):
                ids = postings.read_packed_ids(data)
                gone = {record_id for record_id in ids if record_id not in space.ids_of[source]}
                if any(record_id not in space.purged_records for record_id in gone) and not space.purged_originals:
                    raise InvalidExport(f"postings of {source!r} name a record that is not in it")
                kept = postings.drop_from_postings(data, gone)
                if kept:
                    space.segments.setdefault(source, {})[part] = kept
            case EdgeRow(source, edge) if is_new(source) and space.purged_records.keys().isdisjoint((edge.tail, edge.head)):
                space.edges.setdefault(source, {})[edge.tail, edge.head, edge.kind] = edge
            case TombstoneRow(kind, name, reason, at_ns):
                is_held = name in (space.holdings if kind == "record" else space.originals)
                known = space.purged_records if kind == "record" else space.purged_originals
                result.still_held += is_held
                result.tombstones += not is_held and name not in known
                if not is_held and kind == "record":
                    space.purged_records.setdefault(name, rules.purged_status(reason, at_ns))
                elif not is_held:
                    space.purged_originals.setdefault(name, reason)
            case JournalRow(writer, seq, _, source):
                chain = space.journal.setdefault(writer, [])
                if seq == len(chain) + 1 and row.link == compute_link(chain[-1].link if chain else "", row):
                    chain.append(replace(row, source=source if source in seen - had else ""))
                elif writer not in begun and seq > len(chain):
                    raise InvalidExport(f"the chain of writer {writer!r} breaks at link {seq}")
            case _:
                pass
    for source in seen - had:
        posted = sorted(record_id for data in space.segments.get(source, {}).values() for record_id in postings.read_packed_ids(data))
        if posted != sorted(record_id for record_id in space.ids_of[source] if space.holdings[record_id][source].is_indexed):
            raise InvalidExport(f"postings of {source!r} are missing, or too many")
        if not space.originals_of.get(source, set()) <= space.originals.keys():
            raise InvalidExport(f"an original that {source!r} names is not there")
