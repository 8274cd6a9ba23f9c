"""Forgetting: what nobody asks for moves to cheaper tiers, takes fewer bytes, and reads back; what is not to be kept is purged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.lifecycle.forget import AGELESS_KINDS, DAY_NS, LIFETIMES, ForgetRules, forget_idle
from clew.records import Layer, Tier
from clew.settings import Settings, find_workspace
from clew.store.rows import OriginalRow, RecordRow
from clew.store.sqlite.repair import find_damage
from clew.usecases.forget import read_forgetting
from tests.looking import look

SAMPLE = Path(clew.__file__).parent / "samples" / "ties.jsonl"
RULES = ForgetRules(30, 180)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "knots.py").write_text("def tie_bowline():\n    return 'a loop'\n")
    return folder


@pytest.fixture
def engine(tmp_path: Path, repo: Path) -> Iterator[Engine]:
    """The sample session, stored; its records were observed at one known time."""
    transcript = tmp_path / "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10.jsonl"
    transcript.write_bytes(SAMPLE.read_bytes())
    with clew.open(settings=Settings(tmp_path / "home", jobs=1)) as engine:
        engine.index(repo)
        engine.ingest([transcript], repo=repo)
        yield engine


def rows_of(engine: Engine, repo: Path) -> tuple[dict[str, RecordRow], dict[str, bytes]]:
    with closing(engine.store.export_rows([find_workspace(repo)[0]])) as rows:
        every = list(rows)
    records = {row.record.id: row for row in every if isinstance(row, RecordRow)}
    return records, {row.digest: row.data for row in every if isinstance(row, OriginalRow)}


def newest_ns(engine: Engine, repo: Path) -> int:
    return max(row.record.at_ns for row in rows_of(engine, repo)[0].values())


def read_all(engine: Engine, repo: Path) -> dict[str, bytes]:
    return {record_id: engine.unfold(repo, record_id).data for record_id in rows_of(engine, repo)[0]}


@pytest.mark.parametrize("layer", Layer)
def test_each_layer_has_its_lifetime(engine: Engine, repo: Path, layer: Layer) -> None:
    """A record that was never used moves after the days of the settings, times its layer's factor; one that is used or rested on later."""
    key, begun = find_workspace(repo)[0], newest_ns(engine, repo)
    days = 30 * LIFETIMES[layer]
    before = forget_idle(engine.store, key, RULES, now_ns=begun + int(days * 0.2 * DAY_NS), dry_run=True)
    after = forget_idle(engine.store, key, RULES, now_ns=begun + int((2.1 * days + 1) * DAY_NS), dry_run=True)
    records = rows_of(engine, repo)[0]
    aging = {record_id for record_id, row in records.items() if row.record.layer == layer and row.record.session and row.status.is_live
             and row.record.kind not in AGELESS_KINDS}  # fmt: skip

    assert aging
    assert aging.isdisjoint(before.archived)
    assert aging <= {*after.folded, *after.archived}
    assert not any(records[moved].record.kind in AGELESS_KINDS for moved in after.folded + after.archived)


def test_the_archive_takes_fewer_bytes_and_reads_back_byte_for_byte(engine: Engine, repo: Path) -> None:
    key, before, originals = find_workspace(repo)[0], read_all(engine, repo), rows_of(engine, repo)[1]

    done = forget_idle(engine.store, key, RULES, now_ns=newest_ns(engine, repo) + 2000 * DAY_NS)

    assert done.archived
    assert done.saved > 0
    assert read_all(engine, repo) == before
    kept = rows_of(engine, repo)[1]
    assert {digest: kept[digest] for digest in originals} == originals
    assert find_damage(engine.settings.database_path) == []
    assert len(look(engine.store, key).documents.docs_of(done.archived)) == len(done.archived)
    again = forget_idle(engine.store, key, RULES, now_ns=newest_ns(engine, repo) + 2000 * DAY_NS)
    assert (again.archived, again.shortened, again.packed) == ([], 0, 0)


def test_a_session_that_is_read_anew_after_it_was_archived_is_whole(engine: Engine, repo: Path, tmp_path: Path) -> None:
    key, before = find_workspace(repo)[0], read_all(engine, repo)
    forget_idle(engine.store, key, RULES, now_ns=newest_ns(engine, repo) + 2000 * DAY_NS)
    state = next(state for state in look(engine.store, key).source_states("session:"))
    rows = [row.record for row in rows_of(engine, repo)[0].values() if row.record.source == state.source]
    inline = [replace(record, texts=(*record.texts[:-1], replace(record.full_text, inline="short", blob="", end=0, start=0)))
              for record in rows if record.kind == "message"]  # fmt: skip
    from clew.records import Delta

    engine.store.apply(key, [Delta("test", state.source, is_whole=True, records=tuple(inline), state=state)])

    assert find_damage(engine.settings.database_path) == []
    assert set(read_all(engine, repo)) == set(before)


def test_versions_of_a_file_that_have_ended_are_packed_and_unfold(engine: Engine, repo: Path) -> None:
    for number in range(8):
        (repo / "knots.py").write_text("".join(f"def knot_{each}():\n    return {number} * {each}\n\n" for each in range(40)))
        engine.index(repo)
    before = read_all(engine, repo)

    done = engine.forget(repo)

    assert done.packed >= 7
    assert read_all(engine, repo) == before


def test_a_pass_ends_when_somebody_asks_and_goes_on_where_it_stopped(engine: Engine, repo: Path) -> None:
    for number in range(5):
        (repo / f"more{number}.py").write_text(f"MORE = {number}\n")
    engine.index(repo)
    answers = iter([True, True, False])

    first = engine.forget_when_idle(lambda: next(answers))
    second = engine.forget_when_idle(lambda: True)

    assert first.source.startswith("file:more")
    assert (second.workspace, second.source) == ("", "")
    assert second.folded + second.archived > 0
    assert read_forgetting(engine.settings) == second


def test_what_is_not_to_be_kept_is_named_first_then_purged_and_stays_away(engine: Engine, repo: Path, tmp_path: Path) -> None:
    transcript = next(tmp_path.glob("*.jsonl"))
    os.utime(transcript, (1e9, 1e9))
    with transcript.open("a") as file:
        file.write(json.dumps({"type": "summary", "summary": "one line more", "leafUuid": "x"}) + "\n")
    os.utime(transcript, (1e9, 1e9))
    engine.ingest([transcript], repo=repo)
    note = engine.write(repo, [clew_note()]).outputs
    keeping = replace(RULES, keep_days=365)
    key, now = find_workspace(repo)[0], newest_ns(engine, repo)

    said = forget_idle(engine.store, key, keeping, now_ns=now, dry_run=True)
    assert said.expired == [transcript.stem]
    assert any(row.record.session == transcript.stem for row in rows_of(engine, repo)[0].values())
    done = forget_idle(engine.store, key, keeping, now_ns=now)
    engine.ingest([transcript], repo=repo)

    assert done.expired == [transcript.stem]
    back = [row.record for row in rows_of(engine, repo)[0].values() if row.record.session == transcript.stem]
    assert {record.kind for record in back} <= {"transcript"}
    assert b"bowline" not in b"".join(engine.unfold(repo, record.id).data for record in back)
    assert forget_idle(engine.store, key, keeping, now_ns=now).expired == []
    assert note is not None
    assert find_damage(engine.settings.database_path) == []


def clew_note() -> object:
    from clew.usecases.write import NewNote

    return NewNote("keep the halyard short")


def test_tiers_are_searched(engine: Engine, repo: Path) -> None:
    key = find_workspace(repo)[0]
    forget_idle(engine.store, key, RULES, now_ns=newest_ns(engine, repo) + 2000 * DAY_NS)
    tiers = {status.tier for _, status in look(engine.store, key).stale_or_cold()}

    assert Tier.ARCHIVED in tiers
