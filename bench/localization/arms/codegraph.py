"""CodeGraph (https://github.com/colbymchenry/codegraph): `codegraph init`, then `codegraph explore`, its one tool for agents.

Its answer is of a size of its own and shows numbered lines, file by file. They are packed in its order, a long block in
pieces of a window, so that a small budget gets the beginning of its answer; what it says beside the code costs nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.localization.arms.worker import PATIENCE_S, TOLD_CHARS, RivalFailed, quiet_environment
from bench.localization.packing import pack
from bench.localization.rivals import node_package
from bench.localization.source import WINDOW_LINES, Tree, runs_of
from bench.localization.systems import Answer, Span, Unavailable

VERSION = "1.6.1"
QUESTION_CHARS = 100_000  # below what an argument of a command may hold

_FILE = re.compile(r"^\*\*`([^`]+)`\*\*")
_LINE = re.compile(r"^(\d+)\t")


class CodeGraph:
    """It keeps its index in the tree; the harness cleans the tree after it."""

    name, version = "codegraph", VERSION

    def __init__(self, program: Path, scratch: Path) -> None:
        self._program, self._scratch = program, scratch

    def index(self, tree: Path) -> None:
        """Run `codegraph init`."""
        self._tree = Tree(tree)
        self._run("init", str(tree))

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Run `codegraph explore`."""
        said = self._run("explore", "--path", str(self._tree.root), "--", text[:QUESTION_CHARS])
        return pack([*_spans(said)], self._tree, budget_tokens)

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [str(self._program), *words],
            cwd=self._tree.root,
            env=quiet_environment(self._scratch, CODEGRAPH_TELEMETRY="0", CODEGRAPH_NO_DAEMON="1"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode != 0:
            raise RivalFailed(f"{words[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-TOLD_CHARS:]}")
        return done.stdout


def _spans(said: str) -> Iterator[Span]:
    """Yield the runs of numbered lines of each file, in the order of the answer."""
    path, numbers = "", list[int]()
    for line in [*said.splitlines(), "**`end`**"]:
        head, numbered = _FILE.match(line), _LINE.match(line)
        if numbered and path:
            numbers.append(int(numbered[1]))
        elif head:
            for first, last in runs_of(numbers):
                for start in range(first, last + 1, WINDOW_LINES):
                    yield Span(path, start, min(start + WINDOW_LINES - 1, last))
            path, numbers = head[1], []


def create(scratch: Path) -> CodeGraph:
    """Return the arm. Raises Unavailable, also where the package has no build for this machine."""
    packages = node_package(f"codegraph-{VERSION}", f"@colbymchenry/codegraph@{VERSION}")
    programs = sorted(packages.glob("@colbymchenry/codegraph-*/bin/codegraph"))
    if not programs:
        raise Unavailable(f"{packages}: no program for this machine")
    return CodeGraph(programs[0], scratch)
