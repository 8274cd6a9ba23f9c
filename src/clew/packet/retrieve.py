"""Retrieve: build a packet for a question from the ranked records, within a token budget.

Pure over a Snapshot. Code and sessions share one ranking and one budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from clew.packet.assemble import Candidate, Option, Selection, assemble, discount_by_group
from clew.packet.options import (
    BLANK_LINES_MAX,
    DisplayLimit,
    OriginalCache,
    build_options,
    build_part_options,
    describe_standing,
    group_name,
    heading_spans,
    heading_text,
    make_line_option,
)
from clew.packet.parts import find_gaps, find_parts
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.ranking.rank import CANDIDATES_MAX, CANDIDATES_MIN, UnlistedReason, add_file_documents, find_reasons, find_remarks, rank
from clew.ranking.weights import Weights
from clew.records import (
    FIRST_FENCE,
    PLACEHOLDER_NONCE,
    Layer,
    MatchReason,
    Packet,
    PacketEntry,
    Record,
    RecordText,
    Resolution,
    Spans,
    Trust,
    clew_span,
    join_text,
    make_handle,
    merge_spans,
    render_fenced,
)
from clew.records.wording import remark_spans
from clew.store.ports import Snapshot
from clew.task.subjects import SPOKEN_KINDS, find_replaced
from clew.text.embed import Embedder
from clew.text.tokens import TokenCounter

TOKENS_PER_CANDIDATE = 40  # a candidate for so many tokens of budget, and one whose text is read for three times as many:
TOKENS_PER_TEXT = 128  # at 8,192 tokens 200, 256 and 320 candidates gave the same shares on 62 dev rows
TEXTS_MIN, TEXTS_MAX = 24, 600
# Files whose records are shown in text; of those behind them names and headers say that they are there. On 105 issues of 11 repositories at
# 8,192 tokens FILE/FUNCTION/WHOLE/LINE: all files 94/79/64/60, the first 16 the same, 8 94/80/66/62, 6 94/80/67/63, 3 94/81/63/60.
DEEP_FILES = 6
# The weights tell one candidate from all others; utilities are flatter, since a packet needs all that a change touches and not the
# likeliest place alone. 257 dev rows, FILE/FUNCTION/WHOLE/LINE: power 1 92/72/55/49, .7 92/75/58/51, .5 93/78/59/51 (bench/LOG.md).
SHARPNESS = 0.6
PARTED_LINES_MIN = 40  # a shorter function is shown whole or not at all; guess
PARTED_BYTES_MAX = 400_000  # of a text in which parts are looked for, a few milliseconds each; guess
# Of a part that holds all of its text's evidence, against the whole of a text; of less its root (bench/LOG.md).
PART_UTILITY = 0.6
LEADS_SHARE = 0.5  # of the room: what all quoted places together may take, the first one aside; guess
LEAD_SHARE = 0.6  # of the room left: what a quoted place may take, so that what it leads to is shown as well; guess
REMARKS_SHARE_MAX = 0.25  # of the budget: longer remarks stand beside the text only; guess
PRICE_SHARE_MIN = 0.00005  # stop at this share of the first step's utility per token; at ten times as much LINE falls by 2 points


def retrieve(
    snapshot: Snapshot,
    question: Question,
    *,
    budget_tokens: int,
    counter: TokenCounter,
    deadline: Deadline | None = None,
    embedder: Embedder | None = None,
    weights: Weights | None = None,
    with_sessions: bool = True,
    unlisted_reason: UnlistedReason | None = None,
    expected: Mapping[str, float] | None = None,
) -> Packet:
    """Return the packet for a question within `budget_tokens`.

    counter   counts tokens for the model that will read the packet.
    deadline  stages that would overrun it are skipped and named in the packet.
    embedder  a local model; without one (None) the packet names the vector channel as skipped.
    with_sessions  False for the code alone.
    unlisted_reason  says why a path on disk is not indexed; None where there is no disk.
    expected  path → the probability that the agent that asks goes on with this file.
    Returns   an empty packet when no record was found.
    """
    deadline = deadline or Deadline()
    documents = snapshot.documents
    candidates_max = min(max(budget_tokens // TOKENS_PER_CANDIDATE, CANDIDATES_MIN), CANDIDATES_MAX)
    ranked = rank(
        snapshot, question,
        candidates_max=candidates_max, deadline=deadline, embedder=embedder, weights=weights, with_sessions=with_sessions,
        expected=expected,
    )  # fmt: skip
    ordered = add_file_documents(snapshot, ranked)
    ids = documents.ids_of([doc for doc, _ in ordered])
    records = {record.id: record for record in snapshot.records(ids)}
    known = [pair for pair, record_id in zip(ordered, ids, strict=True) if record_id in records]
    rows = [records[record_id] for record_id in ids if record_id in records]
    originals = OriginalCache(snapshot)
    texts_max = min(max(budget_tokens // TOKENS_PER_TEXT, TEXTS_MIN), TEXTS_MAX) if deadline.allows("folds") else TEXTS_MIN // 2
    best = known[0][1] if known else 1.0
    utility = discount_by_group([(weight / best) ** SHARPNESS for _, weight in known], [group_name(record) for record in rows])
    places = {path: place for place, path in enumerate(dict.fromkeys(record.path for record in rows if not record.session))}
    led = {doc for doc, _ in ranked.leads}
    standings = _describe_standings(snapshot, rows, originals)
    showings: list[DisplayLimit] = []
    for at, ((doc, _), record) in enumerate(zip(known, rows, strict=True)):
        is_deep = at < texts_max and (bool(record.session) or places[record.path] < DEEP_FILES or doc in led)
        limit = Resolution.FULL if is_deep else Resolution.SIGNATURE
        showings.append(DisplayLimit(record, limit, is_container=documents.has_children(doc), standing=standings.get(record.id, ())))
    candidates = [
        Candidate(record.id, utility[at], group_name(record), options)
        for at, (record, options) in enumerate(zip(rows, build_options(showings, originals, counter.count_unrounded_many), strict=True))
    ]
    idf = {term: rarity for term, rarity, _ in ranked.found.code.words.used}
    ranks = [*range(len(rows))]  # of each candidate's record
    for at, part in _part_candidates(snapshot, [doc for doc, _ in known], showings, utility, idf, originals, counter):
        if _shows_head(rows[at], part.options[0]):
            candidates[at] = _with_part(candidates[at], part)
        else:
            candidates.append(part)
            ranks.append(at)
    remarks, share = find_remarks(snapshot, ranked, question, unlisted_reason, [record.name for record in rows])
    said = merge_spans(span for remark in remarks for span in (*remark_spans(remark), clew_span("\n")))
    spent = counter.count_unrounded(FIRST_FENCE) + counter.count_unrounded(join_text(said))
    if spent > REMARKS_SHARE_MAX * budget_tokens:
        said, spent = (), counter.count_unrounded(FIRST_FENCE)
    fixed = _fixed(rows, [doc for doc, _ in known], ranked.leads, candidates, originals, counter, budget_tokens - spent)
    chosen, selection = fill_budget(candidates, budget_tokens=budget_tokens, counter=counter, spent=spent, fixed=fixed)
    shown = [(ranks[number], option) for number, option in sorted(chosen.items(), key=lambda pick: (ranks[pick[0]], pick[0]))]
    reasons = find_reasons(snapshot, ranked, list(dict.fromkeys(known[at][0] for at, _ in shown)), records, question)
    entries = tuple(make_entry(rows[at], option, share * known[at][1], reasons[known[at][0]]) for at, option in shown)
    spans = merge_spans((*said, *render([(rows[at], option) for at, option in shown])))
    tokens, fence_tokens = count_tokens(spans, counter)
    skipped = tuple(dict.fromkeys([*deadline.skipped, *(() if embedder else ("vector: no embedder is chosen",))]))
    return Packet(
        question.text,
        entries,
        spans,
        tokens,
        budget_tokens,
        counter.name,
        selection.shadow_price,
        selection.gap,
        skipped,
        fence_tokens,
        remarks,
    )


def _describe_standings(snapshot: Snapshot, rows: Sequence[Record], originals: OriginalCache) -> dict[str, Spans]:
    """Return by id how each session's record among `rows` stands: when it was made, and what has replaced it since."""
    held = [record for record in rows if record.session]
    if not held:
        return {}
    spoken = [record for record in held if record.kind in SPOKEN_KINDS]
    originals.read(record.full_text for record in spoken)
    replaced = find_replaced(
        (each.id, each.at_ns, each.seq, originals.text_of(each.full_text), each.trust == Trust.USER) for each in spoken
    )
    statuses = snapshot.statuses([record.id for record in held])
    return {
        record.id: describe_standing(record, status, replaced.get(record.id, ("", ""))[0])
        for record, status in zip(held, statuses, strict=True)
    }


def _part_candidates(
    snapshot: Snapshot,
    docs: Sequence[int],
    showings: Sequence[DisplayLimit],
    utility: Sequence[float],
    weights: Mapping[str, float],
    originals: OriginalCache,
    counter: TokenCounter,
) -> list[tuple[int, Candidate]]:
    """Return (position in `showings`, candidate) of the likeliest parts of what may be shown in text and is long or holds other records.

    weights  of the question's terms. Of what holds other records only the lines between those are parts.
    """
    documents = snapshot.documents
    found: list[tuple[int, float]] = []
    places: list[tuple[Record, int, int]] = []
    for at, (doc, showing) in enumerate(zip(docs, showings, strict=True)):
        record, whole = showing.record, showing.record.full_text
        count = whole.end_line - whole.start_line + 1
        if record.session or showing.resolution_max < Resolution.FULL or not whole.blob or not whole.start_line:
            continue
        if whole.end - whole.start > PARTED_BYTES_MAX or (not showing.is_container and count < PARTED_LINES_MIN):
            continue
        runs = [(0, count - 1)]
        if showing.is_container:
            inner = documents.children_of(doc)
            first = documents.start_line[inner].astype(np.int64) - whole.start_line
            last = first + documents.lines[inner] - 1
            runs = find_gaps(count, list(zip(first.tolist(), last.tolist(), strict=True)))
        if not runs:
            continue
        originals.read((whole,))
        head = _head(record)
        for begin, end, share in find_parts(originals.text_of(whole), runs, weights):
            first, last = whole.start_line + begin, whole.start_line + end
            if head is not None and first <= head.end_line + BLANK_LINES_MAX:
                first, last = min(first, head.start_line), max(last, head.end_line)
            found.append((at, utility[at] * PART_UTILITY * share**0.5))
            places.append((record, first, last))
    options = build_part_options(places, originals, counter.count_unrounded_many)
    return [
        (at, Candidate(record.id, value, group_name(record), (option,), {option.resolution: 1.0}))
        for (at, value), (record, _, _), option in zip(found, places, options, strict=True)
    ]


def _head(record: Record) -> RecordText | None:
    return next((text for text in record.texts if text.resolution == Resolution.FOLDED), None)


def _shows_head(record: Record, option: Option) -> bool:
    head = _head(record)
    return head is not None and option.start <= head.start_line and head.end_line <= option.end


def _with_part(candidate: Candidate, part: Candidate) -> Candidate:
    """Return a candidate with a part of its record as one more way to show it, before the whole."""
    rows = [row for each in (candidate, part) for row in zip(each.options, each.utility_by_option, strict=True)]
    rows.sort(key=lambda row: (row[0].is_whole, row[0].resolution))
    return replace(candidate, options=tuple(option for option, _ in rows), utilities=tuple(value for _, value in rows))


def _fixed(
    rows: Sequence[Record],
    docs: Sequence[int],
    leads: Sequence[tuple[int, int]],
    candidates: Sequence[Candidate],
    originals: OriginalCache,
    counter: TokenCounter,
    room: float,
) -> dict[int, Option]:
    """Return how what the question quotes is shown: whole where that takes at most LEAD_SHARE of the room left, else the lines around."""
    fixed: dict[int, Option] = {}
    number = {doc: at for at, doc in enumerate(docs)}
    floor = (1.0 - LEADS_SHARE) * room  # what is kept for everything else once the first place is shown
    headed: set[str] = set()
    for doc, line in leads:
        if (at := number.get(doc)) is None or at in fixed:
            continue
        group = group_name(rows[at])
        heading = 0.0 if group in headed else counter.count_unrounded(heading_text(group))
        allowed = (min(LEAD_SHARE * room, room - floor) if fixed else LEAD_SHARE * room) - heading
        if allowed <= 0:
            break
        fitting = [
            option
            for option in candidates[at].options
            if option.tokens <= allowed
            and (option.start <= line <= option.end and option.resolution >= Resolution.FOLDED if line else True)
        ]
        option = fitting[-1] if fitting else make_line_option(rows[at], line, originals, counter.count_unrounded, allowed)
        if option is None or option.tokens + heading > room:
            continue
        fixed[at], room = option, room - option.tokens - heading
        headed.add(group)
    return fixed


def fill_budget(
    candidates: Sequence[Candidate],
    *,
    budget_tokens: int,
    counter: TokenCounter,
    spent: float = 0.0,
    fixed: Mapping[int, Option] | None = None,
) -> tuple[dict[int, Option], Selection]:
    """Assemble, leave out what is contained in another candidate that is shown whole, and keep within the budget to the token.

    spent    tokens that the window already holds (a hand-off in front, the first fence).
    fixed    candidate number → how it is shown in any case; what would show the same lines again is left out.
    Returns  candidate number → the option shown, and the Selection of those that are not fixed.
    """
    fixed = fixed or {}
    spent += sum(option.tokens for option in fixed.values())
    spent += sum(counter.count_unrounded(heading_text(group)) for group in {candidates[at].group for at in fixed})
    covered: set[int] = set(fixed) | _around(fixed, candidates)
    numbers: list[int] = []
    selection = Selection()
    free = [c for at, c in enumerate(candidates) if at not in fixed]
    first = max((step for c in free[:1] for step in [_first_price(c)]), default=0.0)
    for _ in range(3):
        numbers = [at for at in range(len(candidates)) if at not in covered]
        selection = assemble(
            [candidates[at] for at in numbers],
            budget_tokens=budget_tokens - spent,
            heading=lambda group: counter.count_unrounded(heading_text(group)),
            price_min=first * PRICE_SHARE_MIN,
        )
        shown = {numbers[at]: candidates[numbers[at]].options[option] for at, option in selection.picks.items()}
        inside = _covered({**shown, **fixed}, candidates) - fixed.keys()
        if not inside:
            break
        covered |= inside
    chosen = {numbers[at]: candidates[numbers[at]].options[option] for at, option in selection.picks.items()}
    for at in _covered({**chosen, **fixed}, candidates) - fixed.keys():
        del chosen[at]
    selection.picks = {at: candidates[at].options.index(option) for at, option in chosen.items()}
    return {**chosen, **fixed}, selection


def make_entry(record: Record, option: Option, weight: float, why: Sequence[MatchReason]) -> PacketEntry:
    """Return the packet's entry for a record that is shown as `option`."""
    return PacketEntry(
        id=record.id,
        handle=make_handle(record.id),
        layer=Layer(record.layer),
        kind=record.kind,
        name=record.name,
        resolution=option.resolution,
        tokens=ceil(option.tokens),
        weight=round(weight, 6),
        why=tuple(why),
        text=option.text,
        is_whole=option.is_whole,
        path=record.path,
        start=option.start,
        end=option.end,
        session=record.session,
        uuid=record.uuid,
    )


def render(shown: Sequence[tuple[Record, Option]]) -> Spans:
    """Return the packet's text: groups in order of their best entry, entries of a group in their own order."""
    groups: dict[str, list[tuple[int, int, str, Spans]]] = {}
    for record, option in shown:
        groups.setdefault(group_name(record), []).append((option.start or record.seq, record.seq, record.id, option.attributed_spans))
    return merge_spans(
        span
        for group, rows in groups.items()
        for part in (heading_spans(group), *(said for *_, said in sorted(rows, key=lambda row: row[:3])))
        for span in part
    )


def count_tokens(spans: Spans, counter: TokenCounter) -> tuple[int, int]:
    """Return the tokens of a text, and how many more its fences take."""
    text = join_text(spans)
    tokens = counter.count(text) if text else 0
    return tokens, counter.count(render_fenced(spans, PLACEHOLDER_NONCE)) - tokens if text else 0


def _first_price(candidate: Candidate) -> float:
    return max((candidate.weight / max(option.tokens, 1.0) for option in candidate.options), default=0.0)


def _around(fixed: Mapping[int, Option], candidates: Sequence[Candidate]) -> set[int]:
    """Candidates of the same file whose text would show lines of a fixed one again."""
    spans = [(candidates[at].group, option.start, option.end) for at, option in fixed.items() if option.resolution >= Resolution.FOLDED]
    return {
        at
        for at, candidate in enumerate(candidates)
        if at not in fixed
        for option in candidate.options[-1:]
        if option.resolution >= Resolution.FOLDED
        for group, start, end in spans
        if group == candidate.group and option.start <= end and start <= option.end
    }


def _covered(chosen: dict[int, Option], candidates: Sequence[Candidate]) -> set[int]:
    """Chosen candidates whose lines stand within the lines that another chosen one of the same file shows in text."""
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for at, option in chosen.items():
        if option.start and option.resolution >= Resolution.FOLDED:
            spans.setdefault(candidates[at].group, []).append((option.start, option.end, at))
    inside: set[int] = set()
    for at, option in chosen.items():
        for start, end, other in spans.get(candidates[at].group, ()):
            if other == at or not (option.start and start <= option.start and option.end <= end):
                continue
            same = chosen[other].start == option.start and chosen[other].end == option.end and option.resolution >= Resolution.FOLDED
            if not same or other < at:
                inside.add(at)
    return inside
