"""Choose what is added to a user's prompt before the agent reads it, if anything.

What is added is read again in every later request, so it names places to look in, in one line each, and only those that the agent
will probably reach for: each candidate's probability is estimated (`clew.augment.model`), and what is less likely than the threshold
is left out. Most prompts get nothing, and nothing is added twice to one window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from clew.augment.evidence import FileCandidate, collect_candidates
from clew.augment.model import AdditionModel, load_model
from clew.augment.noise import NoiseFilter
from clew.packet.options import OriginalCache, attribute_text
from clew.packet.retrieve import count_tokens
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.recall.heading import make_turn_heading
from clew.recall.recall import Turn, recall
from clew.records import (
    PLACEHOLDER_NONCE,
    Layer,
    Noise,
    Packet,
    PacketEntry,
    Record,
    Resolution,
    Spans,
    TaskState,
    Withheld,
    clew_span,
    join_text,
    make_handle,
    merge_spans,
    outside_span,
    render_fenced,
)
from clew.records.wording import describe_reason
from clew.store.ports import Snapshot
from clew.task.replies import is_assent
from clew.text.embed import Embedder
from clew.text.tokens import TokenCounter

FILES_MAX = 10  # a long plan names as many; 6 and 20 gave the same precision (bench/LOG.md)
# Files that a session's state brings forward for a question, and the least probability. Five files gave the same, .3 less (bench/LOG.md).
EXPECTED_MAX, EXPECTED_MIN = 3, 0.1
TURNS_MAX = 2  # guess
REASONS_MAX = 2  # in a line
TURN_CHARS_MAX = 280  # of one turn: its beginning; the whole is a handle away. Guess
WORDS_MIN = 4  # of a prompt that asks for earlier talk; guess
_OPENING = "Files that this is probably about (clew, from the index and the session; `unfold` takes the handles in brackets):"
_SAID = "Said in earlier sessions of this repository (may be out of date):"


def is_searchable(prompt: str) -> bool:
    """Return whether a prompt has content to search for: it is no command and no message of the client."""
    text = prompt.strip()
    return bool(text) and not text.startswith(("/", "<", "!"))


def rank_candidates(
    snapshot: Snapshot, question: Question, task: TaskState, *, is_file: Callable[[str], bool], deadline: Deadline,
    embedder: Embedder | None, model: AdditionModel | None = None,
) -> list[tuple[float, FileCandidate]]:  # fmt: skip
    """Return (probability that the agent reaches for it, file) for every candidate of a prompt, likeliest first; ties by path.

    model  None for that of the release.
    """
    found = collect_candidates(snapshot, question, task, is_file=is_file, deadline=deadline, embedder=embedder)
    chances = (model or load_model()).estimate([one.row() for one in found])
    return sorted(zip(chances, found, strict=True), key=lambda pair: (-pair[0], pair[1].path))


def expect_files(
    snapshot: Snapshot, question: Question, *, is_file: Callable[[str], bool], deadline: Deadline, embedder: Embedder | None,
    model: AdditionModel | None = None,
) -> dict[str, float]:  # fmt: skip
    """Return the files, by path with their probabilities, that the agent that asks will go on with, as its task state says."""
    alone = replace(question, task=TaskState())  # the model was fitted to what a prompt finds by itself
    likely = rank_candidates(snapshot, alone, question.task, is_file=is_file, deadline=deadline, embedder=embedder, model=model)
    return {one.path: chance for chance, one in likely[:EXPECTED_MAX] if chance >= EXPECTED_MIN}


def choose_additions(
    snapshot: Snapshot, memory: Snapshot, question: Question, task: TaskState, *, session: str, seen: Collection[str],
    counter: TokenCounter, budget_tokens: int, asked_ns: int, is_file: Callable[[str], bool], deadline: Deadline, embedder: Embedder | None,
    noise: Sequence[tuple[str, Noise]] = (),
) -> Packet:  # fmt: skip
    """Return what to add to a prompt, at most `budget_tokens` long; a packet without entries where nothing is likely enough.

    snapshot  of the code; memory  of the sessions, which work trees of one repository share.
    question  the prompt; task  what the agent was working on before it.
    session   the running one, whose own turns are left out; seen  handles of the records that the window already shows.
    is_file   whether the repository holds a file at a path, for files that are not in the index.
    noise     what the user called noise in this repository, by the handles of the marks.
    Returns   entries: of a file, `weight` is the estimated probability that the agent reaches for it; of a turn, recall's score.
    """
    if not budget_tokens or not is_searchable(question.text):
        return Packet(question.text, (), (), 0, budget_tokens, counter.name, 0.0, 0.0)
    likely = rank_candidates(snapshot, question, task, is_file=is_file, deadline=deadline, embedder=embedder)
    rejected = NoiseFilter.of(noise, question, asked_ns)
    files, withheld = _without_noise([pair for pair in likely if pair[0] >= load_model().threshold], rejected)
    turns: Sequence[Turn] = ()
    if len(question.word_set) >= WORDS_MIN and not is_assent(question.text):
        turns_max = TURNS_MAX + len(seen) + len(rejected.marks)
        turns = recall(
            memory, question, exclude=[session] if session else (), asked_ns=asked_ns, turns_max=turns_max, embedder=embedder
        ).turns  # fmt: skip
        against = [rejected.find("", make_handle(turn.record.id)) for turn in turns]
        turns = [turn for turn, mark in zip(turns, against, strict=True) if mark is None]
        withheld += [mark for mark in against if mark is not None]
    spans: Spans = ()
    entries: list[PacketEntry] = []
    for group, rows in ((_OPENING, _of_files(snapshot, files[:FILES_MAX], seen)), (_SAID, _of_sessions(memory, turns, seen))):
        is_open = False
        for entry, text in rows:
            more = (*spans, *([] if is_open else [clew_span(group + "\n")]), *text, clew_span("\n"))
            if counter.count(render_fenced(more, PLACEHOLDER_NONCE)) > budget_tokens:
                break
            spans, is_open = more, True
            entries.append(replace(entry, tokens=counter.count(join_text(text))))
    spans = merge_spans(spans)
    tokens, fence_tokens = count_tokens(spans, counter)
    skipped = tuple(dict.fromkeys(deadline.skipped))
    return Packet(
        question.text, tuple(entries), spans, tokens, budget_tokens, counter.name, 0.0, 0.0, skipped, fence_tokens, withheld=tuple(withheld)
    )  # fmt: skip


def _without_noise(
    files: Sequence[tuple[float, FileCandidate]], rejected: NoiseFilter
) -> tuple[list[tuple[float, FileCandidate]], list[Withheld]]:  # fmt: skip
    """The files without those that were called noise, and those."""

    def find(one: FileCandidate) -> Withheld | None:
        is_named = bool(one.values.get("named") or one.values.get("basename"))
        return rejected.find(one.path, "", is_named=is_named)

    found = [(pair, find(pair[1])) for pair in files]
    return [pair for pair, against in found if against is None], [against for _, against in found if against is not None]


def _of_files(snapshot: Snapshot, files: Sequence[tuple[float, FileCandidate]], seen: Collection[str]) -> list[tuple[PacketEntry, Spans]]:
    rows: list[tuple[PacketEntry, Spans]] = []
    for probability, one in files:
        record = _find_record(snapshot, one)
        handle = make_handle(record.id) if record else ""
        if handle in seen:
            continue
        start, end = (record.full_text.start_line, record.full_text.end_line) if record and record.name != one.path else (0, 0)
        place = f"{one.path}:{start}-{end} {record.name}" if record and start else one.path
        why = tuple(dict.fromkeys((*one.why, *(one.found.why if one.found else ()))))[:REASONS_MAX]
        line = " ".join(f"{place} ({'; '.join(map(describe_reason, why))})".splitlines()) if why else place
        spans = (clew_span(f"[{handle}] "), outside_span(line)) if handle else (outside_span(line),)
        entry = PacketEntry(
            record.id if record else "", handle, Layer(record.layer) if record else Layer.FACT, record.kind if record else "file",
            record.name if record else one.path, Resolution.NAME, 0, round(probability, 4), why, join_text(spans), False,
            one.path, start, end,
        )  # fmt: skip
        rows.append((entry, spans))
    return rows


def _find_record(snapshot: Snapshot, one: FileCandidate) -> Record | None:
    """The record that stands for a file: the symbol that the prompt is about, else the file as a whole. None if it is not indexed."""
    documents = snapshot.documents
    code = documents.path_numbers.get(one.path)
    if one.found and one.found.handle:
        ids = snapshot.find(one.found.handle)
    elif code is not None and (doc := int(documents.file_documents[code])) >= 0:
        ids = [documents.id_of(doc)]
    else:
        return None
    return next(iter(snapshot.records(ids[:1])), None)


def _of_sessions(snapshot: Snapshot, turns: Sequence[Turn], seen: Collection[str]) -> list[tuple[PacketEntry, Spans]]:
    shown = [turn for turn in turns if make_handle(turn.record.id) not in seen and not turn.replaced_by and turn.status.is_live][:TURNS_MAX]
    originals = OriginalCache(snapshot)
    originals.read(turn.record.full_text for turn in shown)
    rows: list[tuple[PacketEntry, Spans]] = []
    for turn in shown:
        record, handle = turn.record, make_handle(turn.record.id)
        whole = " ".join(originals.text_of(record.full_text).split())
        text = whole if len(whole) <= TURN_CHARS_MAX else whole[:TURN_CHARS_MAX].rsplit(" ", 1)[0] + " …"
        spans = (
            *make_turn_heading(turn),
            clew_span(": "),
            *attribute_text(record, text),
        )
        entry = PacketEntry(
            record.id, handle, Layer(record.layer), record.kind, record.name, Resolution.SIGNATURE, 0, round(turn.score, 6), turn.why,
            join_text(spans), len(text) == len(whole), record.path, session=record.session, uuid=record.uuid,
        )  # fmt: skip
        rows.append((entry, spans))
    return rows
