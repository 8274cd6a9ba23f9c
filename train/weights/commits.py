"""Commits: a repository's own commits as questions, whose answers are the lines that they changed.

A commit's message is asked of the tree before it. Weaker labels than issues, but there are some in every repository and language.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LOOKED_AT = 400  # newest commits that are looked through
FILES_MAX, LINES_MAX = 4, 80  # changed: more is a sweep
WORDS_MIN = 4  # of a subject
_CHORE = re.compile(
    r"(?i)^(?:\W*(?:chore|docs?|ci|build|release|bump|style|test|tests|merge|revert|update changelog|prepare|v?\d+\.\d+)\b|.*\bbump\b)"
)
_TRAILER = re.compile(r"(?mi)^(?:[\w-]+-by: .*|\(?cherry.picked from .*|closes? #.*|fix(?:es)? #\d+\.?|\* .*)$|\(#\d+\)|https?://\S+")
_HUNK = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")
_PLAIN = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", "GIT_CONFIG_GLOBAL": os.devnull}
_HEAD = "\x1e%H%x1f%P%x1f%B%x1d"


@dataclass(frozen=True, slots=True)
class CommitRow:
    """A commit: where it starts from, its message, and by path the ranges of lines (first, last) that it changed there."""

    id: str
    parent: str
    text: str
    changed: dict[str, tuple[tuple[int, int], ...]]


def read_commits(git_dir: Path, count: int) -> list[CommitRow]:
    """Return `count` commits of HEAD's history that change a few lines of a few files, spread over the newest ones, oldest first.

    Of every second one the subject alone is the text.
    """
    wanted = ("log", "--no-merges", f"--max-count={LOOKED_AT}", "-p", "-U0", "--no-renames", "--no-ext-diff", "--no-color")
    command = ("git", "--git-dir", str(git_dir), *wanted, f"--format={_HEAD}", "HEAD")
    # A copy may lack large objects: git then ends early, and what it has said until then is read.
    found = list(_parsed(subprocess.run(command, check=False, capture_output=True, env=os.environ | _PLAIN).stdout))
    step = max(1, len(found) // max(count, 1))
    return found[::step][:count][::-1]


def _parsed(said: bytes) -> Iterator[CommitRow]:
    for number, block in enumerate(said.split(b"\x1e")[1:]):
        head, _, diff = block.partition(b"\x1d")
        if head.count(b"\x1f") < 2:  # a changed line held the mark
            continue
        commit, parents, message = (part.decode("utf-8", "replace") for part in head.split(b"\x1f", 2))
        subject, _, body = _TRAILER.sub("", message).strip().partition("\n")
        if " " in parents or not parents or _CHORE.match(subject) or len(subject.split()) < WORDS_MIN:
            continue
        changed = _changed(diff)
        if changed is None or not changed:
            continue
        text = subject if number % 2 else f"{subject}\n{body.strip()}".strip()
        yield CommitRow(commit, parents, text, changed)


def _changed(diff: bytes) -> dict[str, tuple[tuple[int, int], ...]] | None:
    """By path the ranges of old lines; None for a commit that changes too much, adds whole files only, or nothing."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    path, lines = "", 0
    for line in diff.split(b"\n"):
        if line.startswith(b"--- "):
            name = line[4:].decode("utf-8", "replace").rstrip("\t")
            path = name.removeprefix("a/") if name.startswith("a/") else ""
        elif path and (hunk := _HUNK.match(line)):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines += count
            # Lines put in behind line `first`: the place before the next one.
            ranges.setdefault(path, []).append((first, first + count - 1) if count else (first + 1, first))
    if len(ranges) > FILES_MAX or lines > LINES_MAX:
        return None
    return {path: tuple(pairs) for path, pairs in ranges.items()}
