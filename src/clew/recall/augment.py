"""Augment: choose what is added to a user's prompt before the agent reads it, if anything.

What is added is read again in every later request, so it names places to look in, in one line each, and only those with
evidence: files that the prompt names, or whose best symbol contains several of its words; and turns of other sessions where
recall is confident. A prompt that only lets the agent continue gets nothing, and nothing is added twice to one window.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from clew.packet.options import OriginalCache, attribute_text
from clew.packet.retrieve import count_tokens
from clew.ranking.deadline import Deadline
from clew.ranking.files import FileList, RankedFile, rank_files
from clew.ranking.question import STOP_WORDS, Question
from clew.recall.recall import Turn, recall
from clew.records import (
    PLACEHOLDER_NONCE,
    Layer,
    MatchKind,
    Packet,
    PacketEntry,
    Resolution,
    Spans,
    clew_span,
    join_text,
    make_handle,
    merge_spans,
    outside_span,
    render_fenced,
)
from clew.records.wording import describe_end, describe_reason
from clew.store.ports import Snapshot
from clew.task.replies import is_assent
from clew.text.embed import Embedder
from clew.text.tokens import TokenCounter

WORDS_MIN = 4  # of a prompt that names nothing: fewer fit anything; guess
NEAR_SHARE, NEAR_WORDS, NEAR_COVER = 0.4, 3, 0.5  # of the best file's score; words in common, and their share of the prompt's. Guess
FILES_MAX, TURNS_MAX = 6, 3  # guess
TURN_CHARS_MAX = 280  # of one turn: its beginning; the whole is a handle away. Guess
NAMED = frozenset((MatchKind.NAMED, MatchKind.PATH, MatchKind.FRAME))
_OPENING = "Where this may be found, from the index of the repository (clew; `unfold` takes the handles in brackets):"
_SAID = "Said in earlier sessions of this repository (may be out of date):"


def is_searchable(prompt: str) -> bool:
    """Return whether a prompt has content to search for: it is no command, no message of the client, and no mere assent."""
    text = prompt.strip()
    return bool(text) and not text.startswith(("/", "<", "!", "#")) and not is_assent(text)


def has_enough_to_search(question: Question) -> bool:
    """Return whether a prompt names a place in code, or has at least WORDS_MIN words to search for."""
    found = question.clues
    return bool(found.paths or found.identifiers or found.dotted or found.frames) or len(set(question.words)) >= WORDS_MIN


def augment_prompt(
    snapshot: Snapshot, question: Question, *, session: str, seen: Collection[str], counter: TokenCounter, budget_tokens: int,
    asked_ns: int, deadline: Deadline, embedder: Embedder | None,
) -> Packet:  # fmt: skip
    """Return what to add to a prompt, at most `budget_tokens` long; a packet without entries where nothing relevant was found.

    session  the running one, whose own turns are left out.
    seen     handles of the records that the window already shows.
    """
    if not budget_tokens or not is_searchable(question.text) or not has_enough_to_search(question):
        return Packet(question.text, (), (), 0, budget_tokens, counter.name, 0.0, 0.0)
    turns = recall(
        snapshot, question, exclude=[session] if session else (), asked_ns=asked_ns, turns_max=TURNS_MAX + len(seen), embedder=embedder
    ).turns
    found = rank_files(snapshot, question, limit=FILES_MAX + len(seen), deadline=deadline, embedder=embedder)
    spans: Spans = ()
    entries: list[PacketEntry] = []
    for group, rows in ((_OPENING, _of_code(question, found, seen)), (_SAID, _of_sessions(snapshot, turns, seen))):
        opened = False
        for entry, text in rows:
            more = (*spans, *([] if opened else [clew_span(group + "\n")]), *text, clew_span("\n"))
            if counter.count(render_fenced(more, PLACEHOLDER_NONCE)) > budget_tokens:
                break
            spans = more
            entries.append(entry)
            opened = True
    spans = merge_spans(spans)
    tokens, fence_tokens = count_tokens(spans, counter)
    return Packet(question.text, tuple(entries), spans, tokens, budget_tokens, counter.name, 0.0, 0.0, found.skipped, fence_tokens)


def _of_code(question: Question, found: FileList, seen: Collection[str]) -> list[tuple[PacketEntry, Spans]]:
    rows: list[tuple[PacketEntry, Spans]] = []
    asked = len(question.word_set - STOP_WORDS)
    for file in found.files:
        if len(rows) == FILES_MAX:
            break
        if not file.handle or file.handle in seen or not (_is_named(file) or _is_near(file, asked)):
            continue
        name = f" {file.name}" if file.name and file.name != file.path else ""
        where = " ".join(f"{file.path}:{max(file.line, 1)}{name} ({'; '.join(map(describe_reason, file.why[:2]))})".splitlines())
        text = (clew_span(f"[{file.handle}] "), outside_span(where))
        entry = PacketEntry(
            file.handle, file.handle, Layer.FACT, "file", file.name or file.path, Resolution.NAME, 0, round(file.score, 6),
            file.why, join_text(text), False, file.path, file.line,
        )  # fmt: skip
        rows.append((entry, text))
    return rows


def _is_named(file: RankedFile) -> bool:
    return any(reason.kind in NAMED for reason in file.why)


def _is_near(file: RankedFile, asked: int) -> bool:
    common = next((len(reason.values) for reason in file.why if reason.kind is MatchKind.WORDS), 0)
    return file.score >= NEAR_SHARE and common >= max(NEAR_WORDS, NEAR_COVER * min(asked, 2 * 4))  # a reason names four words at most


def _of_sessions(snapshot: Snapshot, turns: Sequence[Turn], seen: Collection[str]) -> list[tuple[PacketEntry, Spans]]:
    shown = [turn for turn in turns if make_handle(turn.record.id) not in seen and not turn.replaced_by][:TURNS_MAX]
    originals = OriginalCache(snapshot)
    originals.read(turn.record.full_text for turn in shown)
    rows: list[tuple[PacketEntry, Spans]] = []
    for turn, status in zip(shown, snapshot.statuses([turn.record.id for turn in shown]), strict=True):
        record, handle = turn.record, make_handle(turn.record.id)
        whole = " ".join(originals.text_of(record.full_text).split())
        text = whole if len(whole) <= TURN_CHARS_MAX else whole[:TURN_CHARS_MAX].rsplit(" ", 1)[0] + " …"
        spans = (
            clew_span(f"[{handle}] {record.kind}"),
            *((outside_span(f", suspect: {describe_end(status.reason, is_doubt=True)}"),) if status.is_suspect else ()),
            clew_span(": "),
            *attribute_text(record, text),
        )
        entry = PacketEntry(
            record.id, handle, Layer(record.layer), record.kind, record.name, Resolution.SIGNATURE, 0, round(turn.score, 6), turn.why,
            join_text(spans), len(text) == len(whole), record.path, session=record.session, uuid=record.uuid,
        )  # fmt: skip
        rows.append((entry, spans))
    return rows
