"""Compaction: select the lines of a session that its window should hold after the client compacts it.

Builds a packet with the knapsack of questions over the lines of one session's records: those that will probably be needed
again, at the price of their tokens. The turn's last actions are paid for first, the rendered hand-off next, and the rest of the
budget goes to lines that stand in neither; or, where a level is to be kept, to all lines above its threshold, whatever they cost.
Lines that an edit has replaced are not shown; lines that an earlier compaction showed keep their form as long as they are true. What a
person pinned comes before all of it, within a share of the budget; what a person dropped is not shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.compaction import compressed
from clew.compaction.keep import MARK_CHARS, ScoringNetwork, compute_utility
from clew.compaction.level import number_pieces, rate_lines
from clew.compaction.lines import EDITS, LINE_CHARS_MIN, NUMBER, NUMBERED, Lines, has_ended_by, line_features
from clew.compaction.names import Floats
from clew.packet.assemble import Candidate, Option, Selection, assemble
from clew.packet.options import OriginalCache, attribute_text, heading_spans, heading_text
from clew.packet.retrieve import count_tokens
from clew.records import (
    FIRST_FENCE,
    NEXT_FENCE,
    PLACEHOLDER_NONCE,
    Author,
    Layer,
    MatchKind,
    MatchReason,
    Packet,
    PacketEntry,
    PinnedLines,
    Record,
    Resolution,
    Span,
    Spans,
    Status,
    TaskState,
    Trust,
    clew_span,
    infer_author,
    join_text,
    make_handle,
    merge_spans,
    render_fenced,
)
from clew.store.ports import Snapshot
from clew.text.tokens import TokenCounter

# Segments that are measured and offered to the knapsack: one for so many tokens of the budget, more than it can show; guesses.
TOKENS_PER_CANDIDATE, CANDIDATES_MIN = 8, 400
RECENT_HEADING = "## Last actions of this turn, oldest first; [handle] unfolds the rest"
RECENT_UTILITY = 0.9  # printed of an action that is shown before any line is bought; decides nothing
RECENT_SHARE = 0.15  # of the budget, for the last actions of the turn, before anything else is bought; guess
RECENT_NAMED_MIN = 5  # of the last actions, those that are named where their text does not fit, if that takes no more than
RECENT_NAMED_SHARE, RECENT_TEXT_SHARE = 0.3, 0.1  # of the budget; the second is for their text beside their names at least; guesses
PINNED_HEADING = "## Pinned by the user, oldest first; [handle] unfolds the rest"
UNFITTING = "Not all that was pinned fits; handles without lines below are those that do not.\n"
PINNED_SHARE = 0.5  # of the budget, for what a person pinned: the hand-off and the last actions need the rest; guess
KEPT_FACTOR = 3.0  # what stood in the window before is worth so much more, as moving it costs attention and cache; guess
GAP_MARK, GAP_LINES_MAX = "--", 2  # between lines of a record, as grep has it; so many blank lines or braces are shown in its place
LEGEND = f"[handle] unfolds the rest, {GAP_MARK} is a gap, :n the number of the next line"
REFILLS_MAX, REFILL_TOKENS_MIN = 2, 16  # how often what lines cost less together than one by one is spent again; below it, it is left
TRIM_SHARE = 0.15  # of a segment's best line: lines at its ends that are worth less are left out; guess
NAME_CHARS_MAX, ENDING_CHARS_MAX = 100, 40  # the second of what a name says at its end of how a call ended
_PATH_END = re.compile(r"[\s,:;`'\"()\[\]]+")
# Never shown again, or said by the hand-off and by the message that they were taken from.
EXCLUDED_KINDS = frozenset(
    {"transcript", "summary", "thinking", "boundary", "brief", "note", "attachment", "constraint", "dead_end", "decision", "claim"}
)
MESSAGE_KINDS = frozenset({"prompt", "message"})
FILE_KINDS = frozenset({"read", "edit", "write"})


ShownLines: TypeAlias = Mapping[str, Sequence[tuple[int, int]]]
"""Record id → the spans of lines of its text that a packet shows, 0-based, inclusive."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """Some lines of one record, by their numbers in its text, 0-based, the last one inclusive."""

    record: int
    first: int
    last: int
    utility: float


@dataclass(frozen=True, slots=True)
class _Offer:
    """A text that can be bought; the first of its group pays the heading too. `cover` is the model's text that it is a line of."""

    id: str
    group: str
    heading: float
    text: str
    tokens: float
    utility: float
    cover: compressed.CompressedText | None = None


def compact(
    snapshot: Snapshot,
    source: str,
    state: TaskState,
    *,
    render_front: Callable[[int], Spans],
    budget_tokens: int,
    counter: TokenCounter,
    kept: ShownLines | None = None,
    using: tuple[ScoringNetwork, ScoringNetwork] | None = None,
    seq_end: int | None = None,
    pins: PinnedLines | None = None,
    rate_min: float | None = None,
) -> tuple[Packet, ShownLines]:
    """Return a packet of the hand-off and one session's lines within the budget, and which lines of each record it shows.

    source  `session:<id>`, whose records the snapshot holds up to the compaction and no further.
    render_front  returns the text that comes first, at most so many tokens long, with its fences.
    kept    lines that the packet of an earlier compaction of the session showed.
    using   networks that score lines and names; None takes those of the release.
    seq_end  number of the observation at which the compaction is, None for the end: later records are not looked at.
    pins    what a person decided about lines; of a pinned record that does not fit only the name is shown.
    rate_min  threshold of `clew.compaction.level`: every piece that reaches it is shown. `budget_tokens` then sizes the hand-off and the
              last actions alone, and the packet's budget is what it takes.
    """
    records, statuses = main_thread_records(snapshot, source, seq_end)
    originals = OriginalCache(snapshot)
    originals.read(record.full_text for record in records)
    texts = [originals.shown_text(record) for record in records]
    found = line_features(records, texts, statuses, state)
    utilities = compute_utility(found, using)
    bodies = [text.split("\n") for text in texts]
    group = f"session {source.removeprefix('session:')}, in order of time; {LEGEND}"
    marked = _pinned(records, bodies, pins or PinnedLines(), PINNED_SHARE * budget_tokens, counter)
    dropped = marked.dropped
    recent, recent_tokens = _recent(records, statuses, bodies, budget_tokens - marked.tokens, counter, {*marked.shown, *dropped})
    recent_tokens += marked.tokens
    recent |= {number: list(spans) for number, spans in marked.shown.items()}
    front = render_front(int(budget_tokens - recent_tokens))
    plain = join_text(front)
    written = render_fenced(front, PLACEHOLDER_NONCE)
    spent = counter.count_unrounded(written) + counter.count_unrounded(heading_text(group)) + recent_tokens
    spent += counter.count_unrounded(NEXT_FENCE if written != plain else FIRST_FENCE)
    before = _Said(plain, *("\n".join(bodies[number][first : last + 1]) for number, spans in recent.items() for first, last in spans))
    is_said = np.array([line in before for line in found.stripped], bool)
    rates = rate_lines(found, utilities) if rate_min is not None else np.empty(0)
    utilities = np.where(is_said, np.float32(0.0), utilities)
    live = {record.id for record, status in zip(records, statuses, strict=True) if status.is_live}
    covers = compressed.find_live_texts(snapshot, source.removeprefix("session:"), live, counter.count_unrounded_many)
    numbers = {record.id: number for number, record in enumerate(records)}
    for span in (span for cover in covers for span in cover.kept if span.record in numbers):
        utilities[(found.record == numbers[span.record]) & (found.at >= span.first) & (found.at <= span.last)] *= compressed.KEPT_FACTOR
    for number, spans in dropped.items():
        for first, last in spans:
            utilities[(found.record == number) & (found.at >= first) & (found.at <= last)] = 0.0
    if rate_min is not None:
        segments = _segments_above(found, rates, rate_min, utilities, is_said)
    else:
        segments = _segments(found, utilities, records, kept or {}, max(CANDIDATES_MIN, budget_tokens // TOKENS_PER_CANDIDATE))
    names = _PathNames(records, plain)
    offers = _offers(segments, records, bodies, names, counter)
    told = _told(covers, segments, records)

    def fill(room: float) -> tuple[Packet, ShownLines]:
        chosen, selection = (list(range(len(segments))), Selection()) if rate_min is not None else _choose(offers, room)
        if told and selection.shadow_price > 0:  # as long as everything fits, the originals say it better
            both = _choose([*offers, *told], room)
            if any(at >= len(segments) for at in both[0]):
                chosen, selection = both
        shown = {number: list(spans) for number, spans in recent.items()}
        weights: dict[int, float] = {}
        for at in sorted(at for at in chosen if at < len(segments)):
            segment = segments[at]
            shown.setdefault(segment.record, []).append((segment.first, segment.last))
            weights[segment.record] = weights.get(segment.record, 0.0) + segment.utility
        made = [told[at - len(segments)] for at in sorted(chosen) if at >= len(segments)]
        shown = {number: _without(spans, dropped.get(number, ())) for number, spans in shown.items()}
        shown = {number: spans for number, spans in shown.items() if spans or number in recent}
        return _packet(
            state, front, group, records, statuses, bodies, shown, weights, made, counter,
            budget_tokens if rate_min is None else None, selection, frozenset(recent) - marked.shown.keys(), marked, names,
        )  # fmt: skip

    room = budget_tokens - spent
    packet, lines = fill(room)
    for _ in range(REFILLS_MAX if rate_min is None else 0):
        left = budget_tokens - packet.tokens - packet.fence_tokens
        if left < REFILL_TOKENS_MIN or packet.shadow_price <= 0:
            break
        room += left
        fuller = fill(room)
        if fuller[0].tokens <= packet.tokens:  # it was too much, and something was taken out again
            break
        packet, lines = fuller
    return packet, lines


def main_thread_records(snapshot: Snapshot, source: str, seq_end: int | None = None) -> tuple[list[Record], list[Status]]:
    """Return the records that the main thread's window showed before an observation, live or ended, oldest first, with their statuses."""
    every = (record for record in snapshot.records_ever_of(source) if record.kind not in EXCLUDED_KINDS and not record.agent)
    records = [record for record in every if seq_end is None or record.seq < seq_end]
    return records, snapshot.statuses([record.id for record in records])


class _Said:
    """Text that the window holds already: a line is in it where one of its lines holds it, whatever its blanks."""

    def __init__(self, *texts: str) -> None:
        self._text = "\n".join(" ".join(line.split()) for text in texts for line in text.split("\n"))

    def __contains__(self, stripped: object) -> bool:
        return str(stripped) in self._text


@dataclass(frozen=True, slots=True)
class _Pinned:
    """Pinned records, by number, with the lines shown, their tokens, and what is said of the rest; dropped ones with their lines."""

    shown: dict[int, list[tuple[int, int]]]
    dropped: dict[int, list[tuple[int, int]]]
    tokens: float
    remark: str


def _pinned(records: Sequence[Record], bodies: Sequence[Sequence[str]], pins: PinnedLines, room: float, counter: TokenCounter) -> _Pinned:
    """Which lines of pinned records are shown, those pinned first going first while they fit, and which lines of others are dropped.

    A record that does not fit is named with its handle, if that does.
    """
    numbers = {record.id: number for number, record in enumerate(records)}

    def inside(number: int, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        last = len(bodies[number]) - 1
        return _merged([(low, min(high, last)) for low, high in spans if low <= last])

    dropped = {numbers[each]: inside(numbers[each], spans) for each, spans in pins.dropped.items() if each in numbers}
    wanted = {numbers[each]: inside(numbers[each], spans) for each, spans in pins.pinned.items() if each in numbers}
    shown: dict[int, list[tuple[int, int]]] = {}
    spent = counter.count_unrounded(f"\n{PINNED_HEADING}\n{UNFITTING}{NEXT_FENCE}") if wanted else 0.0
    if spent > room:
        return _Pinned({}, dropped, 0.0, "")
    is_complete = True
    for number, spans in wanted.items():
        kept = _without(spans, dropped.get(number, ()))
        head = counter.count_unrounded(_priced(records[number]))
        text = sum(counter.count_unrounded(join_text(_run(records[number], bodies[number], first, last))) for first, last in kept)
        if spent + head + text <= room:
            shown[number], spent = kept, spent + head + text
            continue
        is_complete = False
        if spent + head <= room:
            shown[number], spent = [], spent + head
    return _Pinned(shown, dropped, spent if shown else 0.0, "" if is_complete else UNFITTING)


def _without(spans: Sequence[tuple[int, int]], dropped: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans less the lines of others."""
    left = list(spans)
    for low, high in dropped:
        left = [
            part
            for first, last in left
            for part in (((first, last),) if high < first or last < low else ((first, low - 1), (high + 1, last)))
            if part[0] <= part[1]
        ]
    return left


def _recent(
    records: Sequence[Record], statuses: Sequence[Status], bodies: Sequence[Sequence[str]], budget_tokens: float, counter: TokenCounter,
    apart: Collection[int],
) -> tuple[dict[int, list[tuple[int, int]]], float]:  # fmt: skip
    """Which lines of the turn's last actions are shown, and their tokens: the newest whole while they fit, then the end of one.

    Those of `apart` are not among them. Of the RECENT_NAMED_MIN newest each is at least named, with its handle; so is one whose text an
    edit has made untrue.
    """
    turn: list[int] = []
    for number in range(len(records) - 1, -1, -1):
        if records[number].kind == "prompt" and records[number].trust is Trust.USER:
            break
        if records[number].kind not in MESSAGE_KINDS and number not in apart:  # the hand-off says what was said
            turn.append(number)
    heads = {number: counter.count_unrounded(_priced(records[number])) for number in turn}
    spent = counter.count_unrounded(f"\n{RECENT_HEADING}\n{NEXT_FENCE}")
    shown: dict[int, list[tuple[int, int]]] = {}
    for number in turn[:RECENT_NAMED_MIN]:
        if spent + heads[number] > RECENT_NAMED_SHARE * budget_tokens:
            break
        shown[number] = []
        spent += heads[number]
    if not shown:
        return {}, 0.0
    most = max(RECENT_SHARE * budget_tokens, spent + RECENT_TEXT_SHARE * budget_tokens)
    for number in turn:
        if has_ended_by(statuses[number], EDITS):
            continue
        body, head = bodies[number], 0.0 if number in shown else heads[number]
        left = most - spent - head
        whole = counter.count_unrounded("\n".join(body) + "\n")
        kept = len(body) if whole <= left else _last_lines(body, left - 2, counter)
        if kept:
            shown[number] = [(len(body) - kept, len(body) - 1)]
            spent += head + (whole if kept == len(body) else counter.count_unrounded("\n".join(body[-kept:]) + "\n"))
        if kept < len(body):
            break
    return shown, spent


def _last_lines(body: Sequence[str], most: float, counter: TokenCounter) -> int:
    """The number of lines at the end of a text that cost at most so much."""
    kept, spent = 0, 0.0
    for line in reversed(body):
        spent += counter.count_unrounded(line + "\n")
        if spent > most:
            break
        kept += 1
    return min(kept, len(body) - 1)


def _segments(
    found: Lines,
    utilities: Floats,
    records: Sequence[Record],
    kept: ShownLines,
    limit: int,
) -> list[_Segment]:
    """What can be bought, the most utility for its length first, `limit` at most."""
    utility = utilities.astype(np.float64)
    for row in np.flatnonzero(found.at == 0).tolist():  # what its heading says is not bought again
        if found.stripped[row] in " ".join(records[int(found.record[row])].name.split()):
            utility[row] = 0.0
    key = number_pieces(found)
    starts = np.flatnonzero(np.r_[len(key) > 0, key[1:] != key[:-1]])
    ends = np.r_[starts[1:], len(key)][: len(starts)]
    segments: list[tuple[float, _Segment]] = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        number = int(found.record[start])
        rows = range(start, end)
        most = max(utility[row] for row in rows)
        telling = [row for row in rows if utility[row] >= TRIM_SHARE * most]
        first, last = int(found.at[telling[0]]), int(found.at[telling[-1]])
        total = float(utility[telling[0] : telling[-1] + 1].sum())
        for low, high in kept.get(records[number].id, ()):
            if low <= last and first <= high:
                first, last, total = max(low, int(found.at[start])), min(high, int(found.at[end - 1])), total * KEPT_FACTOR
                break
        chars = sum(int(found.chars[row]) for row in telling) + MARK_CHARS
        if total > 0:
            segments.append((total / chars, _Segment(number, first, last, total)))
    segments.sort(key=lambda pair: (-pair[0], pair[1].record, pair[1].first))
    return [segment for _, segment in segments[:limit]]


def _segments_above(
    found: Lines, rates: NDArray[np.float64], rate_min: float, utilities: Floats, is_said: NDArray[np.bool_]
) -> list[_Segment]:
    """The pieces that reach a threshold, whole, without those of which every line is said already."""
    pieces = number_pieces(found)
    starts = np.flatnonzero(np.r_[True, pieces[1:] != pieces[:-1]]) if len(pieces) else np.empty(0, np.int64)
    segments: list[_Segment] = []
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(pieces)], strict=True):
        if rates[start] >= rate_min and not is_said[start:end].all():
            total = float(utilities[start:end].sum())
            segments.append(_Segment(int(found.record[start]), int(found.at[start]), int(found.at[end - 1]), total))
    return segments


def _offers(
    segments: Sequence[_Segment], records: Sequence[Record], bodies: Sequence[Sequence[str]], names: _PathNames,
    counter: TokenCounter,
) -> list[_Offer]:  # fmt: skip
    texts = [join_text(_run(records[each.record], bodies[each.record], each.first, each.last)) for each in segments]
    heads = {number: counter.count_unrounded(_priced(records[number], names)) for number in {segment.record for segment in segments}}
    return [
        _Offer(f"{records[each.record].id}:{each.first}", str(each.record), heads[each.record], text, tokens, each.utility)
        for each, text, tokens in zip(segments, texts, counter.count_unrounded_many(texts), strict=True)
    ]


def _told(covers: Sequence[compressed.CompressedText], segments: Sequence[_Segment], records: Sequence[Record]) -> list[_Offer]:
    """A model's sentences, each worth a share of the best lines that it is about, each of those once."""
    found: dict[str, list[_Segment]] = {}
    for segment in segments:
        found.setdefault(records[segment.record].id, []).append(segment)
    used: set[tuple[int, int]] = set()
    offers: list[_Offer] = []
    for cover in covers:
        for at, sentence in enumerate(cover.sentences):
            utility = 0.0
            for span in sentence.part.spans:
                about = [each for each in found.get(span.record, ()) if each.first <= span.last and span.first <= each.last]
                free = [each for each in about if (each.record, each.first) not in used]
                used.update((each.record, each.first) for each in about)
                utility += compressed.LINE_SHARE * max((each.utility for each in free), default=0.0)
            if utility > 0:
                name = f"{cover.record.id}:{at}"
                offers.append(_Offer(name, cover.record.id, cover.tokens, sentence.text, sentence.tokens, utility, cover))
    return offers


def _choose(offers: Sequence[_Offer], room: float) -> tuple[list[int], Selection]:
    """Buy offers, then once more without the groups that together were not worth their heading."""
    heads = {offer.group: offer.heading for offer in offers}
    excluded: set[str] = set()
    selection = Selection()
    numbers: list[int] = []
    for _ in range(2):
        numbers = [at for at, offer in enumerate(offers) if offer.group not in excluded]
        candidates = [
            Candidate(each.id, each.utility, each.group, (Option(Resolution.FOLDED, each.text, each.tokens),), utilities=(each.utility,))
            for each in (offers[at] for at in numbers)
        ]
        selection = assemble(candidates, budget_tokens=room, heading=heads.__getitem__)
        gained: dict[str, float] = {}
        for at in selection.picks:
            offer = offers[numbers[at]]
            gained[offer.group] = gained.get(offer.group, 0.0) + offer.utility - selection.shadow_price * offer.tokens
        poor = {group for group, gain in gained.items() if gain < selection.shadow_price * heads[group]}
        if not poor:
            break
        excluded |= poor
    return [numbers[at] for at in selection.picks], selection


def _packet(
    state: TaskState,
    front: Spans,
    group: str,
    records: Sequence[Record],
    statuses: Sequence[Status],
    bodies: Sequence[Sequence[str]],
    shown: Mapping[int, Sequence[tuple[int, int]]],
    weights: Mapping[int, float],
    made: Sequence[_Offer],
    counter: TokenCounter,
    budget_tokens: int | None,
    selection: Selection,
    recent: frozenset[int],
    marked: _Pinned,
    names: _PathNames,
) -> tuple[Packet, ShownLines]:
    told, pinned = _covers(made), marked.shown
    runs = {number: _bridged(_merged(spans), bodies[number]) for number, spans in shown.items()}
    order = sorted(  # the last actions stay, whatever else of them was bought
        runs, key=lambda number: (number not in pinned, number not in recent, -weights.get(number, float("inf")), number)
    )
    while True:
        parts = list(front)
        named = names.copy()
        for heading, is_here, sentences in (
            ((clew_span(f"\n{PINNED_HEADING}\n{marked.remark}"),), pinned, ()),
            ((clew_span(f"\n{RECENT_HEADING}\n"),), recent, ()),
            (heading_spans(group), runs.keys() - pinned.keys() - recent, told),
        ):
            parts += _body(heading, records, statuses, bodies, {at: runs[at] for at in runs if at in is_here}, named, sentences)
        spans = merge_spans(parts)
        tokens, fence_tokens = count_tokens(spans, counter)
        if budget_tokens is None or tokens + fence_tokens <= budget_tokens or not order:
            break
        del runs[order.pop()]  # the least useful; a tokenizer may count the whole higher than its parts
    entries = [_entry(records[at], statuses[at], bodies[at], runs[at], weights.get(at), counter, is_pinned=at in pinned) for at in order]
    entries += [_cover_entry(record, join_text(part), utility, counter) for record, part, utility in told]
    packet = Packet(
        state.question, tuple(entries), spans, tokens, tokens + fence_tokens if budget_tokens is None else budget_tokens,
        counter.name, selection.shadow_price, selection.gap, fence_tokens=fence_tokens,
    )  # fmt: skip
    return packet, {records[number].id: tuple(spans) for number, spans in runs.items()}


def _entry(
    record: Record, status: Status, body: Sequence[str], runs: Sequence[tuple[int, int]], utility: float | None, counter: TokenCounter,
    *, is_pinned: bool,
) -> PacketEntry:  # fmt: skip
    """A record as it is shown; lines are named where they are one piece."""
    is_whole = list(runs) == [(0, len(body) - 1)]
    part = "".join(join_text(_run(record, body, first, last, is_first=at == 0)) for at, (first, last) in enumerate(runs))
    start, end = (runs[0][0] + 1, runs[0][1] + 1) if len(runs) == 1 else (0, 0)
    shown = RECENT_UTILITY if utility is None else utility
    return PacketEntry(
        record.id, make_handle(record.id), Layer(record.layer), record.kind, record.name,
        Resolution.FULL if is_whole else Resolution.FOLDED, counter.count(part), round(shown, 6),
        _why(record, status, utility, is_pinned=is_pinned), part, is_whole, record.path, start, end, record.session, record.uuid,
    )  # fmt: skip


def _covers(made: Sequence[_Offer]) -> list[tuple[Record, Spans, float]]:
    """The model's texts of which lines were bought, each with those lines and their utility."""
    found: dict[str, tuple[compressed.CompressedText, list[_Offer]]] = {}
    for offer in made:
        if offer.cover is not None:
            found.setdefault(offer.group, (offer.cover, []))[1].append(offer)
    return [
        (
            cover.record,
            compressed.render_compressed(cover.record, "".join(offer.text for offer in lines)),
            sum(offer.utility for offer in lines),
        )
        for cover, lines in found.values()
    ]


def _cover_entry(record: Record, part: str, utility: float, counter: TokenCounter) -> PacketEntry:
    why = (MatchReason(MatchKind.COMPRESSED, (compressed.KIND,)),)
    return PacketEntry(
        record.id, make_handle(record.id), Layer(record.layer), record.kind, record.name, Resolution.FOLDED, counter.count(part),
        round(utility, 6), why, part, is_whole=False, session=record.session,
    )  # fmt: skip


def _why(record: Record, status: Status, utility: float | None, *, is_pinned: bool) -> tuple[MatchReason, ...]:
    needed = MatchReason(MatchKind.LAST_ACTION) if utility is None else MatchReason(MatchKind.NEEDED_AGAIN, (f"{utility:.2f}",))
    needed = MatchReason(MatchKind.PINNED) if is_pinned else needed
    why = [needed, MatchReason(MatchKind.OF_KIND, (record.kind,))]
    if status.is_suspect:
        why.append(MatchReason(MatchKind.SUSPECT, end=status.reason))
    if not status.is_live:
        why.append(MatchReason(MatchKind.REST_ENDED, end=status.reason))
    return tuple(why)


def _body(
    heading: Spans,
    records: Sequence[Record],
    statuses: Sequence[Status],
    bodies: Sequence[Sequence[str]],
    runs: Mapping[int, Sequence[tuple[int, int]]],
    names: _PathNames,
    told: Sequence[tuple[Record, Spans, float]] = (),
) -> Spans:
    parts = [span for _, spans, _ in told for span in spans]
    for number in sorted(runs):
        record, body = records[number], bodies[number]
        asked = _said_by_heading(record, body, runs[number])
        shown = [(max(first, asked), last) for first, last in runs[number] if last >= asked]
        what, line = _title(record, body, asked, shown, names)
        parts += _head(record, what, line, is_old=has_ended_by(statuses[number], EDITS))
        for at, (first, last) in enumerate(shown):
            parts += _run(record, body, first, last, is_first=at == 0)
    return (*heading, *parts) if parts else ()


def _title(record: Record, body: Sequence[str], asked: int, shown: Sequence[tuple[int, int]], names: _PathNames) -> tuple[str, int]:
    """The file, or what was called, above some lines of a record; and the number of the first line, 0 for none."""
    if record.path and record.kind in FILE_KINDS:
        file = names.name(record.path)
        if shown:
            return file, _first_number(record, body, *shown[0])
        return " ".join(record.name.replace(record.path, file, 1).split()), 0
    line, name = " ".join(body[asked - 1].split()) if asked else "", _name_of(record)
    return (f"{line}{_ending_of(record)}" if len(line) > len(name) else name), 0


def _name_of(record: Record) -> str:
    """A record's name on a line, clipped before what it says of the end of a call."""
    name, ending = " ".join(record.name.split()).removesuffix(" → exit 0"), _ending_of(record)
    return name if len(name) <= NAME_CHARS_MAX else f"{name[: NAME_CHARS_MAX - len(ending)].rstrip()}…{ending}"


def _ending_of(record: Record) -> str:
    """What the name of a call says of its end, but for a success."""
    asked, mark, ending = " ".join(record.name.split()).rpartition(" → ")
    return f"{mark}{ending}" if asked and len(ending) <= ENDING_CHARS_MAX and ending != "exit 0" else ""


class _PathNames:
    """How files are named above their lines: in full once, then by the last part where no other file that is named has the same."""

    def __init__(self, records: Sequence[Record], said: str) -> None:
        paths = {record.path for record in records if record.path}
        words = set(_PATH_END.split(said))
        self._same = Counter(path.rpartition("/")[2] for path in paths | {word for word in words if "/" in word})
        self._said = paths & words

    def copy(self) -> _PathNames:
        """Return the names as they are known now, to go on from."""
        other = _PathNames((), "")
        other._same, other._said = self._same, set(self._said)
        return other

    def name(self, path: str, *, is_shown: bool = True) -> str:
        """Return how a file is named here; from now on it is known if it `is_shown`."""
        last = path.rpartition("/")[2]
        if path in self._said and self._same[last] == 1:
            return last
        if is_shown:
            self._said.add(path)
        return path


def _said_by_heading(record: Record, body: Sequence[str], runs: Sequence[tuple[int, int]]) -> int:
    """The number of lines at the beginning of a record's text, which say what was asked, that the heading above these lines says."""
    if record.kind in MESSAGE_KINDS or len(body) < 2:
        return 0
    asked, name = " ".join(body[0].split()), " ".join(record.name.split())
    if record.kind in FILE_KINDS and record.path:
        return int(asked in name)
    if record.kind == "search" and asked.startswith(name.partition(" → ")[0]):
        return 1
    called = name.rpartition(" → ")[0] or name  # the heading is the whole line where that is bought
    is_bought = bool(runs) and runs[0][0] == 0
    return int(asked in name or (is_bought and asked.startswith(called.rstrip("…"))))


def _first_number(record: Record, body: Sequence[str], first: int, last: int) -> int:
    """The number in its file of the first of some lines that a tool showed with their numbers; 0 for none."""
    if record.kind not in NUMBERED:
        return 0
    for at, line in enumerate(body[first : last + 1]):
        if found := NUMBER.match(line):
            return max(int(found[1]) - at, 1)
    return 0


def _head(record: Record, what: str, line: int = 0, *, is_old: bool = False) -> Spans:
    """The line above a record: what clew calls it, or what was called, which is the agent's or stands in a file; `what` names its file."""
    handle = clew_span(f"[{make_handle(record.id)}] ")
    end = clew_span(f"{f':{line}' if line else ''}{' (edited since)' if is_old else ''}\n")
    if record.kind in MESSAGE_KINDS:
        return handle, clew_span(record.kind), end
    return handle, Span(Author.OUTSIDE, what or _name_of(record)), end


def _priced(record: Record, names: _PathNames | None = None) -> str:
    """What a record's heading takes: words of the user ask for one more fence."""
    what = record.path if record.kind in FILE_KINDS else ""
    what = names.name(what, is_shown=False) if names and what else what
    return join_text(_head(record, what)) + (NEXT_FENCE if infer_author(record) is Author.USER else "")


def _run(record: Record, body: Sequence[str], first: int, last: int, *, is_first: bool = False) -> Spans:
    """Lines `first` to `last` of a record; those of a file without their numbers, but the first one's before them.

    is_first  they stand under the heading, which says the number.
    """
    lines = list(body[first : last + 1])
    if (first, last) == (0, len(body) - 1):
        return (*attribute_text(record, "\n".join(lines)), clew_span("\n"))
    mark = GAP_MARK
    if record.kind in NUMBERED and (number := _first_number(record, body, first, last)):
        lines = [line[found.end() :] if (found := NUMBER.match(line)) else line for line in lines]
        mark = f":{number}"
    is_said = is_first and (mark == GAP_MARK or record.kind in FILE_KINDS)
    head = () if is_said else (clew_span(f"{mark}\n"),)
    return (*head, *_cut(record, body, first, last, lines), clew_span("\n"))


def _cut(record: Record, body: Sequence[str], first: int, last: int, lines: Sequence[str]) -> Spans:
    """The words of some lines of a record by author, where `lines` is how they are written."""
    author = infer_author(record)
    whole = attribute_text(record, "\n".join(body)) if author is Author.USER else (Span(author, ""),)
    if len(whole) <= 1:
        return (Span(whole[0].author if whole else Author.OUTSIDE, "\n".join(lines)),)
    start = sum(len(line) + 1 for line in body[:first])
    end = start + sum(len(line) + 1 for line in body[first : last + 1]) - 1
    parts: list[Span] = []
    at = 0
    for span in whole:
        piece = span.text[max(start - at, 0) : max(end - at, 0)]
        at += len(span.text)
        if piece:
            parts.append(Span(span.author, piece))
    return tuple(parts)


def _merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in order, those that touch joined."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _bridged(spans: Sequence[tuple[int, int]], body: Sequence[str]) -> list[tuple[int, int]]:
    """The spans, those joined between which stand only a few lines that are never bought, as a mark would cost as much."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        gap = body[joined[-1][1] + 1 : first] if joined else ()
        if joined and len(gap) <= GAP_LINES_MAX and all(len(NUMBER.sub("", line, count=1).strip()) < LINE_CHARS_MIN for line in gap):
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
