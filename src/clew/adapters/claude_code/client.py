"""Client: which release of Claude Code is it, and what can that do?"""

from __future__ import annotations

import re
import subprocess

MODS_SINCE = (2, 1, 330)  # the first release whose mods were tried
TRIED = ((2, 1, 197), (2, 1, 330), (2, 1, 332))
ASKED_WITHIN_S = 10.0

Version = tuple[int, int, int]
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def version_in(said: str) -> Version | None:
    """Return the version that a text names first, None for none."""
    match = _VERSION.search(said)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def version_of(program: str) -> Version | None:
    """Return the version that the program says of itself, None where it says none. Raises OSError, subprocess.TimeoutExpired."""
    return version_in(subprocess.run([program, "--version"], capture_output=True, text=True, timeout=ASKED_WITHIN_S, check=False).stdout)


def has_mods(program: str | None) -> bool:
    """Whether the client that is installed runs mods; False where there is none, or it does not say which it is."""
    if program is None:
        return False
    try:
        version = version_of(program)
    except (OSError, subprocess.TimeoutExpired):  # then it is set up as one that has none, which works for both
        return False
    return version is not None and version >= MODS_SINCE
