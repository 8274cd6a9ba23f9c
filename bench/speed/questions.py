"""Questions for timing: issue texts from a data set, or first sentences of the tree's own docstrings."""

from __future__ import annotations

import ast
import json
import lzma
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

QUESTIONS_MAX = 200  # enough for a 99th percentile that is not the worst single question


def from_file(path: Path, repo: str = "") -> list[str]:
    """Return the distinct `query` texts of a .jsonl or .jsonl.xz file, in its order; `repo` narrows them when not empty."""
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    return list(dict.fromkeys(record["query"] for record in records if not repo or record["repo"] == repo))


def from_docstrings(tree: Path, count_max: int = QUESTIONS_MAX) -> list[str]:
    """Return up to `count_max` first paragraphs of docstrings, spread evenly over the tree's Python files."""
    found = list(dict.fromkeys(_paragraphs(path for path in sorted(tree.rglob("*.py")) if path.is_file())))
    step = max(1, len(found) // count_max)
    return found[::step][:count_max]


def _paragraphs(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                module = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError):
            continue  # a tree's own test data is often broken on purpose, and one question fewer is no loss
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (text := ast.get_docstring(node)):
                yield " ".join(text.split("\n\n")[0].split())
