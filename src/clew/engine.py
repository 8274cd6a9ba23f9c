"""Engine: who brings the rooms together? The four primitives, and nothing else.

`write` makes originals durable and proposes what to remember of them; `retrieve` and `compact` assemble a
window; `update` brings named files up to date; `forget` moves to cheaper tiers. `unfold` and `explain` answer
for what a packet printed. The clock is read here and handed down, so that no packet depends on it.
"""

from __future__ import annotations

import os
import time
from collections import Counter as CountOf
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from clew.codebase import TREE, stamp_of
from clew.codebase.private import refusal
from clew.compaction import compressed
from clew.errors import NoRepository, NotReadable, StoreBusy, StoreUnwritable, UnknownHandle, UnknownPath, UnknownRecord, UsageError
from clew.lifecycle import forget as forgetting
from clew.lifecycle.accept import Totals, accept
from clew.packet.options import Originals
from clew.packet.retrieve import lengths_of
from clew.packet.retrieve import retrieve as assemble_packet
from clew.ranking.deadline import Deadline
from clew.records import (
    STAND_IN,
    Delta,
    Entry,
    Observation,
    ObservationKind,
    Packet,
    Record,
    SourceState,
    Spans,
    Standing,
    TaskState,
    Tier,
    fenced,
    handle_of,
    identify,
    joined,
)
from clew.settings import Settings, workspace_of
from clew.store.originals import digest_of
from clew.store.ports import Purge, Workspace, Writer
from clew.task.question import question_state
from clew.text.embed import load
from clew.text.secrets import mask
from clew.text.tokens import FAMILIES, Counter
from clew.text.tokens import counter as counter_of
from clew.transcript import usage

if TYPE_CHECKING:  # what reads code and transcripts is imported by the calls that read them, so that a question starts fast
    from clew.codebase.tree import Report
    from clew.compaction.compact import Shown
    from clew.compaction.keep import Net
    from clew.enrich.compress import Compressed
    from clew.enrich.couple import Coupled
    from clew.enrich.history import Told
    from clew.enrich.models import Compressor
    from clew.impact.impact import Impacted
    from clew.ranking.files import FileList
    from clew.recall.recall import Recalled
    from clew.store.index import Index
    from clew.transcript.sessions import Session
    from clew.transcript.work import Work

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""
FRESH_ROUNDS = 3  # times that one question reads a file again because it had changed; an editor that saves faster wins
WRITTEN_WITHIN_NS = 60_000_000_000  # an edit is noted before it reaches the disk: a file is newer than a memory beyond this; guess
# Of a compaction's budget for the hand-off, and for the last request in it beside that: the rest buys lines (bench/LOG.md).
HANDOFF_SHARE_MAX, REQUEST_SHARE_MAX = 0.3, 0.15
EARLIER_SHARE_MAX = 0.15  # of a compaction's budget, for what other sessions said, where that is asked for; guess
CHAIN_MAX = 4  # compactions of one session that a later one looks back on: each is made anew, which takes as long as the first; guess


@dataclass(frozen=True, slots=True)
class Indexed:
    """What `index` did. `commits` is how many of the history are known. Seconds are wall time of the whole call."""

    workspace: str
    root: Path
    report: Report
    totals: Totals
    coupled: Coupled
    commits: int
    seconds: float


@dataclass(slots=True)
class Ingested:
    """What `ingest` did, and what was not understood. `workspaces` maps the key to its root and the sessions that went there."""

    sessions: int = 0
    unchanged: int = 0
    records: int = 0
    raw_bytes: int = 0
    broken_lines: int = 0
    unknown: dict[str, int] = field(default_factory=dict[str, int])
    workspaces: dict[str, tuple[str, list[str]]] = field(default_factory=dict[str, tuple[str, list[str]]])
    problems: list[str] = field(default_factory=list[str])
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadAnew:
    """What `read_anew` read; `gone` are the sessions that the store knows and that have no transcript here."""

    indexed: Indexed
    ingested: Ingested | None
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What the agent should read of what was just written, and the handles of its records."""

    text: str
    handles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A tool's output as the agent should read it; `handle` of its original where it is shorter, "" where it is whole."""

    text: str
    handle: str = ""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """What stands behind a handle: the record, its standing, and the exact bytes of its original."""

    record: Record
    standing: Standing
    data: bytes


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a record is what it is: its standing, its versions oldest first, what it hangs on and what hangs on it.

    links  (how, name, handle, weight), heaviest first: "calls", "called by", "refers to", "contains", ….
    """

    record: Record
    standing: Standing
    versions: tuple[tuple[Record, Standing], ...]
    links: tuple[tuple[str, str, str, float], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The store at a glance. `here` is the workspace that was asked about, None when nothing is stored of it.

    corrections  by tokenizer family: the factor on its counts that usage asked for here; families without one are left out.
    """

    database: Path
    database_bytes: int
    schema: int
    here: Workspace | None
    workspaces: tuple[Workspace, ...]
    layers: dict[str, int]
    kinds: dict[str, int]
    tiers: dict[str, int]
    sessions: int
    files: int
    skipped: dict[str, int]
    corrections: dict[str, float]


@dataclass(frozen=True, slots=True)
class Compacting:
    """A session up to a cut: its records in a store of their own, the task state and what was done.

    at_ns    when the cut is: the time of the last observation, 0 when unknown.
    earlier  gives the same at the client's compaction before this cut: what stood in that window stays in its form while it is true.
    """

    store: Writer
    workspace: str
    source: str
    state: TaskState
    done: Work
    counter: Counter
    at_ns: int
    earlier: Callable[[], Compacting | None]

    def packet(self, budget_tokens: int, using: tuple[Net, Net] | None = None) -> Packet:
        """Return the window after the cut, at most `budget_tokens` long; `using` other nets than the release's (see `keep`)."""
        return self.compacted(budget_tokens, using)[0]

    def compacted(self, budget_tokens: int, using: tuple[Net, Net] | None = None) -> tuple[Packet, Shown]:
        """Return the window, and which lines of each record it shows."""
        from clew.compaction.compact import compact  # lazy: only here
        from clew.transcript.handoff import handoff  # lazy: a question needs no transcript

        earlier = self.earlier()
        kept = earlier.compacted(budget_tokens, using)[1] if earlier else None
        prompts = {
            record.uuid: handle_of(record.id) for record in self.store.of_source(self.workspace, self.source) if record.kind == "prompt"
        }
        asked = min(self.counter.count(self.state.question), REQUEST_SHARE_MAX * budget_tokens)
        front = handoff(
            self.state, self.done, self.counter.count, int(HANDOFF_SHARE_MAX * budget_tokens + asked), prompts, written=_as_sent
        )
        return compact(
            self.store, self.workspace, self.source, self.state,
            front=front, budget_tokens=budget_tokens, counter=self.counter, kept=kept, using=using,
        )  # fmt: skip


class Engine:
    """One store and the settings in force. As safe with threads as its store."""

    def __init__(self, store: Writer, settings: Settings) -> None:
        self.store, self.settings = store, settings

    # -- write and update -----------------------------------------------------------------------

    def index(self, path: Path, *, progress: Progress | None = None) -> Indexed:
        """Bring the index of the repository that holds `path` up to date.

        Raises NotReadable for what is no folder, NoRepository for a home folder and for folders of the system.
        """
        from clew.codebase import tree  # lazy: a question needs no parser

        started = time.perf_counter()
        if not path.exists():
            raise NotReadable(str(path), "does not exist")
        if not path.is_dir():
            raise NotReadable(str(path), "is a file", "name the folder of a repository")
        key, root = workspace_of(path)
        if refused := refusal(root):
            raise NoRepository(str(root), refused)
        self.store.open_workspace(key, str(root))
        states = {state.source: state for prefix in ("file:", TREE) for state in self.store.sources(key, prefix)}
        report = tree.Report()
        told = partial(progress, "reading") if progress else None
        totals = accept(
            self.store, key, tree.changes(root, states, report, jobs=self.settings.jobs, embedder=self.settings.embedder, progress=told)
        )
        told = self._read_history(key, root)
        report.problems.extend(told.problems)
        coupled = self._couple(key, list(states.values()) if not totals.deltas else None)
        self._doubt_notes(key, root)
        self.store.refresh(key)
        return Indexed(key, root, report, totals, coupled, told.commits, time.perf_counter() - started)

    def _read_history(self, key: str, root: Path) -> Told:
        """Bring the commits of a work tree up to date, and what they say of files that change together."""
        from clew.enrich import cochange, history  # lazy: only where something is indexed

        told = history.Told()
        before = self.store.source(key, history.HISTORY)
        accept(self.store, key, history.changes(root, before, partial(self.store.sources, key, history.HISTORY), told))
        now, counted = self.store.source(key, history.HISTORY), self.store.source(key, cochange.COCHANGE)
        if now is not None and now.digest and not cochange.is_of(counted, now.digest):
            commits = history.commits_of(self.store.sources(key, history.HISTORY))
            accept(self.store, key, [cochange.kept(now.digest, cochange.co_changes(commits))])
        elif now is None and counted is not None:
            accept(self.store, key, [Delta(cochange.BY, cochange.COCHANGE, is_whole=True, state=None)])
        return told

    def _couple(self, key: str, states: Sequence[SourceState] | None = None) -> Coupled:
        """Propose the edges of files whose content, or whose couplings, have changed.

        states  of the files, where the caller has them.
        """
        from clew.enrich import cochange, couple, together  # lazy: likewise

        known = self.store.sources(key, "file:") if states is None else states
        files = {
            state.source.removeprefix("file:"): state.digest
            for state in known
            if state.source.startswith("file:") and state.digest and state.status == "indexed"
        }
        deltas = couple.changes(
            files,
            history=self.store.source(key, cochange.COCHANGE),
            sessions=self.store.source(key, together.TOGETHER),
            before=self.store.source(key, couple.COUPLING),
            states=partial(self.store.sources, key, couple.COUPLING),
        )
        accept(self.store, key, deltas)
        return couple.coupled_in(self.store.source(key, couple.COUPLING))

    def update(self, path: Path, names: Iterable[str]) -> Totals:
        """Read these files of the repository at `path` again, and nothing else: what an editor or a hook calls.

        names  relative to the repository's root; a file that is gone is retired. Nothing is read where `index` refuses.
        """
        from clew.codebase import tree  # lazy: a question needs no parser

        key, root = workspace_of(path)
        if refusal(root):
            return Totals()
        self.store.open_workspace(key, str(root))
        known = [state.source.removeprefix("file:") for state in self.store.sources(key, "file:")]
        totals = accept(self.store, key, tree.named_changes(root, list(names), known, embedder=self.settings.embedder))
        self._doubt_notes(key, root)
        return totals

    def write(self, path: Path, observations: Sequence[Observation], *, task: TaskState | None = None) -> Written:
        """Remember observations of one session as they happen, and return what the agent should read of them.

        task  what the agent is doing: names what to keep, and text of a file that it is editing is returned whole.
        The originals are durable before the reduced text is returned; the first marker of what was left out names its handle.
        """
        from clew.transcript.live import live_source, remember_live  # lazy: a question needs no transcript

        if not observations:
            return Written("", ())
        key, root = workspace_of(path)
        self.store.open_workspace(key, str(root))
        state = self.store.source(key, live_source(observations[0].session))
        embedder = load(self.settings.embedder) if self.settings.embedder else None
        delta = remember_live(observations, state=state, root=str(root), embedder=embedder)
        accept(self.store, key, [delta])
        originals = Originals(self.store, key)
        calls = {seen.call_id: seen for seen in observations if seen.kind is ObservationKind.CALL}
        results = {seen.uuid: (seen, calls.get(seen.call_id)) for seen in observations if seen.kind is ObservationKind.RESULT}
        parts = [_shown(record, originals.text_of(record.whole), results.get(record.uuid), task) for record in delta.records]
        return Written("".join(parts), tuple(handle_of(record.id) for record in delta.records))

    def arrive(
        self, path: Path, call: Observation, result: Observation, *, task: TaskState | None = None, is_cut: bool = False,
        behind: bytes | None = None,
    ) -> Arrived:  # fmt: skip
        """Return a tool's output as the agent should read it. Where that is shorter, the original is durable first, behind the handle.

        What stays whole is not stored here: the client's own transcript will hold it, and is ingested.
        task    what the agent is doing: names what to keep; text of a file that is being edited stays whole.
        is_cut  the client has cut the output already: its notice stays, and nothing here is shown as the whole.
        behind  what the client's own file holds of such an output, without credentials: it is the original then.
        """
        from clew.task.cuts import cut_of  # lazy: likewise
        from clew.transcript.reduce.arrival import arriving  # lazy: likewise
        from clew.transcript.reduce.known import given_of  # lazy: a question needs no transcript
        from clew.transcript.reduce.nouns import cut_marker  # lazy: likewise

        given = given_of(result, call)
        reduced = arriving(result.text, given.guided(task) if task else given)
        if reduced.is_whole and behind is None:
            return Arrived(result.text)
        original = result if behind is None else replace(result, text=behind.decode("utf-8", "replace"))
        handle = self.keep_original(path, original, asked=given.command or f"{call.tool} {given.path}".strip(), shown=given.path)
        text = reduced.render(handle)
        if behind is not None:
            return Arrived(f"{text.rstrip()}\n{cut_marker(handle, lines=original.text.count(chr(10)) + 1)}\n", handle)
        if is_cut and cut_of(text) is None:  # the client's notice stands where this text does not reach
            return Arrived(f"{text.rstrip()}\n{cut_marker()}\n", handle)
        return Arrived(text, handle)

    def keep_original(self, path: Path, result: Observation, *, asked: str, shown: str = "") -> str:
        """Make a tool's output durable, and findable, for good: no transcript will hold it. Returns its handle.

        asked  what was called, for its name; shown  the file that it shows, "" for none.
        """
        _, root = workspace_of(path)
        file = Path(shown)
        name = file.relative_to(root).as_posix() if file.is_absolute() and file.is_relative_to(root) else ""
        return self._keep_originals(path, [(result, asked, name)])[0]

    def keep_originals(self, path: Path, results: Sequence[tuple[Observation, str]]) -> list[str]:
        """The same for several outputs of one session, each with what was called, in one transaction. Returns their handles."""
        return self._keep_originals(path, [(result, asked, "") for result, asked in results])

    def _keep_originals(self, path: Path, results: Sequence[tuple[Observation, str, str]]) -> list[str]:
        from clew.transcript.live import original_id, originals_source, remember_original  # lazy: a question needs no transcript

        key, root = workspace_of(path)
        self.store.open_workspace(key, str(root))
        before = self.store.source(key, originals_source(results[0][0].session)) if results else None
        first = before.size if before else 0
        deltas = [remember_original(result, asked=asked, path=name, count=first + at) for at, (result, asked, name) in enumerate(results)]
        accept(self.store, key, deltas)
        return [handle_of(original_id(result)) for result, _, _ in results]

    def remember(self, path: Path, text: str, *, kind: str = "fact", about: Sequence[str] = (), subject: str = "") -> str:
        """Remember a text, and return its handle. It is doubted as soon as a file that it is about changes.

        kind     "fact", "decision", "constraint", "dead end" or "state".
        about    paths from the repository's root, each with `::symbol` or without; files that are there.
        subject  a later text of the same subject replaces it; "" for none.
        Raises UsageError for an empty text or an unknown kind, UnknownPath for what is no file of the repository.
        """
        from clew.lifecycle import notes  # lazy: only here

        if not text.strip() or kind not in notes.LAYERS:
            raise UsageError(f"nothing to remember as {kind!r}\nhint: say a text, and as kind one of {', '.join(notes.LAYERS)}")
        key, root = workspace_of(path)
        cited: list[tuple[str, str]] = []
        for name in about:
            file = Path(os.path.normpath(root / name.partition("::")[0]))
            if not file.is_relative_to(root) or not file.is_file():
                raise UnknownPath(name)
            cited.append((file.relative_to(root).as_posix(), digest_of(file.read_bytes())))
        self.store.open_workspace(key, str(root))
        held = self.store.source(key, notes.SOURCE)
        same = self.store.of_subject(key, f"note:{subject}") if subject else []
        standings = self.store.standings(key, [record.id for record in same])
        live = [record for record, standing in zip(same, standings, strict=True) if standing.is_live]
        delta, record = notes.note(
            text, kind=kind, subject=subject, cited=cited, before=live, seq=held.size if held else 0, at_ns=time.time_ns()
        )
        accept(self.store, key, [delta])
        self.store.refresh(key)
        return handle_of(record.id)

    def _doubt_notes(self, key: str, root: Path) -> None:
        """Doubt the notes that cite what has changed, and no longer those whose files are again as they were."""
        from clew.lifecycle import notes  # lazy: only where something is indexed

        held = self.store.source(key, notes.SOURCE)
        if held is None:
            return

        def digest_now(name: str) -> str | None:
            try:
                return digest_of((root / name).read_bytes())
            except OSError:  # gone, or no longer readable: that is a change as well
                return None

        records = self.store.of_source(key, notes.SOURCE)
        standings = self.store.standings(key, [record.id for record in records])
        delta = notes.doubts(zip(records, standings, strict=True), digest_now, state=held, at_ns=time.time_ns())
        if delta is not None:
            accept(self.store, key, [delta])

    def ingest(self, paths: Sequence[Path], *, repo: Path | None = None, progress: Progress | None = None) -> Ingested:
        """Read transcripts from where they were last read: files, or folders of them.

        repo   the repository that they belong to; None puts each where it was held.
        A session that cannot be read is a problem in the answer, and the others are read all the same.
        """
        from clew.transcript.follow import source_of  # lazy: a question needs no transcript
        from clew.transcript.many import Job, follow_all  # lazy: likewise
        from clew.transcript.sessions import find, session_at  # lazy: likewise

        started = time.perf_counter()
        done = Ingested()
        jobs: list[tuple[str, Job]] = []
        for path in paths:
            try:
                found = [each for session in find(path) for each in (session, *(session_at(agent) for agent in session.agents))]
            except (NotReadable, OSError) as problem:
                done.problems.append(str(problem))
                continue
            if not found:
                done.problems.append(f"{path}: holds no transcript of a known client")
            for session in found:
                key, root = workspace_of(repo) if repo else _workspace_of_session(session)
                self.store.open_workspace(key, str(root))
                done.workspaces.setdefault(key, (str(root), []))
                jobs.append((key, Job(session, self.store.source(key, source_of(session)), str(root), self.settings.embedder)))
        workers = self.settings.jobs or os.cpu_count() or 1
        for at, ((key, _), (job, said)) in enumerate(zip(jobs, follow_all([job for _, job in jobs], workers), strict=True), 1):
            if progress:
                progress("ingesting", at, len(jobs))
            if isinstance(said, str):
                done.problems.append(said)
                continue
            try:
                self._take_session(key, job.session, source_of(job.session), said, done, before=job.state.size if job.state else 0)
            except (NotReadable, OSError) as problem:  # it became unreadable while it was read; what came before stands
                done.problems.append(str(problem))
        for key, (_, names) in done.workspaces.items():
            if names:
                self._remember_edits(key, names)
                self.store.refresh(key)
        done.seconds = time.perf_counter() - started
        return done

    def _remember_edits(self, key: str, names: Iterable[str]) -> None:
        """Note which files these sessions edited, a subagent's with its session's, and couple them."""
        from clew.enrich import together  # lazy: only where something is ingested

        before = self.store.source(key, together.TOGETHER)
        known = together.sessions_in(before)
        for name in dict.fromkeys(name.partition("/")[0] for name in names):
            sources = [state.source for state in self.store.sources(key, f"session:{name}")]
            mine = [source for source in sources if source.removeprefix("session:").partition("/")[0] == name]
            known[name] = together.edited(record for source in mine for record in self.store.of_source(key, source))
        delta = together.kept(known)
        if delta.state is not None and (before.digest if before else "") != delta.state.digest:
            accept(self.store, key, [delta])
            self._couple(key)

    def _take_session(self, key: str, session: Session, source: str, deltas: Iterable[Delta], done: Ingested, *, before: int) -> None:
        from clew.transcript.follow import UNRECOGNISED, report  # lazy: only called where transcripts are read
        from clew.transcript.live import live_source  # lazy: likewise

        totals = accept(self.store, key, self._with_usage(key, session, deltas))
        state = self.store.source(key, source)
        if state is None or state.status == UNRECOGNISED:
            done.problems.append(f"{session.path}: no known client wrote this")
            return
        if not totals.deltas:
            done.unchanged += 1
            return
        if self.store.source(key, live_source(session.id)) is not None:  # the transcript now holds what was written live
            accept(self.store, key, [Delta("engine/1", live_source(session.id), is_whole=True)])
        told = report(state)
        done.sessions += 1
        done.records += totals.added
        done.raw_bytes += max(0, state.size - (before if before <= state.size else 0))
        done.broken_lines += told.broken_count
        done.workspaces[key][1].append(session.id)
        for kind, times in told.unknown:
            done.unknown[kind] = done.unknown.get(kind, 0) + times
        done.problems.extend(
            f"{session.path}: line {line} is broken ({reason}); it was kept and passed over" for line, reason in told.broken
        )

    def _with_usage(self, key: str, session: Session, deltas: Iterable[Delta]) -> Iterator[Delta]:
        """The Deltas, and after the last of them what the session's usage says of our counts: one transaction, if they are short."""
        from clew.transcript.follow import seen  # lazy: only called where transcripts are read

        last = None
        for delta in deltas:
            yield delta
            last = delta.state
        if last is not None and not session.agent:
            told = usage.proposed(self.store.source(key, usage.TOKENS), session.id, seen(last))
            if told is not None:
                yield told

    def read_anew(self, key: str, root: Path, transcripts: Path | None, *, progress: Progress | None = None) -> ReadAnew:
        """Read the repository at `root` again, whole, and the sessions of which there are transcripts, as if nothing of them were known.

        key          of its workspace, as the store knows it.
        transcripts  the folder of them, None where there is none.
        For a store that was repaired: what it knows may have gaps that an ordinary run would take for unchanged. What has ended, and what
        nobody can read again, stays as it is.
        """
        from clew.codebase.tree import BEGUN  # lazy: a question needs no parser
        from clew.enrich import cochange, couple, history  # lazy: only where something is indexed
        from clew.transcript.follow import source_of  # lazy: a question needs no transcript
        from clew.transcript.sessions import find, session_at  # lazy: likewise

        by = "engine/1"
        derived = (TREE, BEGUN, history.HISTORY, cochange.COCHANGE, couple.COUPLING)
        states = [state for prefix in derived for state in self.store.sources(key, prefix)]
        accept(self.store, key, [Delta(by, name, is_whole=True) for name in dict.fromkeys(state.source for state in states)])
        found: list[Session] = []
        if transcripts is not None:
            with suppress(NotReadable):  # it went away: there is nothing to read
                found = [each for one in find(transcripts) for each in (one, *(session_at(agent) for agent in one.agents))]
        known = {state.source for state in self.store.sources(key, "session:")}
        there = sorted({source_of(session) for session in found} & known)
        accept(self.store, key, [Delta(by, name, is_whole=False, state=SourceState(name)) for name in there])
        indexed = self.index(root, progress=progress)
        ingested = self.ingest([transcripts], repo=root, progress=progress) if found and transcripts is not None else None
        names = {name.removeprefix("session:").partition("/")[0] for name in known - set(there) if name != "session:remembered/notes"}
        gone = sorted(names - {session.id for session in found})
        return ReadAnew(indexed, ingested, tuple(gone))

    def make_findable(self, key: str, source: str, ids: Sequence[str]) -> int:
        """Make postings of these records of a source anew, those that are still live and stand in no index; returns of how many."""
        from clew.lifecycle.findable import postings_of  # lazy: only for a store that was repaired

        state, index = self.store.source(key, source), self.store.index(key)
        delta = postings_of(self.store, key, source, state, [one for one in ids if not len(index.docs_of([one]))])
        if delta is None:
            return 0
        accept(self.store, key, [delta])
        self.store.refresh(key)
        return len(delta.records)

    # -- retrieve -------------------------------------------------------------------------------

    def retrieve(self, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None) -> Packet:
        """Return the packet for a question to the repository at `path`.

        Files that it would show and that have changed since they were indexed are read again first: what is shown is what
        stands there now. Else it writes only that its entries were used, so that they do not age, never at the price of the answer.
        """
        key, _ = workspace_of(path)
        deadline = Deadline(deadline_ms)
        make = partial(
            assemble_packet,
            self.store,
            key,
            question_state(question),
            budget_tokens=_budget(budget_tokens),
            counter=_corrected(counter_of(tokenizer), self.store.source(key, usage.TOKENS)),
            deadline=deadline,
            embedder=load(self.settings.embedder) if self.settings.embedder else None,
        )
        packet = self._settled(path, make, _files_of, deadline)
        packet = self._marked(key, path, replace(packet, skipped=tuple(dict.fromkeys([*deadline.skipped, *packet.skipped]))))
        used = [entry.id for entry in packet.entries if entry.session]
        # Who cannot write (a full or read-only disk, another writer) still gets the answer; these records merely age as if unused.
        with suppress(StoreBusy, StoreUnwritable):
            if used:
                forgetting.remember_use(self.store, key, used, now_ns=time.time_ns())
        return packet

    def recall(
        self,
        path: Path,
        question: str,
        *,
        only: Iterable[str] | None = None,
        exclude: Iterable[str] = (),
        asked_ns: int | None = None,
        turns_max: int = 10,
        sessions_max: int = 5,
        confidence_min: float | None = None,
    ) -> Recalled:
        """Return the turns of earlier sessions of the repository at `path` that bear on a question, or nothing.

        only, exclude   ids of sessions; the one at work is for the caller to exclude.
        asked_ns        when it is asked; None for now.
        confidence_min  None takes the calibrated threshold, 0 always answers.
        """
        from clew.recall.recall import recall  # lazy: only here

        key, _ = workspace_of(path)
        return recall(
            self.store,
            key,
            question_state(question),
            only=None if only is None else frozenset(only),
            exclude=frozenset(exclude),
            asked_ns=time.time_ns() if asked_ns is None else asked_ns,
            turns_max=turns_max,
            sessions_max=sessions_max,
            confidence_min=confidence_min,
            embedder=load(self.settings.embedder) if self.settings.embedder else None,
        )

    def attend(
        self, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, session: str = "", seen: Collection[str] = (),
        deadline_ms: float | None = None,
    ) -> Packet:  # fmt: skip
        """Return what is worth adding to a prompt, which may be nothing: where to look, and what other sessions said of it.

        session  the one at work, whose own words are no memory; seen  handles that stand in its window already.
        Nothing is read anew and nothing is written: what is shown are places and beginnings, and the prompt waits.
        """
        from clew.ranking.files import files  # lazy: only here
        from clew.recall.augment import FILES_MAX, TURNS_MAX, is_worth_asking, worth  # lazy: likewise

        key, _ = workspace_of(path)
        billed = self.store.source(key, usage.TOKENS)
        counter = _corrected(counter_of(tokenizer), billed)
        if not budget_tokens or not is_worth_asking(prompt):
            return Packet(prompt, (), (), 0, budget_tokens, counter.name, 0.0, 0.0)
        recalled = self.recall(path, prompt, exclude=[session] if session else (), turns_max=TURNS_MAX + len(seen))
        embedder = load(self.settings.embedder) if self.settings.embedder else None
        found = files(
            self.store, key, question_state(prompt),
            limit=FILES_MAX + len(seen), deadline=Deadline(deadline_ms), embedder=embedder,
        )  # fmt: skip

        def doubt(record_id: str) -> str:
            [standing] = self.store.standings(key, [record_id])
            return f"suspect: {standing.reason}" if standing.is_suspect else ""

        originals = Originals(self.store, key)
        return worth(
            prompt, found, recalled.turns, originals,
            seen=seen, counter=counter, budget_tokens=_budget(budget_tokens), standing=doubt,
        )  # fmt: skip

    def files(self, path: Path, question: str, *, limit: int, deadline_ms: float | None = None) -> FileList:
        """Return the files that matter for a question, at most `limit`, in order of rank. Those that have changed are read again first."""
        from clew.ranking.files import files  # lazy: only here

        key, _ = workspace_of(path)
        deadline = Deadline(deadline_ms)
        embedder = load(self.settings.embedder) if self.settings.embedder else None
        make = partial(files, self.store, key, question_state(question), limit=limit, deadline=deadline, embedder=embedder)
        found = self._settled(path, make, lambda found: [file.path for file in found.files], deadline)
        return replace(found, skipped=tuple(dict.fromkeys([*deadline.skipped, *found.skipped])))

    def map(self, path: Path, *, budget_tokens: int, tokenizer: str) -> Packet:
        """Return the map of the repository that holds `path`, or of the folder or file in it that `path` names.

        Raises NotReadable for what does not exist.
        """
        from clew.packet.map import survey  # lazy: only here

        if not path.exists():
            raise NotReadable(str(path), "does not exist")
        key, root = workspace_of(path)
        folder = path.resolve().relative_to(root).as_posix()
        counter = _corrected(counter_of(tokenizer), self.store.source(key, usage.TOKENS))
        make = partial(
            survey, self.store, key, folder="" if folder == "." else folder, budget_tokens=_budget(budget_tokens), counter=counter
        )
        deadline = Deadline()
        packet = self._settled(path, make, _files_of, deadline)
        return replace(packet, skipped=tuple(deadline.skipped))

    def _settled(self, path: Path, make: Callable[[], T], shown: Callable[[T], Iterable[str]], deadline: Deadline) -> T:
        """What `make` gives when the files that it shows are as they were indexed: those that are not are read, and it is made anew.

        What is made anew may show other files, which are looked at in their turn; one that changes again and again is
        read FRESH_ROUNDS times.
        """
        key, root = workspace_of(path)
        answer = make()
        times: CountOf[str] = CountOf()
        while root.is_dir() and deadline.allows("fresh"):
            stale = [name for name in self._changed(key, root, shown(answer)) if times[name] < FRESH_ROUNDS]
            if not stale:
                break
            try:
                self.update(path, stale)
            except (StoreBusy, StoreUnwritable):  # who asks gets the answer all the same, and is told
                deadline.skipped.append(f"fresh: {len(stale)} files shown have changed since they were indexed")
                break
            times.update(stale)
            answer = make()
        return answer

    def _marked(self, key: str, path: Path, packet: Packet) -> Packet:
        """The packet with a word at each memory of a file that was written after it, or is gone: it may no longer be so."""
        packet = self._doubted(key, packet)
        cited = [entry.id for entry in packet.entries if entry.session and entry.path]
        _, root = workspace_of(path)
        if not cited or not root.is_dir():
            return packet
        seen_ns = {record.id: record.at_ns for record in self.store.records(key, cited)}
        entries: list[Entry] = []
        for entry in packet.entries:
            at_ns = seen_ns.get(entry.id, 0)
            if entry.session and entry.path and at_ns:
                try:
                    is_newer = (root / entry.path).stat().st_mtime_ns > at_ns + WRITTEN_WITHIN_NS
                    word = "its file has changed since" if is_newer else ""
                except OSError:
                    word = "its file is no longer there"
                entries.append(replace(entry, why=(word, *entry.why)) if word else entry)
            else:
                entries.append(entry)
        return replace(packet, entries=tuple(entries))

    def _doubted(self, key: str, packet: Packet) -> Packet:
        """The packet with a word at each memory that cites what has changed since."""
        told = [entry.id for entry in packet.entries if entry.session]
        standings = dict(zip(told, self.store.standings(key, told), strict=True))
        entries = [
            replace(entry, why=(f"suspect: {standing.reason}", *entry.why))
            if (standing := standings.get(entry.id)) and standing.is_suspect
            else entry
            for entry in packet.entries
        ]
        return replace(packet, entries=tuple(entries))

    def _changed(self, key: str, root: Path, names: Iterable[str]) -> list[str]:
        """Those of the files that are no longer as they were indexed. Cost: one status each, and its bytes where that differs."""
        changed: list[str] = []
        for name in dict.fromkeys(names):
            state = self.store.source(key, f"file:{name}")
            if state is None:
                continue
            try:
                about = (root / name).stat()
                if (about.st_size, stamp_of(about)) == (state.size, state.mtime_ns):
                    continue
                is_equal = about.st_size == state.size and (not state.digest or digest_of(mask((root / name).read_bytes())) == state.digest)
            except OSError:  # gone, or no longer readable: its records are retired
                is_equal = False
            if not is_equal:
                changed.append(name)
        return changed

    def unfold(self, path: Path, handle: str) -> Unfolded:
        """Return the exact bytes behind a handle. Raises UnknownHandle or Purged."""
        key, _ = workspace_of(path)
        record = self._record(key, handle)
        [standing] = self.store.standings(key, [record.id])
        return Unfolded(record, standing, Originals(self.store, key).bytes_of(record.whole))

    def explain(self, path: Path, handle: str) -> Explained:
        """Return all that the store knows of a record. Raises UnknownHandle."""
        from clew.packet.explain import links_of  # lazy: only here

        key, _ = workspace_of(path)
        record = self._record(key, handle)
        [standing] = self.store.standings(key, [record.id])
        if record.kind == compressed.KIND and standing.is_live:
            ended, made_from = compressed.ended_of(self.store, key, record)
            reason = f"{ended} of the {made_from} records that it was made from are no longer true" if ended else ""
            standing = replace(standing, reason=reason)
        versions = self.store.of_subject(key, record.subject)
        standings = self.store.standings(key, [version.id for version in versions])
        links = links_of(self.store, key, record)
        return Explained(record, standing, tuple(zip(versions, standings, strict=True)), links)

    def impact(self, path: Path, names: Sequence[str], *, limit: int) -> tuple[list[str], list[Impacted]]:
        """Return what was meant by `names`, and the files that will most probably change with it, the surest first.

        names  each a path, from the current folder or from the repository's root; `path::symbol`; or a handle.
        Raises UnknownPath for a path that is not indexed, UnknownHandle for what is neither.
        """
        from clew.impact.couplings import given_of  # lazy: only here
        from clew.impact.impact import impact  # lazy: likewise

        key, root = workspace_of(path)
        index = self.store.index(key)
        meant: list[tuple[str, str]] = [self._meant(key, root, index, name) for name in names]
        given = [given_of(self.store, key, index, file, symbol) for file, symbol in meant]
        for name, each in zip(names, given, strict=True):
            if each is None:
                raise UnknownPath(name)
        found = impact(self.store, key, [each for each in given if each is not None], limit=limit)
        return [f"{file}::{symbol}" if symbol else file for file, symbol in meant], found

    def _meant(self, key: str, root: Path, index: Index, name: str) -> tuple[str, str]:
        """The file and the symbol ("" for all of it) that a name means."""
        file, _, symbol = name.partition("::")
        for base in (Path.cwd(), root):
            full = Path(os.path.normpath(base / file))  # links are not followed: a path is what git calls it
            if full.is_relative_to(root) and (inside := full.relative_to(root).as_posix()) in index.path_numbers:
                return inside, symbol
        looks_like_path = symbol or "/" in file or "." in file or (Path.cwd() / file).exists()
        if looks_like_path:
            raise UnknownPath(name)
        record = self._record(key, name)
        return record.path, "" if record.subject.startswith("file:") else record.subject.partition("::")[2]

    def compact(self, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path, has_earlier: bool = False) -> Packet:
        """Return what of a session should stand in the window after it was cut.

        session  path of a transcript, which is ingested first so that every handle can be unfolded; or the id of an ingested one.
        at       the record before which it is cut: its uuid or its 0-based line; None cuts at the end.
        path     the repository that it belongs to.
        has_earlier  add what bears on the last request and was said in other sessions of the repository.
        Of this session nothing after the cut is looked at: the records are made anew from the lines before it.
        """
        key, _ = workspace_of(path)
        budget_tokens = _budget(budget_tokens)
        found, lines = self._transcript(key, session, path)
        made = self.before(found, lines[: _cut(lines, at)], tokenizer=tokenizer, path=path)
        return self._with_earlier(path, made, found.id, budget_tokens) if has_earlier else made.packet(budget_tokens)

    def hand_off(self, session: str, *, budget_tokens: int, tokenizer: str, path: Path) -> Spans:
        """Return the state of a session's work alone, without the lines behind it; () where it asked for nothing.

        session  as for `compact`; at most `budget_tokens` of its state are told, fences included, what matters most first. A file is read
                 and not taken over: whoever asks waits, and the handles that are told stand for its records once it is ingested.
        """
        from clew.transcript.handoff import handoff  # lazy: a question needs no transcript
        from clew.transcript.parse import open_transcript  # lazy: likewise
        from clew.transcript.sessions import session_at  # lazy: likewise

        key, _ = workspace_of(path)
        if Path(session).is_file():
            found = session_at(Path(session))
            if not found.client:
                raise NotReadable(session, "no known client wrote this", "transcripts of Claude Code and Codex are understood")
            with open_transcript(Path(session)) as stream:
                lines = stream.readlines()
        else:
            found, lines = self._stored(key, session)
        made = self.before(found, lines, tokenizer=tokenizer, path=path, back=0)
        if not made.state.goals:
            return ()
        return handoff(made.state, made.done, made.counter.count, _budget(budget_tokens), {}, written=_as_sent)

    def _with_earlier(self, path: Path, made: Compacting, session: str, budget_tokens: int) -> Packet:
        """A compaction with what other sessions said, which is paid for first, EARLIER_SHARE_MAX of the budget at most."""
        from clew.compaction.earlier import section  # lazy: only here

        recalled = self.recall(path, made.state.question, exclude=[session], asked_ns=made.at_ns)
        originals = Originals(self.store, made.workspace)
        spans, entries = section(recalled.turns, originals, budget_tokens=int(EARLIER_SHARE_MAX * budget_tokens), counter=made.counter)
        packet = made.packet(budget_tokens - made.counter.count(_as_sent(spans)))
        whole = joined((*packet.spans, *spans))
        tokens, fence_tokens = lengths_of(whole, made.counter)
        if tokens + fence_tokens > budget_tokens:  # a tokenizer may count the whole higher than its parts
            return made.packet(budget_tokens)
        return replace(
            packet, entries=(*packet.entries, *entries), spans=whole, tokens=tokens, fence_tokens=fence_tokens, budget_tokens=budget_tokens
        )

    def before(
        self, session: Session, lines: Sequence[bytes], *, tokenizer: str, path: Path, root: Path | None = None, back: int = CHAIN_MAX
    ) -> Compacting:
        """Return what is known of a session by these lines of its transcript alone, ready to be compacted to any budget.

        root  of its repository, where that is no folder of this machine; else the one that holds `path`.
        back  earlier compactions that are looked back on, at most.
        """
        from clew.store.memory import MemoryStore  # lazy: only here
        from clew.task.tracker import observe_task  # lazy: a question needs no transcript
        from clew.transcript.follow import deltas, source_of  # lazy: likewise
        from clew.transcript.work import work  # lazy: likewise

        key, held_in = workspace_of(path)
        root = root or held_in
        base = str(root) if not session.cwd or Path(session.cwd).is_relative_to(root) else session.cwd
        prefix = MemoryStore()
        prefix.open_workspace(key, str(root))
        observations: list[Observation] = []
        accept(prefix, key, deltas(lines, session=session, root=str(root), seen=observations))
        # Of this session only what was billed before the cut; of the others all.
        billed = usage.merged(self.store.source(key, usage.TOKENS), session.id, usage.watched(observations))
        accept(prefix, key, compressed.carried(self.store, key, session.id, prefix))
        return Compacting(
            prefix,
            key,
            source_of(session),
            _asked(observe_task(observations, root=base)),
            work(observations, root=base),
            _corrected(counter_of(tokenizer), billed),
            max((each.at_ns for each in observations), default=0),
            cache(partial(self._earlier, session, lines, observations, tokenizer=tokenizer, path=path, root=root, back=back)),
        )

    def _earlier(
        self, session: Session, lines: Sequence[bytes], seen: Sequence[Observation], *, tokenizer: str, path: Path, root: Path, back: int
    ) -> Compacting | None:
        """The session at the client's last compaction in these lines, and through it at those before, `back` at most."""
        cuts = [each.record_index for each in seen if each.kind is ObservationKind.BOUNDARY and not each.agent]
        if not cuts or not back:
            return None
        return self.before(session, lines[: cuts[-1]], tokenizer=tokenizer, path=path, root=root, back=back - 1)

    def compress(
        self,
        path: Path,
        sessions: Sequence[str],
        compressor: Compressor,
        *,
        tokenizer: str,
        chunk_tokens: int,
        dry_run: bool = False,
        progress: Progress | None = None,
    ) -> Compressed:
        """Have a model make a short text of each part of these sessions, and keep what can be believed of it beside the originals.

        sessions  each the path of a transcript, which is ingested first, or the id of an ingested one.
        dry_run   send nothing and keep nothing, but say what would be sent.
        Each text is durable before the next one is asked for. Raises ModelError; what was kept before stands. Raises
        AnswersUnusable where a model has answered and nothing of it could be kept.
        """
        from clew.enrich import compress  # lazy: only here
        from clew.errors import AnswersUnusable  # lazy: likewise

        started = time.perf_counter()
        key, root = workspace_of(path)
        done = compress.Compressed()
        counter = counter_of(tokenizer)  # not corrected by usage: else a new session would cut the old ones otherwise
        for session in sessions:
            found, lines = self._stored(key, self._ingested(session, path).id if Path(session).exists() else session)
            base = str(root) if not found.cwd or Path(found.cwd).is_relative_to(root) else found.cwd
            done.sessions += 1
            told = compress.Told(found, lines, str(root), base)
            for delta in compress.changes(
                self.store, key, told, compressor, done,
                counter=counter, chunk_tokens=chunk_tokens, dry_run=dry_run, progress=progress,
            ):  # fmt: skip
                accept(self.store, key, [delta])
        done.seconds = time.perf_counter() - started
        if done.asked and len(done.refused) >= done.asked and not (done.known or done.lines or dry_run):
            raise AnswersUnusable(tuple(dict.fromkeys(reason for _, _, reason in done.refused)))
        return done

    def _transcript(self, key: str, session: str, path: Path) -> tuple[Session, list[bytes]]:
        """The session, and its lines as they stand in its file or in the store."""
        from clew.transcript.parse import open_transcript  # lazy: a question needs no transcript

        file = Path(session)
        if not file.exists():
            return self._stored(key, session)
        found = self._ingested(session, path)
        with open_transcript(file) as stream:
            return found, stream.readlines()

    def _ingested(self, session: str, path: Path) -> Session:
        """The session of a transcript, which is ingested."""
        from clew.transcript.sessions import session_at  # lazy: a question needs no transcript

        file = Path(session)
        if file.is_dir():
            raise NotReadable(session, "is a folder", "name one transcript")
        self.ingest([file], repo=path)
        found = session_at(file)
        if not found.client:
            raise NotReadable(session, "no known client wrote this", "transcripts of Claude Code and Codex are understood")
        return found

    def _stored(self, key: str, session: str) -> tuple[Session, list[bytes]]:
        """An ingested session, and its lines as they stand in the store: without those that were purged."""
        from clew.transcript.follow import observe  # lazy: a question needs no transcript
        from clew.transcript.sessions import Session  # lazy: likewise

        states = [state for state in self.store.sources(key, f"session:{session}") if "/" not in state.source]
        if len(states) != 1:
            raise UnknownHandle(session, tuple(state.source.removeprefix("session:") for state in states))
        source = states[0].source
        pieces = [record for record in self.store.of_source(key, source) if record.kind == "transcript"]
        pieces.sort(key=lambda record: record.whole.start_line)
        originals = Originals(self.store, key)
        raw = b"".join(originals.bytes_of(record.whole) for record in pieces)
        lines = raw.splitlines(keepends=True)
        held_in = next((each.cwd for each in observe(lines) if each.cwd), "")
        return Session(Path(session), source.removeprefix("session:"), cwd=held_in), lines

    def status(self, path: Path) -> Status:
        """Return the store at a glance, and what it holds of the repository at `path`."""
        from clew.store.sqlite.migrations import MIGRATIONS  # lazy: only here

        key, _ = workspace_of(path)
        workspaces = tuple(self.store.workspaces())
        here = next((workspace for workspace in workspaces if workspace.key == key), None)
        layers: dict[str, int] = {}
        kinds: dict[str, int] = {}
        tiers: dict[str, int] = {}
        skipped: dict[str, int] = {}
        files = sessions = 0
        if here is not None:
            index = self.store.index(key)
            docs = np.flatnonzero(index.alive).tolist()
            for doc in docs:
                layer, kind = index.layer_of(doc), index.kind_of(doc)
                layers[layer] = layers.get(layer, 0) + 1
                kinds[kind] = kinds.get(kind, 0) + 1
            moved = [standing.tier for _, standing in self.store.unusual(key) if standing.tier != Tier.HOT]
            tiers = {tier.name.lower(): moved.count(tier) for tier in (Tier.FOLDED, Tier.ARCHIVED)}
            tiers["hot"] = len(docs) - len(moved)
            for state in self.store.sources(key):
                files += state.source.startswith("file:")
                sessions += state.source.startswith("session:") and "/" not in state.source
                if state.source.startswith("file:") and state.status != "indexed":
                    skipped[state.status] = skipped.get(state.status, 0) + 1
        counters = [_corrected(counter_of(family), self.store.source(key, usage.TOKENS)) for family in FAMILIES]
        corrections = {counter.name: counter.correction for counter in counters if counter.correction != 1.0}
        database = self.settings.database
        size = sum(file.stat().st_size for file in database.parent.glob(f"{database.name}*") if file.is_file())
        return Status(database, size, len(MIGRATIONS), here, workspaces, layers, kinds, tiers, sessions, files, skipped, corrections)

    # -- forget ---------------------------------------------------------------------------------

    def forget(self, path: Path, *, handles: Sequence[str] = (), tier: Tier | None = None, dry_run: bool = False) -> forgetting.Forgotten:
        """Move records to a cheaper tier: the named ones to `tier`, or, with no handles, all that are old enough by the settings."""
        key, _ = workspace_of(path)
        if handles:
            ids = [self._record(key, handle).id for handle in handles]
            return forgetting.put_away(self.store, key, ids, Tier.ARCHIVED if tier is None else tier, dry_run=dry_run)
        return forgetting.age(
            self.store,
            key,
            now_ns=time.time_ns(),
            folded_after_days=self.settings.folded_after_days,
            archived_after_days=self.settings.archived_after_days,
            dry_run=dry_run,
        )

    def purge(self, path: Path, *, handles: Sequence[str] = (), source: str = "", reason: str = "") -> Purge:
        """Erase records, or a whole source (`session:<id>`, `file:<path>`), for good. The one thing that cannot be undone."""
        key, _ = workspace_of(path)
        if source:
            if self.store.source(key, source) is None:
                raise UnknownHandle(source)
            gone = forgetting.purge_source(self.store, key, source, reason=reason, now_ns=time.time_ns())
            told = usage.proposed(self.store.source(key, usage.TOKENS), source.removeprefix("session:"), usage.Seen())
            if told is not None:
                accept(self.store, key, [told])
            if source.startswith("session:"):
                self._remember_edits(key, [source.removeprefix("session:")])
            return gone
        ids = [self._record(key, handle).id for handle in handles]
        return forgetting.purge(self.store, key, ids, reason=reason, now_ns=time.time_ns())

    def _record(self, key: str, handle: str) -> Record:
        wanted = handle.strip().strip("[]⟨⟩").partition(":")[0].lower()  # packets print [handle:line]
        ids = self.store.find(key, wanted) if wanted else []
        if len(ids) != 1:
            raise UnknownHandle(handle, tuple(ids))
        records = self.store.records(key, ids)
        if not records:
            raise UnknownHandle(handle)
        return records[0]


def _shown(record: Record, whole: str, seen: tuple[Observation, Observation | None] | None, task: TaskState | None) -> str:
    """A record's text as the agent reads it: what a tool answered is reduced, everything else is whole."""
    from clew.transcript.reduce.arrival import arriving  # lazy: a question reduces nothing
    from clew.transcript.reduce.known import given_of  # lazy: likewise

    if seen is None or not whole.endswith(seen[0].text):
        return whole + "\n"
    output = seen[0].text
    given = given_of(seen[0], seen[1])
    reduced = arriving(output, given.guided(task) if task else given)
    return f"{whole[: len(whole) - len(output)]}{reduced.render(handle_of(record.id))}\n"


def _as_sent(spans: Spans) -> str:
    """A text as a door will send it, with a stand-in for the nonce: what is measured against a budget."""
    return fenced(spans, STAND_IN)


def _corrected(counter: Counter, state: SourceState | None) -> Counter:
    """The counter that the usage seen in a workspace asks for. `chars4` stays as it is."""
    return usage.fitted(counter, usage.pairs_of(state, counter.name)) if state else counter


def _files_of(packet: Packet) -> list[str]:
    """The files whose lines a packet shows."""
    return [entry.path for entry in packet.entries if entry.path and not entry.session]


def _budget(tokens: int) -> int:
    if tokens < 0:
        raise UsageError(f"budget {tokens} is negative\nhint: a budget is a number of tokens, 0 or more")
    return tokens


def _workspace_of_session(session: Session) -> tuple[str, Path]:
    """Where a session was held; a folder that is not on this machine is a workspace by its name."""
    folder = Path(session.cwd) if session.cwd else session.path.parent
    if folder.is_dir():
        return workspace_of(folder)
    return identify("workspace", str(folder))[:16], folder


def _asked(state: TaskState) -> TaskState:
    """The state with its last request as the question, and without a question if there was no request."""
    return replace(state, question=state.goals[-1].text if state.goals else "")


def _cut(lines: Sequence[bytes], at: str | None) -> int:
    """Number of lines before the record `at`. Raises UnknownRecord."""
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
