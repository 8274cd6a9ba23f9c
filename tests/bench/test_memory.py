"""Memory is counted over all processes of a command."""

from __future__ import annotations

import os
import sys

import pytest

from bench.memory import watch

HOLD = """
import subprocess, sys, time
held = bytearray(b"x" * 60_000_000)
if sys.argv[1] == "parent":
    subprocess.run([sys.executable, "-c", sys.stdin.read(), "child"], check=True)
else:
    time.sleep(0.3)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_memory_of_a_child_is_added_to_its_parent() -> None:
    watched = watch([sys.executable, "-c", HOLD, "parent"], environment=os.environ, question=HOLD)

    assert watched.code == 0
    assert watched.processes_max == 2
    assert 120 <= watched.peak_rss_mb < 300
    assert 60 <= watched.peak_pss_mb < 300  # sampled apart from the other, so neither bounds it


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    watched = watch([sys.executable, "-c", "import sys; print('out'); sys.exit('no')"], environment=os.environ)

    assert (watched.code, watched.output, watched.said) == (1, "out\n", "no\n")
