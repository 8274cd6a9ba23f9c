"""Rows: the candidates of each replayed prompt with their numbers, and which of them were needed. Kept in a file, one prompt a line."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.prompts.replay import Moment, replay
from clew.augment.evidence import FEATURES, collect_candidates
from clew.engine import open_engine
from clew.ranking.deadline import Deadline
from clew.ranking.question import Question
from clew.settings import find_workspace
from clew.store.ports import LOCAL, Snapshot
from clew.usecases.inputs import FileTest


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt: the files needed after it and how, those touched before, and its candidates' paths with their numbers (FEATURES)."""

    session: str
    project: str
    at: int
    chars: int
    needed: dict[str, str]
    before: tuple[str, ...]
    paths: tuple[str, ...]
    numbers: tuple[tuple[float, ...], ...]
    ms: float


def collect(data: Path, mirrors: Path, *, project: str = "", limit: int = 0) -> Iterator[Row]:
    """Replay the recorded prompts, and yield their rows. Cost: about half a second a prompt, most of it to index the edits."""
    with tempfile.TemporaryDirectory() as box:
        os.environ["CLEW_HOME"] = f"{box}/home"
        with open_engine() as engine:
            for moment in replay(data, mirrors, Path(box), engine, project=project, limit=limit):
                with engine.store.snapshot(LOCAL, find_workspace(moment.tree)[0]) as snapshot:
                    yield describe_moment(snapshot, moment)


def describe_moment(snapshot: Snapshot, moment: Moment) -> Row:
    """Return the row of one prompt."""
    started = time.perf_counter()
    asked, is_file = Question.of(moment.prompt), FileTest(moment.tree)
    found = collect_candidates(snapshot, asked, moment.task, is_file=is_file, deadline=Deadline(None), embedder=None)
    took = (time.perf_counter() - started) * 1000
    numbers = tuple(tuple(round(value, 4) for value in one.row()) for one in found)
    return Row(
        moment.session, moment.project, moment.at, len(moment.prompt), moment.needed, tuple(sorted(moment.before)),
        tuple(one.path for one in found), numbers, round(took, 1),
    )  # fmt: skip


def save(rows: Iterator[Row], file: Path) -> None:
    """Write rows to a file, the names of the numbers first."""
    with file.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(FEATURES) + "\n")
        for row in rows:
            stream.write(json.dumps(asdict(row)) + "\n")
            stream.flush()


def load(files: Sequence[Path]) -> list[Row]:
    """Read rows. Raises ValueError for a file whose numbers have other names than FEATURES."""
    rows: list[Row] = []
    for file in files:
        with file.open(encoding="utf-8") as stream:
            if tuple(json.loads(next(stream))) != FEATURES:
                raise ValueError(f"{file}: its rows were made with other features: collect them again")
            for line in stream:
                held: dict[str, Any] = json.loads(line)
                held |= {name: tuple(held[name]) for name in ("before", "paths")}
                held["numbers"] = tuple(tuple(numbers) for numbers in held["numbers"])
                rows.append(Row(**held))
    return rows
