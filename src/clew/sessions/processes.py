"""Processes: check whether one still runs."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Return whether a process with this id runs; a zombie does not, a process of another user does."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:  # no such file on this system, or just gone: the answer of kill holds
        return True
