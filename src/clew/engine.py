"""Engine: what can be asked of clew, over one store. A facade: each method is one use case of `clew.usecases`, which documents it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from clew import usecases
from clew.errors import StoreUnwritable
from clew.settings import Settings, load
from clew.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from clew.enrich.compress import CompressionReport
    from clew.enrich.models import Compressor
    from clew.impact.impact import ImpactedFile
    from clew.lifecycle.apply import ApplyTotals
    from clew.lifecycle.forget import ForgetReport
    from clew.ranking.files import FileList
    from clew.recall.recall import Recalled
    from clew.records import Observation, Packet, Spans, TaskState, Tier
    from clew.store.ports import PurgeResult, Writer
    from clew.transcript.session_files import SessionFiles
    from clew.usecases.compact import Compacting
    from clew.usecases.explain import Explained, Unfolded
    from clew.usecases.index import Indexed
    from clew.usecases.ingest import Ingested
    from clew.usecases.inputs import Progress
    from clew.usecases.repair import ReadAnew
    from clew.usecases.status import StoreStatus
    from clew.usecases.write import Arrival, NewNote, Written


def open_engine(
    path: Path | str | None = None, *, settings: Settings | None = None, is_in_memory: bool = False, is_read_only: bool = False
) -> Engine:
    """Open the store, and return an engine over it. This is `clew.open`. The engine closes the store at the end of a `with` block.

    path          the data folder; None for the user's own (`CLEW_HOME`).
    settings      the values in force; None reads `config.toml` of the data folder and the environment.
    is_in_memory  keep everything in this process's memory: nothing is read from the disk and nothing is written.
    is_read_only  never write. Otherwise a store that exists and cannot be written is opened for reading, and what writes then
                  raises StoreUnwritable.
    Raises BadSetting for a setting that makes no sense, StoreError for a store that cannot be opened.
    """
    if settings is None:
        settings = load(os.environ if path is None else {**os.environ, "CLEW_HOME": str(path)})
    elif path is not None:
        settings = replace(settings, home=Path(path))
    if is_in_memory:
        from clew.store.memory import MemoryStore  # lazy: only here

        return Engine(MemoryStore(), settings)
    try:
        return Engine(SqliteStore(settings.database, is_read_only=is_read_only), settings)
    except StoreUnwritable:
        if is_read_only or not settings.database.is_file():
            raise
        return Engine(SqliteStore(settings.database, is_read_only=True), settings)


class Engine:
    """One store and the settings in force. As safe with threads as its store. A context manager, which closes the store."""

    def __init__(self, store: Writer, settings: Settings) -> None:
        self.store, self.settings = store, settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_read_only(self) -> bool:
        """Whether whatever writes raises StoreUnwritable."""
        return isinstance(self.store, SqliteStore) and self.store.is_read_only

    def close(self) -> None:
        """Close the store. What was acknowledged stands."""
        self.store.close()

    # -- write and update -----------------------------------------------------------------------

    def index(self, path: Path, *, progress: Progress | None = None) -> Indexed:
        """Bring the index of the repository that holds `path` up to date."""
        return usecases.index.index(self.store, self.settings, path, progress=progress)

    def update(self, path: Path, names: Iterable[str]) -> ApplyTotals:
        """Read these files of a repository again, and nothing else."""
        return usecases.index.update(self.store, self.settings, path, names)

    def ingest(self, paths: Sequence[Path], *, repo: Path | None = None, progress: Progress | None = None) -> Ingested:
        """Read transcripts from where they were last read: files, or folders of them."""
        return usecases.ingest.ingest(self.store, self.settings, paths, repo=repo, progress=progress)

    def write(
        self, path: Path, happened: Sequence[Observation | Arrival | NewNote], *, task: TaskState | None = None
    ) -> Written:  # fmt: skip
        """Remember what happened in one session, and return what the agent should read of it."""
        return usecases.write.write(self.store, self.settings, path, happened, task=task)

    def compress(
        self, path: Path, sessions: Sequence[str], compressor: Compressor, *, tokenizer: str, chunk_tokens: int, dry_run: bool = False,
        progress: Progress | None = None,
    ) -> CompressionReport:  # fmt: skip
        """Have a model make a short text of each part of these sessions, beside the originals."""
        return usecases.compress.compress(
            self.store, self.settings, path, sessions, compressor,
            tokenizer=tokenizer, chunk_tokens=chunk_tokens, dry_run=dry_run, progress=progress,
        )  # fmt: skip

    def read_anew(self, key: str, root: Path, transcripts: Sequence[Path], *, progress: Progress | None = None) -> ReadAnew:
        """Read a repository and its sessions again, whole, after the store was repaired."""
        return usecases.repair.read_anew(self.store, self.settings, key, root, transcripts, progress=progress)

    def make_findable(self, key: str, source: str, ids: Sequence[str]) -> int:
        """Make postings of recovered records anew; returns of how many."""
        return usecases.repair.make_findable(self.store, key, source, ids)

    # -- retrieve -------------------------------------------------------------------------------

    def retrieve(self, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None) -> Packet:
        """Return the packet of code and memory for a question to the repository at `path`."""
        return usecases.retrieve.retrieve(
            self.store, self.settings, path, question, budget_tokens=budget_tokens, tokenizer=tokenizer, deadline_ms=deadline_ms
        )

    def files(self, path: Path, question: str, *, limit: int, deadline_ms: float | None = None) -> FileList:
        """Return the files that matter for a question, at most `limit`, in order of rank."""
        return usecases.retrieve.files(self.store, self.settings, path, question, limit=limit, deadline_ms=deadline_ms)

    def recall(
        self, path: Path, question: str, *, only: Iterable[str] | None = None, exclude: Iterable[str] = (), asked_ns: int | None = None,
        turns_max: int = 10, sessions_max: int = 5, confidence_min: float | None = None,
    ) -> Recalled:  # fmt: skip
        """Return the turns of earlier sessions that bear on a question, or nothing."""
        return usecases.recall.recall(
            self.store, self.settings, path, question, only=only, exclude=exclude, asked_ns=asked_ns, turns_max=turns_max,
            sessions_max=sessions_max, confidence_min=confidence_min,
        )  # fmt: skip

    def augment_prompt(
        self, path: Path, prompt: str, *, budget_tokens: int, tokenizer: str, session: str = "", seen: Collection[str] = (),
        deadline_ms: float | None = None,
    ) -> Packet:  # fmt: skip
        """Return what is worth adding to a prompt, which may be nothing. Reads and writes no file."""
        return usecases.recall.augment_prompt(
            self.store, self.settings, path, prompt,
            budget_tokens=budget_tokens, tokenizer=tokenizer, session=session, seen=seen, deadline_ms=deadline_ms,
        )  # fmt: skip

    def map(self, path: Path, *, budget_tokens: int, tokenizer: str) -> Packet:
        """Return the map of a repository, or of the folder or file in it that `path` names."""
        return usecases.retrieve.overview(self.store, self.settings, path, budget_tokens=budget_tokens, tokenizer=tokenizer)

    def impact(self, path: Path, names: Sequence[str], *, limit: int) -> tuple[list[str], list[ImpactedFile]]:
        """Return what was meant by `names`, and the files that will most probably change with it."""
        return usecases.impact.impact(self.store, path, names, limit=limit)

    def unfold(self, path: Path, handle: str) -> Unfolded:
        """Return the exact bytes behind a handle. Raises UnknownHandle or Purged."""
        return usecases.explain.unfold(self.store, path, handle)

    def explain(self, path: Path, handle: str) -> Explained:
        """Return all that the store knows of a record. Raises UnknownHandle."""
        return usecases.explain.explain(self.store, path, handle)

    def compact(
        self, session: str, *, at: str | None, budget_tokens: int, tokenizer: str, path: Path, has_earlier: bool = False
    ) -> Packet:  # fmt: skip
        """Return what of a session should stand in the window after it was cut."""
        return usecases.compact.compact(
            self.store, self.settings, session,
            at=at, budget_tokens=budget_tokens, tokenizer=tokenizer, path=path, has_earlier=has_earlier,
        )  # fmt: skip

    def hand_off(self, session: str, *, budget_tokens: int, tokenizer: str, path: Path) -> Spans:
        """Return the state of a session's work alone; () where it asked for nothing."""
        return usecases.compact.hand_off(self.store, session, budget_tokens=budget_tokens, tokenizer=tokenizer, path=path)

    def before(self, session: SessionFiles, lines: Sequence[bytes], *, tokenizer: str, path: Path, root: Path | None = None) -> Compacting:
        """Return what is known of a session by these lines of its transcript alone, ready to be compacted to any budget."""
        return usecases.compact.before(self.store, session, lines, tokenizer=tokenizer, path=path, root=root)

    def status(self, path: Path) -> StoreStatus:
        """Return the store at a glance, and what it holds of the repository at `path`."""
        return usecases.status.status(self.store, self.settings, path)

    # -- forget ---------------------------------------------------------------------------------

    def forget(self, path: Path, *, handles: Sequence[str] = (), tier: Tier | None = None, dry_run: bool = False) -> ForgetReport:
        """Move records to a cheaper tier: the named ones, or all that are old enough by the settings."""
        return usecases.forget.forget(self.store, self.settings, path, handles=handles, tier=tier, dry_run=dry_run)

    def purge(self, path: Path, *, handles: Sequence[str] = (), source: str = "", reason: str = "") -> PurgeResult:
        """Erase records, or a whole source, for good. The one thing that cannot be undone."""
        return usecases.forget.purge(self.store, path, handles=handles, source=source, reason=reason)
