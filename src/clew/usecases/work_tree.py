"""Work tree: ask git how the files of a session stand now. The answer is an observation, which a state of an earlier point lacks."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from clew.records import FileState, Observation, ObservationKind
from clew.task.git import GIT_NOTE, GitCommit, GitStatus

_FILES_MAX = 100  # of a session are asked about, those that changed last; guess
_TIMEOUT_S = 0.5  # of one call of git; guess


def ask_git(files: Sequence[FileState], root: Path, session: str, find_time: Callable[[str], int]) -> Observation | None:
    """Return git's answer about the files that a session changed; None where there are none, or git does not answer in time.

    root       of the work tree, to which the session's paths are relative.
    find_time  returns the time (in seconds, 0 when unknown) of the record with a uuid: a commit before a file's last change lacks it.
    """
    paths = {file.path: find_time(file.uuid) for file in files[-_FILES_MAX:] if not file.path.startswith(("/", "~"))}
    if not paths or not (root / ".git").exists():
        return None
    try:
        status = _run(root, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", *paths)
        tracked = _run(root, "ls-files", "-z", "--", *paths)
        since = f"--since=@{min(paths.values())}"
        log = _run(root, "log", since, "-m", "--first-parent", "--name-only", "-z", "--format=%x01%ct %h %s", "--", *paths)
    except (OSError, subprocess.SubprocessError):  # without git, or without an answer, the session's own account stands
        return None
    found = GitStatus(
        paths=tuple(paths),
        changed=tuple(entry[3:] for entry in status.split("\0") if entry),
        tracked=tuple(filter(None, tracked.split("\0"))),
        commits=tuple(_read_log(log, paths)),
    )
    seq = max((file.seq for file in files), default=-1) + 1
    return Observation(
        session, seq, -1, f"{session}:git", ObservationKind.NOTE, found.encode(), tool=GIT_NOTE, at_ns=time.time_ns(), cwd=str(root)
    )


def _read_log(log: str, changed_s: Mapping[str, int]) -> list[tuple[GitCommit, tuple[str, ...]]]:
    """The commits of `git log`, newest first, each with the paths that it took after the time of `changed_s`."""
    commits: list[tuple[GitCommit, tuple[str, ...]]] = []
    for part in log.split("\x01")[1:]:
        head, *names = part.split("\0")
        at_s, _, line = head.partition(" ")
        paths = tuple(name for name in map(str.strip, names) if name and changed_s.get(name, 0) <= int(at_s))
        commits.append((GitCommit(digest=line.partition(" ")[0], line=line), paths))
    return commits


def _run(root: Path, *words: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ("git", "--literal-pathspecs", "-c", "core.quotepath=off", "-c", "core.fsmonitor=false", *words)
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=_TIMEOUT_S, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")
