"""Kept: the scores of all rows in a file small enough to lie in the repository, `NAME.rows.jsonl.xz` beside `NAME.json`.

One line for each system and row, all budgets in it: verdicts are strings of 1, 0 and - (no such gold), one sign for a
budget; ranks are of the largest budget; what is missing there, and why the row fails, is kept for the reference system
alone. Of a problem the first line is kept, without paths: they are this machine's.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.localization.metrics import LEVELS
from bench.localization.report import cause_of_row
from bench.localization.run import Measured

PROBLEM_CHARS = 120
_PATH = re.compile(r"(?:/[^\s/:'\"]+)+")
_SIGNS = {True: "1", False: "0", None: "-"}


def rows_path(result: Path) -> Path:
    """Return where the rows of a result lie."""
    return result.with_suffix(".rows.jsonl.xz")


def write_rows(path: Path, lines: Sequence[Measured], reference: str) -> None:
    """Write all lines, whole or not at all. The same lines give the same bytes."""
    groups: dict[tuple[str, str, str], list[Measured]] = {}
    for line in lines:
        groups.setdefault((line.system, line.dataset, line.id), []).append(line)
    text = "".join(json.dumps(_compact(group, reference), ensure_ascii=False, separators=(",", ":")) + "\n" for group in groups.values())
    draft = path.with_suffix(".part")
    draft.write_bytes(lzma.compress(text.encode()))
    draft.replace(path)


def read_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the lines of a rows file."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _compact(group: Sequence[Measured], reference: str) -> dict[str, Any]:
    ordered = sorted(group, key=lambda line: line.budget)
    widest = ordered[-1]
    kept: dict[str, Any] = {
        "system": widest.system,
        "dataset": widest.dataset,
        "id": widest.id,
        "tokens": [line.tokens for line in ordered],
    }
    kept |= {level: "".join(_SIGNS[getattr(line, level)] for line in ordered) for level in LEVELS}
    kept["coverage"] = [round(line.coverage, 2) for line in ordered]
    kept |= {"file_ranks": widest.file_ranks, "function_ranks": widest.function_ranks}
    kept |= {"index_s": round(widest.index_s, 2), "is_cold": widest.is_cold, "query_s": [round(line.query_s, 3) for line in ordered]}
    if widest.system == reference and widest.missing:
        kept["cause"] = cause_of_row(widest)
        kept["missing"] = [[missing.level, missing.what, missing.rank, missing.cause] for missing in widest.missing]
    if any(line.unfounded for line in ordered):
        kept["unfounded"] = [line.unfounded for line in ordered]
    if problems := sorted({plain(line.problem) for line in ordered if line.problem}):
        kept["problems"] = problems
    return kept


def plain(problem: str) -> str:
    """Return the first line of a problem, short, with the last part of each path alone."""
    first = problem.splitlines()[0] if problem else ""
    return _PATH.sub(lambda match: match[0].rsplit("/", 1)[-1], first)[:PROBLEM_CHARS]
