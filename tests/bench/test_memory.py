"""Memory is counted over all processes of a command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.memory import watch

HOLD = """
import pathlib, subprocess, sys
role, ready, leave = sys.argv[1:]
held = bytearray(b"x" * 60_000_000)
if role == "parent":
    subprocess.run([sys.executable, "-c", sys.stdin.read(), "child", ready, leave], check=True)
else:
    pathlib.Path(ready).touch()
    open(leave).read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_memory_of_a_child_is_added_to_its_parent(tmp_path: Path) -> None:
    """The child leaves when a whole look was taken at it, however long that takes."""
    ready, leave = tmp_path / "ready", tmp_path / "leave"
    os.mkfifo(leave)
    looks = 0

    def looked(_: int) -> None:
        nonlocal looks
        looks += ready.exists()
        if looks >= 2:  # the first may have begun before the child had its memory
            try:
                os.close(os.open(leave, os.O_WRONLY | os.O_NONBLOCK))
            except OSError:  # nobody reads from it, yet or any more
                return

    watched = watch([sys.executable, "-c", HOLD, "parent", ready, leave], environment=os.environ, question=HOLD, looked=looked)

    assert watched.code == 0
    assert watched.processes_max == 2
    assert 120 <= watched.peak_rss_mb < 300
    assert 60 <= watched.peak_pss_mb < 300  # sampled apart from the other, so neither bounds it


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    watched = watch([sys.executable, "-c", "import sys; print('out'); sys.exit('no')"], environment=os.environ)

    assert (watched.code, watched.output, watched.said) == (1, "out\n", "no\n")
