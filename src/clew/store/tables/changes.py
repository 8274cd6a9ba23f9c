"""Changes: write deltas to the database, inside the caller's transaction.

For a new source nothing is read; for a whole delta of a known one, the source's rows are read once and compared here. Rows are written
in batches, originals are compressed in the caller's thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from clew.records import Delta, SourceState, Status
from clew.store import rules
from clew.store.journal import make_entry, name_change
from clew.store.originals import OriginalCompressor
from clew.store.shard import compute_part_digest
from clew.store.tables import packs
from clew.store.tables.codec import (
    StoredText,
    compute_gone_seal,
    decode_text,
    edge_to_row,
    encode_reason,
    encode_text,
    entry_to_row,
    record_to_row,
    state_from_row,
    state_to_row,
)
from clew.store.tables.connection import Connection
from clew.text.postings import join_postings

JOINED_PARTS = 8  # so many parts of a source's postings become one: of three sessions read in 20 steps they take 744 kB, so 520
_Held: TypeAlias = dict[str, tuple[int, bool, bool]]  # id → row, is_live, is_indexed


@dataclass(slots=True)
class _Change:
    """One call of `write_deltas`: where and when it writes, the last link of its writer's chain, and its counts so far."""

    connection: Connection
    workspace: int
    at_ns: int
    writer: str
    head: tuple[int, str] = (0, "")
    packer: OriginalCompressor = field(default_factory=OriginalCompressor)
    counts: Counter[str] = field(default_factory=Counter[str])
    blob_bytes: int = 0
    stored_bytes: int = 0


def write_deltas(connection: Connection, workspace: int, deltas: Sequence[Delta], at_ns: int = 0, writer: str = "") -> Counter[str]:
    """Check all deltas, then write them in order; return numbers of records "added", "kept", "superseded" and "retired".

    Raises InvalidDelta before anything is written, and errors of SQLite.
    Cost  about 25 µs a record, with its share of originals and postings in SQLite, and one fsync a call.
    """
    has_tombstones = connection.fetch_one("tombstones.any", workspace) is not None
    rules.check(deltas, lambda digests: _missing(connection, workspace, digests))
    head = connection.fetch_one("journal.head", workspace, writer)
    change = _Change(connection, workspace, at_ns, writer, (head[0], head[1]) if head else (0, ""))
    for delta in deltas:
        _write(change, rules.drop_purged(delta, _refusals(change, delta)) if has_tombstones else delta, has_tombstones=has_tombstones)
    if change.head != (head or (0, "")):
        connection.execute("journal.set_head", workspace, writer, *change.head)
    if change.blob_bytes or change.stored_bytes:
        connection.execute("workspaces.weigh", change.blob_bytes, change.stored_bytes, workspace)
    return change.counts


def replace_state(connection: Connection, workspace: int, before: SourceState, after: SourceState) -> bool:
    """Replace the state of a source if it is still `before`, and return whether it was."""
    name = encode_text(before.source)
    held = connection.fetch_one("sources.state", workspace, name)
    number = connection.fetch_one("sources.by_name", workspace, name)
    if held is None or number is None or state_from_row(held) != before or after.source != before.source:
        return False
    connection.execute("sources.set_state", *state_to_row(after, workspace, number[0]))
    return True


def _write(change: _Change, delta: Delta, *, has_tombstones: bool) -> None:
    source, is_new, digest = _source(change, delta.source)
    is_replaced = not is_new and (delta.is_whole or delta.state is None)
    held: _Held = {} if is_new else _held(change, source, delta, is_replaced=is_replaced)
    has_moved = change.connection.has_packs and is_replaced and held
    is_archived = has_moved and change.connection.fetch_one("packs.archived", change.workspace, source)
    moved = packs.find_moved_texts(change.connection, change.workspace, source) if is_archived else set[str]()
    _write_records(change, source, delta, held)
    if is_replaced:
        _end(change, delta, held)
        change.connection.execute("edges.delete_of_source", change.workspace, source)
        if moved:  # rows that came anew have their texts in themselves again
            packs.drop_needless(change.connection, change.workspace, source, moved)
    _note(change, source, delta, digest, held, _supersede(change, delta) if delta.superseded else ())
    again = () if is_replaced else {record_id for record_id, (_, _, is_indexed) in held.items() if is_indexed}
    _write_segment(change, source, rules.drop_indexed(delta.segment, again), is_new=is_new, is_replaced=is_replaced)
    if delta.edges:
        change.connection.execute_many("edges.upsert", [edge_to_row(edge, change.workspace, source) for edge in delta.edges])
    if (is_replaced or delta.edges) and change.connection.has_counts:
        change.connection.execute("sources.count_edges", change.workspace, source)
    _write_originals(change, source, delta, has_tombstones=has_tombstones)
    if delta.state is None:
        change.connection.execute("sources.retire", compute_gone_seal(delta.source, change.workspace, source), change.workspace, source)
    else:
        change.connection.execute("sources.set_state", *state_to_row(delta.state, change.workspace, source))


def _source(change: _Change, name: str) -> tuple[int, bool, str]:
    """Return the number of a source, whether it was created now, and the digest of its content, "" for none."""
    found = change.connection.fetch_one("sources.by_name", change.workspace, encode_text(name))
    if found is not None:
        return found[0], False, decode_text(found[1])
    ((source,),) = change.connection.fetch_all("sources.add", change.workspace, encode_text(name))
    return source, True, ""


def _note(change: _Change, source: int, delta: Delta, before: str, held: _Held, changed: Sequence[str]) -> None:
    """Add an entry to the journal if the delta changes what its source holds, or the status of records, which `changed` names."""
    fresh = [record_id for record_id in dict.fromkeys(record.id for record in delta.records) if record_id not in held]
    fresh += changed
    digest = delta.state.digest if delta.state else ""
    if fresh or digest != before:
        entry = make_entry(change.head, change.writer, change.at_ns, delta.source, digest, fresh)
        change.connection.execute("journal.add", *entry_to_row(entry, change.workspace, source))
        change.head = entry.seq, entry.link


def _held(change: _Change, source: int, delta: Delta, *, is_replaced: bool) -> _Held:
    if is_replaced:
        rows = change.connection.fetch_all("records.held", change.workspace, source)
    else:  # a session grows by few records at a time, and may hold very many
        keys = [(change.workspace, record.id, source) for record in delta.records]
        rows = change.connection.fetch_for_keys("records.held_one", keys)
    return {record_id: (row, bool(is_live), bool(is_indexed)) for row, record_id, is_live, is_indexed in rows}


def _write_records(change: _Change, source: int, delta: Delta, held: _Held) -> None:
    has_postings = bool(delta.segment)
    known = held.keys() & {record.id for record in delta.records} if held else ()
    stay_indexed = () if has_postings or delta.is_whole else {record_id for record_id in known if held[record_id][2]}
    kept = sum(held[record_id][1] for record_id in known)
    change.counts += Counter(kept=kept, added=len(delta.records) - kept)
    rows = [
        record_to_row(record, change.workspace, source, is_indexed=has_postings or record.id in stay_indexed, at_ns=change.at_ns)
        for record in delta.records
    ]
    if rows:
        change.connection.execute_many("records.upsert", rows)


def _end(change: _Change, delta: Delta, held: _Held) -> None:
    """End the records that the source no longer holds, first all of them, then set the successor of each."""
    staying = {record.id for record in delta.records}
    others = [held[record_id] for record_id in held.keys() - staying]
    leaving = [(row, is_live) for row, is_live, is_indexed in sorted(others) if is_live or is_indexed]
    change.connection.execute_many("records.leave", [(change.workspace, row) for row, _ in leaving])
    endings: list[tuple[str, StoredText, int, int, int, int]] = []
    for row, is_live in leaving:
        if not is_live:
            continue
        ((subject, valid_from_ns),) = change.connection.fetch_all("records.subject", change.workspace, row)
        alive = change.connection.fetch_all("records.successors", change.workspace, subject)
        candidates = [rules.Successor(other, decode_text(name), seq, at_ns) for other, name, seq, at_ns in alive]
        successor = rules.find_successor(delta.source, candidates)
        change.counts["retired" if successor is None else "superseded"] += 1
        old = Status(valid_from_ns=valid_from_ns)
        ended = rules.ended_status(old, successor, is_source_gone=delta.state is None, at_ns=change.at_ns)
        endings.append((ended.superseded_by, encode_reason(ended.reason), ended.ended_seq, ended.valid_to_ns, change.workspace, row))
    change.connection.execute_many("records.set_ending", endings)


def _supersede(change: _Change, delta: Delta) -> list[str]:
    """Set the statuses that the delta says, and return what the journal holds of them."""
    named: list[str] = []
    for supersession in delta.superseded:
        said = rules.status_of_supersession(supersession)
        ending = (encode_text(said.superseded_by), encode_reason(said.reason), said.ended_seq, said.valid_to_ns)
        changed = change.connection.execute("records.supersede", said.is_live, *ending, change.workspace, encode_text(supersession.old))
        change.counts["superseded"] += changed > 0 and not said.is_live
        if changed:
            named.append(name_change(supersession))
    return named


def _write_segment(change: _Change, source: int, segment: bytes, *, is_new: bool, is_replaced: bool) -> None:
    before = [] if is_new else change.connection.fetch_all("segments.of_source", change.workspace, source)
    digest = compute_part_digest(segment) if segment else ""
    if is_replaced:
        if digest and before == [(0, digest)]:
            return
        change.connection.execute_many("segments.delete", [(change.workspace, source, part) for part, _ in before])
        before = []
    if digest:
        part = before[-1][0] + 1 if before else 0
        # Turns of a session bring small parts, which repeat each other's terms.
        small = [number for number, _ in before if number > part - JOINED_PARTS] if (part + 1) % JOINED_PARTS == 0 else []
        parts = [change.connection.fetch_all("segments.data", change.workspace, source, number)[0][0] for number in small]
        if small and (joined := join_postings([*parts, segment])):
            change.connection.execute_many("segments.delete", [(change.workspace, source, number) for number in small])
            segment, digest = joined, compute_part_digest(joined)
        change.connection.execute("segments.add", change.workspace, source, part, digest, segment)


def _write_originals(change: _Change, source: int, delta: Delta, *, has_tombstones: bool) -> None:
    connection, workspace = change.connection, change.workspace
    stored = _found(connection, "originals.exists", [(workspace, blob.digest) for blob in delta.blobs])
    fresh = [blob for digest, blob in {blob.digest: blob for blob in delta.blobs}.items() if digest not in stored]
    change.blob_bytes += sum(len(blob.data) for blob in fresh)
    # A version of a file, which comes as a whole, stands alone: questions read it often.
    is_packed = connection.has_packs and (not delta.is_whole or any(blob.is_sequential for blob in fresh))
    together = [blob for blob in fresh if is_packed and packs.has_room_for(blob)]
    if together:
        change.stored_bytes += packs.add(connection, workspace, together)
    rows: list[tuple[int, str, int, int, bytes]] = []
    for blob in fresh if not together else [blob for blob in fresh if not packs.has_room_for(blob)]:
        packing, data = change.packer.pack(blob.data)
        rows.append((workspace, blob.digest, len(blob.data), int(packing), data))
        change.stored_bytes += len(data)
    if rows:
        connection.execute_many("originals.add", rows)
    if fresh and has_tombstones:
        connection.execute_many("tombstones.lift", [(workspace, blob.digest) for blob in fresh])
    named = rules.find_originals(delta)
    if named:
        connection.execute_many("originals.name", [(workspace, source, digest) for digest in sorted(named)])


def _refusals(change: _Change, delta: Delta) -> rules.PurgedKeys:
    """Return the ids and digests of this delta that were purged before, those of its edges' ends included."""
    connection, workspace = change.connection, change.workspace
    ids = dict.fromkeys([record.id for record in delta.records] + [end for edge in delta.edges for end in (edge.tail, edge.head)])
    records = [(workspace, "record", encode_text(record_id)) for record_id in ids]
    originals = [(workspace, "original", blob.digest) for blob in delta.blobs]
    return rules.PurgedKeys(_found(connection, "tombstones.get", records), _found(connection, "tombstones.get", originals))


def _missing(connection: Connection, workspace: int, digests: Collection[str]) -> set[str]:
    missing = set(digests) - _found(connection, "originals.exists", [(workspace, digest) for digest in sorted(digests)])
    return missing - _found(connection, "tombstones.get", [(workspace, "original", digest) for digest in sorted(missing)])


def _found(connection: Connection, name: str, keys: Sequence[tuple[int | StoredText, ...]]) -> set[str]:
    """Return the first column of the rows that a statement returns for these keys."""
    return {row[0] for row in connection.fetch_for_keys(name, keys)} if keys else set()
