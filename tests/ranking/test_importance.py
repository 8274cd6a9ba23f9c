"""Importance: a record matters by its use, by what rests on it, and by whether it is still true; not by its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.lifecycle import forget
from clew.lifecycle.apply import apply_deltas
from clew.ranking.importance import NEUTRAL, Importance, compute_importance
from clew.records import (
    Delta,
    Edge,
    EdgeKind,
    EndKind,
    EndReason,
    Layer,
    Record,
    RecordText,
    Resolution,
    SourceState,
    Supersession,
    make_id,
)
from clew.settings import Settings, find_workspace
from clew.store.memory import MemoryStore
from clew.store.ports import LOCAL, Writer

SOURCE = "session:s1"
DAY_NS = forget.DAY_NS


def record(name: str, kind: str = "command") -> Record:
    texts = (RecordText(Resolution.NAME, len(name), name),)
    return Record(make_id(name), Layer.ACTION, kind, f"{kind}:{name}", SOURCE, "", name, texts, session="s1", at_ns=DAY_NS)


def remembered(*records: Record, edges: tuple[Edge, ...] = (), superseded: tuple[Supersession, ...] = ()) -> Writer:
    store = MemoryStore()
    store.open_workspace("w", "/w")
    apply_deltas(store, "w", [Delta("test/1", SOURCE, True, records, edges, superseded, state=SourceState(SOURCE))])
    return store


def importance_of(store: Writer, *records: Record) -> list[Importance]:
    with store.snapshot(LOCAL, "w") as snapshot:
        return compute_importance(snapshot, records)


def forgotten(store: Writer, *, day: int) -> list[str]:
    return forget.forget_idle(store, "w", forget.ForgetRules(30, 1000), now_ns=day * DAY_NS, dry_run=True).folded


def test_the_kind_of_a_record_does_not_count() -> None:
    records = [record("a", "thinking"), record("b", "prompt"), record("c", "error")]

    assert [each.value for each in importance_of(remembered(*records), *records)] == [NEUTRAL] * 3


@pytest.mark.parametrize("uses", [1, 3, 1000])
def test_a_record_that_was_used_matters_more_the_more_often_it_was_and_never_wholly(uses: int) -> None:
    used = record("used")
    store = remembered(used)
    values: list[float] = [NEUTRAL]
    for _ in range(uses):
        forget.record_use(store, "w", [used.id], now_ns=2 * DAY_NS)
    values += [each.value for each in importance_of(store, used)]

    assert NEUTRAL == values[0] < values[1] < 1


def test_a_used_record_stays_longer_than_one_that_was_used_once_at_the_same_time() -> None:
    often, once = record("often"), record("once")
    store = remembered(often, once)
    for _ in range(8):
        forget.record_use(store, "w", [often.id], now_ns=DAY_NS)
    forget.record_use(store, "w", [once.id], now_ns=DAY_NS)

    assert forgotten(store, day=45) == [once.id]
    assert sorted(forgotten(store, day=62)) == sorted([often.id, once.id])


def test_a_record_on_which_others_rest_stays_longer() -> None:
    cited, alone, fix, failure = record("cited"), record("alone"), record("fix"), record("failure", "error")
    claims = [record(f"claim {number}", "claim") for number in range(3)]
    edges = tuple(Edge(EdgeKind.MENTIONS, claim.id, cited.id, 1.0) for claim in claims)
    store = remembered(cited, alone, fix, failure, *claims, edges=(*edges, Edge(EdgeKind.FIXES, fix.id, failure.id, 1.0)))

    assert [each.dependents for each in importance_of(store, cited, alone, fix, failure)] == [3, 0, 1, 0]
    assert cited.id not in forgotten(store, day=35)
    assert alone.id in forgotten(store, day=35)


def test_a_dead_end_that_was_solved_weighs_less_and_goes_sooner() -> None:
    solved, met = record("solved", "dead_end"), record("met", "dead_end")
    store = remembered(solved, met, superseded=(Supersession(solved.id, reason=EndReason(EndKind.WORKED)),))
    ended, live = importance_of(store, solved, met)

    assert ended.value < live.value == NEUTRAL


def test_what_is_in_doubt_stands_between_what_is_true_and_what_has_ended() -> None:
    true, doubted, ended = record("true"), record("doubted"), record("ended")
    changes = (Supersession(doubted.id, is_doubt=True), Supersession(ended.id, reason=EndReason(EndKind.EDITED)))
    values = [each.value for each in importance_of(remembered(true, doubted, ended, superseded=changes), true, doubted, ended)]

    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return clew.open(settings=Settings(tmp_path / "home", jobs=1), is_in_memory=True)


def test_of_two_functions_that_match_alike_the_one_that_is_called_comes_first(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text("def hoist_slow(rope):\n    return rope\n")
    (root / "b.py").write_text("def hoist_fast(rope):\n    return rope\n")
    for name in ("jib", "main", "mizzen"):
        (root / f"{name}.py").write_text(f"from b import hoist_fast\n\n\ndef {name}(line):\n    return hoist_fast(line)\n")
    engine.index(root)

    packet = engine.retrieve(root, "hoist", budget_tokens=400, tokenizer="chars4")

    assert [entry.name for entry in packet.entries if entry.name.startswith("hoist")] == ["hoist_fast", "hoist_slow"]


def test_importance_is_the_same_for_an_index_brought_up_to_date_and_for_one_built_anew(engine: Engine, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text("def hoist(rope):\n    return rope\n")
    (root / "b.py").write_text("from a import hoist\n\n\ndef jib(line):\n    return hoist(line)\n")
    engine.index(root)
    (root / "b.py").write_text("from a import hoist\n\n\ndef main(line):\n    return hoist(hoist(line))\n")
    engine.index(root)

    assert _dependents(engine, root) == _dependents(_indexed(tmp_path, root), root) == {"hoist": 1.0, "main": 0.0}


def _indexed(tmp_path: Path, root: Path) -> Engine:
    other = clew.open(settings=Settings(tmp_path / "other", jobs=1), is_in_memory=True)
    other.index(root)
    return other


def _dependents(engine: Engine, root: Path) -> dict[str, float]:
    with engine.store.snapshot(LOCAL, find_workspace(root)[0]) as snapshot:
        records = [record for record in snapshot.records_of_sources("file:a.py", "file:b.py") if record.kind == "function"]
        return {record.name: each.dependents for record, each in zip(records, compute_importance(snapshot, records), strict=True)}
