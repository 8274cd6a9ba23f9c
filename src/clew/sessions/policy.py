"""Policy: decide which text a session is given at each event, and which work is done in the background afterwards.

The clients' adapters translate their events into these calls, and the results into the client's format. They also journal whatever
is raised here; the session goes on.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path

from clew import usecases
from clew.errors import ClewError
from clew.lifecycle.marks import StoredMark
from clew.records import Author, Correction, Observation, Packet, Span, Spans, TaskState, clew_span, join_text, merge_spans, outside_span
from clew.sessions.context import DaemonContext
from clew.sessions.fencing import render_for_model
from clew.sessions.live import LastPacket, LiveSession, LiveSessions
from clew.settings import find_repository, find_workspace
from clew.text.secrets import mask_text
from clew.text.tokens import make_counter
from clew.transcript.follow import ProgressReader
from clew.transcript.parse import open_transcript
from clew.transcript.reduce.lines import CHARS_PER_TOKEN
from clew.transcript.session_files import SessionFiles, find_origin, find_session_files
from clew.transcript.vocabulary import HANDOFF_HEADING

CONTEXT_CHARS_MAX = 9_900  # of one hook's context; the client takes 10,000 and puts a longer one into a file
# Guess. Only the state is handed over, not the lines behind it: beside the client's own summary, and in a window that was cleared on
# purpose, a handle is enough; and all of it is written to the cache anew.
_HAND_OFF_TOKENS, _NEW_SESSION_TOKENS = 1_200, 900
_EARLIER_SESSION_DAYS = 3.0  # an older session hands nothing over to a new one; guess
# A search for a prompt takes 6 ms in this repository, 40 to 60 in one of 100,000 files, measured on a machine that was not idle.
_PROMPT_DEADLINE_MS = 70.0
_LATE_MAX, _LATE_PAUSE_S = 3, 120.0  # after so many late searches in a row, prompts are not searched for so long: guesses
_DUPLICATE_PROMPT_S = 5.0  # a prompt that reaches us by two ways does so within this
_QUIET_S = 2.0  # background work waits until a session was idle for so long: a person who types on is answered first. Guess
_WATCHED_FILES_MAX = 64  # paths that the client is asked to watch; guess
_TRIVIAL_BYTES_MAX, _TRIVIAL_REQUESTS_MAX = 100_000, 2  # a longer session, and one with more requests, is never trivial; guess
_COMPACTED_SHARE_MAX = 0.4  # of the window's tokens before: a compaction that leaves more is useless. Guess
# Seconds to read what is not stored of a session: for a hand-off, of which a start waits 0.85, and for an output, which waits 0.25. Guesses
_HAND_OFF_S, _READ_S = 0.45, 0.1
_HAND_OFFS_CACHED_MAX = 32  # hand-offs held in memory, of some kilobytes each; guess
_LAST_MESSAGE_CHARS_MAX = 1_500  # of the agent's last message; guess
_GUARDED_MAX = 100  # files that are remembered as told; guess
_GUARD_HEADING = "clew, from the history: these files usually change together, and the first of each line was not changed:"
_OUTPUT_CHARS_MIN = 1_500  # a shorter output is not reduced: no reducer saves what its marker costs. Guess
_BACK = "What was left out is kept: the tool `unfold` gives the exact text behind a handle in brackets, `recall` finds more."


@dataclass(frozen=True, slots=True)
class SessionStart:
    """What a starting session is given: a text for its window, and paths of files that its client should watch for changes."""

    text: str
    watched_paths: list[str]


class SessionPolicy:
    """Handlers for the events of all sessions of one daemon; each returns the text to give to the session. Thread-safe.

    transcripts_of  returns the folder in which a session's client keeps its transcripts of a repository, None if there is none.
    """

    def __init__(
        self, context: DaemonContext, sessions: LiveSessions, transcripts_of: Callable[[LiveSession, Path], Path | None]
    ) -> None:  # fmt: skip
        self.context, self.sessions, self.transcripts_of = context, sessions, transcripts_of
        self._prompts: dict[str, tuple[str, float]] = {}
        self._late: set[int] = set()  # times of prompts whose packet did not reach the client, until it is logged
        self._prepared: OrderedDict[tuple[str, int, int, int, int, str], Spans] = OrderedDict()
        self._preparing = threading.Lock()
        self._reading = threading.Lock()  # one thread ingests a transcript at a time: two would begin at the same line

    def find_problem(self, live: LiveSession) -> str:
        """Return a label of two to four words for what keeps a session from being stored or indexed, "" for nothing."""
        is_refused = live.cwd and str(find_workspace(Path(live.cwd))[1]) in self.context.refusals
        return self.context.find_problem() or ("not indexed here" if is_refused else "")

    # -- Sessions begin and end -------------------------------------------------------------------

    def start_session(self, live: LiveSession, source: str) -> SessionStart:
        """Record that a session starts, schedule indexing of its repository, and return its hand-off and the files to watch.

        source  "startup", "resume", "clear" or "compact".
        """
        live.ended, live.is_started, live.owed = "", True, ""
        self._join_trial(live, is_new=source in ("startup", "clear"))
        if source in ("clear", "compact"):
            live.seen = []
        root = find_workspace(Path(live.cwd))[1]
        self.context.schedule_index(root)
        if source == "compact":
            spans = self._after_compaction(live)
        else:
            spans = self._on_resume(live, root) if source == "resume" else self._from_earlier_session(live, is_cleared=source == "clear")
        paths = [root / name for name in self._working_set(live)]
        return SessionStart(self._render(live, spans), [str(path) for path in paths if path.is_file()][-_WATCHED_FILES_MAX:])

    def _join_trial(self, live: LiveSession, *, is_new: bool) -> None:
        """Have a trial that runs draw how a new session is treated; one that goes on another is treated as that one is."""
        try:
            if is_new:
                self.context.trial.assign(live.id, str(find_repository(Path(live.cwd)).main))
            elif (trial := self.context.trial.read_current()) is not None and live.id not in trial.assigned:
                live.is_unplaced = True
        except (ClewError, OSError) as error:  # it is not in the trial, then
            self.context.record_error("trial", error)

    def _withholds(self, live: LiveSession, part: str) -> bool:
        """Return whether a session does without a part of clew, because a trial drew it so."""
        if live.is_unplaced and live.has_transcript:
            self._place(live)
        return self.context.withholds(live.id, part)

    def _place(self, live: LiveSession) -> None:
        """Find out which session this one goes on, as its transcript tells, and treat it as that one is."""
        try:
            trial = self.context.trial.read_current()
            if trial is not None and (origin := find_origin(Path(live.transcript), live.id, trial.assigned)):
                self.context.trial.assign(live.id, trial.assigned[origin].repository, origin=origin)
        except (ClewError, OSError) as error:
            self.context.record_error("trial", error)
        live.is_unplaced = False

    def _render(self, live: LiveSession, spans: Spans) -> str:
        """Return the fenced text of `spans` for the model of a session."""
        return render_for_model(spans, home=self.context.settings.data_dir, session=live.id)

    def _after_compaction(self, live: LiveSession) -> Spans:
        """Return the hand-off after the client's own compaction; () after ours, which holds it."""
        if live.compacted:
            live.compacted = 0
            return ()
        return self._hand_off(live, live.transcript, "this session, before it was compacted", _HAND_OFF_TOKENS)

    def _on_resume(self, live: LiveSession, root: Path) -> Spans:
        """Return the hand-off if the window lacks it, and the files that have changed since the session last ran."""
        needs = _lacks_hand_off(Path(live.transcript))
        spans = self._hand_off(live, live.transcript, "this session", _HAND_OFF_TOKENS) if needs else ()
        changed = self._changed_since(live, root)
        if changed:
            names = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
            note = clew_span("clew: changed on disk since this session last ran, so what was read of it is out of date:\n")
            spans = (*spans, *((clew_span("\n"),) if spans else ()), note, outside_span(names))
        return spans

    def _from_earlier_session(self, live: LiveSession, *, is_cleared: bool) -> Spans:
        """Return the hand-off of the previous session of the same repository, () if there is none."""
        before = self._find_earlier_transcript(live, is_cleared=is_cleared)
        if before is None:
            return ()
        if is_cleared:
            return self._hand_off(live, str(before), "the session that was cleared", _HAND_OFF_TOKENS)
        return self._hand_off(live, str(before), "the session before this one, in case it goes on", _NEW_SESSION_TOKENS)

    def _hand_off(self, live: LiveSession, transcript: str, whose: str, budget: int) -> Spans:
        """Return a session's hand-off that fits into one hook's context, () if there is none or it never fits."""
        if not transcript or not Path(transcript).is_file() or self._withholds(live, "compaction"):
            return ()
        started = time.perf_counter()
        head = f"{HANDOFF_HEADING}: {whose}. {_BACK}\n\n"
        for share in (1.0, 0.7, 0.4):  # a hook's context is limited in characters, a packet in tokens
            body = self._state_of(transcript, live.cwd, int(budget * share))
            if not body:
                return ()
            spans = (clew_span(head), *body)
            if len(self._render(live, spans)) <= CONTEXT_CHARS_MAX:
                took, tokens = (time.perf_counter() - started) * 1000, self._count(join_text(body))
                live.last_packet = LastPacket("hand-off", tokens, 1, {"state": tokens}, round(took, 1), whose)
                return spans
        return ()

    def _state_of(self, transcript: str, cwd: str, budget: int, seconds_max: float = _HAND_OFF_S) -> Spans:
        """Return the hand-off of a transcript within a budget, from the cache while the transcript is unchanged."""
        status = Path(transcript).stat()
        found = find_session_files(Path(transcript))
        corrections = self._read_corrections(cwd, found.id)
        marks = "".join(each.handle for each in corrections)
        key = (transcript, budget, status.st_size, status.st_mtime_ns, _index_stamp(Path(cwd)), marks)
        with self._preparing:
            if key in self._prepared:
                return self._prepared[key]

        def render(reader: ProgressReader) -> tuple[Spans, bool]:
            spans = usecases.compact.render_progress(
                found, reader.progress, reader.unread_bytes, corrections, budget_tokens=budget, tokenizer=self.context.settings.tokenizer
            )
            return spans, not reader.unread_bytes

        spans, is_whole = self.sessions.follow(found, partial(self._open_reader, cwd), render, seconds_max)
        if is_whole:
            with self._preparing:
                self._prepared[key] = spans
                while len(self._prepared) > _HAND_OFFS_CACHED_MAX:
                    self._prepared.popitem(last=False)
        return spans

    def _open_reader(self, cwd: str, session: SessionFiles) -> ProgressReader:
        """Return a reader that goes on from the stored state of a session, or from its start where the store cannot be read."""
        try:
            return self.context.get_engine().open_progress(session, Path(cwd))
        except ClewError as error:
            self.context.record_error("store", error)
            return ProgressReader(session, str(find_workspace(Path(cwd))[1]))

    def read_task(self, live: LiveSession) -> TaskState:
        """Return the task state of a session, from what could be read of its transcript in _READ_S; empty without a transcript."""
        if not live.has_transcript:
            return TaskState()
        session, opened = find_session_files(Path(live.transcript)), partial(self._open_reader, live.cwd)

        def read(reader: ProgressReader) -> TaskState:
            found = self._read_corrections(live.cwd, session.id)
            return usecases.marks.correct_state(reader.progress.tracker.state(), reader.progress.places, found)

        return self.sessions.follow(session, opened, read, _READ_S)

    def _read_corrections(self, cwd: str, session: str) -> list[StoredMark[Correction]]:
        """Return what the user corrected by hand of a session's state; nothing where the store cannot be read."""
        try:
            return self.context.get_engine().read_marks(Path(cwd), session).list_corrections() if cwd else []
        except ClewError as error:
            self.context.record_error("store", error)
            return []

    def _find_earlier_transcript(self, live: LiveSession, *, is_cleared: bool) -> Path | None:
        """Return the transcript of the previous session: after a clear that of the same client, else the latest of the repository.

        A trivial session is passed over where one before it did work: the thread goes on from that.
        """
        root = find_workspace(Path(live.cwd))[1]
        latest: Path | None = None
        for other in self.sessions.list_recent():
            is_same_place = other.cwd and find_workspace(Path(other.cwd))[1] == root
            if other.id == live.id or not is_same_place or not other.has_transcript:
                continue
            if is_cleared and live.client_pid and other.client_pid not in (0, live.client_pid):
                continue
            if not is_cleared and not other.ended and other.client_pid in self.sessions.list_client_pids():
                continue  # it still runs in another client
            found = Path(other.transcript)
            if not _is_recent(found.stat().st_mtime):
                return latest
            if not self._is_trivial(other):
                return found
            latest = latest or found
        if latest:
            return latest
        folder = self.transcripts_of(live, root)
        if folder is None:
            return None
        known = {other.id for other in self.sessions.list_recent()} | {live.id}
        found = [(file.stat().st_mtime, file) for file in folder.glob("*.jsonl") if file.stem not in known]  # from before clew was set up
        at, file = max(found, default=(0.0, folder))
        return file if _is_recent(at) else None

    def _is_trivial(self, other: LiveSession) -> bool:
        """Return whether a session left no work: it is short, and changed, checked, planned and ruled nothing."""
        if Path(other.transcript).stat().st_size > _TRIVIAL_BYTES_MAX:
            return False
        task = self.read_task(other)
        has_work = task.files or task.checks or task.plan or task.constraints or task.open_errors
        return not has_work and len(task.goals) <= _TRIVIAL_REQUESTS_MAX

    def _working_set(self, live: LiveSession) -> list[str]:
        """Return paths, relative to the repository's root, of files that the agent read or wrote in a session."""
        return [file.path for file in self.read_task(live).working_set if file.last in ("read", "edit", "write")]

    def _changed_since(self, live: LiveSession, root: Path) -> list[str]:
        """Return files of the working set that were modified after the session's transcript, or are gone."""
        if not live.has_transcript:
            return []
        ran_ns = Path(live.transcript).stat().st_mtime_ns

        def is_newer(name: str) -> bool:
            try:
                return (root / name).stat().st_mtime_ns > ran_ns
            except OSError:  # gone: that is a change as well
                return True

        return list(filter(is_newer, self._working_set(live)))

    def end_turn(self, live: LiveSession, last_message: str = "") -> None:
        """Store the agent's last message, and schedule ingestion of the transcript once the session is idle."""
        live.said_last = mask_text(last_message)[:_LAST_MESSAGE_CHARS_MAX] or live.said_last
        self._ingest_later(live)

    def check_work(self, live: LiveSession) -> str:
        """Return which files usually change with the edited ones and did not, `guard_lines` at most, each once in a session; or ""."""
        lines_max = self.context.settings.guard_lines
        live.guarded_last = []
        if not lines_max or not live.cwd or not live.has_transcript:
            return ""
        found = self.context.get_engine().check_work(Path(live.cwd), self.read_task(live))
        new = [one for one in found if one.path not in live.guarded][:lines_max]
        if not new:
            return ""
        live.guarded_last = [one.path for one in new]
        live.guarded = [*live.guarded, *live.guarded_last][-_GUARDED_MAX:]
        spans = [clew_span(_GUARD_HEADING)]
        for one in new:
            often = f" (together in {one.together} of {one.commits} commits)"
            spans += [clew_span("\n- "), outside_span(one.path), clew_span(" with "), outside_span(one.changed), clew_span(often)]
        return self._render(live, merge_spans(spans))

    def record_undelivered_check(self, live: LiveSession) -> None:
        """Record that what was told of the work did not reach the client: it may be told again."""
        live.guarded = [key for key in live.guarded if key not in live.guarded_last]
        live.guarded_last = []

    def end_session(self, live: LiveSession, reason: str) -> None:
        """Record why a session ended, and schedule ingestion of its transcript and its hand-off at once."""
        live.ended = reason
        self._ingest_later(live)

    def _ingest_later(self, live: LiveSession) -> None:
        """Schedule ingestion of a session's transcript and its subagents'; until then the transcript itself is durable."""
        if live.has_transcript:
            self.context.schedule(f"ingest:{live.id}", lambda: self._ingest(live), after_s=0.0 if live.ended else _QUIET_S)

    def _ingest(self, live: LiveSession) -> None:
        if live.ended and live.has_transcript:  # cache the hand-off, for which the next session's start would wait
            self._state_of(live.transcript, live.cwd, _HAND_OFF_TOKENS if live.ended == "clear" else _NEW_SESSION_TOKENS, inf)
        with self._reading:
            done = self.context.get_engine().ingest([Path(live.transcript)], repo=Path(live.cwd))
        self.sessions.stop_following(live.transcript)  # what is stored is as new, and without what was purged
        for problem in done.problems:
            self.context.record_error("ingest", problem)

    # -- Prompts ------------------------------------------------------------------------------------

    def build_prompt_context(self, live: LiveSession, prompt: str) -> str:
        """Return the text to add to a prompt: a hand-off that the start could not deliver in time, and relevant files and memories."""
        if not live.is_started:  # the hook of its start was not answered: the machine was too slow, or the daemon not there
            live.is_started = True
            self._join_trial(live, is_new=not live.has_transcript)
            self.context.schedule(f"owe:{live.id}", lambda: self._prepare_owed(live))
        owed, live.owed, live.owed_given = live.owed, "", live.owed
        packet = self._augment_prompt(live, prompt)
        return "\n\n".join(part for part in (owed, self._render(live, packet.spans) if packet else "") if part)

    def _prepare_owed(self, live: LiveSession) -> None:
        """Prepare the hand-off that a new session's start should have given, for its next prompt. A resumed session needs none."""
        if not live.owed and not live.has_transcript:
            live.owed = self._render(live, self._from_earlier_session(live, is_cleared=False))
            self.sessions.save(live)

    def _augment_prompt(self, live: LiveSession, prompt: str) -> Packet | None:
        """Return the packet to add to a prompt; None if nothing is relevant, it was just asked, or recent searches were too slow."""
        digest, now = hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest(), time.monotonic()
        before = self._prompts.get(live.id)
        self._prompts[live.id] = (digest, now)
        if not live.cwd or (before and before[0] == digest and now - before[1] < _DUPLICATE_PROMPT_S):
            return None
        if live.late >= _LATE_MAX and time.time() - live.late_at < _LATE_PAUSE_S:
            live.last_packet = LastPacket("prompt", why="the last ones were too slow, so this one was not asked")
            return None
        if self._withholds(live, "prompts"):
            live.last_packet = LastPacket("prompt", why="the trial that runs leaves prompts of this session as they are")
            return None
        live.late, live.is_late = live.late if live.is_late else 0, False
        started, asked_ns = time.perf_counter(), time.time_ns()
        settings = self.context.settings
        task = self.read_task(live) if live.has_transcript else None
        packet = self.context.get_engine().augment_prompt(
            Path(live.cwd), prompt, budget_tokens=settings.prompt_budget_tokens, tokenizer=settings.tokenizer, task=task,
            session=live.id, seen=live.seen, deadline_ms=_PROMPT_DEADLINE_MS,
        )  # fmt: skip
        why = "likely to be needed" if packet.entries else "nothing was likely enough to be needed"
        took_ms = (time.perf_counter() - started) * 1000
        live.last_packet = LastPacket.from_packet("prompt", packet, took_ms, why)
        self._log_packet(live, packet, asked_ns, took_ms)
        live.added = [entry.handle for entry in packet.entries]
        live.seen.extend(live.added)
        return packet if packet.entries else None

    def _log_packet(self, live: LiveSession, packet: Packet, asked_ns: int, took_ms: float) -> None:
        """Schedule that a packet is stored, once it is known whether it reached the client."""
        live.asked_ns, session, cwd = asked_ns, live.id, Path(live.cwd)

        def log() -> None:
            is_shown = asked_ns not in self._late
            self._late.discard(asked_ns)
            self.context.get_engine().log_packet(cwd, packet, session=session, asked_ns=asked_ns, took_ms=took_ms, is_shown=is_shown)

        self.context.schedule(f"packet:{session}:{asked_ns}", log, after_s=_QUIET_S)

    # -- Tools and files ------------------------------------------------------------------------------

    def may_shorten(self, live: LiveSession, text: str) -> bool:
        """Return whether a tool's output is long enough, and its session's folder known, for `shorten_output`."""
        return len(text) >= _OUTPUT_CHARS_MIN and bool(live.cwd) and not self._withholds(live, "reduction")

    def shorten_output(
        self, live: LiveSession, result: Observation, *, is_truncated: bool = False, full_output: bytes | None = None
    ) -> str:
        """Return a shorter text for a tool's output, whose original is stored under the handle in it; "" if it stays as it is.

        is_truncated  the client has shortened the output itself; full_output  what the client's file holds of it, None if nothing.
        """
        here = Path(live.cwd)
        task = self.read_task(live)
        arrival = usecases.write.IncomingOutput(result, is_truncated=is_truncated, full_output=full_output)
        [shown] = self.context.get_engine().write(here, [arrival], task=task).outputs
        if not shown.handle:
            return ""
        live.seen.append(shown.handle)
        live.saved_last = max(0, self._count(result.text) - self._count(shown.text))
        live.saved_tokens += live.saved_last
        live.reduced += 1
        return shown.text

    def _count(self, text: str) -> int:
        return make_counter(self.context.settings.tokenizer).count(text)

    def schedule_file_update(self, live: LiveSession, file: str) -> None:
        """Schedule an index update of a changed file once the session is idle; files outside its repository are ignored."""
        if not file or not live.cwd:
            return
        root = find_workspace(Path(live.cwd))[1]
        path = Path(os.path.normpath(Path(live.cwd) / file))
        if path.is_relative_to(root):
            name = path.relative_to(root).as_posix()
            self.context.schedule(f"update:{path}", lambda: self.context.get_engine().update(root, [name]), after_s=_QUIET_S)

    def change_folder(self, live: LiveSession, folder: str) -> None:
        """Set a session's working folder, and schedule indexing of its repository; a path that is no folder is ignored."""
        if folder and Path(folder).is_dir():
            live.cwd = folder
            self.context.schedule_index(find_workspace(Path(folder))[1])

    # -- Compaction ---------------------------------------------------------------------------------

    def compact_window(self, live: LiveSession, *, window_chars: int, last_message: str, instructions: str) -> str:
        """Return the text that replaces the window at a compaction; "" when there is too little, or a trial leaves it to the client.

        window_chars  characters in the window before, 0 if unknown.
        last_message  the agent's last message; instructions  the user's own for what follows.
        """
        if not live.has_transcript or self._withholds(live, "compaction"):
            return ""
        engine, settings, started = self.context.get_engine(), self.context.settings, time.perf_counter()
        held = window_chars / CHARS_PER_TOKEN
        budget = min(settings.compact_budget_tokens, int(held * _COMPACTED_SHARE_MAX)) if held else settings.compact_budget_tokens
        with self._reading:
            packet = engine.compact(live.transcript, at=None, budget_tokens=budget, tokenizer=settings.tokenizer, path=Path(live.cwd))
        if not packet.spans:
            return ""
        live.last_packet = LastPacket.from_packet(
            "compaction", packet, (time.perf_counter() - started) * 1000, "the client's window was compacted"
        )
        live.compacted, live.seen = live.compacted + 1, []
        spans = [clew_span(f"{HANDOFF_HEADING}: the conversation so far was compacted without a model. {_BACK}\n\n"), *packet.spans]
        last = mask_text((last_message or live.said_last).strip())
        if last and last[:40] not in packet.text:  # neither the transcript nor the packet has them yet
            spans += [clew_span("\n## What the agent said last\n"), Span(Author.AGENT, last[:_LAST_MESSAGE_CHARS_MAX]), clew_span("\n")]
        if wish := mask_text(instructions.strip()):
            spans += [clew_span("\nThe user asked, for what follows: "), Span(Author.USER, wish), clew_span("\n")]
        return self._render(live, tuple(spans))

    # -- Answers that did not reach the client --------------------------------------------------------

    def record_undelivered_start(self, live: LiveSession, text: str) -> None:
        """Record that the text for a session's start did not reach the client: it is added to the next prompt."""
        live.owed = text
        self._clear_last(live)

    def record_undelivered_prompt(self, live: LiveSession) -> None:
        """Record that the text for a prompt did not reach the client because it was too slow; its handles are no longer `seen`."""
        live.owed, live.owed_given = live.owed_given or live.owed, ""
        live.seen = [handle for handle in live.seen if handle not in live.added]
        live.late, live.late_at, live.is_late = live.late + 1, time.time(), True
        self._late.add(live.asked_ns)
        live.last_packet = LastPacket("prompt", why="its search took longer than a prompt may wait")
        self._clear_last(live)

    def record_undelivered_output(self, live: LiveSession) -> None:
        """Record that the session's latest shortened output did not reach the client: its tokens are not counted as saved."""
        live.saved_tokens -= live.saved_last
        live.reduced -= 1 if live.saved_last else 0
        self._clear_last(live)

    def _clear_last(self, live: LiveSession) -> None:
        live.added, live.saved_last = [], 0


def _index_stamp(cwd: Path) -> int:
    """Return when git's index was written last, 0 where there is none: what a hand-off says of commits is of that time."""
    try:
        return (find_workspace(cwd)[1] / ".git/index").stat().st_mtime_ns
    except OSError:
        return 0


def _is_recent(at: float) -> bool:
    return time.time() - at <= _EARLIER_SESSION_DAYS * 86_400


def _lacks_hand_off(transcript: Path) -> bool:
    """Return whether a transcript holds a compaction without a hand-off of ours after it."""
    if not transcript.is_file():
        return False
    is_lacking = False
    with open_transcript(transcript) as stream:
        for line in stream:
            if b'"compact_boundary"' in line:
                is_lacking = True
            elif is_lacking and HANDOFF_HEADING.encode() in line:
                is_lacking = False
    return is_lacking
