"""Say why a path of a repository is in no listing of its files. Imports no parser, so that a question may ask it."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path, PurePosixPath

from clew.codebase.private_paths import is_credential_path, is_hidden_path

GIT_TIMEOUT_S = 60.0  # listing 100,000 files takes about half a second; more means that git waits for something


def run_git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git in a folder so that nothing in the repository's configuration can start a program, take a lock or ask a question."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false", "--no-pager")
    command = ("git", *safe, "-C", os.fspath(root), *arguments)
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=GIT_TIMEOUT_S, check=False)


def find_unlisted_reason(root: Path, path: str) -> str:
    """Return why a path that is on disk is in no listing: "symlink", "secret", "hidden", "ignored", "submodule"; "" where it should be.

    Returns "missing" where nothing is there, and for a path that leads out of the repository.
    """
    written = PurePosixPath(path)
    if written.is_absolute() or ".." in written.parts:
        return "missing"
    full = root / path
    try:
        mode = full.lstat().st_mode
    except OSError:
        return "missing"
    if stat.S_ISLNK(mode):
        return "symlink"
    if is_credential_path(path):
        return "secret"
    if any((root / folder / ".git").exists() for folder in (*map(str, PurePosixPath(path).parents), path) if folder != "."):
        return "submodule"
    try:
        if run_git(root, "check-ignore", "-q", "--", path).returncode == 0:
            return "ignored"
    except (OSError, subprocess.TimeoutExpired):  # without git nothing is known of what it ignores
        return ""
    return "hidden" if is_hidden_path(path) else ""
