"""graphify (https://github.com/Graphify-Labs/graphify): `graphify extract --code-only`, then `graphify query` with a budget.

Its answer names nodes with the line that they begin at and shows no code. The harness shows, in its order, the unit that
begins there (a function to its end, else the lines up to the next function), as an agent would read next.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from bench.localization.arms.worker import PATIENCE_S, TOLD_CHARS, RivalFailed, quiet_environment
from bench.localization.packing import pack
from bench.localization.rivals import environment
from bench.localization.source import Tree
from bench.localization.systems import Answer, Span

VERSION = "0.9.96"
BUDGET_MIN = 2_000  # its default; a list of names is far shorter than the code it names
NO_MATCH = 4  # guess-free upper end of its own exit codes for "nothing matches" and "several match"

_NODE = re.compile(r"^NODE .* \[src=(.+?) loc=L(\d+)", re.MULTILINE)
_NODE_FILE = re.compile(r"^NODE .* \[src=(.+?) loc=", re.MULTILINE)


class Graphify:
    """One graph for each tree, outside of it."""

    name, version = "graphify", VERSION

    def __init__(self, program: Path, scratch: Path) -> None:
        self._program, self._scratch = program, scratch

    def index(self, tree: Path) -> None:
        """Run `graphify extract`."""
        self._tree = Tree(tree)
        self._run(tree, "extract", str(tree), "--code-only", "--out", str(self._scratch))
        [self._graph] = sorted(self._scratch.rglob("graph.json"))

    def query(self, text: str, budget_tokens: int) -> Answer:
        """Run `graphify query`, and show what it names."""
        budget = str(max(budget_tokens, BUDGET_MIN))
        said = self._run(self._tree.root, "query", text, "--budget", budget, "--graph", str(self._graph), is_miss_allowed=True)
        spans = dict.fromkeys(span for match in _NODE.finditer(said) if (span := self._span(match[1], int(match[2]))))
        return pack([*spans], self._tree, budget_tokens)

    def _span(self, source: str, line: int) -> Span | None:
        path = Path(source)
        if path.is_absolute():
            try:
                path = path.resolve().relative_to(self._tree.root.resolve())
            except ValueError:
                return None
        name = path.as_posix()
        unit = next((unit for unit in self._tree.units(name) if unit.start <= line <= unit.end), None)
        if unit is None:
            return Span(name, line, line) if self._tree.lines(name) else None
        return Span(name, unit.start, unit.end) if unit.kind == "function" else Span(name, line, unit.end)

    def _run(self, tree: Path, *words: str, is_miss_allowed: bool = False) -> str:
        done = subprocess.run(
            [str(self._program), "-m", "graphify", *words],
            cwd=tree,
            env=quiet_environment(self._scratch),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode != 0 and not (is_miss_allowed and done.returncode <= NO_MATCH and done.stdout):
            raise RivalFailed(f"{words[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-TOLD_CHARS:]}")
        return done.stdout


def create(scratch: Path) -> Graphify:
    """Return the arm. Raises Unavailable."""
    return Graphify(environment(f"graphifyy-{VERSION}", f"graphifyy=={VERSION}"), scratch)
