"""Run: ask every system every row at every budget, once, and keep each answer's scores as a line of a work file.

A row is one task: its tree is written out, each system indexes it and answers, the tree is deleted. The work file is
appended to by this process alone, a row at a time, so a run that was killed goes on where it ended; what is already
there is asked again only when the system's version or the judge's source has changed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import msgspec

from bench.localization.metrics import Missing, Score, judge
from bench.localization.packing import OverBudget, Shown, measure
from bench.localization.rows import Row, git_dir_of
from bench.localization.source import Tree
from bench.localization.systems import ARMS, Closes, SeesGold, System, create
from bench.trees import write_tree

BUDGETS = (1024, 2048, 4096, 8192)
JUDGES = ("metrics.py", "packing.py", "rows.py", "run.py", "source.py", "systems.py")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask and where. `trees` is a folder to write trees in, None for a temporary one."""

    mirrors: Path
    systems: tuple[str, ...]
    budgets: tuple[int, ...] = BUDGETS
    trees: Path | None = None
    are_trees_kept: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """One answer's scores: a line of the work file.

    `problem` says why there was no answer, or why it was rejected; all verdicts are then False, all ranks None.
    `index_s` is of the one indexing that served all budgets of this system and row, `query_s` of this query alone.
    """

    system: str
    version: str
    dataset: str
    id: str
    repo: str
    language: str
    is_path_leaked: bool
    budget: int
    tokens: int
    file: bool
    function: bool | None
    whole: bool | None
    line: bool
    file_ranks: tuple[int | None, ...]
    function_ranks: tuple[int | None, ...]
    missing: tuple[Missing, ...]
    unfounded: int
    index_s: float
    query_s: float
    problem: str = ""
    is_final: bool = True


def run(rows: Sequence[Row], plan: Plan, work: Path, *, jobs: int, say: Callable[[str], None]) -> list[Measured]:
    """Return the scores of all systems on all rows at all budgets, in that order, asking only what `work` lacks.

    Raises UnknownSystem, DataMissing, TreeError. A system that fails on a row is no error here: the failure is its
    score, and it is asked again at the next run.
    """
    versions = {name: version_of(name) for name in plan.systems}
    done = {key: line for line in read_work(work) if line.is_final and (key := _key(line))}
    wanted = {row: _todo(row, plan, versions, done) for row in rows}
    tasks = [(row, todo) for row, todo in wanted.items() if todo]
    say(f"{len(rows)} rows, {len(plan.systems)} systems; {len(rows) - len(tasks)} rows already measured in {work}")
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.open("ab") as file:
        for number, (row, lines) in enumerate(_measured(tasks, plan, versions, jobs), start=1):
            file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
            done.update((_key(line), line) for line in lines)
            problems = sorted({f"{line.system}: {line.problem}" for line in lines if line.problem})
            say(f"{number}/{len(tasks)} {row.id}" + "".join(f"\n  {problem}" for problem in problems))
    return [done[name, versions[name], row.dataset, row.id, budget] for name in plan.systems for row in rows for budget in plan.budgets]


def version_of(name: str) -> str:
    """Return the system's own version with a digest of its file and of the judge: the key of its measured rows."""
    with tempfile.TemporaryDirectory() as scratch:
        version = create(name, Path(scratch)).version
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in (here / "arms" / f"{ARMS[name]}.py", *(here / judge_file for judge_file in JUDGES)):
        digest.update(path.read_bytes())
    return f"{version} {digest.hexdigest()[:12]}"


def read_work(work: Path) -> Iterator[Measured]:
    """Yield the lines of a work file. A last line without its end was cut by a kill: it is cut off and asked again."""
    if not work.exists():
        return
    data = work.read_bytes()
    if not data.endswith(b"\n"):
        data = data[: data.rfind(b"\n") + 1]
        with work.open("r+b") as file:
            file.truncate(len(data))
    for line in data.splitlines():
        yield msgspec.json.decode(line, type=Measured)


def measure_row(row: Row, todo: Sequence[tuple[str, tuple[int, ...]]], plan: Plan, versions: dict[str, str]) -> list[Measured]:
    """Write out the row's tree, ask each system of `todo` at its budgets, and delete the tree unless it is kept."""
    lines: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="clew-bench-", dir=plan.trees) as folder:
        tree = Path(folder, "tree")
        kept = None if plan.trees is None else plan.trees / row.id
        if kept is not None and kept.is_dir():
            tree = kept
        else:
            write_tree(git_dir_of(plan.mirrors, row), row.base_commit, tree)
        for name, budgets in todo:
            scratch = Path(folder, f"scratch-{name}")
            scratch.mkdir()
            system = create(name, scratch)
            try:
                lines += _ask(system, row, tree, budgets, versions[name])
            finally:
                if isinstance(system, Closes):
                    system.close()
            shutil.rmtree(scratch)
        if kept is not None and plan.are_trees_kept and tree != kept:
            tree.rename(kept)
    return lines


def _ask(system: System, row: Row, tree: Path, budgets: Sequence[int], version: str) -> list[Measured]:
    judged = Tree(tree)
    index_s, lines = 0.0, list[Measured]()
    for budget in sorted(budgets):
        query_s, problem, is_final = 0.0, "", True
        shown, score = Shown({}, 0), _nothing(row)
        try:
            if not lines:
                started = perf_counter()
                if isinstance(system, SeesGold):
                    system.reveal(row)
                system.index(tree)
                index_s = perf_counter() - started
            started = perf_counter()
            answer = system.query(row.query, budget)
            query_s = perf_counter() - started
            shown = measure(answer, judged, budget)
            score = judge(row, answer, shown, judged)
        except OverBudget as refusal:
            problem = str(refusal)
        except Exception as failure:  # noqa: BLE001  whatever a rival raises is its answer: kept in its line, and printed
            problem, is_final = f"{type(failure).__name__}: {failure}", False
        lines.append(
            Measured(
                system=system.name,
                version=version,
                dataset=row.dataset,
                id=row.id,
                repo=row.repo,
                language=row.language,
                is_path_leaked=row.is_path_leaked,
                budget=budget,
                tokens=shown.tokens,
                file=score.file,
                function=score.function,
                whole=score.whole,
                line=score.line,
                file_ranks=score.file_ranks,
                function_ranks=score.function_ranks,
                missing=score.missing,
                unfounded=shown.unfounded,
                index_s=round(index_s, 4),
                query_s=round(query_s, 4),
                problem=problem,
                is_final=is_final,
            )
        )
    return lines


def _nothing(row: Row) -> Score:
    """Return the score of no answer at all."""
    none = False if row.functions else None
    missing = tuple(Missing("file", path, None) for path in row.files)
    return Score(False, none, none, False, (None,) * len(row.files), (None,) * len(row.functions), missing)


def _measured(
    tasks: Sequence[tuple[Row, tuple[tuple[str, tuple[int, ...]], ...]]], plan: Plan, versions: dict[str, str], jobs: int
) -> Iterator[tuple[Row, list[Measured]]]:
    if plan.trees is not None:
        plan.trees.mkdir(parents=True, exist_ok=True)
    if jobs <= 1:
        for row, todo in tasks:
            yield row, measure_row(row, todo, plan, versions)
        return
    # Spawned, not forked: a rival's threads do not survive a fork.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(measure_row, row, todo, plan, versions): row for row, todo in tasks}
        for future in as_completed(running):
            yield running[future], future.result()


def _todo(
    row: Row, plan: Plan, versions: dict[str, str], done: dict[tuple[str, str, str, str, int], Measured]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    missing = (
        (name, tuple(budget for budget in plan.budgets if (name, versions[name], row.dataset, row.id, budget) not in done))
        for name in plan.systems
    )
    return tuple((name, budgets) for name, budgets in missing if budgets)


def _key(line: Measured) -> tuple[str, str, str, str, int]:
    return line.system, line.version, line.dataset, line.id, line.budget
