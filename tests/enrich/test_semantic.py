"""Edges between functions that nothing links: by words after an index, and by what a model thinks, asynchronously."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import clew
from clew.engine import Engine
from clew.enrich.models import ChatModel, Model
from clew.records import EdgeKind, Trust
from clew.settings import Settings, find_workspace
from tests.enrich.model_server import Reply, Server
from tests.looking import look

WRITE = """def write_ledger(rows, stream):
    for row in rows:
        stream.write(f"{row.shard}\\t{row.ledger_total}\\t{row.quarantine_flag}\\n")
"""
READ = """def read_ledger(stream):
    for line in stream:
        shard, ledger_total, quarantine_flag = line.split("\\t")
        yield shard, ledger_total, quarantine_flag
"""
OTHER = """def paint_window(canvas, colour):
    canvas.fill(colour)
    canvas.flush_pixels()
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    for name, text in {"writer.py": WRITE, "reader.py": READ, "window.py": OTHER}.items():
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


@pytest.fixture
def engine(tmp_path: Path, server: Server) -> Iterator[Engine]:
    with clew.open(
        settings=Settings(tmp_path / "home", jobs=1, core_functions=10, model=f"{server.url}#small"), is_in_memory=True
    ) as opened:
        yield opened


@pytest.fixture
def model(server: Server) -> Model:
    return ChatModel(server.url, "small", timeout_s=20)


def links(engine: Engine, repo: Path, name: str) -> set[str]:
    """How a function is linked with `read_ledger`; structure left out."""
    snapshot = look(engine.store, find_workspace(repo)[0])
    records = [record for path in ("writer.py", "reader.py") for record in snapshot.records_of_sources(f"file:{path}")]
    [found] = [record.id for record in records if record.name == name]
    return {how for how, other, _, _ in engine.explain(repo, found[:12]).links if other == "reader.py: read_ledger"}


def answers(server: Server, yes: float = -0.1) -> None:
    server.answer = lambda text: "Both know the columns of a line. More words." if "one short sentence" in text else "Yes"
    server.script = [Reply("Yes", choices=[("Yes", yes), ("No", -3.0)])] * 2


def test_after_an_index_functions_are_paired_by_words_and_queued_for_the_model(engine: Engine, repo: Path) -> None:
    indexed = engine.index(repo)
    [queued] = engine.describe_queue()
    status = engine.read_status(repo)

    assert indexed.core.core >= 2
    assert links(engine, repo, "write_ledger") == {"may change with"}
    assert (queued.kind, queued.queued, queued.read_tokens > 0, queued.write_tokens > 0) == ("judge", indexed.core.core, True, True)
    assert status.core is not None
    assert (status.core.judged, status.core.queued) == (0, indexed.core.core)


def test_a_model_judges_them_and_what_it_thinks_is_told_as_such(engine: Engine, repo: Path, server: Server, model: Model) -> None:
    indexed = engine.index(repo)
    answers(server)
    done = engine.work(model)
    snapshot = look(engine.store, find_workspace(repo)[0])
    [record] = snapshot.records_of_sources("semantic:writer.py::write_ledger")
    edges = snapshot.edges([record.id])
    told = [reason for file in engine.find_impact(repo, ["writer.py"], limit=5)[1] for reason in file.reasons]
    status = engine.read_status(repo)

    assert (done.done, done.failed, done.left) == (indexed.core.core, [], 0)
    assert record.name == "small thinks that write_ledger and read_ledger (reader.py) change together: Both know the columns of a line."
    assert (record.trust, {edge.kind for edge in edges}) == (Trust.OBSERVED, {EdgeKind.DERIVED_FROM})
    assert "a model thinks it changes with" in links(engine, repo, "write_ledger")
    assert any("small thinks" in str(reason.values) for reason in told)
    assert status.core is not None
    assert (status.core.judged, status.core.queued) == (indexed.core.core, 0)
    assert status.core.oldest_ns > 0


def test_after_an_edit_only_what_changed_is_queued_anew_and_nothing_is_thought_of_it(
    engine: Engine, repo: Path, server: Server, model: Model
) -> None:
    engine.index(repo)
    answers(server)
    engine.work(model)
    (repo / "window.py").write_text(OTHER.replace("flush_pixels", "flush_all_pixels"))
    engine.index(repo)
    unrelated = links(engine, repo, "write_ledger")
    (repo / "reader.py").write_text(READ.replace("yield shard,", "yield int(shard),"))
    engine.index(repo)
    after = links(engine, repo, "write_ledger")
    [queued] = engine.describe_queue()

    assert "a model thinks it changes with" in unrelated
    assert after == {"may change with"}
    assert 1 <= queued.queued <= 3


def test_what_was_judged_is_not_asked_again(engine: Engine, repo: Path, server: Server, model: Model) -> None:
    engine.index(repo)
    answers(server)
    engine.work(model)
    asked = len(server.asked)
    engine.index(repo)
    engine.work(model)

    assert asked > 0
    assert len(server.asked) == asked


def test_switched_off_nothing_of_it_stays(engine: Engine, repo: Path, server: Server, model: Model) -> None:
    engine.index(repo)
    answers(server)
    engine.work(model)
    off = Engine(engine.store, replace(engine.settings, core_functions=0))
    off.index(repo)

    assert links(off, repo, "write_ledger") == set()
    assert off.describe_queue() == []
    assert off.read_status(repo).core is None


def test_credentials_are_masked_before_a_model_is_shown_them(engine: Engine, repo: Path, server: Server, model: Model) -> None:
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    (repo / "writer.py").write_text(WRITE.replace("    for row", f'    token = "{key}"\n    for row'))
    engine.index(repo)
    answers(server)
    engine.work(model)

    assert server.texts
    assert not any(key in text for text in server.texts)


def test_by_default_no_edge_and_no_job_is_made(tmp_path: Path, repo: Path, server: Server) -> None:
    with clew.open(settings=Settings(tmp_path / "home", jobs=1, model=f"{server.url}#small"), is_in_memory=True) as plain:
        indexed = plain.index(repo)

        assert indexed.core.core == 0
        assert plain.describe_queue() == []
        assert plain.read_status(repo).core is None


@pytest.mark.parametrize("is_whole_file", [False, True])
def test_a_purge_reaches_what_a_model_said_of_the_code(
    engine: Engine, repo: Path, server: Server, model: Model, *, is_whole_file: bool
) -> None:
    engine.index(repo)
    answers(server)
    engine.work(model)
    snapshot = look(engine.store, find_workspace(repo)[0])
    [thought] = snapshot.records_of_sources("semantic:writer.py::write_ledger")
    [code] = [record.id for record in snapshot.records_of_sources("file:reader.py") if record.name == "read_ledger"]
    if is_whole_file:
        engine.purge(repo, source="file:reader.py", reason="secret")
    else:
        engine.purge(repo, handles=[code[:12]], reason="secret")

    assert look(engine.store, find_workspace(repo)[0]).records([thought.id]) == []
