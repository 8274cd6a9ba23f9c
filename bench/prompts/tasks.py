"""Tasks: questions about code and texts of issues, with the files that answer them, as first prompts of a session.

Recorded sessions hold few prompts that name code; these are such prompts. Their trees are without history.
"""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.prompts.replay import NO_SESSION, Moment, write_tree
from bench.prompts.rows import Row, describe_moment
from clew.engine import open_engine
from clew.records import TaskState
from clew.settings import find_workspace
from clew.store.ports import LOCAL

ISSUE_SETS = ("swebench_lite", "swebench_verified", "swebench_multilingual")
ISSUES_MAX = 12  # of one repository: each needs a tree of its own


def collect_tasks(data: Path, mirrors: Path, only: frozenset[str] = frozenset()) -> Iterator[Row]:
    """Yield the rows of the questions and issues of `data` whose commits are under `mirrors`; of the repositories `only`, if not empty."""
    with tempfile.TemporaryDirectory() as box:
        os.environ["CLEW_HOME"] = f"{box}/home"
        with open_engine() as engine:
            for repository, commit, task, prompt, needed in (*_questions(data), *_issues(data)):
                git = mirrors / repository.replace("/", "+") / "repo"
                if (only and repository not in only) or not _holds(git, commit):
                    continue
                tree = Path(box) / repository.replace("/", "+")
                mark = Path(f"{tree}.commit")
                if not mark.exists() or mark.read_text("ascii") != commit:
                    write_tree(git, commit, tree)
                    engine.index(tree)
                    mark.write_text(commit, "ascii")
                files = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file() and ".git" not in path.parts}
                wanted = {file for path in needed for file in files if file == path or file.endswith(f"/{path}")}
                moment = Moment(
                    task, repository, NO_SESSION, task, prompt, TaskState(), tree, dict.fromkeys(sorted(wanted), "edit"), frozenset()
                )
                if wanted:
                    with engine.store.snapshot(LOCAL, find_workspace(tree)[0]) as snapshot:
                        yield describe_moment(snapshot, moment)


def _holds(git: Path, commit: str) -> bool:
    asked = ["git", "--git-dir", str(git), "cat-file", "-e", f"{commit}^{{tree}}"]
    return git.exists() and subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _questions(data: Path) -> Iterator[tuple[str, str, str, str, list[str]]]:
    for line in (data / "questions" / "repositories.jsonl").read_text("utf-8").splitlines():
        repository = json.loads(line)
        asked: list[dict[str, Any]] = json.loads((data / "questions" / f"{repository['name']}.json").read_text("utf-8"))
        for number, one in enumerate(asked):
            targets = [target if isinstance(target, str) else target["path"] for target in one["relevant"]]
            yield repository["repository"], repository["revision"], f"{repository['name']} {number}", one["query"], targets


def _issues(data: Path) -> Iterator[tuple[str, str, str, str, list[str]]]:
    taken: dict[str, int] = {}
    for name in ISSUE_SETS:
        with lzma.open(data / "localization" / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                taken[row["repo"]] = taken.get(row["repo"], 0) + 1
                if taken[row["repo"]] <= ISSUES_MAX:
                    yield row["repo"], row["base_commit"], row["id"], row["query"], row["gold_files"]
