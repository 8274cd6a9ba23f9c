"""Trees: the files of one commit as a work tree of its own, from a git directory that is only read.

The new work tree borrows the objects of that git directory and its HEAD is the commit, detached, without any branch
or tag: a system that reads history sees what a developer had at that commit, and nothing later. (`git archive` would
leave out and rewrite what `.gitattributes` says, and would give a folder that is no repository.)
"""

from __future__ import annotations

import os
import shutil
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
    """Make `into`, which must not exist or be empty, a clean work tree at `commit`.

    Symbolic links are written as links, submodules as empty folders.
    Raises TreeError when git does not know the commit.
    Cost   about 1 s for 2,000 files.
    """
    into.mkdir(parents=True, exist_ok=True)
    # A user's configuration could change line ends or run filters, and GIT_DIR would lead into another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}

    def git(*arguments: str) -> None:
        done = subprocess.run(["git", *arguments], env=environment, cwd=into, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise TreeError(git_dir, commit, done.stderr.strip())

    git("init", "--quiet", "--template=", "--initial-branch=none")
    borrowed = into / ".git" / "objects" / "info" / "alternates"
    borrowed.parent.mkdir(parents=True, exist_ok=True)
    borrowed.write_text(f"{(git_dir / 'objects').resolve()}\n", encoding="utf-8")
    if (git_dir / "shallow").is_file():
        shutil.copyfile(git_dir / "shallow", into / ".git" / "shallow")
    git("update-ref", "--no-deref", "HEAD", f"{commit}^{{commit}}")
    git("read-tree", "HEAD")
    git("checkout-index", "--all", "--quiet", "--index")
