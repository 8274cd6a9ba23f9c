"""Run: ask every system every row at every budget, once, and keep each answer's scores as a line of a work file.

A repository is one task: its rows go by the dates of their commits through one work tree, which git switches. A system
that can `follow` a tree is kept and brings its index up to date; any other is made anew for each row. The work file is
appended to by this process alone, a row at a time, so a run that was killed goes on where it ended; what is already
there is asked again only when the system's version or the judge's source has changed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import queue
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from time import perf_counter

import msgspec

from bench.localization.metrics import Missing, Score, judge, names_gold
from bench.localization.packing import OverBudget, Shown, measure
from bench.localization.rows import DataMissing, Row, git_dir_of
from bench.localization.source import Tree, Unit
from bench.localization.systems import ARMS, Answer, Closes, Follows, SeesGold, System, Unavailable, create
from bench.trees import clean_tree, commit_times, switch_tree, write_tree

BUDGETS = (1024, 2048, 4096, 8192)
JUDGES = ("metrics.py", "outline.py", "packing.py", "rows.py", "run.py", "source.py", "systems.py")
POLL_S = 0.5  # guess; how often the parent looks whether a worker died

Todo = tuple[tuple[str, tuple[int, ...]], ...]  # systems with the budgets that are still to be asked
Task = tuple[Path, tuple[tuple[Row, Todo], ...]]  # a git directory and its rows, by the dates of their commits


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask and where. `trees` is a folder to write trees in, None for a temporary one."""

    mirrors: Path
    systems: tuple[str, ...]
    budgets: tuple[int, ...] = BUDGETS
    trees: Path | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One answer's scores: a line of the work file.

    `problem` says why there was no answer, or why it was rejected; all verdicts are then False, all ranks None.
    `index_s` is of the one indexing that served all budgets of this system and row: of the whole tree when `is_cold`,
    else of what differs from the commit before. `query_s` is of this query alone. `is_named` says that the text names
    something of the gold.
    """

    system: str
    version: str
    dataset: str
    id: str
    repo: str
    language: str
    kind: str
    is_path_leaked: bool
    is_named: bool
    budget: int
    tokens: int
    file: bool
    function: bool | None
    whole: bool | None
    line: bool | None
    coverage: float
    file_ranks: tuple[int | None, ...]
    function_ranks: tuple[int | None, ...]
    missing: tuple[Missing, ...]
    unfounded: int
    index_s: float
    is_cold: bool
    query_s: float
    problem: str = ""
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """All lines in the order of systems, rows and budgets; and what was left out, by name, with the reason."""

    lines: list[Measured]
    skipped: dict[str, str]


def run(rows: Sequence[Row], plan: Plan, work: Path, *, jobs: int, say: Callable[[str], None]) -> Outcome:
    """Return the scores of all systems on all rows at all budgets, asking only what `work` lacks.

    Rows whose git directory or commit is not here, and systems that cannot be set up here, are left out by name.
    Raises UnknownSystem, TreeError. A system that fails on a row is no error here: the failure is its score, and it is
    asked again at the next run.
    """
    versions, skipped = _versions(plan.systems)
    times, missing = _times(rows, plan.mirrors)
    skipped |= missing
    for name, reason in skipped.items():
        say(f"SKIPPED {name}: {reason}")
    kept = [row for row in rows if _spot(row) in times]
    done = {key: line for line in read_work(work) if line.is_final and (key := _key(line))}
    tasks = _tasks(kept, plan, versions, done, times)
    count = sum(len(asked) for _, asked in tasks)
    say(f"{len(kept)} rows, {len(versions)} systems; {len(kept) - count} rows already measured in {work}")
    work.parent.mkdir(parents=True, exist_ok=True)
    with work.open("ab") as file:
        for number, lines in enumerate(_measured(tasks, plan, versions, jobs), start=1):
            file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
            done.update((_key(line), line) for line in lines)
            problems = sorted({f"{line.system}: {line.problem}" for line in lines if line.problem})
            say(f"{number}/{count} {lines[0].id}" + "".join(f"\n  {problem}" for problem in problems))
    keys = [(name, versions[name], row.dataset, row.id, budget) for name in versions for row in kept for budget in plan.budgets]
    return Outcome([done[key] for key in keys], skipped)


def version_of(name: str) -> str:
    """Return the system's own version with a digest of its file and of the judge: the key of its measured rows.

    Raises Unavailable when the system cannot be set up on this machine.
    """
    with tempfile.TemporaryDirectory() as scratch:
        version = create(name, Path(scratch)).version
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in (here / "arms" / f"{ARMS[name]}.py", *(here / judge_file for judge_file in JUDGES)):
        digest.update(path.read_bytes())
    return f"{version} {digest.hexdigest()[:12]}"


def read_work(work: Path) -> Iterator[Measured]:
    """Yield the lines of a work file. A last line without its end was cut by a kill: it is cut off and asked again.

    Lines that an older harness wrote with other fields are passed over: their versions could not match.
    """
    if not work.exists():
        return
    data = work.read_bytes()
    if not data.endswith(b"\n"):
        data = data[: data.rfind(b"\n") + 1]
        with work.open("r+b") as file:
            file.truncate(len(data))
    for line in data.splitlines():
        try:
            yield msgspec.json.decode(line, type=Measured)
        except msgspec.ValidationError:
            continue


def measure_repository(task: Task, plan: Plan, versions: Mapping[str, str]) -> Iterator[list[Measured]]:
    """Yield the lines of each row of one repository: its tree is written once and then switched from commit to commit."""
    git_dir, asked = task
    followers: dict[str, System] = {}
    with tempfile.TemporaryDirectory(prefix="clew-bench-", dir=plan.trees) as folder, ExitStack() as closing:
        closing.callback(lambda: [_close(system) for system in followers.values()])
        tree, commit = Path(folder, "tree"), ""
        parsed: dict[tuple[str, bytes], tuple[Unit, ...] | None] = {}
        answers: dict[tuple[str, str, int], _Answered] = {}
        for row, todo in asked:
            if commit != row.base_commit:
                (switch_tree if commit else write_tree)(git_dir, row.base_commit, tree)
                commit, answers = row.base_commit, {}
            lines: list[Measured] = []
            judged = Tree(tree, parsed=parsed)
            for name, budgets in todo:
                scratch = Path(folder, f"scratch-{name}")
                scratch.mkdir(exist_ok=True)
                is_first = name not in followers
                system = create(name, scratch) if is_first else followers[name]
                asking = _Asking(system, name, row, tree, is_first)
                try:
                    lines += [_line(asking, judged, budget, versions[name], answers) for budget in sorted(budgets)]
                finally:
                    if isinstance(system, Follows) and not asking.has_failed:
                        followers[name] = system
                    else:
                        followers.pop(name, None)
                        _close(system)
                        shutil.rmtree(scratch)
                        clean_tree(tree)  # the next system finds what a developer would find
            yield lines


def _close(system: System) -> None:
    if isinstance(system, Closes):
        system.close()


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer, or the reason why there is none, with its seconds. `is_final` is False where it should be tried again."""

    answer: Answer
    index_s: float
    is_cold: bool
    query_s: float
    problem: str = ""
    is_final: bool = True


class _Asking:
    """One system before one row: the index is brought up to date when the first budget asks for it, and once."""

    def __init__(self, system: System, name: str, row: Row, tree: Path, is_first: bool) -> None:  # noqa: FBT001
        self.name, self.row, self._tree = name, row, tree
        self._system, self._is_first = system, is_first
        self._index_s: float | None = None
        self._failure = ""

    @property
    def sees_gold(self) -> bool:
        return isinstance(self._system, SeesGold)

    @property
    def has_failed(self) -> bool:
        return bool(self._failure)

    def ask(self, budget: int) -> _Answered:
        """Return the answer; whatever the system raises is its answer too, and is kept."""
        query_s = 0.0
        if self._failure and self._index_s is None:  # a tree that could not be indexed is not tried at every budget
            return _Answered(Answer(()), 0.0, self._is_first, 0.0, self._failure, is_final=False)
        try:
            if self._index_s is None:
                started = perf_counter()
                if isinstance(self._system, SeesGold):
                    self._system.reveal(self.row)
                if isinstance(self._system, Follows) and not self._is_first:
                    self._system.follow(self._tree)
                else:
                    self._system.index(self._tree)
                self._index_s = perf_counter() - started
            started = perf_counter()
            answer = self._system.query(self.row.query, budget)
            query_s = perf_counter() - started
        except Exception as failure:  # noqa: BLE001  whatever a rival raises is its answer: kept in its line, and printed
            self._failure = f"{type(failure).__name__}: {failure}"
            return _Answered(Answer(()), self._index_s or 0.0, self._is_first, query_s, self._failure, is_final=False)
        return _Answered(answer, self._index_s, self._is_first, query_s)


def _line(asking: _Asking, tree: Tree, budget: int, version: str, answers: dict[tuple[str, str, int], _Answered]) -> Measured:
    """Return one line. Rows of two data sets with one commit and one text share their answer, and are judged apart."""
    row = asking.row
    key = (asking.name, row.query, budget)
    answered = answers.get(key)
    if answered is None:
        answered = asking.ask(budget)
        if not asking.sees_gold and answered.is_final:
            answers[key] = answered
    problem, shown, score = answered.problem, Shown({}, 0), _nothing(row)
    if not problem:
        try:
            shown = measure(answered.answer, tree, budget)
            score = judge(row, answered.answer, shown, tree)
        except OverBudget as refusal:
            problem = str(refusal)
    return Measured(
        system=asking.name,
        version=version,
        dataset=row.dataset,
        id=row.id,
        repo=row.repo,
        language=row.language,
        kind=row.kind,
        is_path_leaked=row.is_path_leaked,
        is_named=names_gold(row),
        budget=budget,
        tokens=shown.tokens,
        file=score.file,
        function=score.function,
        whole=score.whole,
        line=score.line,
        coverage=round(score.coverage, 4),
        file_ranks=score.file_ranks,
        function_ranks=score.function_ranks,
        missing=score.missing,
        unfounded=shown.unfounded,
        index_s=round(answered.index_s, 4),
        is_cold=answered.is_cold,
        query_s=round(answered.query_s, 4),
        problem=problem,
        is_final=answered.is_final,
    )


def _nothing(row: Row) -> Score:
    """Return the score of no answer at all."""
    none = False if row.functions else None
    missing = tuple(Missing("file", path, None, "no answer") for path in row.files)
    line = None if row.kind == "context" else False
    return Score(False, none, none, line, 0.0, (None,) * len(row.files), (None,) * len(row.functions), missing)


def _versions(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the versions of the systems that can run here, and the reasons of those that cannot."""
    versions, skipped = dict[str, str](), dict[str, str]()
    for name in names:
        try:
            versions[name] = version_of(name)
        except Unavailable as reason:
            skipped[name] = str(reason)
    return versions, skipped


def _times(rows: Sequence[Row], mirrors: Path) -> tuple[dict[tuple[str, str], int], dict[str, str]]:
    """Return the time of each row's commit by mirror and commit; and which rows have none here, and why."""
    by_mirror: dict[str, list[Row]] = {}
    for row in rows:
        by_mirror.setdefault(row.mirror, []).append(row)
    times, skipped = dict[tuple[str, str], int](), dict[str, str]()
    for mirror, group in by_mirror.items():
        try:
            found = commit_times(git_dir_of(mirrors, group[0]), [row.base_commit for row in group])
        except DataMissing:
            skipped |= {f"{row.dataset} {row.id}": f"no git directory of {mirror}" for row in group}
            continue
        times |= {(mirror, commit): time for commit, time in found.items()}
        skipped |= {f"{row.dataset} {row.id}": f"{mirror} lacks its commit" for row in group if row.base_commit not in found}
    names = [f"{row.dataset} {row.id}" for row in rows]
    return times, {name: skipped[name] for name in names if name in skipped}


def _tasks(
    rows: Sequence[Row],
    plan: Plan,
    versions: Mapping[str, str],
    done: Mapping[tuple[str, str, str, str, int], Measured],
    times: Mapping[tuple[str, str], int],
) -> list[Task]:
    """Return the repositories with something to ask, the one with most rows first, rows by date, commit and id."""
    by_mirror: dict[str, list[tuple[Row, Todo]]] = {}
    for row in sorted(rows, key=lambda row: (times[_spot(row)], row.base_commit, row.query, row.dataset, row.id)):
        missing = (
            (name, tuple(budget for budget in plan.budgets if (name, version, row.dataset, row.id, budget) not in done))
            for name, version in versions.items()
        )
        if todo := tuple((name, budgets) for name, budgets in missing if budgets):
            by_mirror.setdefault(row.mirror, []).append((row, todo))
    groups = sorted(by_mirror.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(git_dir_of(plan.mirrors, group[0][0]), tuple(group)) for _, group in groups]


def _measured(tasks: Sequence[Task], plan: Plan, versions: Mapping[str, str], jobs: int) -> Iterator[list[Measured]]:
    """Yield the lines of each row as they come; with several jobs, of several repositories at once."""
    if plan.trees is not None:
        plan.trees.mkdir(parents=True, exist_ok=True)
    if jobs <= 1:
        for task in tasks:
            yield from measure_repository(task, plan, versions)
        return
    # Spawned, not forked: a rival's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    results: Queue[list[Measured]] = context.Queue()
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_open_outlet, initargs=(results,)) as pool:
        running: list[Future[int]] = [pool.submit(_send_repository, task, plan, dict(versions)) for task in tasks]
        expected, seen = sum(len(asked) for _, asked in tasks), 0
        while seen < expected:
            try:
                lines = results.get(timeout=POLL_S)
            except queue.Empty:
                for future in running:
                    if future.done():
                        future.result()  # raises what ended the worker
                continue
            seen += 1
            yield lines


_outlet: list[Queue[list[Measured]]] = []


def _open_outlet(results: Queue[list[Measured]]) -> None:
    _outlet.append(results)


def _send_repository(task: Task, plan: Plan, versions: Mapping[str, str]) -> int:
    sent = 0
    for lines in measure_repository(task, plan, versions):
        _outlet[0].put(lines)
        sent += 1
    return sent


def _spot(row: Row) -> tuple[str, str]:
    return row.mirror, row.base_commit


def _key(line: Measured) -> tuple[str, str, str, str, int]:
    return line.system, line.version, line.dataset, line.id, line.budget
