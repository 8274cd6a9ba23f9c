"""Trees: what is read on all cores, and what happens when a file kills the process that reads it."""

from __future__ import annotations

import os
import time
from itertools import islice
from pathlib import Path

from clew.codebase import TREE_SOURCE, file_changes
from clew.codebase.path_index import PathIndex
from clew.records import Delta, SourceState


def read_or_die(batch: list[tuple[str, int, int]]) -> list[Delta | None]:
    """What a reading process does, but for one file that no parser survives."""
    if any(path == "killer.py" for path, _, _ in batch):
        os._exit(1)
    return file_changes._read_batch(batch)  # pyright: ignore[reportPrivateUsage]


def test_a_file_that_kills_its_reader_is_read_as_plain_text(tmp_path: Path) -> None:
    """The others are read as ever, each once and in order."""
    names = sorted([f"m{number:02}.py" for number in range(60)] + ["killer.py"])
    for name in names:
        (tmp_path / name).write_text(f"def {name.removesuffix('.py')}():\n    return 1\n" + "# filler\n" * 1200)
    jobs = [(name, (tmp_path / name).stat().st_size, 0) for name in names]

    done = list(file_changes._read_all(tmp_path, jobs, PathIndex(names), 2, "", read_or_die))  # pyright: ignore[reportPrivateUsage]

    assert [job[0] for job, _ in done] == names
    deltas = {job[0]: delta for job, delta in done}
    kinds = {name: {record.kind for record in delta.records} for name, delta in deltas.items() if delta}
    assert "function" in kinds["m00.py"]
    assert "function" not in kinds["killer.py"]
    assert any(record.kind == "text" for record in deltas["killer.py"].records)  # pyright: ignore[reportOptionalMemberAccess]


def run(root: Path, states: dict[str, SourceState], most: int | None = None) -> dict[str, SourceState]:
    """The states after a run over `root`, which is cut off behind `most` Deltas."""
    after = dict(states)
    for delta in islice(file_changes.find_file_changes(root, states, file_changes.IndexReport()), most):
        if delta.state is None:
            del after[delta.source]
        else:
            after[delta.source] = delta.state
    return after


def facts(states: dict[str, SourceState]) -> dict[str, tuple[str, str, str]]:
    return {source: (state.digest, state.status, state.note) for source, state in states.items()}


def written(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / f"{name}.py"
        path.write_text(text)
        os.utime(path, (1_700_000_000, 1_700_000_000))


def test_files_of_one_age_and_size_that_change_places_are_read_again(tmp_path: Path) -> None:
    written(tmp_path, a="def one(): ...\n", b="def two(): ...\n")
    before = run(tmp_path, {})

    (tmp_path / "a.py").rename(tmp_path / "c")
    (tmp_path / "b.py").rename(tmp_path / "a.py")
    (tmp_path / "c").rename(tmp_path / "b.py")

    assert facts(run(tmp_path, before)) == facts(run(tmp_path, {}))
    assert facts(run(tmp_path, before)) != facts(before)


def test_a_run_that_was_cut_off_leaves_no_import_that_leads_nowhere(tmp_path: Path) -> None:
    """A file comes, a run sees it and is killed, the file goes: the paths are again those of the last whole run."""
    written(tmp_path, a="import z\n", b="import z\n")
    before = run(tmp_path, {})
    written(tmp_path, z="x = 1\n")
    killed = run(tmp_path, before, 2)
    assert killed["file:a.py"].note != before["file:a.py"].note
    (tmp_path / "z.py").unlink()

    assert facts(run(tmp_path, killed)) == facts(run(tmp_path, {}))


def test_a_first_run_that_was_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """And until one has ended, nobody takes the workspace for indexed."""
    written(tmp_path, a="import b\n", b="x = 1\n", c="y = 2\n")
    killed = run(tmp_path, {}, 3)
    assert TREE_SOURCE not in killed
    report = file_changes.IndexReport()

    list(file_changes.find_file_changes(tmp_path, killed, report))

    assert (report.read, report.unchanged) == (1, 2)
    assert run(tmp_path, killed) == run(tmp_path, {})


def test_a_file_that_was_named_is_looked_at_again_by_a_whole_run(tmp_path: Path) -> None:
    """It was read while a file that it imports was away; when that is back, the paths are those of the last whole run."""
    written(tmp_path, a="import z\n", z="x = 1\n")
    states = run(tmp_path, {})
    (tmp_path / "z.py").rename(tmp_path / "away")
    for delta in file_changes.find_named_file_changes(tmp_path, ["a.py"], ["a.py"], states[TREE_SOURCE]):
        assert delta.state is not None
        states[delta.source] = delta.state
    (tmp_path / "away").rename(tmp_path / "z.py")

    assert facts(run(tmp_path, states)) == facts(run(tmp_path, {}))


def test_a_file_that_was_named_is_not_read_again_where_no_path_came_or_went(tmp_path: Path) -> None:
    """Its state has the stamp of the bytes that were read."""
    written(tmp_path, a="import z\n", z="x = 1\n")
    states = run(tmp_path, {})
    written(tmp_path, a="import z\n\ny = z.x\n")
    for delta in file_changes.find_named_file_changes(tmp_path, ["a.py"], ["a.py", "z.py"], states[TREE_SOURCE]):
        assert delta.state is not None
        states[delta.source] = delta.state
    report = file_changes.IndexReport()

    list(file_changes.find_file_changes(tmp_path, states, report))

    assert (report.read, report.unchanged) == (0, 2)
    assert states == run(tmp_path, {})


def test_a_file_that_changed_just_before_it_was_named_is_read_again(tmp_path: Path) -> None:
    """It may change once more within the resolution of its time."""
    written(tmp_path, a="x = 1\n")
    states = run(tmp_path, {})
    now = time.time_ns() // 1_000_000_000 * 1_000_000_000
    os.utime(tmp_path / "a.py", ns=(now, now))

    [delta] = file_changes.find_named_file_changes(tmp_path, ["a.py"], ["a.py"], states[TREE_SOURCE])

    assert delta.state is not None
    assert delta.state.mtime_ns == 0
