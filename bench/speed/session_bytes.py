"""Command: `python -m bench.speed.session_bytes FILE...`. The bytes that sessions take on the disk, each in a store of its own.

A session is ingested in 20 steps, as its turns end, and at once. What an empty store takes is left out. A call is a line `tool_use`.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import clew
from clew.settings import Settings
from clew.transcript.parse import open_transcript

STEPS = (20, 1)
SHOWN = ("packs", "originals", "records", "segments", "sources", "records_by_subject")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.session_bytes", description=__doc__)
    parser.add_argument("sessions", type=Path, nargs="+", metavar="FILE", help="transcripts of Claude Code, plain or compressed")
    given = parser.parse_args(arguments)
    for steps in STEPS:
        total = calls = 0
        for file in given.sessions:
            with open_transcript(file) as stream:
                lines = stream.readlines()
            own = sum(line.count(b'"type":"tool_use"') for line in lines)
            taken, parts = _measure(lines, steps)
            total, calls = total + taken, calls + own
            size = sum(map(len, lines))
            print(f"{file.name}, {steps} steps: {size / 1e6:.2f} MB, {own} calls: {taken / 1e6:.3f} MB,", *parts)
        print(f"{steps} steps: {total / 1e6:.2f} MB of {calls} calls, {total / calls / 1e3:.2f} MB for 1,000")
    return 0


def _measure(lines: Sequence[bytes], steps: int) -> tuple[int, list[str]]:
    """Return the bytes that a session adds to an empty store, and in words the kB of its largest tables and of the index file."""
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        transcript, repo, home = Path(folder, "11111111-2222-4333-8444-555555555555.jsonl"), Path(folder, "repo"), Path(folder, "home")
        Path(repo, ".git").mkdir(parents=True)
        with clew.open(settings=Settings(data_dir=home)) as engine:
            engine.ingest([], repo=repo)
        empty = _size(home)
        for step in range(steps):
            with transcript.open("ab") as stream:
                stream.writelines(lines[len(lines) * step // steps : len(lines) * (step + 1) // steps])
            with clew.open(settings=Settings(data_dir=home)) as engine:
                engine.ingest([transcript], repo=repo)
        connection = sqlite3.connect(home / "clew.db")
        sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        connection.close()
        index = sum(file.stat().st_size for file in home.rglob("*.idx"))
        return _size(home) - empty, [f"{name} {size // 1024}" for name in SHOWN if (size := sizes.get(name, 0))] + [
            f"index {index // 1024}"
        ]


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
