"""The command line, called in this process or in one of its own, on a home of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from calling import SOURCE, Call, Called

from clew.cli.outcome import run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the database, and an environment without anybody's settings."""
    folder = tmp_path / "home"
    for name in [name for name in os.environ if name.startswith(("CLEW_", "CLAUDE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLEW_HOME", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return folder


@pytest.fixture
def clew(home: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Call the command line in this process."""

    def call(*words: str | Path, stdin: bytes = b"") -> Called:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run([str(word) for word in words])
        out, err = capfdbinary.readouterr()
        return Called(code, out, err.decode("utf-8", "backslashreplace"))

    return call


@pytest.fixture
def process(home: Path) -> Call:
    """Call the command line in a process of its own, as a shell would."""

    def call(*words: str | Path | bytes, stdin: bytes = b"", **environment: str) -> Called:
        env = {**os.environ, "PYTHONPATH": str(SOURCE), "CLEW_HOME": str(home), **environment}
        done = subprocess.run([sys.executable, "-m", "clew", *words], input=stdin, env=env, capture_output=True, check=False)
        return Called(done.returncode, done.stdout, done.stderr.decode("utf-8", "backslashreplace"))

    return call


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three small files about ropes."""
    folder = tmp_path / "repository"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "knots.py").write_text(
        '"""Knots that hold."""\n\n\nclass Rope:\n    """So many metres of rope."""\n\n    def __init__(self, metres: float) -> None:\n'
        "        self.metres = metres\n\n\ndef tie_bowline(rope: Rope) -> str:\n"
        '    """Tie a bowline: a loop that does not slip."""\n    return f"a loop in {rope.metres} m"\n'
    )
    (folder / "src" / "sails.py").write_text(
        '"""Sails."""\n\nfrom knots import Rope, tie_bowline\n\n\ndef hoist(rope: Rope) -> str:\n'
        '    """Hoist the sail on a bowline."""\n    return tie_bowline(rope)\n'
    )
    (folder / "README.md").write_text("# Rigging\n\nHow ropes, knots and sails hang together.\n")
    for file in folder.rglob("*.*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))  # what was written within the last second is read again, to be sure
    return folder
