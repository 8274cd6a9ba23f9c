"""Changes: what a commit changed together, from a git directory that is only read, or from rows of issues.

A change is known by the state before it (`parent`) and the code files that it changed and that were there before. Files
that it made are not asked for: nobody could name them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.localization.rows import load_rows
from clew.codebase.languages import LANGUAGES, detect_language

FILES_MIN, FILES_MAX = 2, 15  # code files that a commit may change: one has no other, more is a sweep
SPACING = 4  # of the newest commits that count every fourth is taken, so that the parts of one piece of work are not all of it


@dataclass(frozen=True, slots=True)
class Change:
    """A change of several files. `files` are those that were there before it, ordered."""

    id: str
    repo: str
    parent: str
    files: tuple[str, ...]
    kind: str = "commit"


def is_code(path: str) -> bool:
    """A file of a language that clew parses, as its name tells."""
    return detect_language(path, b"") in LANGUAGES


def git_dir_of(mirrors: Path, repo: str) -> Path:
    """Return `MIRRORS/owner+name/repo`, bare or with a `.git`. Raises FileNotFoundError."""
    folder = mirrors / repo.replace("/", "+") / "repo"
    for candidate in (folder, folder / ".git"):
        if (candidate / "objects").is_dir():
            return candidate
    raise FileNotFoundError(f"{folder}: no git directory of {repo}")


def newest(git_dir: Path, repo: str, count: int) -> list[Change]:
    """Return `count` commits of the checked-out branch, oldest first: every SPACING-th of the newest that count. No merges."""
    said = _git(
        git_dir, "log", "--no-merges", "--min-parents=1", f"--max-count={count * SPACING * 20}", "--no-renames", "--name-status", "-z",
        "--format=%x01%H%x00%P", _branch(git_dir),
    )  # fmt: skip
    found: list[Change] = []
    for block in said.split("\x01")[1:]:
        commit, parents, *rest = block.split("\0")
        pairs = [(rest[at].strip()[:1], rest[at + 1]) for at in range(0, len(rest) - 1, 2) if rest[at].strip()]
        code = [(status, path) for status, path in pairs if is_code(path)]
        files = tuple(sorted(path for status, path in code if status in "MDT"))
        if FILES_MIN <= len(code) <= FILES_MAX and len(files) >= FILES_MIN:
            found.append(Change(commit, repo, parents.split()[0], files))
    return found[: count * SPACING : SPACING][::-1]


def of_rows(data: Path, datasets: Iterable[str], repos: Iterable[str]) -> list[Change]:
    """Return the issues whose fix changed several code files, by data set and repository."""
    rows = load_rows(data, list(datasets), list(repos))
    chosen = [(row, tuple(sorted({path for path in row.files if is_code(path)}))) for row in rows]
    unique = {
        (row.id, files): Change(row.id, row.repo, row.base_commit, files, "issue") for row, files in chosen if len(files) >= FILES_MIN
    }
    return list(unique.values())


def _branch(git_dir: Path) -> str:
    return (git_dir / "HEAD").read_text(encoding="utf-8").strip().removeprefix("ref: ")


def _git(git_dir: Path, *words: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", f"--git-dir={git_dir}", *words], env=environment, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")
