"""Engine: clew's programming interface over one store. Each method calls one use case of `clew.usecases`, which has the details."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from clew import usecases
from clew.errors import ServerNotInstalled, StoreUnwritable
from clew.settings import Settings, load_settings
from clew.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from clew.enrich.compress import CompressionReport
    from clew.enrich.models import Model
    from clew.impact.cochange import MissingChange
    from clew.impact.impact import ImpactedFile
    from clew.lifecycle.apply import ApplyTotals
    from clew.lifecycle.forget import ForgetReport
    from clew.lifecycle.marks import StoredMark
    from clew.lifecycle.queue import QueuedWork
    from clew.ranking.files import FileList
    from clew.recall.recall import Recalled
    from clew.records import AsOf, Correction, Noise, Observation, Packet, Pin, Record, Remark, Spans, TaskState, Tier
    from clew.store.ports import PurgeResult, Writer
    from clew.store.rows import ImportResult
    from clew.transcript.follow import ProgressReader
    from clew.transcript.session_files import SessionFiles
    from clew.usecases.augment import PromptAddition
    from clew.usecases.compact import CompactionInput
    from clew.usecases.copies import HeldCopy
    from clew.usecases.exchange import ExportResult
    from clew.usecases.explain import RecordExplanation, UnfoldedRecord
    from clew.usecases.forget import ForgettingStatus
    from clew.usecases.index import IndexResult
    from clew.usecases.ingest import IngestResult
    from clew.usecases.inputs import ProgressCallback
    from clew.usecases.marks import SessionMarks
    from clew.usecases.packets import PacketExplanation
    from clew.usecases.preview import CompactionPreview
    from clew.usecases.repair import RereadResult
    from clew.usecases.status import StoreStatus
    from clew.usecases.work import WorkReport
    from clew.usecases.write import IncomingOutput, NewNote, WriteReport


def open_engine(
    path: Path | str | None = None, *, settings: Settings | None = None, is_in_memory: bool = False, is_read_only: bool = False
) -> Engine:
    """Open a store and return an engine over it; also named `clew.open`. The engine closes the store at the end of a `with` block.

    path          the data folder; None for the user's own (`CLEW_HOME`).
    settings      None reads `config.toml` of the data folder and the environment.
    is_in_memory  keep everything in memory: nothing is read from the disk or written to it.
    is_read_only  never write. Otherwise an existing store that cannot be written is opened read-only, and methods that write
                  raise StoreUnwritable.
    Raises BadSetting for an invalid setting, StoreError for a store that cannot be opened.
    """
    if settings is None:
        settings = load_settings(os.environ if path is None else {**os.environ, "CLEW_HOME": str(path)})
    elif path is not None:
        settings = replace(settings, data_dir=Path(path))
    if is_in_memory:
        from clew.store.memory import MemoryStore  # lazy: only here

        return Engine(MemoryStore(), settings)
    if settings.store:
        return Engine(_open_server(settings, is_read_only=is_read_only), settings)
    try:
        return Engine(SqliteStore(settings.database_path, is_read_only=is_read_only), settings)
    except StoreUnwritable:
        if is_read_only or not settings.database_path.is_file():
            raise
        return Engine(SqliteStore(settings.database_path, is_read_only=True), settings)


def _open_server(settings: Settings, *, is_read_only: bool) -> Writer:
    try:
        from clew.store.postgres import PostgresStore  # lazy: only where a server is named; it takes psycopg, which is an extra
    except ImportError as error:
        raise ServerNotInstalled("the setting `store`") from error
    return PostgresStore(settings.store, settings.server_cache, tenant=settings.tenant, is_read_only=is_read_only)


class Engine:
    """clew's programming interface: one store with its settings. Thread-safe if the store is. A context manager that closes the store."""

    def __init__(self, store: Writer, settings: Settings) -> None:
        self.store, self.settings = store, settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_read_only(self) -> bool:
        """Whether the store was opened read-only, so that every method that writes raises StoreUnwritable."""
        return self.store.is_read_only

    def close(self) -> None:
        """Close the store. All changes that returned are durable."""
        self.store.close()

    # -- write and update -----------------------------------------------------------------------

    def index(self, path: Path, *, progress: ProgressCallback | None = None) -> IndexResult:
        """Update the index of the repository that holds `path` from its files and history; return what was read and how long it took."""
        return usecases.index.index(self.store, self.settings, path, progress=progress)

    def update(self, path: Path, names: Iterable[str]) -> ApplyTotals:
        """Read these files of a repository again, and nothing else."""
        return usecases.index.update(self.store, self.settings, path, names)

    def ingest(self, paths: Sequence[Path], *, repo: Path | None = None, progress: ProgressCallback | None = None) -> IngestResult:
        """Read transcripts (files, or folders of them), each from where it was last read; return counts of what was read."""
        return usecases.ingest.ingest(self.store, self.settings, paths, repo=repo, progress=progress)

    def write(
        self, path: Path, events: Sequence[Observation | IncomingOutput | NewNote], *, task: TaskState | None = None
    ) -> WriteReport:  # fmt: skip
        """Store events of one session (observations, tool outputs, notes), and return the text of them that the agent should read."""
        return usecases.write.write(self.store, self.settings, path, events, task=task)

    def compress(
        self, path: Path, sessions: Sequence[str], model: Model, *, tokenizer: str, chunk_tokens: int,
        seconds: float = inf, tokens: float = inf, dry_run: bool = False, is_queued: bool = False,
        progress: ProgressCallback | None = None,
    ) -> CompressionReport:  # fmt: skip
        """Have a model make a short text of each part of these sessions, beside the originals, within limits of time and tokens.

        is_queued  what is not done now stays in the queue.
        """
        return usecases.compress.compress(
            self.store, self.settings, path, sessions, model,
            tokenizer=tokenizer, chunk_tokens=chunk_tokens, seconds=seconds, tokens=tokens, dry_run=dry_run,
            is_queued=is_queued, progress=progress,
        )  # fmt: skip

    def work(
        self, model: Model, *, seconds: float = inf, tokens: float = inf, progress: ProgressCallback | None = None
    ) -> WorkReport:  # fmt: skip
        """Have a model do queued jobs of all repositories, the most wanted first, within limits of time and tokens."""
        return usecases.work.work(self.store, self.settings, model, seconds=seconds, tokens=tokens, progress=progress)

    def has_queued_work(self) -> bool:
        """Return whether anything is queued for a model."""
        from clew.lifecycle.queue import list_open_jobs  # lazy: a question asks no queue

        return bool(list_open_jobs(self.store))

    def describe_queue(self) -> list[QueuedWork]:
        """Return what is queued for a model, by kind of work."""
        from clew.lifecycle.queue import describe_queue  # lazy: as above

        return describe_queue(self.store)

    def reread_repository(
        self, key: str, root: Path, transcripts: Sequence[Path], *, progress: ProgressCallback | None = None
    ) -> RereadResult:
        """Re-read a repository and its transcripts as a whole into workspace `key`, after the store was repaired."""
        return usecases.repair.reread_workspace(self.store, self.settings, key, root, transcripts, progress=progress)

    def rebuild_postings(self, key: str, source: str, ids: Sequence[str]) -> int:
        """Rebuild the search index entries of recovered records of one source; return the number of records."""
        return usecases.repair.rebuild_postings(self.store, key, source, ids)

    # -- retrieve -------------------------------------------------------------------------------

    def retrieve(
        self, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None,
        with_sessions: bool = True, task: TaskState | None = None, as_of: AsOf | None = None,
    ) -> Packet:  # fmt: skip
        """Return the code and memory that answer a question about the repository at `path`, at most `budget_tokens` long.

        deadline_ms    milliseconds after which remaining stages are skipped; None for no limit.
        with_sessions  False for the code alone.
        task           what the agent that asks is working on (`read_task`): it leads where the question says little.
        as_of          the time, commit or branch (`find_as_of`) as of which it is answered; None for now.
        """
        return usecases.retrieve.retrieve(
            self.store, self.settings, path, question,
            budget_tokens=budget_tokens, tokenizer=tokenizer, deadline_ms=deadline_ms, with_sessions=with_sessions, task=task,
            as_of=as_of,
        )  # fmt: skip

    def rank_files(
        self, path: Path, question: str, *, limit: int, deadline_ms: float | None = None, task: TaskState | None = None,
        as_of: AsOf | None = None,
    ) -> FileList:  # fmt: skip
        """Return the files that are relevant to a question about the repository at `path`, at most `limit`, best first."""
        return usecases.retrieve.retrieve_files(
            self.store, self.settings, path, question, limit=limit, deadline_ms=deadline_ms, task=task, as_of=as_of
        )

    def find_as_of(self, path: Path, text: str) -> AsOf:
        """Return the time, or the commit or branch of the repository at `path`, that `text` names. Raises UnknownMoment."""
        return usecases.as_of.find_as_of(path, text)

    def recall(
        self, path: Path, question: str, *, only: Iterable[str] | None = None, exclude: Iterable[str] = (), running: str = "",
        asked_ns: int | None = None, turns_max: int = 10, sessions_max: int = 5, confidence_min: float | None = None,
        as_of: AsOf | None = None,
    ) -> Recalled:  # fmt: skip
        """Return messages and tool outputs of earlier sessions that answer a question; empty where the best match is below the threshold.

        only, exclude   ids of sessions to search, and to leave out; running  that of the session that asks, whose window is left out.
        asked_ns        time of the question, for words such as "yesterday"; None for now.
        confidence_min  the threshold, 0 to 1; None for the default.
        as_of           as above.
        """
        return usecases.recall.recall(
            self.store, self.settings, path, question, only=only, exclude=exclude, running=running, asked_ns=asked_ns, turns_max=turns_max,
            sessions_max=sessions_max, confidence_min=confidence_min, as_of=as_of,
        )  # fmt: skip

    def augment_prompt(
        self, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, task: TaskState | None = None, session: str = "",
        seen: Collection[str] = (), deadline_ms: float | None = None,
    ) -> Packet:  # fmt: skip
        """Return what to add to a user's prompt, at most `budget_tokens` long; a packet without entries where nothing is likely enough.

        task     what the agent was working on before the prompt; None for a prompt without a session.
        session  id of the session that the prompt belongs to; seen  handles that its window already holds.
        """
        return usecases.augment.augment_prompt(
            self.store, self.settings, path, prompt, budget_tokens=budget_tokens, tokenizer=tokenizer, task=task,
            session=session, seen=seen, deadline_ms=deadline_ms,
        )  # fmt: skip

    def check_work(self, path: Path, task: TaskState) -> list[MissingChange]:
        """Return files that probably should have changed with those that a session changed and no commit has taken, likeliest first."""
        return usecases.guard.check_work(self.store, path, task)

    def augment_transcript(
        self, transcript: str, *, at: str | None, path: Path, budget_tokens: int, tokenizer: str
    ) -> PromptAddition:  # fmt: skip
        """Return what is added to the prompt at record `at` of a session (None: to its last prompt)."""
        return usecases.augment.augment_transcript(
            self.store, self.settings, transcript, at=at, path=path, budget_tokens=budget_tokens, tokenizer=tokenizer
        )

    def log_packet(self, path: Path, packet: Packet, *, session: str, asked_ns: int, took_ms: float, is_shown: bool) -> None:
        """Store what was added to a session's prompt that came at `asked_ns`; is_shown: the agent read it."""
        usecases.packets.log_packet(self.store, path, packet, session=session, asked_ns=asked_ns, took_ms=took_ms, is_shown=is_shown)

    def find_last_session(self, path: Path) -> str:
        """Return the id of the session of the repository's last logged prompt. Raises UsageError where nothing is logged."""
        return usecases.packets.find_last_session(self.store, path)

    def explain_last_packet(self, path: Path, session: str) -> PacketExplanation:
        """Return what was added to the last logged prompt of a session, and what became of it. Raises UsageError."""
        return usecases.packets.explain_last_packet(self.store, path, session)

    def list_packets(self, path: Path, session: str, *, first: int = 0, count: int = 20) -> tuple[list[PacketExplanation], int]:
        """Return what was added to some logged prompts of a session, the latest being number 0, and how many are logged."""
        return usecases.packets.list_packets(self.store, path, session, first=first, count=count)

    def list_added_files(self, path: Path, session: str) -> list[tuple[int, str]]:
        """Return (time of the prompt in ns, path) of every file that the agent was shown beside a logged prompt of a session."""
        return usecases.packets.list_added_files(self.store, path, session)

    def build_map(self, path: Path, *, budget_tokens: int, tokenizer: str) -> Packet:
        """Return an overview of a repository, or of the folder or file in it that `path` names: its most used files and symbols."""
        return usecases.retrieve.retrieve_map(self.store, self.settings, path, budget_tokens=budget_tokens, tokenizer=tokenizer)

    def find_impact(
        self, path: Path, names: Sequence[str], *, limit: int, task: TaskState | None = None
    ) -> tuple[list[str], list[ImpactedFile]]:
        """Return what was meant by `names`, and the files that will most probably change with it.

        task  what the agent that asks is working on: without names, what it has changed and not committed is meant.
        """
        return usecases.impact.impact(self.store, path, names, limit=limit, task=task)

    def find_unread_targets(self, path: Path, names: Sequence[str]) -> tuple[Remark, ...]:
        """Return a remark for each of the names that `find_impact` returned whose text was not read."""
        return usecases.impact.find_unread_targets(self.store, path, names)

    def unfold(self, path: Path, handle: str) -> UnfoldedRecord:
        """Return the full original text of the record with this handle. Raises UnknownHandle, and OriginalPurged if it was erased."""
        return usecases.explain.unfold(self.store, path, handle)

    def explain(self, path: Path, handle: str) -> RecordExplanation:
        """Return a record, or the whole file at a path, with status, links, originals and versions. Raises UnknownHandle or UnknownPath."""
        return usecases.explain.explain(self.store, path, handle)

    def compact(
        self, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path, with_earlier: bool = False,
        rate_min: float | None = None,
    ) -> Packet:  # fmt: skip
        """Return a shorter text, at most `budget_tokens` long, that replaces the conversation of a session in the context window.

        at           id of the transcript record at which the session is compacted; None for its end.
        has_earlier  add what other sessions of the repository say about the last request.
        rate_min     keep every line above this threshold of `clew.compaction.level`, beyond the budget if need be.
        """
        return usecases.compact.compact(
            self.store, self.settings, session,
            at=at, budget_tokens=budget_tokens, tokenizer=tokenizer, path=path, with_earlier=with_earlier, rate_min=rate_min,
        )  # fmt: skip

    def preview_compaction(self, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path) -> CompactionPreview:
        """Return what `compact` would keep of a session, record by record with why. Nothing is stored, a transcript is not ingested."""
        return usecases.preview.preview_compaction(self.store, session, at=at, budget_tokens=budget_tokens, tokenizer=tokenizer, path=path)

    def describe_state(
        self, path: Path, session: str, *, at: str | None = None, seconds_max: float = inf, as_of: AsOf | None = None
    ) -> dict[str, Any]:
        """Return what the agent of a session was working on before the record `at` (None: at its end), as the JSON of `clew state`.

        seconds_max  time to read what is not ingested yet: `unread_bytes` says what was left; `as_of` as above.
        """
        return usecases.state.describe_state(
            usecases.state.read_state(self.store, session, at=at, path=path, seconds_max=seconds_max, as_of=as_of)
        )

    def read_task(self, path: Path, session: str, *, as_of: AsOf | None = None) -> TaskState:
        """Return what the agent of a session (a transcript, or the id of an ingested one) is working on at its end; `as_of` as above."""
        return usecases.progress.read_progress(self.store, session, path=path, as_of=as_of).state()

    def hand_off(self, session: str, *, budget_tokens: int, tokenizer: str, path: Path, seconds_max: float = inf) -> Spans:
        """Return the state of a session's work (goals, rules, files, errors, plan) as text; () where the user asked for nothing.

        seconds_max  time to read what is not ingested yet; a state of before that says so.
        """
        return usecases.compact.hand_off(
            self.store, session, budget_tokens=budget_tokens, tokenizer=tokenizer, path=path, seconds_max=seconds_max
        )

    def open_progress(self, session: SessionFiles, path: Path) -> ProgressReader:
        """Return a reader of a session's task state that continues from what is stored of its transcript."""
        return usecases.progress.open_progress(self.store, session, path)

    def load_compaction_input(
        self, session: SessionFiles, lines: Sequence[bytes], *, tokenizer: str, path: Path, root: Path | None = None
    ) -> CompactionInput:
        """Return a session up to and including these lines of its transcript, prepared for compaction to any budget."""
        return usecases.compact.load_compaction_input(self.store, session, lines, tokenizer=tokenizer, path=path, root=root)

    def read_marks(self, path: Path, session: str) -> SessionMarks:
        """Return what a person marked in a session: pins, drops and corrections."""
        return usecases.marks.SessionMarks(self.store, usecases.places.find_memory(self.store, path)[0], session)

    def pin(self, path: Path, target: Record | str, *, first: int = 0, last: int = 0, is_dropped: bool = False, by: str) -> str:
        """Have the next compactions of a session keep lines of a record (or its handle), or leave them out; return the mark's handle."""
        return usecases.marks.pin(self.store, path, target, first=first, last=last, is_dropped=is_dropped, by=by)

    def list_pins(self, path: Path) -> list[StoredMark[Pin]]:
        """Return all pins and drops of a repository."""
        return usecases.marks.list_all_pins(self.store, path)

    def correct(self, path: Path, session: str, correction: Correction, *, by: str) -> str:
        """Store what the user says of a claim of a session's state; return the mark's handle."""
        return usecases.marks.correct(self.store, path, session, correction, by=by)

    def mark_noise(self, path: Path, session: str, handle: str, number: int, *, by: str) -> str:
        """Store that an addition, the one of this number in the logged packet `handle`, was noise; return the mark's handle."""
        return usecases.packets.mark_noise(self.store, path, session, handle, number, by=by)

    def list_noise(self, path: Path) -> list[StoredMark[Noise]]:
        """Return the additions that the user called noise in a repository."""
        return usecases.marks.list_noise(self.store, path)

    def take_back(self, path: Path, handles: Sequence[str], *, by: str) -> None:
        """Take marks back, by their handles or, of pins, by those of the pinned records."""
        usecases.marks.take_back(self.store, path, handles, by=by)

    def read_status(self, path: Path) -> StoreStatus:
        """Return sizes and counts of the store, and of what it holds for the repository at `path`."""
        return usecases.status.read_status(self.store, self.settings, path)

    # -- forget ---------------------------------------------------------------------------------

    def forget(self, path: Path, *, handles: Sequence[str] = (), tier: Tier | None = None, dry_run: bool = False) -> ForgetReport:
        """Move records to a cheaper tier: the named ones, or all that are old enough by the settings."""
        return usecases.forget.forget(self.store, self.settings, path, handles=handles, tier=tier, dry_run=dry_run)

    def forget_when_idle(self, may_go_on: Callable[[], bool]) -> ForgettingStatus:
        """Make one bounded pass of forgetting over all repositories; it ends early when `may_go_on` says so."""
        return usecases.forget.forget_when_idle(self.store, self.settings, may_go_on)

    def purge(self, path: Path, *, handles: Sequence[str] = (), source: str = "", reason: str = "") -> PurgeResult:
        """Erase records, or a whole source, with their originals. Cannot be undone."""
        return usecases.forget.purge(self.store, self.settings, path, handles=handles, source=source, reason=reason)

    def export(self, path: Path | None, target: Path, *, is_forced: bool = False) -> ExportResult:
        """Write all that is stored of the repository that holds `path`, or of all repositories (None), to one file."""
        return usecases.exchange.export_store(self.store, self.settings.data_dir, path, target, is_forced=is_forced)

    def find_copies_holding(self) -> list[HeldCopy]:
        """Return the backups and exports that clew wrote and that still hold what was purged, or may."""
        return usecases.copies.find_copies_holding(self.store, self.settings)

    def purge_copies(self) -> list[HeldCopy]:
        """Purge from backups and exports that clew wrote what was purged here, and return those that held it, or may."""
        return usecases.copies.purge_copies(self.store, self.settings)

    def import_file(self, source: Path, path: Path | None = None) -> ImportResult:
        """Add what the store lacks of such a file; `path` names the folder here that its one repository has."""
        return usecases.exchange.import_store(self.store, source, path)
