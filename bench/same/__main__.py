"""Command: `python -m bench.same BASE [HEAD]`. Says whether two commits give the same values on real input.

Both commits are written out as work trees, each makes a dump of the same sessions and repositories with its own code, and the
dumps are compared value by value. HEAD may be left out: then it is this checkout with what is not committed.
Exit code 0: the same; 1: something differs; 2: the input cannot be used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import REPOSITORY
from bench.same.differ import WORDING, compare, table
from bench.trees import write_tree

REPOSITORIES = {  # name → mirror; the small ones of the localization rows, in five languages
    "gson": "google/gson",
    "requests": "psf/requests",
    "jq": "jqlang/jq",
    "fmt": "fmtlib/fmt",
    "bat": "sharkdp/bat",
}
QUICK_REPOSITORIES, QUICK_SESSIONS = 2, 12
QUICK_LINES_MAX = 1500  # of a session in the sample
QUESTIONS, QUICK_QUESTIONS, SHORT_QUESTIONS = 5, 3, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    given = _parser().parse_args(arguments)
    started = time.perf_counter()
    if given.data is None or not (given.data / "sessions").is_dir():
        print("error: --data is needed, the folder that holds sessions/ and localization/", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="clew-same-", dir=given.work) as folder:
        work = Path(folder)
        plan = work / "plan.json"
        plan.write_text(json.dumps(_plan(given, work)), encoding="utf-8")
        checkouts = {"BASE": _checkout(given.base, work / "base"), "HEAD": _checkout(given.head, work / "head")}
        dumps = {name: work / f"{name}.jsonl" for name in checkouts}
        try:
            if not _dump(checkouts, plan, dumps, work):
                return 2
        finally:
            for name, tree in checkouts.items():
                if tree != REPOSITORY:
                    _git("worktree", "remove", "--force", str(tree), of=name)
        found = compare(dumps["BASE"], dumps["HEAD"], shown_max=given.show)
    print(table(found))
    print(f"{time.perf_counter() - started:.0f} s")
    return int(any(not each.is_same for kind, each in found.items() if kind != WORDING))


def _dump(checkouts: dict[str, Path], plan: Path, dumps: dict[str, Path], work: Path) -> bool:
    """Make both dumps at the same time; what they say of their progress goes to a file each, and its end is shown on a failure."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name, tree in checkouts.items():
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CLEW_")}
        environment |= {"PYTHONPATH": os.pathsep.join([str(tree), str(tree / "src")]), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with (work / f"{name}.log").open("wb") as log:
            running[name] = subprocess.Popen(
                [sys.executable, "-m", "bench.same.dump", str(plan), str(dumps[name])],
                cwd=tree, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
    codes = {name: process.wait() for name, process in running.items()}
    for name, code in codes.items():
        if code:
            print(f"error: {name} failed:\n{(work / f'{name}.log').read_text(errors='replace')[-4000:]}", file=sys.stderr)
    return not any(codes.values())


def _checkout(commit: str | None, into: Path) -> Path:
    """The work tree of a commit; this checkout itself for None."""
    if commit is None:
        return REPOSITORY
    _git("worktree", "add", "--detach", "--quiet", str(into), commit, of=commit)
    return into


def _git(*words: str, of: str) -> None:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"error: {of}: {done.stderr.strip()}")


def _plan(given: argparse.Namespace, work: Path) -> dict[str, Any]:
    folder = work / "past"
    folder.mkdir()
    sessions = sorted((given.data / "sessions").rglob("*.jsonl*"))
    sessions = [path for path in sessions if path.name != "INDEX.jsonl"]
    names = list(REPOSITORIES)
    if given.quick:
        short = {str(each["file"]) for each in _rows(given.data / "sessions" / "INDEX.jsonl") if each["records"] <= QUICK_LINES_MAX}
        some = [path for path in sessions if path.relative_to(given.data / "sessions").as_posix() in short] or sessions
        sessions = sorted(sorted(some, key=lambda path: _hash(path.name))[:QUICK_SESSIONS])
        names = names[:QUICK_REPOSITORIES]
    found = [_repository(given, name, work) for name in names]
    return {
        "sessions": [str(path) for path in sessions],
        "folder": str(folder),
        "repositories": [each for each in found if each],
    }


def _repository(given: argparse.Namespace, name: str, work: Path) -> dict[str, Any] | None:
    """A repository at the commit of one of its rows, with the questions of several."""
    mirror = REPOSITORIES[name]
    rows = [
        row
        for path in sorted((given.data / "localization").glob("*.jsonl.xz"))
        for row in _rows(path)
        if (row.get("mirror") or row["repo"]) == mirror and "gold_files" in row
    ]
    rows = sorted({row["id"]: row for row in rows}.values(), key=lambda row: _hash(row["id"]))
    held = (given.mirrors / mirror.replace("/", "+") / "repo") if given.mirrors else None
    if not rows or held is None or not held.is_dir():
        print(f"left out: {name}: no rows, or no mirror of {mirror}", file=sys.stderr)
        return None
    tree = work / "trees" / name
    write_tree(held, rows[0]["base_commit"], tree)
    rows = rows[: QUICK_QUESTIONS if given.quick else QUESTIONS]
    short = given.data / "questions" / f"{'fmtlib' if name == 'fmt' else name}.json"
    asked: list[dict[str, Any]] = json.loads(short.read_text("utf-8")) if short.is_file() else []
    asked = asked[:: max(1, len(asked) // SHORT_QUESTIONS)][:SHORT_QUESTIONS]
    files = list(dict.fromkeys(file for row in rows for file in row["gold_files"]))
    questions = [*(row["query"] for row in rows), *(each["query"] for each in asked)]
    return {"name": name, "tree": str(tree), "questions": questions, "files": files[:8]}


def _rows(path: Path) -> list[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _folder(name: str) -> Path | None:
    return Path(os.environ[name]) if os.environ.get(name) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.same", description=__doc__)
    parser.add_argument("base", metavar="BASE", help="a commit")
    parser.add_argument("head", metavar="HEAD", nargs="?", help="another; without it, this checkout as it is")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SESSIONS} sessions and {QUICK_REPOSITORIES} repositories")
    parser.add_argument(
        "--data", type=Path, default=_folder("CLEW_BENCH_DATA"), help="folder that holds sessions/, localization/, questions/"
    )
    parser.add_argument("--mirrors", type=Path, default=_folder("CLEW_BENCH_MIRRORS"), help="folder of git directories: owner+name/repo")
    parser.add_argument("--show", type=int, default=5, metavar="N", help="differences that are shown of each kind")
    parser.add_argument("--work", type=Path, default=None, help="folder for temporary files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
