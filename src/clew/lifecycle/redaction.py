"""Remove purged records' lines from the stored pieces of a transcript, also when the transcript is ingested again.

A purged record's tombstone keeps the record out, but the same words stand in the transcript's own lines, which are stored
in pieces, whose limits differ when a session is read anew or has grown. So they are redacted on their way in too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

from clew.records import Blob, Delta, Record, make_id
from clew.store import rules
from clew.store.ports import LOCAL, Reader, Writer
from clew.text import postings
from clew.text.postings import SearchDocument, pack_postings
from clew.transcript.redact import redact_lines, strip_user_text

PRODUCER = "lifecycle/1"  # name and version of this room in its Deltas
TRANSCRIPT_KIND = "transcript"  # kind of the records that hold a transcript's own lines


def redact_delta(reader: Reader, workspace: str, delta: Delta, *, is_redacted: bool = False) -> list[Delta]:
    """Return the Deltas to apply in place of `delta`: itself, or without the transcript lines of records that were purged before.

    is_redacted  an earlier Delta of the same reading was cut, so what its state keeps of the words is left out.
    All returned Deltas must be applied together. Of a call and its result in two Deltas, only the second one's lines are known here.
    Cost  one look at the status of each record, about 5 µs.
    """
    if is_redacted and delta.state is not None:
        delta = replace(delta, state=replace(delta.state, note=strip_user_text(delta.state.note)))
    pieces = [record for record in delta.records if record.kind == TRANSCRIPT_KIND]
    if not pieces:
        return [delta]
    with reader.snapshot(LOCAL, workspace) as snapshot:
        statuses = snapshot.statuses([record.id for record in delta.records])
    purged = [record for record, status in zip(delta.records, statuses, strict=True) if rules.is_purged(status)]
    purged = [record for record in purged if record.kind != TRANSCRIPT_KIND]
    originals = {blob.digest: blob.data for blob in delta.blobs}

    def text_of(record: Record) -> str:
        whole = record.full_text
        data = originals.get(whole.blob, b"")[whole.start : whole.end] if whole.blob else whole.inline.encode("utf-8", "surrogateescape")
        return data.decode("utf-8", "replace")

    lines = [(piece, originals[piece.digest]) for piece in pieces]
    cut = [(piece, rest) for piece, raw in lines if (rest := redact_records(raw, purged, text_of)) != raw]
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
        segment=postings.drop_from_postings(delta.segment, gone) if delta.segment else b"",
    )
    if kept.state is not None:
        kept = replace(kept, state=replace(kept.state, note=strip_user_text(kept.state.note)))
    return [kept, *(build_piece_delta(piece, rest, replace(kept, is_whole=False)) for piece, rest in cut)]


def build_piece_delta(piece: Record, rest: bytes, like: Delta) -> Delta:
    """Build the Delta that stores a transcript piece with the bytes `rest` as its lines; producer and state are those of `like`."""
    digest = blake2b(rest, digest_size=16).hexdigest()
    text = replace(piece.full_text, blob=digest, chars=len(rest), start=0, end=len(rest))
    fresh = replace(piece, id=make_id(piece.subject, digest), digest=digest, texts=(*piece.texts[:-1], text))
    segment = pack_postings([SearchDocument(fresh.id, fresh.layer, fresh.kind, "", ("", "", "", "", ""))])
    return Delta(
        like.by,
        piece.source,
        is_whole=False,
        records=(fresh,),
        blobs=(Blob(digest, rest, is_sequential=True),),
        segment=segment,
        state=like.state,
    )


def rebuild_progress(writer: Writer, workspace: str, source: str) -> None:
    """Make the task state that is stored with a session again from the lines that are stored of it, without those that were purged."""
    session = source.removeprefix("session:")
    if "/" in session:  # a subagent's
        return
    with writer.snapshot(LOCAL, workspace) as snapshot:
        state = snapshot.source_state(source)
        if state is None:
            return
        pieces = [record for record in snapshot.records_of_sources(source) if record.kind == TRANSCRIPT_KIND]
        pieces.sort(key=lambda record: record.full_text.start_line)
        texts = snapshot.originals({piece.full_text.blob for piece in pieces})
        lines = [texts[piece.full_text.blob][piece.full_text.start : piece.full_text.end] for piece in pieces]
        agents = frozenset(other.source.partition("/")[2] for other in snapshot.source_states(f"{source}/"))
    from clew.transcript import follow  # lazy: only a purge reads transcripts here
    from clew.transcript.dialects import TranscriptOrigin  # lazy: likewise

    state = follow.rebuild_progress(state, lines, TranscriptOrigin(session, separate_agents=agents))
    writer.apply(workspace, [Delta(PRODUCER, source, is_whole=False, state=state)])


def redact_records(raw: bytes, records: Sequence[Record], text_of: Callable[[Record], str]) -> bytes:
    """Return transcript lines with a tombstone in place of each line that holds one of these records; `raw` itself if none does."""
    for record in records:
        raw = redact_lines(raw, record, text_of(record)) or raw
    return raw
