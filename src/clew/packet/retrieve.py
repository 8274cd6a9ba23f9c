"""Retrieve: a packet for a question. What `ranking` found is offered in several forms and bought within the budget.

Pure over a Snapshot. Code and sessions meet here: one ranking of both, one budget for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from clew.packet.assemble import Candidate, Choice, Option, assemble, discounted
from clew.packet.options import Originals, Showing, group_of, heading, heading_of, options_of
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.ranking.rank import CANDIDATES_MAX, CANDIDATES_MIN, rank, reasons_of, with_heads
from clew.ranking.weights import DEFAULT, Weights
from clew.records import (
    FIRST_FENCE,
    STAND_IN,
    Entry,
    Layer,
    MatchReason,
    Packet,
    Record,
    Resolution,
    Spans,
    fenced,
    handle_of,
    joined,
    text_of,
)
from clew.store.ports import Snapshot
from clew.text.embed import Embedder
from clew.text.tokens import Counter

TOKENS_PER_CANDIDATE = 40  # a candidate for so many tokens of budget, and one whose text is read for three times as many:
TOKENS_PER_TEXT = 128  # at 8,192 tokens 200, 256 and 320 candidates gave the same shares on 62 dev rows
TEXTS_MIN, TEXTS_MAX = 24, 600
# The weights tell one candidate from all others; worths are flatter, since a packet needs all that a change touches and not the
# likeliest place alone. 257 dev rows, FILE/FUNCTION/WHOLE/LINE: power 1 92/72/55/49, .7 92/75/58/51, .5 93/78/59/51 (bench/LOG.md).
SHARPNESS = 0.6
PRICE_SHARE_MIN = 0.00005  # stop at this share of the first step's worth per token; at ten times as much LINE falls by 2 points


def retrieve(
    snapshot: Snapshot,
    question: Question,
    *,
    budget_tokens: int,
    counter: Counter,
    deadline: Deadline | None = None,
    embedder: Embedder | None = None,
    weights: Weights = DEFAULT,
) -> Packet:
    """Return the packet for a question within `budget_tokens`.

    counter   counts for the model that will read the packet.
    deadline  stages that would overrun it are skipped and named in the packet.
    embedder  a local model, or None: the vector channel is then named as left out, and everything else works.
    Returns   an empty packet when nothing speaks for any record.
    """
    deadline = deadline or Deadline()
    documents = snapshot.documents
    candidates_max = min(max(budget_tokens // TOKENS_PER_CANDIDATE, CANDIDATES_MIN), CANDIDATES_MAX)
    ranked = rank(snapshot, question, candidates_max=candidates_max, deadline=deadline, embedder=embedder, weights=weights)
    ordered = with_heads(snapshot, ranked)
    ids = documents.ids_of([doc for doc, _ in ordered])
    records = {record.id: record for record in snapshot.records(ids)}
    known = [pair for pair, record_id in zip(ordered, ids, strict=True) if record_id in records]
    rows = [records[record_id] for record_id in ids if record_id in records]
    originals = Originals(snapshot)
    texts_max = min(max(budget_tokens // TOKENS_PER_TEXT, TEXTS_MIN), TEXTS_MAX) if deadline.allows("folds") else TEXTS_MIN // 2
    best = known[0][1] if known else 1.0
    worth = discounted([(weight / best) ** SHARPNESS for _, weight in known], [group_of(record) for record in rows])
    showings = [
        Showing(record, Resolution.FULL if at < texts_max else Resolution.SIGNATURE, is_container=bool(documents.has_children[doc]))
        for at, ((doc, _), record) in enumerate(zip(known, rows, strict=True))
    ]
    candidates = [
        Candidate(record.id, worth[at], group_of(record), options)
        for at, (record, options) in enumerate(zip(rows, options_of(showings, originals, counter.measure_many), strict=True))
    ]
    chosen, choice = choose(candidates, budget_tokens=budget_tokens, counter=counter, spent=counter.measure(FIRST_FENCE))
    reasons = reasons_of(snapshot, ranked, [known[at][0] for at in sorted(choice.picks)], records, question)
    entries = tuple(entry_of(rows[at], option, known[at][1], reasons[known[at][0]]) for at, option in sorted(chosen.items()))
    spans = render([(rows[at], option) for at, option in sorted(chosen.items())])
    tokens, fence_tokens = lengths_of(spans, counter)
    skipped = tuple(dict.fromkeys([*deadline.skipped, *(() if embedder else ("vector: no embedder is chosen",))]))
    return Packet(
        question.text, entries, spans, tokens, budget_tokens, counter.name, choice.shadow_price, choice.gap, skipped, fence_tokens
    )


def choose(
    candidates: Sequence[Candidate], *, budget_tokens: int, counter: Counter, spent: float = 0.0
) -> tuple[dict[int, Option], Choice]:
    """Assemble, leave out what stands inside something else that is shown whole, and keep within the budget to the token.

    spent    tokens that the window already holds (a hand-off in front, the first fence).
    Returns  candidate number → the option shown, and the certificate.
    """
    covered: set[int] = set()
    numbers: list[int] = []
    choice = Choice()
    first = max((step for c in candidates[:1] for step in [_first_price(c)]), default=0.0)
    for _ in range(3):
        numbers = [at for at in range(len(candidates)) if at not in covered]
        choice = assemble(
            [candidates[at] for at in numbers],
            budget_tokens=budget_tokens - spent,
            heading=lambda group: counter.measure(heading_of(group)),
            price_min=first * PRICE_SHARE_MIN,
        )
        inside = _covered({numbers[at]: candidates[numbers[at]].options[option] for at, option in choice.picks.items()}, candidates)
        if not inside:
            break
        covered |= inside
    chosen = {numbers[at]: candidates[numbers[at]].options[option] for at, option in choice.picks.items()}
    for at in _covered(chosen, candidates):
        del chosen[at]
    choice.picks = {at: candidates[at].options.index(option) for at, option in chosen.items()}
    return chosen, choice


def entry_of(record: Record, option: Option, weight: float, why: Sequence[MatchReason]) -> Entry:
    """The packet's entry for a record shown so."""
    return Entry(
        id=record.id,
        handle=handle_of(record.id),
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
    """The packet's text: groups in order of their best entry, entries of a group in their own order."""
    groups: dict[str, list[tuple[int, int, str, Spans]]] = {}
    for record, option in shown:
        groups.setdefault(group_of(record), []).append((option.start or record.seq, record.seq, record.id, option.said))
    return joined(
        span
        for group, rows in groups.items()
        for part in (heading(group), *(said for *_, said in sorted(rows, key=lambda row: row[:3])))
        for span in part
    )


def lengths_of(spans: Spans, counter: Counter) -> tuple[int, int]:
    """Tokens of a text, and what its fences add to that."""
    text = text_of(spans)
    tokens = counter.count(text) if text else 0
    return tokens, counter.count(fenced(spans, STAND_IN)) - tokens if text else 0


def _first_price(candidate: Candidate) -> float:
    return max((candidate.weight / max(option.tokens, 1.0) for option in candidate.options), default=0.0)


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
