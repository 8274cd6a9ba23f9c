"""How fast clew is: ratios to an earlier commit that runs the same work in the same minutes, so that a busy machine hits both.

A compaction, which that commit does not know, is a ratio to a fixed piece of plain Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

from bench.ingest.__main__ import unpack
from bench.machine import REPOSITORY
from bench.score import timed
from bench.score.figure import REFERENCE_COMMIT, Context, DataMissing, Figure, Value
from bench.speed.measures import middle_file
from bench.speed.questions import from_docstrings
from bench.trees import write_tree
from clew.evaluation.cases import find_cases
from clew.evaluation.prepared import PreparedCase
from clew.text.tokens import make_counter

ROUNDS, QUICK_ROUNDS = 5, 3
QUESTIONS, QUICK_QUESTIONS = 100, 30
QUICK_SESSIONS = 12
WINDOW_TOKENS = 16_000
WINDOWS = 3


def measure(context: Context) -> Mapping[str, Value]:
    """Run both checkouts in turn, and compactions between."""
    tree, name = context.work / "tree", _tree(context, context.work / "tree")
    questions = from_docstrings(tree)[: QUICK_QUESTIONS if context.is_quick else QUESTIONS]
    sessions = _unpacked(context)
    ratios: dict[str, list[float]] = {}
    with _reference(context.reference, context.work / "reference") as reference:
        for number in range(QUICK_ROUNDS if context.is_quick else ROUNDS):
            plan = {"tree": str(tree), "file": middle_file(tree), "questions": questions, "sessions": str(sessions) if sessions else ""}
            plan["session"] = str(max(sessions.rglob("*.jsonl"), key=lambda path: path.stat().st_size)) if sessions else ""
            checkouts = [("then", reference), ("now", REPOSITORY)][:: 1 if number % 2 else -1]
            took = {who: _timed(checkout, plan | {"home": str(context.work / f"{who}{number}")}) for who, checkout in checkouts}
            for what in took["now"].keys() & took["then"].keys():
                ratios.setdefault(what, []).append(took["now"][what] / took["then"][what])
    values = {f"{what} ({name})" if "inges" not in what else what: Value.of_repeats(of, unit="×") for what, of in sorted(ratios.items())}
    if sessions:
        values |= _windows(context)
    return values


def yardstick() -> float:
    """Return the seconds that a fixed piece of plain Python takes now: words counted and hashed."""
    started = process_time()
    counts: dict[str, int] = {}
    for number in range(400_000):
        word = f"word{number % 997}"
        counts[word] = counts.get(word, 0) + 1
    hashlib.sha256(repr(sorted(counts.items())).encode() * 200).hexdigest()
    return process_time() - started


def _windows(context: Context) -> dict[str, Value]:
    """The time from a transcript to the window after a compaction."""
    ratios: list[float] = []
    chosen = islice((case for path in context.sessions(QUICK_SESSIONS) for case in find_cases(path)), WINDOWS)
    held = list(chosen)
    for _ in range(QUICK_ROUNDS if context.is_quick else ROUNDS):
        unit = yardstick()
        started = process_time()
        for case in held:
            PreparedCase(case, make_counter("claude")).build_packet(WINDOW_TOKENS)
        ratios.append((process_time() - started) / unit)
    return {"compaction, by a fixed piece of Python": Value.of_repeats(ratios, unit="×")} if held else {}


def _timed(checkout: Path, plan: Mapping[str, Any]) -> dict[str, float]:
    file = Path(plan["home"] + ".json")
    file.write_text(json.dumps(plan), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CLEW_")}
    kept |= {"PYTHONPATH": os.pathsep.join([str(checkout), str(checkout / "src")]), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, timed.__file__, str(file)], env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{checkout}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _tree(context: Context, into: Path) -> str:
    """Write the tree that is indexed: sympy's, where that is here and the run is not quick; else clew's own at the reference commit."""
    if not context.is_quick:
        try:
            write_tree(context.mirror_of("sympy/sympy"), "HEAD", into)
        except DataMissing:
            pass
        else:
            return "sympy"
    common = subprocess.run(
        ["git", "-C", str(REPOSITORY), "rev-parse", "--path-format=absolute", "--git-common-dir"],
        capture_output=True,
        text=True,
        check=True,
    )
    _has(REFERENCE_COMMIT)
    write_tree(Path(common.stdout.strip()), REFERENCE_COMMIT, into)
    return "clew"


def _has(commit: str) -> None:
    known = subprocess.run(["git", "-C", str(REPOSITORY), "cat-file", "-e", commit], capture_output=True, check=False)
    if known.returncode:
        raise DataMissing(f"the commit {commit} in this clone")


@contextmanager
def _reference(commit: str, into: Path) -> Iterator[Path]:
    _has(commit)
    git = ["git", "-C", str(REPOSITORY), "worktree"]
    subprocess.run([*git, "add", "--detach", "--quiet", str(into), commit], check=True, capture_output=True)
    try:
        yield into
    finally:
        subprocess.run([*git, "remove", "--force", str(into)], check=False, capture_output=True)


def _unpacked(context: Context) -> Path | None:
    """The sessions as a client writes them; None where there are none."""
    try:
        chosen = context.sessions(QUICK_SESSIONS)
    except DataMissing:
        return None
    folder, plain = context.work / "packed", context.work / "sessions"
    for path in chosen:
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path.resolve())
    unpack(folder, plain)
    return plain


FIGURE = Figure("speed", "Indexing takes seconds, a question milliseconds.", measure)
