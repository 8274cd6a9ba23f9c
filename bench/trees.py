"""Trees: the files of one commit as a work tree of its own, from a git directory that is only read.

The work tree borrows the objects of that git directory and its HEAD is the commit, detached, without any branch, tag
or reflog: a system that reads history sees what a developer had at that commit, and nothing later. `switch_tree` takes
the same work tree to another commit and writes only the files that differ. (`git archive` would leave out and rewrite
what `.gitattributes` says, and would give a folder that is no repository.) Files whose bytes the git directory lacks
are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
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
    _git(into, git_dir, commit, "init", "--quiet", "--template=", "--initial-branch=none")
    _git(into, git_dir, commit, "config", "core.logAllRefUpdates", "false")  # a reflog would tell of the other commits
    borrowed = into / ".git" / "objects" / "info" / "alternates"
    borrowed.parent.mkdir(parents=True, exist_ok=True)
    borrowed.write_text(f"{(git_dir / 'objects').resolve()}\n", encoding="utf-8")
    if (git_dir / "shallow").is_file():
        shutil.copyfile(git_dir / "shallow", into / ".git" / "shallow")
    _git(into, git_dir, commit, "update-ref", "--no-deref", "HEAD", f"{commit}^{{commit}}")
    _git(into, git_dir, commit, "read-tree", _whole_tree(into, git_dir, commit))
    _git(into, git_dir, commit, "checkout-index", "--all", "--quiet", "--index")


def switch_tree(git_dir: Path, commit: str, tree: Path) -> None:
    """Take `tree`, which `write_tree` made, to another commit: what others left there goes, what is the same stays.

    Raises TreeError when git does not know the commit; the tree is then as it was.
    Cost   that of the files that differ, and one look at each file.
    """
    clean_tree(tree)
    changed = _git(tree, git_dir, commit, "diff", "--name-only", "HEAD", f"{commit}^{{commit}}", "--", ":(glob)**/.gitattributes")
    _git(tree, git_dir, commit, "update-ref", "--no-deref", "HEAD", f"{commit}^{{commit}}")
    there = _whole_tree(tree, git_dir, commit)
    _git(tree, git_dir, commit, "read-tree", "--reset", "-u", there)
    if changed:  # they decide how bytes are written, also of files whose blob is the same
        _git(tree, git_dir, commit, "read-tree", there)  # forgets that any file was up to date
        _git(tree, git_dir, commit, "checkout-index", "--all", "--quiet", "--index", "--force")


def clean_tree(tree: Path) -> None:
    """Take away what somebody left in `tree`, ignored or not, and write anew what somebody changed."""
    _git(tree, tree, "HEAD", "clean", "-ffdxq")
    _git(tree, tree, "HEAD", "read-tree", "--reset", "-u", _whole_tree(tree, tree, "HEAD"))


def commit_times(git_dir: Path, commits: Iterable[str]) -> dict[str, int]:
    """Return the committer's time of each commit, in seconds; commits that the git directory lacks are not in it."""
    asked = "".join(f"{commit}\n" for commit in dict.fromkeys(commits))
    found = _git(git_dir, git_dir, "--", "cat-file", "--batch-check=%(objectname) %(objecttype)", given=asked)
    known = [line.split()[0] for line in found.splitlines() if line.endswith(" commit")]
    if not known:
        return {}
    told = _git(git_dir, git_dir, "--", "log", "--no-walk=unsorted", "--format=%H %ct", "--stdin", given="\n".join(known) + "\n")
    return {commit: int(time) for commit, time in (line.split() for line in told.splitlines())}


def _whole_tree(tree: Path, git_dir: Path, commit: str) -> str:
    """Return the commit's tree, or one without the files whose bytes the git directory lacks: copies may leave out large files."""
    listed = _git(tree, git_dir, commit, "ls-tree", "-r", "-z", f"{commit}^{{tree}}").split("\0")
    blobs = {entry.split()[2]: entry for entry in listed if entry and entry.split()[1] == "blob"}
    said = _git(tree, git_dir, commit, "cat-file", "--batch-check=%(objectname)", given="".join(f"{blob}\n" for blob in blobs))
    missing = {line.split()[0] for line in said.splitlines() if line.endswith(" missing")}
    if not missing:
        return f"{commit}^{{tree}}"
    kept = "".join(f"{entry}\0" for entry in listed if entry and entry.split()[2] not in missing)
    index = {"GIT_INDEX_FILE": str(tree / ".git" / "whole-index")}
    _git(tree, git_dir, commit, "read-tree", "--empty", more=index)
    _git(tree, git_dir, commit, "update-index", "-z", "--index-info", given=kept, more=index)
    return _git(tree, git_dir, commit, "write-tree", more=index)


def _git(folder: Path, git_dir: Path, commit: str, *arguments: str, given: str | None = None, more: dict[str, str] | None = None) -> str:
    # A user's configuration could change line ends or run filters, and GIT_DIR would lead into another repository.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_COUNT": "1"}
    environment |= {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}  # another user may own the mirrors
    environment |= more or {}
    command = ["git", *arguments]
    done = subprocess.run(
        command, env=environment, cwd=folder, input=given, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False
    )
    if done.returncode != 0:
        raise TreeError(git_dir, commit, done.stderr.strip())
    return done.stdout.strip()
