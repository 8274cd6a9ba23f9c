"""Guard: which files usually change with those that a session edited, and did not.

Told before a commit. What else could be told, and when a turn ends, was needed too seldom or is too seldom measured: bench/LOG.md.
"""

from __future__ import annotations

from pathlib import Path

from clew.enrich.history import HISTORY_SOURCE, decode_commits
from clew.impact.cochange import MissingChange, find_missing_changes
from clew.records import FileStatus, TaskState
from clew.store.ports import LOCAL, Reader
from clew.usecases.places import find_code

_CHANGED = (FileStatus.EDITED, FileStatus.WRITTEN, FileStatus.MOVED)


def check_work(store: Reader, path: Path, task: TaskState) -> list[MissingChange]:
    """Return files that probably should have changed with those that the session changed and no commit has taken, likeliest first.

    Nothing where the session changed nothing since the user's last prompt.
    """
    changed = list_open_changes(task)
    if not changed:
        return []
    key, root = find_code(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        commits = decode_commits(snapshot.source_states(HISTORY_SOURCE))
    found = find_missing_changes([commit.files for commit in commits], changed)
    return [one for one in found if (root / one.path).is_file()]


def list_open_changes(task: TaskState) -> list[str]:
    """Return the files that the session changed and that no commit has taken; none where nothing changed since the user's last prompt."""
    asked = task.prompts[-1] if task.prompts else 0
    changed = [file for file in task.files if file.state in _CHANGED]
    if not any(file.seq >= asked for file in changed):
        return []
    return [file.path for file in changed if not file.is_stashed and not file.is_committed]
