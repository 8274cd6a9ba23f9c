"""The state of a session is kept: advanced, stored and taken up again anywhere, it is the one that a reading from the start gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.records import SourceState
from clew.task.tracker import TaskTracker, load_tracker
from clew.transcript.follow import ProgressReader, load_stored_progress, read_deltas
from clew.transcript.parse import TranscriptReader
from clew.transcript.progress import SessionProgress, load_progress, start_progress
from clew.transcript.session_files import find_session_files
from tests.transcript.conftest import FOLDER, SESSION, ClaudeScript

STEPS: list[Callable[[ClaudeScript], object]] = [
    lambda script: script.prompt("Fix the rounding in prices.py. Never use floats for money."),
    lambda script: script.prompt("Yes, go on."),
    lambda script: script.prompt("Forget the rule about floats. Do not touch the migrations."),
    lambda script: script.prompt("No, that is wrong: use Decimal instead."),
    lambda script: script.tell("Two ways:\n1. integers of cents\n2. `Decimal`\nWhich one?"),
    lambda script: script.tell("I reverted it because `mpmath` is not installed; I'll use `decimal` instead."),
    lambda script: script.tell("Done. All tests pass and the rounding is fixed."),
    lambda script: script.read(f"{FOLDER}/prices.py", ["def price(x):", "    return round(x, 2)"]),
    lambda script: script.edit(f"{FOLDER}/prices.py", "    return round(x, 2)", "    return Decimal(x)", 2),
    lambda script: script.edit(f"{FOLDER}/shop/cart.py", "a", "b", 7),
    lambda script: script.run("pytest -q", "1 failed, 2 passed in 0.10s", 1),
    lambda script: script.run("pytest -q", "3 passed in 0.10s"),
    lambda script: script.run("pytest -q tests > /tmp/out.log 2>&1", ""),
    lambda script: script.run("tail -3 /tmp/out.log", "3 passed in 0.10s"),
    lambda script: script.run("git add -A && git commit -m 'round'", "[main 1a2b3c4] round\n 1 file changed, 1 insertion(+)"),
    lambda script: script.run("git stash", "Saved working directory and index state WIP on main: 1a2b3c4 round"),
    lambda script: script.run("git checkout -- prices.py", ""),
    lambda script: script.run("git reset --hard HEAD~1", "HEAD is now at 0000001 first"),
    lambda script: script.run("mpmath --version", "bash: mpmath: command not found", 127),
    lambda script: script.refuse(script.call("Bash", command="rm -rf build"), "keep the build"),
    lambda script: script.add("system", subtype="compact_boundary", compactMetadata={"trigger": "auto", "preTokens": 900}),
    lambda script: script.call(
        "TodoWrite", todos=[{"content": "round", "status": "completed"}, {"content": "test", "status": "in_progress"}]
    ),
]


def written(steps: list[int]) -> ClaudeScript:
    script = ClaudeScript()
    for step in steps:
        STEPS[step](script)
    return script


@given(st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=24))
@settings(max_examples=40, deadline=None)
def test_a_tracker_that_is_put_down_at_every_observation_says_what_one_in_a_single_run_says(steps: list[int]) -> None:
    whole, parts = TaskTracker(), TaskTracker()
    for seen in TranscriptReader([written(steps).bytes()]).read_observations():
        whole.observe(seen)
        parts.observe(seen)
        parts = load_tracker(parts.dump_state(is_short=bool(seen.seq % 3)))

        assert parts.state() == whole.state()


@given(st.lists(st.integers(0, len(STEPS) - 1), min_size=1, max_size=12), st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_stored_state_is_exact_at_every_cut(tmp_path: Path, steps: list[int], data: st.DataObject) -> None:
    """A session is ingested as it grows; at each end what is stored is what a reading from the start gives."""
    raw = written(steps).bytes()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw)), max_size=4)) | {len(raw)})
    path, state = tmp_path / f"{SESSION}.jsonl", None
    for cut in cuts:
        path.write_bytes(raw[:cut])
        for delta in read_deltas(path, state=state):
            state = delta.state
        kept = load_stored_progress(state) if state and state.note else None
        fresh = start_progress(find_session_files(path), "")
        for seen in TranscriptReader(path).read_observations():
            fresh.observe(seen)

        if kept:
            assert [(cut.seq, cut.load_state()) for cut in kept[0].cuts] == [(cut.seq, cut.load_state()) for cut in fresh.cuts]
            assert (kept[0].tracker.state(), kept[0].uuid, kept[0].at_ns) == (fresh.tracker.state(), fresh.uuid, fresh.at_ns)


def test_a_reader_goes_on_from_what_is_stored_and_says_what_it_had_no_time_for(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SESSION}.jsonl"
    lines = busy_session.splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:8]))
    (delta,) = read_deltas(path)
    path.write_bytes(busy_session)
    late, reader = (ProgressReader(find_session_files(path), "", delta.state) for _ in range(2))

    late.advance(seconds_max=0)
    reader.advance()

    assert (late.line, late.unread_bytes) == (8, len(busy_session) - len(b"".join(lines[:8])))
    assert (reader.line, reader.unread_bytes) == (len(lines), 0)
    assert late.progress.uuid != reader.progress.uuid
    assert reader.progress.tracker.state() == all_of(path).tracker.state()


def test_a_reader_stops_before_a_line(busy_session: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"{SESSION}.jsonl"
    path.write_bytes(busy_session)
    short = tmp_path / "short.jsonl"
    for count in range(len(busy_session.splitlines())):
        reader = ProgressReader(find_session_files(path), "")
        reader.advance(line_max=count)
        short.write_bytes(b"".join(busy_session.splitlines(keepends=True)[:count]))

        assert reader.line == count
        assert reader.progress.tracker.state() == all_of(short).tracker.state()


@pytest.mark.parametrize("note", ["", "nonsense", "AAAA"])
def test_what_cannot_be_read_is_no_progress(note: str) -> None:
    assert load_progress(note) is None


def test_a_session_whose_state_another_release_wrote_is_read_from_its_start(
    busy_session: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{SESSION}.jsonl"
    path.write_bytes(busy_session)
    (delta,) = read_deltas(path)
    monkeypatch.setattr("clew.transcript.progress.PROGRESS_VERSION", "0/0")

    assert isinstance(delta.state, SourceState)
    assert load_stored_progress(delta.state) is None
    assert [again.is_whole for again in read_deltas(path, state=delta.state)] == [True]


def all_of(path: Path) -> SessionProgress:
    progress = start_progress(None, "")
    for seen in TranscriptReader(path).read_observations():
        progress.observe(seen)
    return progress
