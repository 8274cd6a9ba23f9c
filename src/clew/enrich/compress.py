"""Have a model say which lines of each part of a session to keep, and store that as a record beside the originals.

Parts go one after another, each with clew's own task state where it begins, which costs no model's time. A record's id is a
hash of the whole request, of the model and of the prompt's version: a request that was answered once is not sent again, and a
run that was stopped goes on where it was. Reads the store, returns one Delta for each answer, and never touches an original.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from clew.compaction.compressed import (
    KIND,
    CompressedPart,
    CompressedRange,
    add_range,
    compressed_source,
    decode_parts,
    encode_parts,
    find_inputs,
)
from clew.enrich.answer_check import AnswerCheck, check_answer
from clew.enrich.chunks import SessionChunk, split_session
from clew.enrich.models.model import Model, ModelRequest
from clew.enrich.prompt import ANSWER_TOKENS, PROMPT_VERSION, SYSTEM_PROMPT, CompressionPrompt, build_prompt
from clew.packet.options import OriginalCache
from clew.records import (
    Blob,
    Delta,
    Edge,
    EdgeKind,
    EndKind,
    EndReason,
    Layer,
    Record,
    RecordText,
    Resolution,
    SourceState,
    Supersession,
    make_id,
)
from clew.store.originals import digest_of
from clew.store.ports import LOCAL, Reader
from clew.store.rules import is_purged
from clew.text.tokens import TokenCounter, make_counter
from clew.transcript.session_files import SessionFiles

ANSWER_TRIES_MAX = 2  # requests for one part: after an answer that cannot be used one more is sent, with the reason
REFERENCE_VOCABULARY = "o200k"  # tokenizer whose counts are nearest to those of local models

CompressionProgress: TypeAlias = Callable[[str, int, int], None]
"""Function called with (what is being done, parts done, parts in all)."""


@dataclass(slots=True)
class CompressionReport:
    """Counts of one compression run; in a dry run, of what would be sent.

    parts, known         parts of all sessions, and those that had been answered before.
    asked                parts that a model answered in this run; in a dry run those that it would be asked.
    lines, said          lines that are kept, and sentences on others, of the parts asked in this run.
    tokens_before        of the parts that now have an answer, by our count; `tokens_after` of what it keeps and says.
    tokens_sent          of all requests of this run, by our count; `tokens_answered` as asked for, in a dry run.
    billed_in, billed_out  as the server counted them, 0 where it does not report them.
    invented             ranges of lines that do not exist, and sentences that name what their lines do not hold.
    masked               secrets that were taken out of what was sent.
    left                 parts for which the limits of the run left no time.
    refused              (session, number of the part from 1, why nothing of its answer was kept).
    """

    sessions: int = 0
    parts: int = 0
    known: int = 0
    asked: int = 0
    lines: int = 0
    said: int = 0
    tokens_before: int = 0
    tokens_after: int = 0
    tokens_sent: int = 0
    tokens_answered: int = 0
    billed_in: int = 0
    billed_out: int = 0
    invented: int = 0
    masked: int = 0
    left: int = 0
    refused: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkLimits:
    """Bounds of a run: no request begins after `ends_at` of `time.monotonic()`, nor after `tokens` were sent and answered."""

    ends_at: float = inf
    tokens: float = inf

    def are_reached(self, done: CompressionReport) -> bool:
        """Return whether no further request may begin."""
        spent = max(done.tokens_sent, done.billed_in) + done.billed_out
        return spent >= self.tokens or time.monotonic() >= self.ends_at


@dataclass(frozen=True, slots=True)
class StoredTranscript:
    """An ingested session: its transcript lines from the store, the repository root, and the folder its paths are relative to."""

    session: SessionFiles
    lines: Sequence[bytes]
    root: str
    base: str


def compress_session(
    reader: Reader,
    workspace: str,
    transcript: StoredTranscript,
    model: Model,
    done: CompressionReport,
    *,
    counter: TokenCounter,
    chunk_tokens: int,
    limits: WorkLimits = WorkLimits(),
    dry_run: bool = False,
    progress: CompressionProgress | None = None,
) -> Iterator[Delta]:
    """Yield a Delta for each part of a session as soon as a model has answered it; the caller stores it before the next request.

    done     is filled with counts.
    limits   after which no request begins; the parts behind are counted as left.
    dry_run  sends nothing and yields nothing.
    Raises   ModelError when the model fails, and NoModel when a part must be sent and no model is set.
    """
    source = compressed_source(transcript.session.id)
    parts = split_session(
        transcript.lines,
        transcript.session,
        root=transcript.root,
        base=transcript.base,
        counter=counter,
        chunk_tokens=chunk_tokens,
        known=lambda ids: _held(reader, workspace, ids),
    )
    run = _Run(reader, workspace, transcript.session.id, model, done, counter)
    done.parts += len(parts)
    kept: set[str] = set()
    for number, part in enumerate(parts, 1):
        if progress:
            progress("compressing", number - 1, len(parts))
        request = build_prompt(part)
        record_id = make_id(KIND, PROMPT_VERSION, model.name, source, SYSTEM_PROMPT, request.text)
        with reader.snapshot(LOCAL, workspace) as snapshot:
            [status] = snapshot.statuses([record_id])
            before = snapshot.records([record_id])
            stored = OriginalCache(snapshot).bytes_of(before[0].full_text) if before else b""
        if before:
            done.known += 1
            run.count(part, decode_parts(stored))
            if not status.is_live and not dry_run:  # a later run cut the session otherwise, and this one cuts it so again
                yield run.delta(before[0], part, kept)
        elif is_purged(status):  # it was purged on request
            done.refused.append((transcript.session.id, number, "what was made of it was purged, and is not made again"))
            continue
        elif dry_run:
            run.estimate(request)
            continue
        elif limits.are_reached(done):
            done.left += len(parts) - number + 1
            return  # what an earlier run made of the parts behind this one stays as it is
        else:
            judged = run.answered(request)
            if judged.refused:
                done.refused.append((transcript.session.id, number, judged.refused))
                continue
            made = [CompressedPart(part.find_spans(*held)) for held in judged.kept]
            made += [CompressedPart(part.find_spans(*held), text) for held, text in judged.said]
            run.count(part, made)
            done.lines += sum(last - first + 1 for first, last in judged.kept)
            done.said += len(judged.said)
            data = encode_parts(made)
            yield run.delta(run.record(part, record_id, request, data), part, kept, data)
        kept.add(record_id)
    if progress:
        progress("compressing", len(parts), len(parts))
    if not dry_run:
        with reader.snapshot(LOCAL, workspace) as snapshot:
            left = [record for record in snapshot.records_of_sources(source) if record.id not in kept]
        if left and not any(session == transcript.session.id for session, _, _ in done.refused):
            yield run.ending(left)


@dataclass(frozen=True, slots=True)
class _Run:
    """One session that is compressed."""

    reader: Reader
    workspace: str
    session: str
    model: Model
    done: CompressionReport
    counter: TokenCounter

    def answered(self, request: CompressionPrompt) -> AnswerCheck:
        """Ask, judge, and ask once more if nothing could be kept."""
        done = self.done
        done.asked += 1
        done.masked += request.masked
        text, judged = request.text, AnswerCheck()
        for tried in range(ANSWER_TRIES_MAX):
            # Of a request that it has seen before, a server may count only what was new: so only the first is watched.
            tokens = make_counter(REFERENCE_VOCABULARY).count(SYSTEM_PROMPT + text) if tried == 0 else 0
            answer = self.model.complete(ModelRequest(SYSTEM_PROMPT, text, ANSWER_TOKENS, tokens))
            done.tokens_sent += self.counter.count(SYSTEM_PROMPT) + self.counter.count(text)
            done.billed_in += answer.input_tokens
            done.billed_out += answer.output_tokens
            judged = check_answer(answer.text, request.lines, is_cut=answer.is_cut)
            done.invented += judged.invented
            if not judged.refused:
                break
            text = f"{request.text}An answer before this one was of no use: {judged.refused}. Keep to the form.\n"
        return judged

    def estimate(self, request: CompressionPrompt) -> None:
        """Count a request that is not sent."""
        self.done.asked += 1
        self.done.masked += request.masked
        self.done.tokens_sent += self.counter.count(SYSTEM_PROMPT) + self.counter.count(request.text)
        self.done.tokens_answered += ANSWER_TOKENS

    def count(self, part: SessionChunk, made: Sequence[CompressedPart]) -> None:
        """Count a part that has an answer."""
        spans = [span for each in made if not each.said for span in each.spans]
        kept = sum(
            size
            for piece in part.pieces
            for number, size in zip(piece.numbers, piece.tokens, strict=True)
            if any(span.record == piece.record.id and span.first <= number <= span.last for span in spans)
        )
        self.done.tokens_before += part.tokens
        self.done.tokens_after += round(kept + sum(self.counter.count_unrounded(each.said) for each in made))

    def record(self, part: SessionChunk, record_id: str, request: CompressionPrompt, data: bytes) -> Record:
        """The record of what was made of a part."""
        name = f"Compressed by {self.model.name}: {len(part.pieces)} records, {part.tokens:,} tokens"
        return Record(
            record_id,
            Layer.FACT,
            KIND,
            f"{KIND}:{self.session}@{part.first_seq}.{part.pieces[0].numbers[0]}-{part.last_seq}.{part.pieces[-1].numbers[-1]}",
            compressed_source(self.session),
            digest_of(request.text.encode("utf-8", "surrogatepass")),
            name,
            (RecordText(Resolution.NAME, len(name), name), RecordText(Resolution.FULL, len(data), blob=digest_of(data), end=len(data))),
            part.first_seq,
            session=self.session,
            trust=part.trust,
            at_ns=max(piece.record.at_ns for piece in part.pieces),
        )

    def delta(self, record: Record, part: SessionChunk, kept: Collection[str], data: bytes | None = None) -> Delta:
        """The record, what it was made from, and the end of what is about the same records; its data, unless those are stored.

        kept  ids of this run's records: two of them may be about one record, which is longer than a part.
        """
        source = record.source
        inputs = list({piece.record.id: piece.record for piece in part.pieces}.values())
        edges = [Edge(EdgeKind.DERIVED_FROM, record.id, each.id, 1.0, record.digest, each.digest, PROMPT_VERSION) for each in inputs]
        with self.reader.snapshot(LOCAL, self.workspace) as snapshot:
            others = [other for other in snapshot.records_of_sources(source) if other.id != record.id and other.id not in kept]
            inputs_by = find_inputs(snapshot, [other.id for other in others])
            state = snapshot.source_state(source)
        own = {each.id for each in inputs}
        replaced = [other for other in others if not own.isdisjoint(inputs_by[other.id])]
        reason = EndReason(EndKind.COMPRESSED_AGAIN)
        return Delta(
            PROMPT_VERSION,
            source,
            is_whole=False,
            records=(record,),
            edges=tuple(edges),
            superseded=tuple(Supersession(other.id, record.id, reason, record.seq, record.at_ns) for other in replaced),
            blobs=(Blob(record.full_text.blob, data),) if data is not None else (),
            state=add_range(state, source, CompressedRange(record.id, part.first_seq, part.last_seq)),
        )

    def ending(self, left: Sequence[Record]) -> Delta:
        """The end of texts of parts that the session is no longer cut into."""
        source = compressed_source(self.session)
        ends = tuple(Supersession(record.id, "", EndReason(EndKind.PARTS_CHANGED), record.seq, record.at_ns) for record in left)
        with self.reader.snapshot(LOCAL, self.workspace) as snapshot:
            state = snapshot.source_state(source) or SourceState(source)
        return Delta(PROMPT_VERSION, source, is_whole=False, superseded=ends, state=state)


def _held(reader: Reader, workspace: str, ids: Sequence[str]) -> Collection[str]:
    with reader.snapshot(LOCAL, workspace) as snapshot:
        return {record.id for record in snapshot.records(ids)}
