"""Measures: how long each thing takes, one function each. Every one works on a copy of the tree and a home of its own."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.doors import CommandFailed, environment, index, index_command, opened, retrieve, retrieve_command, run, update
from bench.memory import watch

BUDGET_TOKENS = 8192
EDITS = 7  # median of seven
COLD_COMMANDS = 10


class EditNotSeen(Exception):
    """One file was changed, and the index read another number of files."""

    def __init__(self, name: str, read: int) -> None:
        super().__init__(f"{name} was changed and {read} files were read; expected 1")


def cold_index(tree: Path, home: Path) -> dict[str, float]:
    """Index into an empty home, as a command. Seconds are wall time with start-up; memory is of all its processes."""
    command = index_command(tree)
    watched = watch(command, environment=environment(home))
    if watched.code != 0:
        raise CommandFailed(command, watched.code, watched.said)
    return {
        "seconds": round(watched.wall_s, 3),
        "peak_rss_mb": round(watched.peak_rss_mb, 1),
        "peak_pss_mb": round(watched.peak_pss_mb, 1),
        "processes_max": watched.processes_max,
        "database_mb": round(sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) / 1e6, 1),
    }


def nothing_changed(tree: Path, home: Path) -> dict[str, float]:
    """Index again with no change: as a command, and in this process."""
    with opened(home) as engine:
        inside = [_seconds(index, engine, tree) for _ in range(EDITS)]
    return {
        "command_s": round(median(_seconds(run, index_command(tree), home) for _ in range(EDITS)), 4),
        "in_process_s": round(median(inside), 4),
    }


def one_changed_file(tree: Path, home: Path) -> dict[str, object]:
    """Index after one edit of the file of median size: as a command, in this process, and by naming the file."""
    name = middle_file(tree)
    with opened(home) as engine:
        index(engine, tree)

        def reread() -> None:
            if (read := index(engine, tree)) != 1:
                raise EditNotSeen(name, read)

        inside = _edited(tree / name, "index", reread)
        named = _edited(tree / name, "update", lambda: update(engine, tree, name))
    outside = _edited(tree / name, "command", lambda: run(index_command(tree), home))
    return {
        "file": name,
        "file_bytes": (tree / name).stat().st_size,
        "in_process_ms": round(1000 * median(inside), 1),
        "named_in_process_ms": round(1000 * median(named), 1),
        "command_ms": round(1000 * median(outside), 1),
    }


def warm_retrieve(tree: Path, home: Path, questions: Sequence[str]) -> dict[str, float]:
    """Answer every question once in one process, after one other question; each at BUDGET_TOKENS."""
    with opened(home) as engine:
        retrieve(engine, tree, "what is this repository about?", BUDGET_TOKENS)
        gc.collect()
        took = sorted(_seconds(retrieve, engine, tree, question, BUDGET_TOKENS) for question in questions)
    return {
        "questions": len(took),
        "p50_ms": round(1000 * _percentile(took, 0.50), 2),
        "p99_ms": round(1000 * _percentile(took, 0.99), 2),
        "max_ms": round(1000 * took[-1], 2),
    }


def cold_retrieve(tree: Path, home: Path, questions: Sequence[str]) -> dict[str, float]:
    """Answer the first questions, each by a command of its own."""
    asked = questions[:COLD_COMMANDS]
    command = retrieve_command(tree, BUDGET_TOKENS)
    took = [_seconds(run, command, home, question) for question in asked]
    watched = watch(command, environment=environment(home), question=asked[0])
    return {
        "commands": len(took),
        "median_ms": round(1000 * median(took), 1),
        "max_ms": round(1000 * max(took), 1),
        "peak_rss_mb": round(watched.peak_rss_mb, 1),
    }


def middle_file(tree: Path) -> str:
    """Return the Python file of median size (ties by name), leaving out empty ones and links."""
    paths = (path for path in tree.rglob("*.py") if path.is_file() and not path.is_symlink() and path.stat().st_size)
    sized = sorted((path.stat().st_size, path.relative_to(tree).as_posix()) for path in paths)
    return sized[len(sized) // 2][1]


def _edited(file: Path, mark: str, act: Callable[[], object]) -> list[float]:
    """Return the seconds that `act` takes after each of EDITS edits of `file`, which gets a new function each time."""
    took: list[float] = []
    original = file.read_bytes()
    for number in range(EDITS):
        file.write_bytes(original + f"\n\ndef probe_{mark}_{number}(value):\n    return value + {number}\n".encode())
        took.append(_seconds(act))
    file.write_bytes(original)
    act()  # so that what follows starts from an index that knows the original again
    return took


def _percentile(ascending: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile: the smallest value that at least `share` of the values do not exceed."""
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)]


def _seconds(act: Callable[..., object], *arguments: object) -> float:
    started = perf_counter()
    act(*arguments)
    return perf_counter() - started
