"""Compact: build the window that replaces a session's conversation at a compaction, or a hand-off of its task state alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from math import inf
from pathlib import Path

import xxhash

from clew.compaction import compressed
from clew.compaction.compact import ShownLines, main_thread_records
from clew.compaction.compact import compact as choose_lines
from clew.compaction.earlier import build_section
from clew.compaction.keep import ScoringNetwork
from clew.lifecycle.apply import apply_deltas
from clew.lifecycle.marks import StoredMark
from clew.packet.options import OriginalCache
from clew.packet.retrieve import count_tokens
from clew.ranking.question import Question
from clew.recall.recall import recall
from clew.records import (
    Correction,
    Observation,
    ObservationKind,
    Packet,
    PinnedLines,
    Spans,
    TaskState,
    clew_span,
    make_handle,
    merge_spans,
)
from clew.records.wording import describe_time
from clew.settings import Settings
from clew.store.memory import MemoryStore
from clew.store.ports import LOCAL, Reader, Snapshot, Writer
from clew.text.tokens import TokenCounter, make_counter
from clew.transcript.follow import load_stored_progress, read_deltas, transcript_source
from clew.transcript.handoff import render_handoff
from clew.transcript.progress import CUTS_MAX, SessionProgress, start_progress
from clew.transcript.session_files import SessionFiles
from clew.usecases import ingest
from clew.usecases.inputs import check_budget, get_source_state, is_there, load_configured_embedder, render_for_counting
from clew.usecases.marks import SessionMarks, correct_state
from clew.usecases.places import find_memory, find_session_root
from clew.usecases.progress import find_line, read_progress
from clew.usecases.work_tree import ask_git

# Shares of a compaction's budget for the hand-off and, on top, for the last request in it: the rest goes to lines (bench/LOG.md).
_HANDOFF_SHARE_MAX, _REQUEST_SHARE_MAX = 0.25, 0.15
# Tokens of the hand-off beside its share, as claims are short and quoted lines long; and the most of a budget that it takes in all.
_HANDOFF_TOKENS_MIN, _HANDOFF_SHARE_LIMIT = 800, 1.0
_EARLIER_SHARE_MAX = 0.15  # of a compaction's budget, for turns of other sessions, if requested; guess
EARLIER_COMPACTIONS_MAX = CUTS_MAX  # of one session that a later one takes into account: each costs as much again, once a process
_SELECTED_MAX = 64  # earlier compactions of which a process holds the lines, each some hundred numbers
_selected: dict[bytes, ShownLines] = {}


@dataclass(frozen=True, slots=True)
class CompactionInput:
    """A session up to the point where it is compacted: its records in a store of their own and its task state.

    source        name of the session's source in `store`; counter  counts tokens for the model that reads the result.
    at_ns         time of the last observation, 0 when unknown.
    as_of_ns      the time whose records of `store` are meant, 0 for all; only those before the observation `seq_end`, None for all.
    load_earlier  returns the input of the client's previous compaction, None if there was none: what was shown in that window is
                  shown in the same form while it is true.
    pins          what a person decided about lines of it, as it held at that time.
    """

    store: Writer
    workspace: str
    source: str
    state: TaskState
    counter: TokenCounter
    at_ns: int
    load_earlier: Callable[[], CompactionInput | None]
    as_of_ns: int = 0
    seq_end: int | None = None
    pins: PinnedLines = field(default_factory=PinnedLines)

    def build_packet(
        self, budget_tokens: int, networks: tuple[ScoringNetwork, ScoringNetwork] | None = None, rate_min: float | None = None
    ) -> Packet:
        """Return the compacted window, at most `budget_tokens` long; `networks` replace the shipped scoring networks.

        rate_min  a threshold for lines (`clew.compaction.level`), whatever they cost; hand-off and last actions are sized by the budget.
        """
        if rate_min is None:
            return self.select_lines(budget_tokens, networks)[0]
        with self.store.snapshot(LOCAL, self.workspace, self.as_of_ns) as snapshot:
            return self._from(snapshot, budget_tokens, None, networks, rate_min)[0]

    def select_lines(self, budget_tokens: int, networks: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> tuple[Packet, ShownLines]:
        """Return the compacted window, and which lines of each record it shows."""
        earlier = self.load_earlier()
        kept = earlier.find_shown(budget_tokens, networks) if earlier else None
        with self.store.snapshot(LOCAL, self.workspace, self.as_of_ns) as snapshot:
            return self._from(snapshot, budget_tokens, kept, networks)

    def find_shown(self, budget_tokens: int, networks: tuple[ScoringNetwork, ScoringNetwork] | None = None) -> ShownLines:
        """Return the lines that `select_lines` shows; a process selects once for equal inputs."""
        earlier = self.load_earlier()
        kept = earlier.find_shown(budget_tokens, networks) if earlier else None
        with self.store.snapshot(LOCAL, self.workspace, self.as_of_ns) as snapshot:
            if networks:
                return self._from(snapshot, budget_tokens, kept, networks)[1]
            key = self._digest_inputs(snapshot, budget_tokens, kept)
            shown = _selected.pop(key, None) or self._from(snapshot, budget_tokens, kept, None)[1]
        _selected[key] = shown  # behind those that were used before it
        while len(_selected) > _SELECTED_MAX:
            _selected.pop(next(iter(_selected)), None)
        return shown

    def _digest_inputs(self, snapshot: Snapshot, budget_tokens: int, kept: ShownLines | None) -> bytes:
        """Return a hash of all that decides which lines are shown here; a purge changes it, later lines of the session do not."""
        records, statuses = main_thread_records(snapshot, self.source, self.seq_end)
        others = snapshot.records_of_sources(self.source, compressed.compressed_source(self.source.removeprefix("session:")))
        told = [(each.id, status.is_live, status.reason) for each, status in zip(records, statuses, strict=True)]
        given = (budget_tokens, self.counter.name, self.source, told, [each.id for each in others], self.state, self.pins, kept)
        return xxhash.xxh3_128_digest(repr(given).encode("utf-8", "surrogatepass"))

    def _from(
        self,
        snapshot: Snapshot,
        budget_tokens: int,
        kept: ShownLines | None,
        using: tuple[ScoringNetwork, ScoringNetwork] | None,
        rate_min: float | None = None,
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
            seq_end=self.seq_end, pins=self.pins, rate_min=rate_min,
        )  # fmt: skip


def compact(
    store: Writer, settings: Settings, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path,
    with_earlier: bool = False, rate_min: float | None = None,
) -> Packet:  # fmt: skip
    """Return a packet of at most `budget_tokens` that replaces a session's conversation: its task state and selected lines.

    session       path of a transcript, ingested first, so that `clew unfold` knows its handles; or the id of an ingested one.
    at            the record before which the session is compacted: its uuid or 0-based line; None for the end. Later lines are not read.
    path          the repository that it belongs to.
    with_earlier  add turns of other sessions of the repository that are relevant for the last request.
    rate_min      keep every line above this threshold (`clew.compaction.level`), beyond the budget if need be; without turns of others.
    Raises UnknownRecord for `at`, UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    """
    key, _ = find_memory(store, path)
    budget_tokens = check_budget(budget_tokens)
    is_file = is_there(session)
    found = ingest.ingest_transcript(store, settings, session, path) if is_file else ingest.find_stored_session(store, key, session)
    made = load_stored_input(store, key, found, tokenizer) if at is None else None
    if made is None:
        found, lines = ingest.load_transcript(store, settings, key, session, path)
        made = load_compaction_input(store, found, lines[: find_line(lines, at)], tokenizer=tokenizer, path=path, is_end=at is None)
    if with_earlier and rate_min is None:
        return _with_earlier(store, settings, path, made, found.id, budget_tokens)
    return made.build_packet(budget_tokens, rate_min=rate_min)


def load_stored_input(store: Writer, key: str, session: SessionFiles, tokenizer: str) -> CompactionInput | None:
    """Return what compacting an ingested session at its end needs, from its records and its stored state; None if that cannot be read.

    Which of its records were true at an earlier compaction is told by their times, which may differ in single ones from a reading of
    the transcript: that decides only in which form lines are shown that are true now.
    """
    source, counter = transcript_source(session), make_counter(tokenizer)
    stored = get_source_state(store, key, source)
    kept = load_stored_progress(stored) if stored else None
    if kept is None or not all(cut.at_ns for cut in kept[0].cuts):  # without times nobody knows which records were there
        return None
    progress, cuts, marks = kept[0], kept[0].cuts, SessionMarks(store, key, session.id)

    def load_earlier(number: int) -> CompactionInput | None:
        if not number:
            return None
        cut = cuts[number - 1]
        earlier = cache(partial(load_earlier, number - 1))
        state = _with_last_request(marks.correct(cut.load_state(), progress.places, until_ns=cut.at_ns))
        pins = marks.read_pins(until_ns=cut.at_ns)
        return CompactionInput(store, key, source, state, counter, cut.at_ns, earlier, as_of_ns=cut.at_ns, seq_end=cut.seq, pins=pins)

    last = cache(partial(load_earlier, len(cuts)))
    state = _with_last_request(marks.correct(progress.tracker.state(), progress.places))
    return CompactionInput(store, key, source, state, counter, progress.at_ns, last, pins=marks.read_pins())


def hand_off(
    store: Reader, session: str, *, budget_tokens: int, tokenizer: str, path: Path, seconds_max: float = inf
) -> Spans:  # fmt: skip
    """Return a session's task state as text of at most `budget_tokens`, fences included; () if the user requested nothing in it.

    seconds_max  time to read what the transcript has gained since it was ingested; a state of before that says so.

    session  path of a transcript, which is read but not ingested to save time (its handles can be unfolded once it is); or the id of
             an ingested one.
    Raises UnknownHandle for a session that is not stored, NotReadable for a file that is no transcript.
    """
    read = read_progress(store, session, path=path, seconds_max=seconds_max)
    return render_progress(
        read.session, read.progress, read.unread_bytes, read.corrections, budget_tokens=budget_tokens, tokenizer=tokenizer
    )


def render_progress(
    session: SessionFiles, progress: SessionProgress, unread_bytes: int, corrections: Sequence[StoredMark[Correction]], *,
    budget_tokens: int, tokenizer: str,
) -> Spans:  # fmt: skip
    """Return a session's progress as text, with what git says now of its files and what the user corrected; where `unread_bytes` follow
    it, of when it is instead.
    """
    state, counter, late = progress.tracker.state(), make_counter(tokenizer), ""
    if not state.goals:
        return ()
    if not unread_bytes and session.cwd:
        at_s = {uuid: seconds for uuid, (_, seconds) in progress.places.items()}
        answer = ask_git(state.files, Path(progress.tracker.root), session.id, lambda uuid: at_s.get(uuid, 0))
        state = progress.tracker.state_with(answer) if answer else state
    state = _with_last_request(correct_state(state, progress.places, corrections))
    if unread_bytes:
        when = describe_time(progress.at_ns) if progress.at_ns else "an unknown time"
        late = (
            f"As of {when}, record {progress.uuid} (line {progress.line + 1} of the transcript): the {unread_bytes / 1e6:.1f} MB "
            "behind it were not read in time, so later work is not here.\n\n"
        )
    budget = max(0, check_budget(budget_tokens) - counter.count(late))
    body = render_handoff(state, counter.count, budget, {}, render=render_for_counting)
    return (clew_span(late), *body) if late else body


def load_compaction_input(
    store: Reader,
    session: SessionFiles,
    lines: Sequence[bytes],
    *,
    tokenizer: str,
    path: Path,
    root: Path | None = None,
    earlier_max: int = EARLIER_COMPACTIONS_MAX,
    is_end: bool = False,
) -> CompactionInput:
    """Parse these lines of a session's transcript, and return what compacting them to any budget needs.

    root         root of its repository, if that is no folder of this machine; None for the repository that holds `path`.
    earlier_max  earlier compactions of the session that are taken into account at most.
    is_end       the lines are the whole transcript, so what a person marks now holds for it; else what was marked before its last line.
    """
    key, held_in = find_memory(store, path)
    root = root or find_session_root(session.cwd, held_in)
    prefix = MemoryStore()
    prefix.open_workspace(key, str(root))
    cuts: list[int] = []

    def observe(seen: Observation) -> None:
        if seen.kind is ObservationKind.BOUNDARY and not seen.agent:
            cuts.append(seen.record_index)

    apply_deltas(prefix, key, read_deltas(lines, session=session, root=str(root), observers=(observe,)))
    state = get_source_state(prefix, key, transcript_source(session))
    kept = load_stored_progress(state) if state else None
    progress = kept[0] if kept else start_progress(session, str(root))
    with store.snapshot(LOCAL, key) as known, prefix.snapshot(LOCAL, key) as held:
        made = compressed.copy_compressed(known, session.id, held)
    apply_deltas(prefix, key, made)
    marks, until_ns = SessionMarks(store, key, session.id), 0 if is_end else progress.at_ns
    return CompactionInput(
        prefix,
        key,
        transcript_source(session),
        _with_last_request(marks.correct(progress.tracker.state(), progress.places, until_ns=until_ns)),
        make_counter(tokenizer),
        progress.at_ns,
        cache(partial(_load_earlier, store, session, lines, cuts, tokenizer=tokenizer, path=path, root=root, back=earlier_max)),
        pins=marks.read_pins(until_ns=until_ns),
    )


def _load_earlier(
    store: Reader, session: SessionFiles, lines: Sequence[bytes], cuts: Sequence[int], *, tokenizer: str, path: Path, root: Path,
    back: int,
) -> CompactionInput | None:  # fmt: skip
    """Return the input of the client's last compaction, before the last of the lines `cuts`; None if there is none, or `back` is 0."""
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
