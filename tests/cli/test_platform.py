"""Windows is refused plainly, before anything is imported that is not there."""

from __future__ import annotations

import subprocess
import sys

from calling import SOURCE

# What Windows has not, cannot be imported; everything else is this Python's.
AS_ON_WINDOWS = """
import sys
sys.platform = "win32"
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"fcntl", "pwd", "grp", "resource", "termios", "uvloop", "posix", "click", "clew.settings"}:
            raise ImportError(name + " is not there on Windows")
for name in ("fcntl", "pwd", "grp", "resource", "termios", "posix"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Missing())
from clew.cli import main
sys.argv = ["clew", "init"]
main()
"""


def test_windows_is_refused_in_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_ON_WINDOWS], env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith("clew: Windows is not supported")
    assert all(word in line for word in ("WSL", "macOS", "Linux"))
