"""Whatever is done to it, and however often it is closed in between, the SQLite store answers as the one in memory does."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from clew.records import Blob, Edge, EdgeKind, Supersession, Tier, make_id
from clew.store.memory import MemoryStore
from clew.store.originals import digest_of
from clew.store.ports import Writer
from clew.store.sqlite import SqliteStore
from tests.store.conformance import contents, make_delta, retirement

SOURCES = ("file:a", "file:b\udcff", "session:1")
SUBJECTS = ("s", "t", "check:x")
BODIES = ("one", "two", "", "one more \u00e9" * 40)
IDS = [make_id(subject, body) for subject in SUBJECTS for body in BODIES]
DIGESTS = [digest_of(body.encode()) for body in (*BODIES, "raw")]

pairs = st.lists(st.tuples(st.sampled_from(SUBJECTS), st.sampled_from(BODIES)), unique=True, max_size=4)
ids = st.lists(st.sampled_from(IDS), max_size=4)
some_edges = st.lists(
    st.builds(Edge, st.sampled_from(list(EdgeKind)[:2]), st.sampled_from(IDS), st.sampled_from(IDS), st.just(0.5)), max_size=2
)
some_endings = st.lists(st.builds(Supersession, st.sampled_from(IDS), st.sampled_from(["", *IDS]), seq=st.integers(0, 3)), max_size=2)


@st.composite
def deltas(draw: st.DrawFn) -> object:
    source = draw(st.sampled_from(SOURCES))
    if draw(st.integers(0, 5)) == 0:
        return retirement(source)
    delta = make_delta(source, draw(pairs), is_whole=draw(st.booleans()), first_seq=draw(st.integers(0, 3)), at_ns=draw(st.integers(0, 2)))
    blobs = (*delta.blobs, *([Blob(digest_of(b"raw"), b"raw")] if draw(st.booleans()) else []))
    segment = delta.segment if draw(st.integers(0, 4)) else b""
    return replace(delta, edges=tuple(draw(some_edges)), superseded=tuple(draw(some_endings)), blobs=blobs, segment=segment)


class Stores(RuleBasedStateMachine):
    """Does the same to two stores, and compares all that they answer after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="clew-test-"))
        self.plain = MemoryStore()
        self.plain.open_workspace("w", "/w")
        self.lasting = self.open()
        self.lasting.open_workspace("w", "/w")
        self.steps = 0

    def open(self) -> Writer:
        return SqliteStore(self.folder / "clew.db")

    def now(self) -> int:
        self.steps += 1
        return self.steps

    @rule(several=st.lists(deltas(), max_size=3))
    def apply(self, several: list) -> None:
        assert self.lasting.apply("w", several) == self.plain.apply("w", several)

    @rule(ids=ids, tier=st.sampled_from(Tier))
    def move(self, ids: list[str], tier: Tier) -> None:
        assert self.lasting.move("w", ids, tier) == self.plain.move("w", ids, tier)

    @rule(ids=ids)
    def touch(self, ids: list[str]) -> None:
        at_ns = self.now()
        self.lasting.touch("w", ids, at_ns)
        self.plain.touch("w", ids, at_ns)

    @rule(ids=ids)
    def purge(self, ids: list[str]) -> None:
        at_ns = self.now()
        assert self.lasting.purge("w", ids, f"reason {at_ns}", at_ns) == self.plain.purge("w", ids, f"reason {at_ns}", at_ns)

    @rule(source=st.sampled_from(SOURCES))
    def purge_source(self, source: str) -> None:
        at_ns = self.now()
        assert self.lasting.purge_source("w", source, "", at_ns) == self.plain.purge_source("w", source, "", at_ns)

    @rule()
    def refresh(self) -> None:
        assert not self.lasting.refresh("w").reason

    @rule()
    def reopen(self) -> None:
        self.lasting.close()
        self.lasting = self.open()

    @invariant()
    def both_answer_the_same(self) -> None:
        found, wanted = contents(self.lasting, "w", IDS, DIGESTS), contents(self.plain, "w", IDS, DIGESTS)
        for question, answer in wanted.items():
            assert found[question] == answer, question

    def teardown(self) -> None:
        self.lasting.close()
        shutil.rmtree(self.folder)


Stores.TestCase.settings = settings(
    max_examples=60, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
test_sqlite_answers_as_memory_does = Stores.TestCase
