"""Run git on a work tree with a limit on its output and its time.

A repository that is absent, damaged or not ours to read raises GitFailed, which the caller reports and
passes over. Nothing here follows a remote: missing objects of a partial clone are not fetched.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer

GIT_OUTPUT_BYTES_MAX = 64_000_000  # of one command: 3,000 commits of sympy are 0.8 MB; a commit that touches 100,000 files is 8 MB
GIT_TIMEOUT_S = 60.0  # guess: 3,000 commits take 0.5 s here; a cold disk and deep trees a few times that

_SETTINGS = (
    "core.fsmonitor=false",
    "core.quotePath=false",
    "diff.renames=false",
    "i18n.logOutputEncoding=UTF-8",
    "log.follow=false",
    "log.mailmap=false",
    "log.showSignature=false",
    "protocol.allow=never",  # what a partial clone lacks is not fetched
)


class GitFailed(Exception):
    """A git command failed, timed out or wrote too much. The message says why in one line; it is empty where git gave no message."""


def is_git_root(root: Path) -> bool:
    """Return whether `root` is the top of a git work tree: `.git` is a repository there, or a file that points to one."""
    folder = root / ".git"
    return folder.is_file() or (folder / "HEAD").is_file() or (folder / "HEAD").is_symlink()


def run_git(root: Path, *words: str, given: bytes = b"") -> bytes:
    """Run a git command in the work tree `root`, and return its standard output.

    words  the command and its arguments.
    given  bytes for its standard input.
    Raises  GitFailed if it fails, takes more than GIT_TIMEOUT_S or writes more than GIT_OUTPUT_BYTES_MAX.
    """
    # Of the caller's GIT_… one could lead into another repository. The folder is named, so that git never looks above it.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = ["git", "--no-pager", f"--git-dir={root / '.git'}", f"--work-tree={root}", *settings, *words]
    try:
        return _answer(command, root, environment, given)
    except FileNotFoundError:
        raise GitFailed("git is not installed") from None
    except OSError as error:
        raise GitFailed(f"git cannot be started: {error.strerror or error}") from None


def _answer(command: list[str], root: Path, environment: dict[str, str], given: bytes) -> bytes:
    with (
        TemporaryFile() as complaint,  # a pipe that is not read would fill up and stop it
        subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaint) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        timer = Timer(GIT_TIMEOUT_S, process.kill)
        timer.start()
        try:
            with suppress(BrokenPipeError):  # it ended before it read: its exit code tells why
                process.stdin.write(given)
                process.stdin.close()
            said = process.stdout.read(GIT_OUTPUT_BYTES_MAX + 1)
            is_too_long = len(said) > GIT_OUTPUT_BYTES_MAX
            if is_too_long:
                process.kill()
            code = process.wait()
        finally:
            timer.cancel()
        complaint.seek(0)
        lines = complaint.read(4096).decode("utf-8", "replace").strip().splitlines()
    if is_too_long:
        raise GitFailed(f"git said more than {GIT_OUTPUT_BYTES_MAX // 1_000_000} MB")
    if code < 0:
        raise GitFailed(f"git was stopped after {GIT_TIMEOUT_S:.0f} s")
    if code:
        raise GitFailed(lines[0] if lines else "")
    return said
