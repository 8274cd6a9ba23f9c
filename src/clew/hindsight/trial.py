"""Trial: one cut made ready to be judged: its pieces counted, its needs and its task state known, clew's records of it made.

Everything is made when somebody first asks for it and kept for all windows of the cut. What clew remembers of the history goes to
a store in memory that ends with the trial.
"""

from __future__ import annotations

import time
from collections import Counter as CountOf
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from clew.compaction.keep import Net
from clew.engine import Compacting, Engine
from clew.hindsight.cases import Case
from clew.hindsight.needs import TERM_PIECES_MAX, TERM_PIECES_SHARE, Needs, bare, needs, terms_of
from clew.packet.options import Originals
from clew.records import ObservationKind, TaskState
from clew.settings import Settings, workspace_of
from clew.store.index import Index
from clew.store.memory import MemoryStore
from clew.task.prompts import spoken
from clew.task.tracker import observe_task
from clew.text.postings import FIELDS, Document, Field, pack
from clew.text.tokens import Counter
from clew.text.words import terms
from clew.transcript.sessions import session_at

BM25_K1, BM25_B = 1.2, 0.75  # as Robertson and Zaragoza 2009 give them
LONG_LINE_CHARS = 400  # a longer line is a file or a message in JSON: to leave it out whole would waste an arm's budget


class Trial:
    """A case and what the arms and the judge know of it.

    counter  measures every window alike.
    using    nets that say what a line is worth, where those of the release may have seen this session.
    """

    def __init__(self, case: Case, counter: Counter, using: tuple[Net, Net] | None = None) -> None:
        self.case, self.counter, self.using = case, counter, using
        self.made_ms = 0.0  # what making clew's records of the history took
        self._behind: dict[str, bytes | None] = {}

    @cached_property
    def needs(self) -> Needs:
        """What was needed after the cut."""
        return needs(self.case)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The pieces' texts, each ending in a line end, so that their lengths add up."""
        return tuple(piece.text.rstrip("\n") + "\n" for piece in self.case.pieces)

    @cached_property
    def lengths(self) -> tuple[float, ...]:
        """Tokens of each of `texts`."""
        return tuple(self.counter.measure_many(self.texts))

    @cached_property
    def tokens(self) -> int:
        """Tokens of the history."""
        return round(sum(self.lengths))

    @cached_property
    def state(self) -> TaskState:
        """What the agent was doing at the cut, from the observations before it alone."""
        root = next((each.cwd for each in self.case.before if each.cwd), "")
        return observe_task(self.case.before, root=root)

    @cached_property
    def agreeing(self) -> tuple[int, ...]:
        """The pieces' numbers by their words' agreement with `question` (BM25), the newer of two equals first."""
        if not self.texts:
            return ()
        documents = [Document(str(at), "", "", "", ("", "", "", "", text)) for at, text in enumerate(self.texts)]
        index = Index.build([(("session:", 0, ""), pack(documents))])
        asked = [(term, float(times)) for term, times in CountOf(terms(self.question)).items()]
        weights, b = np.zeros(FIELDS, np.float32), np.full(FIELDS, BM25_B, np.float32)
        weights[Field.BODY] = 1
        scores = index.lexical(asked, weights, prefix="session:", b=b, k1=BM25_K1).by_document
        ranked = [(-float(scores[doc]), -int(index.id_of(doc))) for doc in range(index.size)]
        return tuple(-newest for _, newest in sorted(ranked))

    @cached_property
    def rare(self) -> tuple[tuple[str, float], ...]:
        """The rare names of the history with their tokens in a list, the newest first."""
        places: CountOf[str] = CountOf()
        newest: dict[str, int] = {}
        for at, text in enumerate(self.texts):
            for term in dict.fromkeys(terms_of(bare(text))):
                places[term] += 1
                newest[term] = at
        most = max(TERM_PIECES_MAX, int(len(self.texts) * TERM_PIECES_SHARE))
        found = sorted((term for term in newest if places[term] <= most), key=lambda term: (-newest[term], term))
        return tuple(zip(found, self.counter.measure_many([f"{term}, \n" for term in found]), strict=True))

    @cached_property
    def requests(self) -> tuple[str, ...]:
        """What the user said before the cut, in order."""
        prompts = (spoken(piece.text) for piece in self.case.pieces if piece.kind is ObservationKind.PROMPT)
        return tuple(words for words in prompts if words)

    @cached_property
    def question(self) -> str:
        """The last request and the agent's last message: what an arm may ask with."""
        said = next((piece.text for piece in reversed(self.case.pieces) if piece.kind is ObservationKind.MESSAGE), "")
        return "\n".join([*self.requests[-1:], said])

    @cached_property
    def engine(self) -> Engine:
        """An engine over a store in memory, which holds nothing of the user's."""
        key, root = workspace_of(self._folder)
        store = MemoryStore()
        store.open_workspace(key, str(root))
        return Engine(store, Settings(Path()))

    @cached_property
    def compacting(self) -> Compacting:
        """The session up to the cut as clew knows it."""
        started = time.perf_counter()
        folder = self._folder
        made = self.engine.before(
            session_at(self.case.path),
            self.case.lines,
            tokenizer=self.counter.name,
            path=folder,
            root=None if folder.is_dir() else folder,
        )
        self.made_ms = 1e3 * (time.perf_counter() - started)
        return replace(made, counter=self.counter)  # without the session's own correction: all windows are measured alike

    @cached_property
    def _originals(self) -> Originals:
        return Originals(self.compacting.store, self.compacting.workspace)

    @cached_property
    def _kept(self) -> Engine:
        """An engine over the store that holds the history: what unfolds the handles of a window."""
        return Engine(self.compacting.store, self.engine.settings)

    def behind(self, handle: str) -> bytes | None:
        """The bytes behind a handle, as `unfold` gives them; None where no record, or more than one, answers to it."""
        if handle not in self._behind:
            store, key = self.compacting.store, self.compacting.workspace
            records = store.records(key, ids) if len(ids := store.find(key, handle)) == 1 else []
            self._behind[handle] = self._originals.bytes_of(records[0].whole) if records else None
        return self._behind[handle]

    def unfold(self, handle: str) -> bytes:
        """The bytes behind a handle of clew's. Raises UnknownHandle."""
        return self._kept.unfold(self._folder, handle).data

    @cached_property
    def _folder(self) -> Path:
        """Where the session was held, also where that is no folder of this machine."""
        cwd = next((each.cwd for each in self.case.before if each.cwd), "")
        return Path(cwd) if cwd else self.case.path.parent


def lines_within(lines: Sequence[str], budget: float, counter: Counter, *, newest: bool = False) -> list[str]:
    """The first (or newest) of these lines that fit, whole; of one that alone is longer than LONG_LINE_CHARS, as much of it as fits."""
    order = list(reversed(lines)) if newest else list(lines)
    kept: list[str] = []
    for line, length in zip(order, counter.measure_many([line + "\n" for line in order]), strict=True):
        if length <= budget:
            kept.append(line)
            budget -= length
            continue
        if len(line) > LONG_LINE_CHARS and (part := _part(line, budget, counter, newest=newest)):
            kept.append(part)
        break
    return kept[::-1] if newest else kept


def _part(line: str, budget: float, counter: Counter, *, newest: bool) -> str:
    """As many characters of a line as fit, from its start or its end."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if counter.measure((line[-middle:] if newest else line[:middle]) + "\n") <= budget:
            low = middle
        else:
            high = middle - 1
    return line[len(line) - low :] if newest else line[:low]
