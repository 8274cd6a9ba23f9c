"""PreparedCase: one evaluation case with what is computed from it: later needs, task state, and clew's records of the history.

Each value is computed at its first use and kept for all windows of the case. The records are in an in-memory store.
"""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path

import clew
from clew.evaluation.cases import EvaluationCase
from clew.evaluation.needs import Needs, find_needs
from clew.packet.options import OriginalCache
from clew.records import ObservationKind, Packet, TaskState
from clew.settings import Settings, find_workspace
from clew.store.ports import LOCAL, Snapshot
from clew.task.prompts import extract_typed_text
from clew.task.tracker import state_at
from clew.text.tokens import TokenCounter
from clew.transcript.session_files import find_session_files
from clew.usecases.compact import CompactionInput


class PreparedCase:
    """One evaluation case (a session cut into history and future) with the values computed from it, to build and score context windows.

    counter  counts the tokens of every text of the case.
    """

    def __init__(self, case: EvaluationCase, counter: TokenCounter) -> None:
        self.case, self.counter = case, counter
        self.made_ms = 0.0  # what making clew's records of the history took
        self._behind: dict[str, bytes | None] = {}

    @cached_property
    def needs(self) -> Needs:
        """What the calls after the cut needed of the history."""
        return find_needs(self.case)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The texts of the history's pieces, each ending in a newline, so that their token counts add up."""
        return tuple(piece.text.rstrip("\n") + "\n" for piece in self.case.pieces)

    @cached_property
    def text_tokens(self) -> tuple[float, ...]:
        """The number of tokens of each of `texts`, not rounded."""
        return tuple(self.counter.count_unrounded_many(self.texts))

    @cached_property
    def history_tokens(self) -> int:
        """The number of tokens of the history."""
        return round(sum(self.text_tokens))

    @cached_property
    def summary_tokens(self) -> int:
        """The number of tokens of the client's own summary; 0 where there is none."""
        return self.counter.count(self.case.summary) if self.case.summary else 0

    @cached_property
    def state(self) -> TaskState:
        """The task state where the session is cut, from the observations before that place alone."""
        root = next((each.cwd for each in self.case.before if each.cwd), "")
        return state_at(self.case.before, root=root)

    @cached_property
    def user_messages(self) -> tuple[str, ...]:
        """The user's prompts before the cut, in order, without text that the client inserted."""
        prompts = (extract_typed_text(piece.text) for piece in self.case.pieces if piece.kind is ObservationKind.PROMPT)
        return tuple(words for words in prompts if words)

    @cached_property
    def compaction_input(self) -> CompactionInput:
        """The session up to the cut, prepared for compaction by clew."""
        started = time.perf_counter()
        cwd = next((each.cwd for each in self.case.before if each.cwd), "")
        folder = Path(cwd) if cwd else self.case.path.parent  # where it was held, also where that is no folder of this machine
        key, root = find_workspace(folder)
        engine = clew.open(settings=Settings(Path()), is_in_memory=True)
        engine.store.open_workspace(key, str(root))
        compacting = engine.load_compaction_input(
            find_session_files(self.case.path),
            self.case.lines,
            tokenizer=self.counter.name,
            path=folder,
            root=None if folder.is_dir() else folder,
        )
        self.made_ms = 1e3 * (time.perf_counter() - started)
        return compacting

    def build_packet(self, budget_tokens: int) -> Packet:
        """Return clew's window after the cut, at most `budget_tokens` long."""
        return self.compaction_input.build_packet(budget_tokens)

    @cached_property
    def snapshot(self) -> Snapshot:
        """Snapshot of the records that clew made of the session before the cut."""
        return self.compaction_input.store.snapshot(LOCAL, self.compaction_input.workspace)

    @cached_property
    def originals(self) -> OriginalCache:
        """The original texts of clew's records of the history."""
        return OriginalCache(self.snapshot)

    def unfold(self, handle: str) -> bytes | None:
        """Return the original bytes behind a handle; None where it belongs to no record, or to several."""
        if handle not in self._behind:
            records = self.snapshot.records(ids) if len(ids := self.snapshot.find(handle)) == 1 else []
            self._behind[handle] = self.originals.bytes_of(records[0].full_text) if records else None
        return self._behind[handle]
