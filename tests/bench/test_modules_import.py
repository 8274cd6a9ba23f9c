"""Benchmarks and training follow what they measure: each of their modules can be imported, and what it imports of clew is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

CLONE = Path(__file__).parents[2]
MODULES = sorted(path for folder in ("bench", "train") for path in (CLONE / folder).rglob("*.py") if "results" not in path.parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CLONE).as_posix())
def test_what_a_module_imports_of_clew_and_of_its_neighbours_exists(path: Path) -> None:
    missing: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in ("clew", "bench", "train"):
            try:
                module = importlib.import_module(node.module or "")
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] in ("clew", "bench", "train"):
                    missing.append(str(error))
                continue  # a rival's package, which bench/requirements.txt names
            missing += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if not hasattr(module, alias.name) and not _is_module(f"{node.module}.{alias.name}")
            ]

    assert missing == []


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return False
    return True
