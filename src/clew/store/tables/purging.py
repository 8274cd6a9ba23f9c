"""Purging: erase records and originals for good, inside the caller's transaction.

Rows are deleted with secure_delete, which overwrites them with zeroes. The caller clears the log, the index file and the backups after
the transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clew.store.ports import PurgeResult
from clew.store.shard import compute_part_digest
from clew.store.tables import packs
from clew.store.tables.codec import encode_text, find_blob_digests
from clew.store.tables.connection import Connection
from clew.text import postings


def purge_records(connection: Connection, workspace: int, ids: Sequence[str], reason: str, at_ns: int) -> PurgeResult | None:
    """Erase records by id from all their sources, leaving tombstones; return the counts, None if no id is known."""
    keys = [(workspace, encode_text(record_id)) for record_id in dict.fromkeys(ids)]
    rows = connection.fetch_for_keys("records.sources_of", keys)
    if not rows:
        return None
    connection.execute_many("records.delete", [(workspace, row) for row, _, _ in rows])
    gone = sorted({record_id for _, record_id, _ in rows})
    touched = sorted({source for _, _, source in rows})
    return _bury(connection, workspace, gone, touched, (reason, at_ns))


def purge_source(connection: Connection, workspace: int, name: str, reason: str, at_ns: int) -> PurgeResult | None:
    """Erase a source and all its records, except those that another source also holds; return the counts, None if it is unknown."""
    found = connection.fetch_one("sources.by_name", workspace, encode_text(name))
    if found is None:
        return None
    source: int = found[0]
    held = connection.fetch_all("records.held", workspace, source)
    connection.execute_many("records.delete", [(workspace, row[0]) for row in held])
    gone = [record_id for _, record_id, _, _ in held if connection.fetch_one("records.sources_of", workspace, record_id) is None]
    segments = connection.fetch_all("segments.of_source", workspace, source)
    connection.execute_many("segments.delete", [(workspace, source, part) for part, _ in segments])
    connection.execute("edges.delete_of_source", workspace, source)
    connection.execute("journal.release_source", workspace, source)
    purge = _bury(connection, workspace, sorted(gone), [source], (reason, at_ns))
    connection.execute("sources.delete", workspace, source)
    return purge


def _bury(connection: Connection, workspace: int, gone: Sequence[str], touched: Sequence[int], said: tuple[str, int]) -> PurgeResult:
    """Erase postings, edges and originals that only erased records need, and leave tombstones."""
    reason, at_ns = encode_text(said[0]), said[1]
    connection.execute_many("tombstones.raise", [(workspace, "record", record_id, reason, at_ns) for record_id in gone])
    connection.execute_many("edges.delete_touching", [(workspace, record_id) for record_id in gone])
    if connection.has_counts:
        connection.execute("sources.count_all_edges", workspace)
    for source in touched:
        _erase_postings(connection, workspace, source, frozenset(gone))
    weights: list[tuple[int, int]] = []
    for digest in _unname(connection, workspace, touched):
        packs.take_apart(connection, workspace, digest)
        weights += connection.fetch_all("originals.delete", workspace, digest)
        connection.execute("tombstones.raise", workspace, "original", digest, reason, at_ns)
    size = sum(weight[0] for weight in weights)
    connection.execute("workspaces.weigh", -size, -sum(weight[1] for weight in weights), workspace)
    return PurgeResult(len(gone), len(weights), size)


def _erase_postings(connection: Connection, workspace: int, source: int, gone: Collection[str]) -> None:
    connection.execute("sources.mark", workspace, source)
    for part, _ in connection.fetch_all("segments.of_source", workspace, source):
        ((data,),) = connection.fetch_all("segments.data", workspace, source, part)
        rest = postings.drop_from_postings(data, gone)
        if not rest:
            connection.execute("segments.delete", workspace, source, part)
        elif rest is not data:
            connection.execute("segments.replace", compute_part_digest(rest), rest, workspace, source, part)


def _unname(connection: Connection, workspace: int, touched: Sequence[int]) -> list[str]:
    """Remove unneeded originals from the lists of the touched sources; return the digests that no source lists any more."""
    dropped: set[str] = set()
    for source in touched:
        needed: set[str] = set()
        for (texts,) in connection.iterate("records.texts_of_source", workspace, source):
            needed |= find_blob_digests(texts)
        named = {digest for (digest,) in connection.fetch_all("originals.of_source", workspace, source)}
        connection.execute_many("originals.unname", [(workspace, source, digest) for digest in sorted(named - needed)])
        dropped |= named - needed
    return [digest for digest in sorted(dropped) if connection.fetch_one("originals.sources", workspace, digest) is None]
