"""Engine: who brings the rooms together? The four primitives, and nothing else.

`write` makes originals durable and proposes what to remember of them; `retrieve` and `compact` assemble a
window; `update` brings named files up to date; `forget` moves to cheaper tiers. `unfold` and `explain` answer
for what a packet printed. The clock is read here and handed down, so that no packet depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clew.codebase import tree
from clew.errors import NotReadable, UnknownHandle, UsageError
from clew.lifecycle import forget as forgetting
from clew.lifecycle.accept import Totals, accept
from clew.records import Packet, Record, Standing, Tier
from clew.retrieval import compact as compaction
from clew.retrieval import retrieve as retrieval
from clew.retrieval.deadline import Deadline
from clew.retrieval.options import Originals
from clew.settings import Settings, workspace_of
from clew.store.memory import MemoryStore
from clew.store.ports import Purge, Workspace, Writer
from clew.text.tokens import counter as counter_of

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """What `index` did. Seconds are wall time of the whole call."""

    workspace: str
    root: Path
    report: tree.Report
    totals: Totals
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
    """The store at a glance. `here` is the workspace that was asked about, None when nothing is stored of it."""

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


class Engine:
    """One store and the settings in force. As safe with threads as its store."""

    def __init__(self, store: Writer, settings: Settings) -> None:
        self.store, self.settings = store, settings

    # -- write and update -----------------------------------------------------------------------

    def index(self, path: Path, *, progress: Progress | None = None) -> Indexed:
        """Bring the index of the repository that holds `path` up to date. Raises NotReadable for what is no folder."""
        started = time.perf_counter()
        if not path.exists():
            raise NotReadable(str(path), "does not exist")
        if not path.is_dir():
            raise NotReadable(str(path), "is a file", "name the folder of a repository")
        key, root = workspace_of(path)
        self.store.open_workspace(key, str(root))
        states = {state.source: state for prefix in ("file:", tree.TREE) for state in self.store.sources(key, prefix)}
        report = tree.Report()
        told = (lambda done, total: progress("reading", done, total)) if progress else None
        totals = accept(self.store, key, tree.changes(root, states, report, jobs=self.settings.jobs, progress=told))
        self.store.refresh(key)
        return Indexed(key, root, report, totals, time.perf_counter() - started)

    def update(self, path: Path, names: Iterable[str]) -> Totals:
        """Read these files of the repository at `path` again, and nothing else: what an editor or a hook calls.

        names  relative to the repository's root; a file that is gone is retired.
        """
        key, root = workspace_of(path)
        self.store.open_workspace(key, str(root))
        known = [state.source.removeprefix("file:") for state in self.store.sources(key, "file:")]
        return accept(self.store, key, tree.named_changes(root, list(names), known))

    # -- retrieve -------------------------------------------------------------------------------

    def retrieve(self, path: Path, question: str, *, budget_tokens: int, tokenizer: str, deadline_ms: float | None = None) -> Packet:
        """Return the packet for a question to the repository at `path`.

        Writes no record; only that its entries were used, so that they do not age, and never at the price of the answer.
        """
        key, _ = workspace_of(path)
        return retrieval.retrieve(
            self.store,
            key,
            question_state(question),
            budget_tokens=_budget(budget_tokens),
            counter=counter_of(tokenizer),
            deadline=Deadline(deadline_ms),
        )

    def unfold(self, path: Path, handle: str) -> Unfolded:
        """Return the exact bytes behind a handle. Raises UnknownHandle or Purged."""
        key, _ = workspace_of(path)
        record = self._record(key, handle)
        [standing] = self.store.standings(key, [record.id])
        return Unfolded(record, standing, Originals(self.store, key).bytes_of(record.whole))

    def explain(self, path: Path, handle: str) -> Explained:
        """Return all that the store knows of a record. Raises UnknownHandle."""
        key, _ = workspace_of(path)
        record = self._record(key, handle)
        [standing] = self.store.standings(key, [record.id])
        versions = self.store.of_subject(key, record.subject)
        standings = self.store.standings(key, [version.id for version in versions])
        links = explain_links(self.store, key, record)
        return Explained(record, standing, tuple(zip(versions, standings, strict=True)), links)

    # -- forget ---------------------------------------------------------------------------------

    def forget(self, path: Path, *, handles: Sequence[str] = (), tier: Tier | None = None, dry_run: bool = False) -> forgetting.Forgotten:
        """Move records to a cheaper tier: the named ones to `tier`, or, with no handles, all that are old enough by the settings."""
        key, _ = workspace_of(path)
        if handles:
            ids = [self._record(key, handle).id for handle in handles]
            return forgetting.put_away(self.store, key, ids, Tier.ARCHIVED if tier is None else tier)
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
            return forgetting.purge_source(self.store, key, source, reason=reason, now_ns=time.time_ns())
        ids = [self._record(key, handle).id for handle in handles]
        return forgetting.purge(self.store, key, ids, reason=reason, now_ns=time.time_ns())

    def _record(self, key: str, handle: str) -> Record:
        wanted = handle.strip().strip("[]⟨⟩").lower()
        ids = self.store.find(key, wanted) if wanted else []
        if len(ids) != 1:
            raise UnknownHandle(handle, tuple(ids))
        records = self.store.records(key, ids)
        if not records:
            raise UnknownHandle(handle)
        return records[0]


def _budget(tokens: int) -> int:
    if tokens < 0:
        raise UsageError(f"budget {tokens} is negative\nhint: a budget is a number of tokens, 0 or more")
    return tokens
