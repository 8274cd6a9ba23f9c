"""Transcripts: where does Claude Code keep what it wrote down of a repository?"""

from __future__ import annotations

import re
from pathlib import Path

NAME_CHARS_MAX = 200  # of a project folder; the client cuts a longer name there and appends a hash of its own

_NOT_PLAIN = re.compile(r"[^a-zA-Z0-9]")


def transcripts_of(home: Path, root: Path) -> Path | None:
    """Return the folder of the transcripts of sessions that were started in `root`, None when there is none.

    home  Claude Code's folder, `~/.claude` unless it was moved.
    """
    name = _NOT_PLAIN.sub("-", str(root))
    if len(name) <= NAME_CHARS_MAX:
        found = home / "projects" / name
        return found if found.is_dir() else None
    folders = sorted((home / "projects").glob(f"{name[:NAME_CHARS_MAX]}-*"))
    return folders[0] if len(folders) == 1 else None
