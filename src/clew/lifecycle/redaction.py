"""Lines: pieces of a transcript without the lines of what was purged.

A purged record's tombstone keeps the record out, but the same words stand in the transcript's own lines, which are kept
in pieces; and those are cut elsewhere when a session is read anew or has grown. So they are redacted on their way in too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from clew.records import Blob, Delta, Record, identify
from clew.store import rules
from clew.store.ports import LOCAL, Reader
from clew.text import postings
from clew.text.postings import Document, pack
from clew.transcript.redact import redact_lines

TRANSCRIPT_KIND = "transcript"  # the kind of the records that hold a transcript's own lines


def redact_delta(reader: Reader, workspace: str, delta: Delta) -> list[Delta]:
    """Return what may be stored of a delta, to be applied together: itself, where nothing in it was purged before.

    Of a call and its result that two deltas hold, only the second one's lines are known here.
    Cost  one look at the status of each record, about 5 µs.
    """
    pieces = [record for record in delta.records if record.kind == TRANSCRIPT_KIND]
    if not pieces:
        return [delta]
    with reader.snapshot(LOCAL, workspace) as snapshot:
        statuses = snapshot.statuses([record.id for record in delta.records])
    purged = [record for record, status in zip(delta.records, statuses, strict=True) if rules.is_purged(status)]
    purged = [record for record in purged if record.kind != TRANSCRIPT_KIND]
    originals = {blob.digest: blob.data for blob in delta.blobs}
    cut = [(piece, rest) for piece in pieces if (rest := _rest(originals[piece.digest], purged, originals)) is not None]
    if not cut:
        return [delta]
    gone = {piece.id for piece, _ in cut}
    records = tuple(record for record in delta.records if record.id not in gone)
    needed = {text.blob for record in records for text in record.texts}
    dropped = {piece.digest for piece, _ in cut} - needed
    kept = replace(
        delta,
        records=records,
        blobs=tuple(blob for blob in delta.blobs if blob.digest not in dropped),
        segment=postings.without(delta.segment, gone) if delta.segment else b"",
    )
    return [kept, *(build_piece_delta(piece, rest, replace(delta, is_whole=False)) for piece, rest in cut)]


def build_piece_delta(piece: Record, rest: bytes, like: Delta) -> Delta:
    """Return the delta that holds one piece of a transcript with other lines; its producer and state are those of `like`."""
    digest = blake2b(rest, digest_size=16).hexdigest()
    text = replace(piece.whole, blob=digest, chars=len(rest), start=0, end=len(rest))
    fresh = replace(piece, id=identify(piece.subject, digest), digest=digest, texts=(*piece.texts[:-1], text))
    segment = pack([Document(fresh.id, fresh.layer, fresh.kind, "", ("", "", "", "", ""))])
    return Delta(like.by, piece.source, is_whole=False, records=(fresh,), blobs=(Blob(digest, rest),), segment=segment, state=like.state)


def _rest(raw: bytes, purged: Sequence[Record], originals: dict[str, bytes]) -> bytes | None:
    """The lines without those that hold one of these records, None if none does."""
    rest = None
    for record in purged:
        whole = record.whole
        data = originals.get(whole.blob, b"")[whole.start : whole.end] if whole.blob else whole.inline.encode("utf-8", "surrogateescape")
        rest = redact_lines(raw if rest is None else rest, record, data.decode("utf-8", "replace")) or rest
    return rest
