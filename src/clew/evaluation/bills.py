"""Bills: a session as the requests that were really billed, and what each of them added to the window.

The provider's usage says how long the window was at each request; the transcript says what was said in between. Both
together tell where every tool output stood and how long it was in real tokens. What the transcript does not hold, but the
bill does, stands there as text that nobody can name. Of the main thread only: a subagent has a window of its own. Reads
Claude Code's records, whose replies carry usage for each request; no other client's do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from clew.errors import UnknownTokenizer
from clew.records import Observation, ObservationKind, Record, Resolution, Supersession
from clew.text.tokens import NEWEST_FAMILY, TokenCounter, make_counter
from clew.transcript.dialects.values import int_or_zero, mapping_or_empty, parse_time_ns, text_or_empty
from clew.transcript.extract import RecordExtractor
from clew.transcript.parse import TranscriptReader
from clew.transcript.pricing import LONG_TTL_S, SHORT_TTL_S

# Tokens that a call takes beside its arguments and its result: names, ids, markup. Fitted by least absolute deviations to
# 5,030 (claude-3) and 150 (claude-4.7) stretches of real sessions. Families without a figure are left alone.
CALL_TOKENS = {"claude-3": 85, "claude-4.7": 105}

MISSED_SHARE = 0.5  # of the window before: a request that reads less from the cache has missed it (nearly all read .98 or .2 of it)
SHRUNK_SHARE = 0.98  # a window shorter than this share of the one before was rewritten by the client


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was added to the window. `tokens` is its real length; without an observation nobody knows what it was."""

    tokens: int
    seen: Observation | None = None


@dataclass(slots=True)
class Request:
    """One request of the main thread, as it was billed.

    size       tokens of the window; read, written, plain: how they were billed.
    added      what stands in it that the request before did not hold; where `is_restart`, what is known to, without its length.
    is_restart  the window did not grow out of the one before: the first one, after a compaction, or rewritten by the client.
    has_missed  the cache held far less than the window before, whatever the clock says.
    summary    tokens of the summary that the client had a model write right before, at a compaction.
    reply      what the model answered.
    """

    at_ns: int
    model: str
    ttl_s: int
    read: int
    written: int
    plain: int
    output: int
    line: int
    is_restart: bool = False
    has_missed: bool = False
    summary: int = 0
    added: list[Said] = field(default_factory=list[Said])
    reply: list[Observation] = field(default_factory=list[Observation])

    @property
    def size(self) -> int:
        """Tokens of the window."""
        return self.read + self.written + self.plain


@dataclass(frozen=True, slots=True)
class Bills:
    """A session's requests in order, its records and their folds by the position of the observation that completed them, what ended
    when, and its tool calls. All of the main thread.
    """

    requests: tuple[Request, ...]
    records: dict[int, Record]
    folds: dict[int, str]
    ended: tuple[Supersession, ...]
    counter: TokenCounter
    calls: int


class _Line(msgspec.Struct, rename="camel"):
    type: object = None
    subtype: object = None
    timestamp: object = None
    is_sidechain: object = None
    message: object = None


_LINES = msgspec.json.Decoder(_Line)


def bills_of(lines: Sequence[bytes]) -> Bills | None:
    """Return what a transcript says of its bills; None where it says nothing, as of a client that notes no requests.

    lines  of the transcript, with or without their line breaks. Broken ones are passed over.
    Cost   one pass of the parser and the ledger, and a count of all text.
    """
    requests = list(read_requests(lines))
    if not requests:
        return None
    reading = TranscriptReader([b"\n".join(line.rstrip(b"\n") for line in lines) + b"\n"])
    extractor = RecordExtractor("session:bills")
    seen: list[Observation] = []
    for batch in reading.read_batches():
        extractor.extract(batch.observations)
        seen.extend(batch.client_observations)
    extracted = extractor.drain()
    counts = make_counter(_family(requests[0].model))
    main = [each for each in seen if not each.agent]
    _place(requests, main, counts)
    records = {record.seq: record for record in extracted.records if record.kind != "transcript" and not record.agent}
    folds = {seq: text for seq, record in records.items() if (text := _fold(record, extracted.blobs))}
    calls = sum(each.kind is ObservationKind.CALL for each in main)
    return Bills(tuple(requests), records, folds, tuple(extracted.superseded), counts, calls)


def read_requests(lines: Sequence[bytes], *, is_agent: bool = False) -> Iterator[Request]:
    """Yield the requests of the main thread, or of subagents; the records of one reply share its id, and the first tells when it began."""
    known: dict[str, Request] = {}
    last: Request | None = None
    is_compacted = False
    for number, line in enumerate(lines):
        if b'"usage"' not in line and b"compact_boundary" not in line:
            continue
        try:
            record = _LINES.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):  # counted and named by the parser, which reads it too
            continue
        if record.type == "system" and record.subtype == "compact_boundary":
            is_compacted = True
        if record.type != "assistant" or bool(record.is_sidechain) is not is_agent:
            continue
        message = mapping_or_empty(record.message)
        usage, name = mapping_or_empty(message.get("usage")), text_or_empty(message.get("id")) or f"line {number}"
        output = int_or_zero(usage.get("output_tokens"))
        if name in known:
            known[name].output = max(known[name].output, output)
            continue
        kept = mapping_or_empty(usage.get("cache_creation"))
        written, read = int_or_zero(usage.get("cache_creation_input_tokens")), int_or_zero(usage.get("cache_read_input_tokens"))
        is_long = int_or_zero(kept.get("ephemeral_1h_input_tokens")) > 0 or (not written and last is not None and last.ttl_s == LONG_TTL_S)
        request = Request(
            parse_time_ns(record.timestamp),
            text_or_empty(message.get("model")),
            LONG_TTL_S if is_long else SHORT_TTL_S,
            read,
            written,
            int_or_zero(usage.get("input_tokens")),
            output,
            number,
        )
        if not request.size:
            continue  # the client's own words in the model's name: nobody was asked
        known[name] = request
        request.is_restart = last is None or is_compacted or request.size < SHRUNK_SHARE * last.size
        request.has_missed = last is not None and not is_compacted and request.read < MISSED_SHARE * last.size
        request.summary = int(is_compacted)  # counted once its text is known
        last, is_compacted = request, False
        yield request


def _place(requests: Sequence[Request], seen: Sequence[Observation], counts: TokenCounter) -> None:
    """Give each request what was added before it and what it answered.

    Estimates are scaled down where they exceed the real growth; where they fall short, the rest is text that nobody names.
    """
    starts = [request.line for request in requests]
    groups: list[list[Observation]] = [[] for _ in range(len(requests) + 1)]  # group k stands between requests k - 1 and k
    at = 0
    for each in seen:
        while at < len(starts) and each.record_index >= starts[at]:
            at += 1
        groups[at].append(each)
    for number, request in enumerate(requests):
        request.reply = [each for each in groups[number + 1] if each.kind in _REPLY]
        request.output = max(request.output, sum(counts.count_many([each.text for each in request.reply])))
        before = groups[number]
        if request.summary:
            request.summary = sum(counts.count(each.text) for each in groups[number] if each.kind is ObservationKind.SUMMARY)
        if request.is_restart:  # its length says nothing of what was said last; but what was said stands in it
            request.added = [Said(0, each) for each in before if each.kind not in _NEVER_SENT and each.text]
            continue
        sent = [each for each in before if each.kind not in _NEVER_SENT and each.kind is not ObservationKind.SUMMARY and each.text]
        estimates = counts.count_many([each.text for each in sent])
        extra = CALL_TOKENS.get(counts.name, 0)
        estimates = [count + extra * (each.kind is ObservationKind.CALL) for count, each in zip(estimates, sent, strict=True)]
        growth, total = request.size - requests[number - 1].size, sum(estimates)
        scale = min(1.0, max(growth, 0) / total) if total else 0.0
        request.added = [Said(int(count * scale), each) for count, each in zip(estimates, sent, strict=True)]
        request.added.append(Said(growth - sum(said.tokens for said in request.added)))


_REPLY = frozenset((ObservationKind.MESSAGE, ObservationKind.THINKING, ObservationKind.CALL))
_NEVER_SENT = frozenset((ObservationKind.BOUNDARY, ObservationKind.NOTE))


def _family(model: str) -> str:
    try:
        return make_counter(model).name
    except UnknownTokenizer:
        return NEWEST_FAMILY


def _fold(record: Record, blobs: dict[str, bytes]) -> str:
    """A record's folded text, "" for one that has none."""
    text = record.text_at(Resolution.FOLDED)
    if text is None:
        return ""
    return text.inline or blobs[text.blob][text.start : text.end].decode("utf-8", "replace")
