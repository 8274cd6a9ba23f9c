"""Compact: build the window that replaces a session's conversation at a compaction, or a hand-off of its task state alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import msgspec

from clew.compaction import compressed
from clew.compaction.compact import ShownLines
from clew.compaction.compact import compact as choose_lines
from clew.compaction.earlier import build_section
from clew.compaction.keep import ScoringNetwork
from clew.errors import UnknownRecord
from clew.lifecycle.apply import apply_deltas
from clew.packet.options import OriginalCache
from clew.packet.retrieve import count_tokens
from clew.ranking.question import Question
from clew.recall.recall import recall
from clew.records import Observation, ObservationKind, Packet, Spans, TaskState, make_handle, merge_spans
from clew.settings import Settings
from clew.store.memory import MemoryStore
from clew.store.ports import LOCAL, Reader, Snapshot, Writer
from clew.task.tracker import TaskTracker
from clew.text.tokens import TokenCounter, make_counter
from clew.transcript.follow import read_deltas, transcript_source
from clew.transcript.handoff import render_handoff
from clew.transcript.parse import open_transcript
from clew.transcript.session_files import SessionFiles
from clew.usecases import ingest
from clew.usecases.inputs import check_budget, load_configured_embedder, render_for_counting
from clew.usecases.places import find_memory, find_session_root
from clew.usecases.work_tree import ask_git

# Shares of a compaction's budget for the hand-off and, on top, for the last request in it: the rest goes to lines (bench/LOG.md).
_HANDOFF_SHARE_MAX, _REQUEST_SHARE_MAX = 0.25, 0.15
# Tokens of the hand-off beside its share, as claims are short and quoted lines long; and the most of a budget that it takes in all.
_HANDOFF_TOKENS_MIN, _HANDOFF_SHARE_LIMIT = 800, 1.0
_EARLIER_SHARE_MAX = 0.15  # of a compaction's budget, for turns of other sessions, if requested; guess
EARLIER_COMPACTIONS_MAX = 4  # of one session that a later one takes into account: each is computed again, at the same cost; guess


@dataclass(frozen=True, slots=True)
class CompactionInput:
    """A session up to the point where it is compacted: its records in a store of their own and its task state.

    source        name of the session's source in `store`; counter  counts tokens for the model that reads the result.
    at_ns         time of the last observation, 0 when unknown.
    load_earlier  returns the input of the client's previous compaction, None if there was none: what was shown in that window is
                  shown in the same form while it is true.
    """

    store: Writer
    workspace: str
    source: str
    state: TaskState
    counter: TokenCounter
    at_ns: int
    load_earlier: Callable[[], CompactionInput | None]

    def build_packet(self, budget_tokens: int, networks: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> Packet:
        """Return the compacted window, at most `budget_tokens` long; `networks` replace the shipped scoring networks."""
        return self.select_lines(budget_tokens, networks)[0]

    def select_lines(self, budget_tokens: int, networks: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> tuple[Packet, ShownLines]:
        """Return the compacted window, and which lines of each record it shows."""
        earlier = self.load_earlier()
        kept = earlier.select_lines(budget_tokens, networks)[1] if earlier else None
        with self.store.snapshot(LOCAL, self.workspace) as snapshot:
            return self._from(snapshot, budget_tokens, kept, networks)

    def _from(
        self, snapshot: Snapshot, budget_tokens: int, kept: ShownLines | None, using: tuple[ScoringNetwork, ScoringNetwork] | None
    ) -> tuple[Packet, ShownLines]:
        handles = {record.uuid: make_handle(record.id) for record in snapshot.records_of_sources(self.source) if record.uuid}
        asked = min(self.counter.count(self.state.question), _REQUEST_SHARE_MAX * budget_tokens)
        share = _HANDOFF_TOKENS_MIN + _HANDOFF_SHARE_MAX * budget_tokens
        most = int(min(share + asked, _HANDOFF_SHARE_LIMIT * budget_tokens))

        def render(left: int) -> Spans:
            return render_handoff(self.state, self.counter.count, min(most, left), handles, render=render_for_counting)

        return choose_lines(
            snapshot, self.source, self.state,
            render_front=render, budget_tokens=budget_tokens, counter=self.counter, kept=kept, using=using,
        )  # fmt: skip


def compact(
    store: Writer, settings: Settings, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path,
    with_earlier: bool = False,
) -> Packet:  # fmt: skip
    """Return a packet of at most `budget_tokens` that replaces a session's conversation: its task state and selected lines.

    session       path of a transcript, ingested first, so that `clew unfold` knows its handles; or the id of an ingested one.
    at            the record before which the session is compacted: its uuid or 0-based line; None for the end. Later lines are not read.
    path          the repository that it belongs to.
    with_earlier  add turns of other sessions of the repository that are relevant for the last request.
    Raises UnknownRecord for `at`, UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    """
    key, _ = find_memory(store, path)
    budget_tokens = check_budget(budget_tokens)
    found, lines = ingest.load_transcript(store, settings, key, session, path)
    made = load_compaction_input(store, found, lines[: find_line(lines, at)], tokenizer=tokenizer, path=path)
    return _with_earlier(store, settings, path, made, found.id, budget_tokens) if with_earlier else made.build_packet(budget_tokens)


def hand_off(store: Reader, session: str, *, budget_tokens: int, tokenizer: str, path: Path) -> Spans:
    """Return a session's task state as text of at most `budget_tokens`, fences included; () if the user requested nothing in it.

    session  path of a transcript, which is read but not ingested to save time (its handles can be unfolded once it is); or the id of
             an ingested one.
    Raises UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    """
    key, _ = find_memory(store, path)
    file = Path(session)
    if file.is_file():
        found = ingest.identify_session(file)
        with open_transcript(file) as stream:
            lines = stream.readlines()
    else:
        found, lines = ingest.load_stored_transcript(store, key, session)
    made = load_compaction_input(store, found, lines, tokenizer=tokenizer, path=path, earlier_max=0, is_live=True)
    if not made.state.goals:
        return ()
    return render_handoff(made.state, made.counter.count, check_budget(budget_tokens), {}, render=render_for_counting)


def load_compaction_input(
    store: Reader,
    session: SessionFiles,
    lines: Sequence[bytes],
    *,
    tokenizer: str,
    path: Path,
    root: Path | None = None,
    earlier_max: int = EARLIER_COMPACTIONS_MAX,
    is_live: bool = False,
) -> CompactionInput:
    """Parse these lines of a session's transcript, and return what compacting them to any budget needs.

    root         root of its repository, if that is no folder of this machine; None for the repository that holds `path`.
    earlier_max  earlier compactions of the session that are taken into account at most.
    is_live      the state is of now: git is asked how the session's files stand.
    """
    key, held_in = find_memory(store, path)
    root = root or find_session_root(session.cwd, held_in)
    base = str(root) if not session.cwd or Path(session.cwd).is_relative_to(root) else session.cwd
    prefix = MemoryStore()
    prefix.open_workspace(key, str(root))
    observations: list[Observation] = []
    task = TaskTracker(root=base)
    apply_deltas(prefix, key, read_deltas(lines, session=session, root=str(root), observers=(task.observe, observations.append)))
    if is_live and session.cwd and (answer := ask_git(task.state(), Path(base), observations)):
        task.observe(answer)
    with store.snapshot(LOCAL, key) as known, prefix.snapshot(LOCAL, key) as held:
        made = compressed.copy_compressed(known, session.id, held)
    apply_deltas(prefix, key, made)
    return CompactionInput(
        prefix,
        key,
        transcript_source(session),
        _with_last_request(task.state()),
        make_counter(tokenizer),
        max((each.at_ns for each in observations), default=0),
        cache(partial(_load_earlier, store, session, lines, observations, tokenizer=tokenizer, path=path, root=root, back=earlier_max)),
    )


def _load_earlier(
    store: Reader, session: SessionFiles, lines: Sequence[bytes], seen: Sequence[Observation], *, tokenizer: str, path: Path, root: Path,
    back: int,
) -> CompactionInput | None:  # fmt: skip
    """Return the input of the client's last compaction in these lines; None if there is none, or `back` is 0."""
    cuts = [each.record_index for each in seen if each.kind is ObservationKind.BOUNDARY and not each.agent]
    if not cuts or not back:
        return None
    return load_compaction_input(store, session, lines[: cuts[-1]], tokenizer=tokenizer, path=path, root=root, earlier_max=back - 1)


def _with_earlier(store: Reader, settings: Settings, path: Path, made: CompactionInput, session: str, budget_tokens: int) -> Packet:
    """Return a compaction with turns of other sessions, for which at most _EARLIER_SHARE_MAX of the budget is set aside."""
    with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
        question = Question.of(made.state.question)
        recalled = recall(snapshot, question, exclude=[session], asked_ns=made.at_ns, embedder=load_configured_embedder(settings))
        share = int(_EARLIER_SHARE_MAX * budget_tokens)
        spans, entries = build_section(recalled.turns, OriginalCache(snapshot), budget_tokens=share, counter=made.counter)
    packet = made.build_packet(budget_tokens - made.counter.count(render_for_counting(spans)))
    whole = merge_spans((*packet.spans, *spans))
    tokens, fence_tokens = count_tokens(whole, made.counter)
    if tokens + fence_tokens > budget_tokens:  # a tokenizer may count the whole higher than its parts
        return made.build_packet(budget_tokens)
    return replace(
        packet, entries=(*packet.entries, *entries), spans=whole, tokens=tokens, fence_tokens=fence_tokens, budget_tokens=budget_tokens
    )


def _with_last_request(state: TaskState) -> TaskState:
    """Return the state with its last request and what the user chose since as the question, "" if there was no request."""
    if not state.goals:
        return replace(state, question="")
    chosen = [reply.chosen for reply in state.replies if reply.is_typed and reply.chosen and reply.seq >= state.goals[-1].seq]
    return replace(state, question="\n".join((state.goals[-1].text, *chosen)))


def find_line(lines: Sequence[bytes], at: str | None) -> int:
    """Return the number of lines before the record `at`. Raises UnknownRecord if no line has that uuid."""
    if at is None:
        return len(lines)
    if at.isdecimal():
        return min(int(at), len(lines))
    wanted = at.encode()
    for number, line in enumerate(lines):
        if wanted in line and _uuid_of(line) == at:
            return number
    raise UnknownRecord(at, len(lines))


def _uuid_of(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Named).uuid
    except msgspec.DecodeError:  # a broken line has no uuid that could be meant
        return ""


class _Named(msgspec.Struct):
    uuid: str = ""
