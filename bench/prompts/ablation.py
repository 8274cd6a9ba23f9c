"""Command: `python -m bench.prompts.ablation --data DATA --mirrors MIRRORS --rows ROWS`. Judges what the task state adds to a ranking.

Each replayed prompt is asked as a question: alone, with the state of its session, with a stale state of the same session, and with the
state of another session of the project; and the state is asked alone. Judged by the files that the agent touched before the next
prompt. The model of what a session goes on with is fitted to ROWS without this project, of entireio/cli without this session's fold.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from bench.machine import provenance, write_result
from bench.prompts.__main__ import FOLDS, LARGE, PACKAGES, RESULTS
from bench.prompts.arms import group_sessions
from bench.prompts.replay import Moment, replay
from bench.prompts.rows import load
from clew.augment.choose import expect_files
from clew.augment.model import AdditionModel
from clew.engine import open_engine
from clew.ranking.deadline import Deadline
from clew.ranking.files import rank_files
from clew.ranking.question import Question
from clew.records import TaskState
from clew.settings import find_workspace
from clew.store.ports import LOCAL, Snapshot
from clew.usecases.inputs import FileTest
from train.augment.fit import fit

LISTED = 10
STALE_PROMPTS = 8  # a stale state is of so many prompts ago


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    given = _parser().parse_args(arguments)
    source = provenance(("python", "-m", "bench.prompts.ablation"), PACKAGES)
    rows = load(given.rows)
    group = group_sessions(rows, folds=FOLDS, large=LARGE)

    @cache
    def fit_without(name: str) -> AdditionModel:
        kept = [row for row in rows if group[row.session] != name]
        numbers = np.array([numbers for row in kept for numbers in row.numbers], np.float32)
        return fit(numbers, np.array([path in row.needed for row in kept for path in row.paths], np.float32))

    found: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for moment, listed in _ask(given, lambda moment: fit_without(group.get(moment.session, moment.project))):
        for split, needed in (("all files", set(moment.needed)), ("new files", set(moment.needed) - moment.before)):
            for name, paths in listed.items() if needed else ():
                first = next((1 / at for at, path in enumerate(paths, 1) if path in needed), 0.0)
                found[split][name].append((first, len(needed.intersection(paths[:5])) / len(needed)))
    figures = {split: {name: _describe(pairs) for name, pairs in by_arm.items()} for split, by_arm in found.items()}
    if not given.dry:
        of = given.project.replace("/", "-") or "all"
        write_result(RESULTS / f"state-{of}-{source.name}.json", {"name": source.name, **source.as_json(), "figures": figures})
    for split, by_arm in figures.items():
        for name, one in by_arm.items():
            print(f"{split}  {name:24s} n {one['prompts']:4.0f}  MRR {one['MRR']:.3f}  recall@5 {one['recall@5']:.3f}")
    return 0


def _ask(given: argparse.Namespace, model_for: Callable[[Moment], AdditionModel]) -> Iterator[tuple[Moment, dict[str, list[str]]]]:
    """Yield each prompt after which a file was touched, and the files that are listed for it by each way of asking."""
    states: dict[str, list[TaskState]] = defaultdict(list)
    draw = random.Random(7)
    with tempfile.TemporaryDirectory() as box:
        os.environ["CLEW_HOME"] = f"{box}/home"
        with open_engine() as engine:
            for moment in replay(given.data, given.mirrors, Path(box), engine, project=given.project, limit=given.limit):
                here = states[moment.session]
                here.append(moment.task)
                others = [state for name, known in states.items() if name != moment.session for state in known if state.working_set]
                if not moment.needed:
                    continue
                asked: dict[str, tuple[str, TaskState | None]] = {
                    "question alone": (moment.prompt, None),
                    "state alone": ("", moment.task),
                    "both": (moment.prompt, moment.task),
                    "a stale state": (moment.prompt, here[max(0, len(here) - 1 - STALE_PROMPTS)]),
                    "another session's state": (moment.prompt, draw.choice(others) if others else None),
                }
                with engine.store.snapshot(LOCAL, find_workspace(moment.tree)[0]) as snapshot:
                    yield moment, {name: _list(snapshot, moment, *each, model_for) for name, each in asked.items()}


def _list(snapshot: Snapshot, moment: Moment, text: str, task: TaskState | None, model_for: Callable[[Moment], AdditionModel]) -> list[str]:
    question = Question.of(text, task)
    expected: dict[str, float] = {}
    if task:
        is_file, model = FileTest(moment.tree), model_for(moment)
        expected = expect_files(snapshot, question, is_file=is_file, deadline=Deadline(), embedder=None, model=model)
    return [file.path for file in rank_files(snapshot, question, limit=LISTED, expected=expected).files]


def _describe(pairs: Sequence[tuple[float, float]]) -> dict[str, float]:
    first, recall = np.array(pairs).mean(axis=0).tolist()
    return {"prompts": len(pairs), "MRR": round(first, 3), "recall@5": round(recall, 3)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.prompts.ablation", description=__doc__)
    default = {name: os.environ.get(name) for name in ("CLEW_BENCH_DATA", "CLEW_BENCH_MIRRORS")}
    data, mirrors = (Path(value) if value else None for value in default.values())
    parser.add_argument("--data", type=Path, default=data, required=data is None, help="folder that holds sessions/ and sessions_tasks/")
    parser.add_argument("--mirrors", type=Path, default=mirrors, required=mirrors is None, help="folder of git directories")
    parser.add_argument("--rows", type=Path, nargs="+", required=True, help="rows that `bench.prompts --save` collected, to fit to")
    parser.add_argument("--project", default="", help="only this one")
    parser.add_argument("--limit", type=int, default=0, help="so many sessions of each project, spread evenly")
    parser.add_argument("--dry", action="store_true", help="print the table, and write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
