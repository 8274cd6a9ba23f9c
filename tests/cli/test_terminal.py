"""On a terminal a person sees progress, what was chosen and why, and can interrupt."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from calling import SOURCE

TAKE_TERMINAL = (
    "import fcntl, os, signal, sys, termios; signal.signal(signal.SIGINT, signal.SIG_DFL); "  # a suite in the background ignores it
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.executable, sys.argv[1:])"
)


class Terminal:
    """A command at a terminal of its own, as a person sees it."""

    def __init__(self, home: Path, *words: str) -> None:
        self.seen = b""
        self.screen, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 140, 0, 0))
        environment = {**os.environ, "CLEW_HOME": str(home), "PYTHONPATH": str(SOURCE), "TERM": "xterm"}
        command = [sys.executable, "-c", TAKE_TERMINAL, sys.executable, "-m", "clew", *words]
        self.process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True, env=environment)
        os.close(inside)

    def read_until(self, part: bytes) -> bool:
        """Read until `part` was seen, or the command ended."""
        while part not in self.seen:
            try:
                piece = os.read(self.screen, 65536)
            except OSError:  # how Linux says that the other end of a terminal was closed
                return False
            if not piece:
                return False
            self.seen += piece
        return True

    def press(self, key: bytes) -> None:
        os.write(self.screen, key)

    def end(self) -> int:
        """Read to the end and return the exit code."""
        self.read_until(b"\0never written\0")
        os.close(self.screen)
        return self.process.wait()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Enough files to be read by several processes, for some seconds."""
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(600):
        text = "".join(f"def knot_{number}_{at}(rope, metres):\n    return rope.tie(metres, {at})\n\n\n" for at in range(300))
        (folder / f"knots_{number}.py").write_text(text)
    return folder


def test_a_packet_on_a_terminal_shows_the_table_and_the_text(home: Path, repository: Path) -> None:
    terminal = Terminal(home, "retrieve", "bowline", "--repo", str(repository))

    assert terminal.end() == 0
    shown = terminal.seen.decode()
    for part in ("below the LP bound", "tie_bowline", "words: bowlin", "=== src/knots.py"):
        assert part in shown


def test_purge_asks_first_and_takes_no_for_an_answer(home: Path, repository: Path) -> None:
    assert Terminal(home, "index", str(repository)).end() == 0
    terminal = Terminal(home, "purge", "--path", "README.md", "--reason", "to see", "--repo", str(repository))
    assert terminal.read_until(b"for good? [y/N]")
    terminal.press(b"n\n")

    assert terminal.end() == 130
    status = Terminal(home, "status", "--repo", str(repository))
    assert status.end() == 0
    assert b"3 files" in status.seen


@pytest.mark.slow
def test_an_interrupt_ends_long_work_in_one_line(home: Path, large: Path) -> None:
    terminal = Terminal(home, "index", str(large))
    assert terminal.read_until(b"reading"), terminal.seen
    terminal.press(b"\x03")

    assert terminal.end() == 130
    assert b"interrupted; what was stored before stands" in terminal.seen
    assert b"Traceback" not in terminal.seen
