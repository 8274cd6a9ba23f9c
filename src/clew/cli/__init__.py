"""What does a person type? The only room that prints.

Every command is a module of `clew.cli.commands`, loaded when it is called; what a command needs of the engine is
imported when it runs. So `clew --help` answers at once, and a cold `clew retrieve` pays for nothing but its answer.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line of this process and exit with its code. See `clew.cli.outcome` for the codes.

    On Windows it says one sentence and exits with 1, before it imports anything that Windows lacks.
    """
    if sys.platform == "win32":
        sys.stderr.write("clew: Windows is not supported; install clew inside WSL (Windows Subsystem for Linux), or use macOS or Linux\n")
        sys.exit(1)
    from clew.cli.outcome import run

    sys.exit(run(sys.argv[1:]))
