"""Trees: what is read on all cores, and what happens when a file kills the process that reads it."""

from __future__ import annotations

import os
from pathlib import Path

from clew.codebase import tree
from clew.codebase.imports import PathIndex
from clew.records import Delta


def read_or_die(batch: list[tuple[str, int, int]]) -> list[Delta | None]:
    """What a reading process does, but for one file that no parser survives."""
    if any(path == "killer.py" for path, _, _ in batch):
        os._exit(1)
    return tree._read_batch(batch)  # pyright: ignore[reportPrivateUsage]


def test_a_file_that_kills_its_reader_is_read_as_plain_text(tmp_path: Path) -> None:
    """The others are read as ever, each once and in order."""
    names = sorted([f"m{number:02}.py" for number in range(60)] + ["killer.py"])
    for name in names:
        (tmp_path / name).write_text(f"def {name.removesuffix('.py')}():\n    return 1\n" + "# filler\n" * 1200)
    jobs = [(name, (tmp_path / name).stat().st_size, 0) for name in names]

    done = list(tree._read_all(tmp_path, jobs, PathIndex(names), 2, "", read_or_die))  # pyright: ignore[reportPrivateUsage]

    assert [job[0] for job, _ in done] == names
    deltas = {job[0]: delta for job, delta in done}
    kinds = {name: {record.kind for record in delta.records} for name, delta in deltas.items() if delta}
    assert "function" in kinds["m00.py"]
    assert "function" not in kinds["killer.py"]
    assert any(record.kind == "text" for record in deltas["killer.py"].records)  # pyright: ignore[reportOptionalMemberAccess]
