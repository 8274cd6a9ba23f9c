"""Rules: validation, order and status decisions that every store shares.

A delta is checked here before anything of it is stored. Knows nothing of how records are stored.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

import msgspec
import zstandard

from clew.errors import InvalidDelta
from clew.records import Delta, EndKind, EndReason, Status, Supersession, Tier
from clew.store.originals import digest_of
from clew.text import postings

UNKNOWN = Status(is_live=False, reason=EndReason(EndKind.UNKNOWN))

ENDED, DOUBTED, REVIVED = "-", "~", "+"  # what the journal says of a status that was set

LOCAL = "local"  # the tenant of an embedded store

T = TypeVar("T")

ID_LENGTH_MAX = 26  # what `records.identify` makes, and the width of an index's id column


@dataclass(frozen=True, slots=True)
class PurgedKeys:
    """Ids of purged records and digests of purged originals, which are never stored again."""

    records: Collection[str] = frozenset()
    originals: Collection[str] = frozenset()


def purged_status(reason: str, at_ns: int) -> Status:
    """Return the status of a record that was purged."""
    return Status(is_live=False, reason=EndReason(EndKind.PURGED, (reason,) if reason else ()), valid_to_ns=at_ns)


def is_stale_or_cold(status: Status) -> bool:
    """Return whether a record is no longer true, or lies below the hot tier."""
    return not status.is_live or status.tier != Tier.HOT


def is_purged(standing: Status) -> bool:
    """Return whether a status is that of a purged record."""
    return standing.reason is not None and standing.reason.kind is EndKind.PURGED


def status_at(status: Status, at_ns: int, known_by_ns: int = 0, changes: Sequence[tuple[int, str]] = ()) -> Status | None:
    """Return the status that a record had at `at_ns`, from its present one; None before it was true, or stored.

    known_by_ns  what was stored later does not count; 0 for all that is known.
    changes      (when it was stored, sign of the journal) of each change of its status, the earliest first.
    A record that ended at an unknown time counts as ended at every time. One without a time of its own (code) counts as true until it ended
    from when it was recorded, and before, if it has not ended.
    """
    if known_by_ns and status.recorded_at_ns > known_by_ns:
        return None
    if known_by_ns and changes and changes[-1][0] > known_by_ns:
        status = _status_before(status, [sign for stored_ns, sign in changes if stored_ns <= known_by_ns])
    begun_ns = status.valid_from_ns or (0 if status.is_live else status.recorded_at_ns)
    if begun_ns > at_ns:
        return None
    if not status.is_live and status.valid_to_ns > at_ns:
        return replace(status, is_live=True, superseded_by="", reason=None, ended_seq=0, valid_to_ns=0)
    return status


def _status_before(status: Status, signs: Sequence[str]) -> Status:
    """The status after these changes, whose reasons are no longer known, in place of the present one."""
    sign = signs[-1] if signs else REVIVED
    reason = {ENDED: EndReason(EndKind.OTHER, ("it had ended by then",)), DOUBTED: EndReason(EndKind.CITED_CHANGED)}.get(sign)
    return replace(status, is_live=sign != ENDED, superseded_by="", reason=reason, ended_seq=0, valid_to_ns=0)


def stored_key(tenant: str, workspace: str) -> str:
    """Return the key under which an embedded store keeps a tenant's workspace."""
    return workspace if tenant == LOCAL else f"{tenant}\n{workspace}"


def check(deltas: Sequence[Delta], missing: Callable[[Collection[str]], Collection[str]]) -> None:
    """Raise InvalidDelta if one of these deltas contradicts itself or refers to an original that is not stored.

    missing  returns those of the digests given to it that the store neither holds nor has purged.
    Cost     hashes every original (about 1 ns a byte) and unpacks every segment.
    """
    known: set[str] = set()
    for delta in deltas:
        _check_shape(delta)
        for blob in delta.blobs:
            if blob.digest not in known and digest_of(blob.data) != blob.digest:
                raise InvalidDelta(delta.source, delta.by, f"original {blob.digest!r} does not have this digest")
            known.add(blob.digest)
        wanted = {text.blob for record in delta.records for text in record.texts if text.blob} - known
        absent = sorted(missing(wanted)) if wanted else ()
        if absent:
            raise InvalidDelta(delta.source, delta.by, f"a text points into original {absent[0]}, which nobody stored")
        known |= wanted


def _check_shape(delta: Delta) -> None:
    def refuse(reason: str) -> InvalidDelta:
        return InvalidDelta(delta.source, delta.by, reason)

    seen: set[str] = set()
    for record in delta.records:
        if not 0 < len(record.id) <= ID_LENGTH_MAX or not record.id.isascii() or not record.id.isprintable():
            raise refuse(f"record id {record.id!r} is not made of 1 to {ID_LENGTH_MAX} ASCII characters")
        if record.id in seen:
            raise refuse(f"record {record.id} stands in it twice")
        seen.add(record.id)
        if record.source != delta.source:
            raise refuse(f"record {record.id} belongs to {record.source!r}")
        steps = [text.resolution for text in record.texts]
        if not steps or any(low >= high for low, high in pairwise(steps)):
            raise refuse(f"the texts of record {record.id} are not in ascending resolution")
    if delta.state is None and (delta.records or delta.edges or delta.segment):
        raise refuse("it retires its source and adds to it")
    if delta.state is not None and delta.state.source != delta.source:
        raise refuse(f"its state belongs to {delta.state.source!r}")
    if delta.segment:
        _check_segment(delta)


def _check_segment(delta: Delta) -> None:
    try:
        ids = postings.read_packed_ids(delta.segment)
    except (ValueError, struct.error, zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise InvalidDelta(delta.source, delta.by, f"its postings cannot be read ({type(error).__name__}: {error})") from error
    if ids != [record.id for record in delta.records]:
        raise InvalidDelta(delta.source, delta.by, "its postings are not those of its records, in their order")


def drop_purged(delta: Delta, refusals: PurgedKeys) -> Delta:
    """Return the delta without purged records, their postings and edges, and the originals that only they need."""
    if not refusals.records and not refusals.originals:
        return delta
    records = tuple(record for record in delta.records if record.id not in refusals.records)
    needed = {text.blob for record in records for text in record.texts}
    blobs = tuple(blob for blob in delta.blobs if blob.digest not in refusals.originals or blob.digest in needed)
    segment = delta.segment
    if segment and len(records) < len(delta.records):
        segment = postings.drop_from_postings(segment, frozenset(refusals.records))
    edges = tuple(edge for edge in delta.edges if edge.tail not in refusals.records and edge.head not in refusals.records)
    return replace(delta, records=records, blobs=blobs, segment=segment, edges=edges)


def drop_indexed(segment: bytes, indexed: Collection[str]) -> bytes:
    """Return the postings of an appended delta without those of records that an earlier part of its source has indexed.

    Two processes may read one growing file at once, and a client may write one line twice: a record is counted once all the same.
    """
    return postings.drop_from_postings(segment, indexed) if segment and indexed else segment


def find_originals(delta: Delta) -> set[str]:
    """Return digests of every original that this delta brings or refers to."""
    named = {text.blob for record in delta.records for text in record.texts if text.blob}
    return named | {blob.digest for blob in delta.blobs}


def select_holder(holders: Iterable[tuple[bool, str, T]]) -> T | None:
    """Return the preferred one of the (is_live, source, holder) that share a record id: live first, then by source; None for no holder."""
    best = min(holders, key=lambda holder: (not holder[0], holder[1]), default=None)
    return best[2] if best is not None else None


@dataclass(frozen=True, slots=True)
class Successor:
    """A live record that could replace an ended one of the same subject."""

    id: str
    source: str
    seq: int
    at_ns: int


def find_successor(source: str, candidates: Iterable[Successor]) -> Successor | None:
    """Return the live record of the same subject that replaces an ended one of `source`, None where there is none.

    One of the same source goes first, then the newest (at_ns, then seq); ties break by id.
    """
    return min(
        candidates,
        key=lambda one: (one.source != source, -one.at_ns, -one.seq, one.id, one.source),
        default=None,
    )


def status_of_supersession(supersession: Supersession) -> Status:
    """Return the status that a supersession gives a record: ended, or live again; tier and uses are not part of it."""
    if supersession.is_undone:
        return Status()
    if supersession.is_doubt:
        return Status(
            superseded_by=supersession.new, reason=supersession.reason or EndReason(EndKind.CITED_CHANGED), ended_seq=supersession.seq
        )
    return Status(
        is_live=False,
        superseded_by=supersession.new,
        reason=supersession.reason or EndReason(EndKind.REPLACED if supersession.new else EndKind.STATED),
        ended_seq=supersession.seq,
        valid_to_ns=supersession.at_ns,
    )


def ended_status(old: Status, successor: Successor | None, *, is_source_gone: bool, at_ns: int) -> Status:
    """Return the status of a record that its source no longer holds.

    at_ns  when that was stored. It is when the record ended, if neither it nor its successor has a time; what has a time and is dropped
           without a successor ended at no known time (0): it was read anew, and not found again.
    """
    kind = EndKind.REPLACED if successor else EndKind.SOURCE_GONE if is_source_gone else EndKind.DROPPED
    return replace(
        old,
        is_live=False,
        superseded_by=successor.id if successor else "",
        reason=EndReason(kind),
        ended_seq=0,
        valid_to_ns=(successor.at_ns if successor else 0) or (0 if old.valid_from_ns else at_ns),
    )
