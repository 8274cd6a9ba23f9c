"""Retrieve: which records matter now, and which fit? seed → diffuse → assemble, pure over a snapshot.

Holds a Reader, so it cannot write. Both pipelines are searched with the same task state and meet only here:
one diffusion over both, one budget for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from clew.records import (
    FIRST_FENCE,
    STAND_IN,
    EdgeKind,
    Entry,
    Layer,
    Packet,
    Record,
    Resolution,
    Spans,
    Standing,
    TaskState,
    Tier,
    fenced,
    handle_of,
    joined,
    text_of,
)
from clew.retrieval.assemble import Candidate, Choice, Option, assemble, discounted
from clew.retrieval.deadline import Deadline
from clew.retrieval.diffuse import Flow, diffuse, frontier_ids, heaviest
from clew.retrieval.options import Originals, Showing, group_of, heading, heading_of, options_of
from clew.retrieval.seed import Seeds, seed, words_of
from clew.retrieval.weights import DEFAULT, Weights
from clew.store.index import Index
from clew.store.ports import Reader
from clew.task.clues import clues
from clew.text.embed import Embedder
from clew.text.tokens import Counter

# Prefix of its sources, and the power that makes a worth of its weights: those of code are worths already, those of sessions
# say how much of the question is held, and half of it is worth a tenth. Guess; after SHARPNESS it is the square.
PIPELINES: tuple[tuple[str, float], ...] = (("file:", 1.0), ("session:", 3.3))
TOKENS_PER_CANDIDATE = 40  # a candidate for so many tokens of budget, and one whose text is read for three times as many:
TOKENS_PER_TEXT = 128  # at 8,192 tokens 200, 256 and 320 candidates gave the same shares on 62 dev rows
CANDIDATES_MIN, CANDIDATES_MAX = 160, 2000
TEXTS_MIN, TEXTS_MAX = 24, 600
WEIGHT_SHARE_MIN = 0.00001  # of the best candidate's weight: below it a record is not worth a line
NAME_CHARS_MAX = 60  # of another record's name in a reason
# The weights tell one candidate from all others; worths are flatter, since a packet needs all that a change touches and not the
# likeliest place alone. 257 dev rows, FILE/FUNCTION/WHOLE/LINE: power 1 92/72/55/49, .7 92/75/58/51, .5 93/78/59/51 (bench/LOG.md).
SHARPNESS = 0.6
HEADS_MAX = 6  # files whose imports are candidates: a fifth of all fixes changes an import as well
HEAD_SHARE = 0.5  # of the worth of the file's best record, before SHARPNESS; LINE 51 without, 55 from .3 to .6
# What else changes with a file is not what an issue is about: on 117 issues no verdict differed with these edges or without.
OF_IMPACT = frozenset((EdgeKind.CO_CHANGES, EdgeKind.TESTS, EdgeKind.SHARES_LITERAL, EdgeKind.EDITED_TOGETHER))
SUPERSEDED_SHARE = 0.04  # what a record that is no longer true keeps of its weight; guess
FOLDED_SHARE = 0.36  # likewise one on the folded tier; guess
PRICE_SHARE_MIN = 0.00005  # stop at this share of the first step's worth per token; at ten times as much LINE falls by 2 points


@dataclass(frozen=True, slots=True)
class Ranked:
    """Documents in order of rank with their final weights, and what is needed to explain them."""

    docs: list[int]
    weights: list[float]
    seeds: Seeds
    flow: Flow | None


def retrieve(
    reader: Reader,
    workspace: str,
    state: TaskState,
    *,
    budget_tokens: int,
    counter: Counter,
    deadline: Deadline | None = None,
    embedder: Embedder | None = None,
    weights: Weights = DEFAULT,
) -> Packet:
    """Return the packet for a task state (its `question` leads) within `budget_tokens`.

    counter   counts for the model that will read the packet.
    deadline  stages that would overrun it are skipped and named in the packet.
    embedder  a local model, or None: the vector channel is then named as left out, and everything else works.
    Returns   an empty packet when nothing speaks for any record.
    """
    deadline = deadline or Deadline()
    index = reader.index(workspace)
    candidates_max = min(max(budget_tokens // TOKENS_PER_CANDIDATE, CANDIDATES_MIN), CANDIDATES_MAX)
    ranked = rank(
        reader,
        workspace,
        index,
        state,
        candidates_max=candidates_max,
        deadline=deadline,
        embedder=embedder,
        weights=weights,
    )
    ordered = _with_heads(index, ranked)
    records = {record.id: record for record in reader.records(workspace, [index.id_of(doc) for doc, _ in ordered])}
    known = [(doc, weight) for doc, weight in ordered if index.id_of(doc) in records]
    rows = [records[index.id_of(doc)] for doc, _ in known]
    originals = Originals(reader, workspace)
    texts_max = min(max(budget_tokens // TOKENS_PER_TEXT, TEXTS_MIN), TEXTS_MAX) if deadline.allows("folds") else TEXTS_MIN // 2
    best = known[0][1] if known else 1.0
    worth = discounted([(weight / best) ** SHARPNESS for _, weight in known], [group_of(record) for record in rows])
    showings = [
        Showing(record, Resolution.FULL if at < texts_max else Resolution.SIGNATURE, is_container=bool(index.has_children[doc]))
        for at, ((doc, _), record) in enumerate(zip(known, rows, strict=True))
    ]
    candidates = [
        Candidate(record.id, worth[at], group_of(record), options)
        for at, (record, options) in enumerate(zip(rows, options_of(showings, originals, counter.measure_many), strict=True))
    ]
    chosen, choice = choose(candidates, budget_tokens=budget_tokens, counter=counter, spent=counter.measure(FIRST_FENCE))
    reasons = reasons_of(index, ranked, [known[at][0] for at in sorted(choice.picks)], records, state.question)
    entries = tuple(entry_of(rows[at], option, known[at][1], reasons.get(known[at][0], ())) for at, option in sorted(chosen.items()))
    spans = render([(rows[at], option) for at, option in sorted(chosen.items())])
    tokens, fence_tokens = lengths_of(spans, counter)
    skipped = tuple(dict.fromkeys([*deadline.skipped, *(() if embedder else ("vector: no embedder is chosen",))]))
    return Packet(
        state.question, entries, spans, tokens, budget_tokens, counter.name, choice.shadow_price, choice.gap, skipped, fence_tokens
    )


def rank(
    reader: Reader,
    workspace: str,
    index: Index,
    state: TaskState,
    *,
    candidates_max: int,
    deadline: Deadline,
    embedder: Embedder | None = None,
    weights: Weights = DEFAULT,
) -> Ranked:
    """Return the documents that matter for a task state, heaviest first, at most `candidates_max`."""
    total = Seeds(np.zeros(index.size, np.float32))
    read = clues(state.question)
    for prefix, power in PIPELINES:
        found = seed(index, state, prefix=prefix, deadline=deadline, found=read, embedder=embedder, weights=weights)
        total.lexical.extend(found.lexical)
        total.weights += found.weights if power == 1.0 else found.weights ** np.float32(power)
        total.reasons.update(found.reasons)
        total.by_path.update(found.by_path)
    flow = None
    if total.weights.any() and deadline.allows("diffuse"):
        edges = tuple(edge for edge in reader.edges(workspace, frontier_ids(index, total)) if edge.kind not in OF_IMPACT)
        flow = diffuse(index, total, edges=edges)
    is_hot = (total.weights > 0) & index.alive
    live = np.flatnonzero(is_hot).astype(np.int32)
    is_hot[_age(reader, workspace, index, total)] = False
    hot = np.flatnonzero(is_hot).astype(np.int32)
    # What was archived is found when nothing else answers.
    docs = heaviest(index, total.weights, hot if len(hot) else live, candidates_max).tolist()
    worths = [float(total.weights[doc]) for doc in docs]
    kept = [(doc, worth) for doc, worth in zip(docs, worths, strict=True) if worth >= WEIGHT_SHARE_MIN * worths[0]]
    return Ranked([doc for doc, _ in kept], [weight for _, weight in kept], total, flow)


def _with_heads(index: Index, ranked: Ranked) -> list[tuple[int, float]]:
    """The ranked documents and the heads of the first files among them, in order of weight: an edit needs what its file imports."""
    worths = dict(zip(ranked.docs, ranked.weights, strict=True))
    best: dict[int, float] = {}
    for doc, worth in worths.items():
        best.setdefault(int(index.path_codes[doc]), worth)
    for code, worth in list(best.items())[:HEADS_MAX]:
        head = int(index.heads[code])
        if head >= 0:
            worths[head] = max(worths.get(head, 0.0), HEAD_SHARE * worth)
    return sorted(worths.items(), key=lambda pair: (-pair[1], index.id_of(pair[0])))


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


def entry_of(record: Record, option: Option, weight: float, why: Sequence[str]) -> Entry:
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


def _age(reader: Reader, workspace: str, index: Index, total: Seeds) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Weigh down what is no longer true or lives on a lower tier; return the archived documents."""
    archived: list[int] = []
    for record_id, standing in reader.unusual(workspace):
        for doc in index.docs_of([record_id]).tolist():
            if total.weights[doc] <= 0:
                continue
            total.weights[doc] *= np.float32(_share(standing))
            total.reasons.setdefault(doc, []).append(_said(standing))
            if standing.tier == Tier.ARCHIVED:
                archived.append(doc)
    return np.array(archived, np.int32)


def _share(standing: Standing) -> float:
    share = SUPERSEDED_SHARE if not standing.is_live else 1.0
    return share * (FOLDED_SHARE if standing.tier == Tier.FOLDED else 1.0)


def _said(standing: Standing) -> str:
    if standing.is_live:
        return f"on the {standing.tier.name.lower()} tier"
    by = f" by ⟨{handle_of(standing.superseded_by)}⟩" if standing.superseded_by else ""
    return f"no longer true: {standing.reason or 'superseded'}{by}"


def reasons_of(
    index: Index, ranked: Ranked, docs: Sequence[int], records: Mapping[str, Record], question: str
) -> dict[int, tuple[str, ...]]:
    """Reasons in words for the chosen documents, strongest first."""
    matches = [found.matching(docs) for found in ranked.seeds.lexical]
    said = words_of(question)
    words = [[said.get(term, term) for match in matches for term in match[at]] for at in range(len(docs))]
    given = ranked.flow.reasons(index, docs) if ranked.flow else {}
    out: dict[int, tuple[str, ...]] = {}
    for doc, matched in zip(docs, words, strict=True):
        of_file = ranked.seeds.by_path.get(int(index.path_codes[doc]), "")
        why = list(dict.fromkeys((*ranked.seeds.reasons.get(doc, ()), *((of_file,) if of_file else ()))))[:3]
        if matched:
            why.append("words: " + ", ".join(dict.fromkeys(matched)))
        if doc in given:
            form, tail = given[doc]
            told = records.get(index.id_of(tail))
            name = told.name if told else "another record"
            why.append(form.format(name if len(name) <= NAME_CHARS_MAX else name[: NAME_CHARS_MAX - 1] + "…"))
        out[doc] = tuple(why or ["its file matches"])
    return out
