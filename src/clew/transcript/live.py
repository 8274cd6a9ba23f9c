"""Build Deltas from observations as they happen, before a transcript holds them.

They are stored in a source of their own, `session:<id>/live`, which is retired when the transcript itself is read: then
the same records come from the client's own file. What no transcript will hold, the original of an output that the agent
read in a shorter form, stays in `session:<id>/originals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import msgspec

from clew.records import Blob, Delta, Layer, Observation, Record, RecordText, Resolution, SourceState, ToolCall, make_id
from clew.store.originals import digest_of
from clew.text.embed import Embedder
from clew.text.postings import SearchDocument, pack_postings
from clew.text.secrets import mask_text
from clew.transcript.extract import PRODUCER, RecordExtractor
from clew.transcript.matching import CallMatcher
from clew.transcript.progress import load_progress, start_progress

ORIGINAL_KIND = "output"  # the kind of such a record
INDEXED_CHARS = 64_000  # of an original, from either end, that can be found by its words; guess
NAME_CHARS_MAX = 120


class _Note(msgspec.Struct):
    calls: msgspec.Raw = msgspec.Raw(b"[{},{}]")
    extractor: msgspec.Raw = msgspec.Raw(b"{}")
    progress: str = ""


def live_source(session: str) -> str:
    """Return the name of the source that holds a session's live observations."""
    return f"session:{session}/live"


def build_live_delta(
    observations: Sequence[Observation], *, state: SourceState | None, root: str, embedder: Embedder | None = None
) -> Delta:
    """Return the Delta of a session's next live observations, with credentials masked.

    state  of the last Delta of this source, which carries the calls under way and the ledger; None at the start.
    """
    source = live_source(observations[0].session)
    observations = [mask_observation(seen) for seen in observations]
    note = msgspec.json.decode(state.note, type=_Note) if state else _Note()
    matcher, progress = CallMatcher(bytes(note.calls)), load_progress(note.progress) or start_progress(None, root)
    extractor = RecordExtractor(source, root=root, saved_state=bytes(note.extractor), progress=progress)
    extractor.extract(joined for seen in observations for joined in matcher.match(seen))
    extracted = extractor.drain()
    note = _Note(msgspec.Raw(matcher.dump_state()), msgspec.Raw(extractor.dump_state()), progress.dump())
    seen = (state.size if state else 0) + len(observations)
    return extracted.to_delta(SourceState(source, size=seen, note=msgspec.json.encode(note).decode()), embedder, is_whole=False)


def originals_source(session: str) -> str:
    """Return the name of the source that holds the originals of a session's shortened outputs."""
    return f"session:{session}/originals"


def mask_observation(seen: Observation) -> Observation:
    """Return the observation with credentials masked, as it may be stored."""
    text, arguments = mask_text(seen.text), mask_text(seen.arguments)
    if (text, arguments) == (seen.text, seen.arguments):
        return seen
    call = msgspec.convert(_masked(msgspec.to_builtins(seen.call)), ToolCall) if seen.call else None
    return replace(seen, text=text, arguments=arguments, call=call)


def _masked(value: object) -> object:
    """The same with every string in it masked."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {key: _masked(each) for key, each in cast("dict[str, object]", value).items()}
    return [_masked(each) for each in cast("list[object]", value)] if isinstance(value, list | tuple) else value


def original_record_id(result: Observation) -> str:
    """Return the id of the record that holds a result's original; the same result gives the same id."""
    return make_id("original", result.session, result.call_id or result.uuid, digest_of(result.text.encode("utf-8", "replace")))


def build_original_delta(result: Observation, *, call_text: str, path: str = "", stored_count: int = 0) -> Delta:
    """Return a Delta that stores the exact output of a call, credentials masked, and makes it searchable.

    call_text     what was called, for its name: a command line, or a tool and a file.
    path          of the file that it shows, from the repository's root; "" for none.
    stored_count  originals of this session that are stored already.
    """
    source = originals_source(result.session)
    text, call_text, path = mask_text(result.text), mask_text(call_text), mask_text(path)
    data = text.encode("utf-8", "replace")
    digest = digest_of(data)
    name = f"Output of {' '.join(call_text.split())}"[:NAME_CHARS_MAX]
    record = Record(
        id=original_record_id(result),
        layer=Layer.ACTION,
        kind=ORIGINAL_KIND,
        subject=f"output:{result.call_id or result.uuid}",
        source=source,
        digest=digest,
        name=name,
        texts=(RecordText(Resolution.NAME, len(name), inline=name), RecordText(Resolution.FULL, len(data), blob=digest, end=len(data))),
        seq=result.seq,
        path=path,
        session=result.session,
        uuid=result.uuid,
        agent=result.agent,
        at_ns=result.at_ns,
    )
    words = text if len(text) <= 2 * INDEXED_CHARS else f"{text[:INDEXED_CHARS]}\n{text[-INDEXED_CHARS:]}"
    document = SearchDocument(record.id, record.layer.value, record.kind, path, (name, path, "", "", words), lines=text.count("\n") + 1)
    return Delta(
        PRODUCER,
        source,
        is_whole=False,
        records=(record,),
        blobs=(Blob(digest, data),),
        segment=pack_postings([document]),
        state=SourceState(source, size=stored_count + 1),
    )
