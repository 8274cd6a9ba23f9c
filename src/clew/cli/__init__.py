"""Command line: the only package that prints.

Each command is a module of `clew.cli.commands`, imported when it is called; the engine is imported when the command runs. So
`clew --help` is fast, and a cold `clew retrieve` imports only what it needs.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run this process's command line and exit with its code; on Windows print that it is not supported, and exit with 1."""
    if sys.platform == "win32":
        sys.stderr.write("clew: Windows is not supported; install clew inside WSL (Windows Subsystem for Linux), or use macOS or Linux\n")
        sys.exit(1)
    from clew.cli.outcome import run

    sys.exit(run(sys.argv[1:]))
