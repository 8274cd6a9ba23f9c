"""Command: `python -m bench.prompts --data DATA --mirrors MIRRORS`. Judges what is added to real prompts."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.machine import REPOSITORY, provenance, write_result
from bench.prompts.arms import Added, arms, describe, score_unseen
from bench.prompts.replay import NO_SESSION
from bench.prompts.rows import collect, load, save
from bench.prompts.tasks import collect_tasks
from clew.augment.model import load_model
from train.augment.fit import fit

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "prompts.jsonl"
LARGE, FOLDS = "entireio/cli", 5
SHORT_CHARS = 60
PACKAGES = ("apsw", "numpy", "tree-sitter")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    source = provenance(("python", "-m", "bench.prompts"), PACKAGES)
    if not given.rows:
        if given.data is None or given.mirrors is None:
            print("error: --data and --mirrors are needed, or --rows; or CLEW_BENCH_DATA and CLEW_BENCH_MIRRORS", file=sys.stderr)
            return 2
        WORK.parent.mkdir(parents=True, exist_ok=True)
        replayed = collect(given.data, given.mirrors, project=given.project, limit=given.limit)
        save(collect_tasks(given.data, given.mirrors) if given.tasks else replayed, given.save or WORK)
    rows = load(given.rows or [given.save or WORK])
    threshold = load_model().threshold
    found = arms(rows, score_unseen(rows, fit, folds=FOLDS, large=LARGE), threshold)
    took = sorted(row.ms for row in rows if row.ms) or [0.0]
    result: dict[str, Any] = {
        "name": source.name,
        **source.as_json(),
        "threshold": threshold,
        "ms": {"p50": median(took), "p95": took[int(0.95 * len(took))]},
        "arms": {name: _by_split(added) for name, added in found.items()},
        "needed, by how": {how: _recall_of(found["clew"], how) for how in ("edit", "read", "command")},
    }
    if not given.dry:
        write_result(RESULTS / f"{source.name}.json", result)
    print(_table(result))
    return 0


_SPLITS = {
    "sessions of other projects, unseen": lambda row: row.project != LARGE and row.at != NO_SESSION,
    "entireio/cli, unseen sessions": lambda row: row.project == LARGE,
    "under 60 characters, in sessions": lambda row: row.chars < SHORT_CHARS and row.at != NO_SESSION,
    "first prompts of sessions": lambda row: row.at == 0,
    "questions and issues, unseen repositories": lambda row: row.at == NO_SESSION,
}


def _by_split(added: Sequence[Added]) -> dict[str, dict[str, float]]:
    return {split: describe([each for each in added if keep(each.row)]) for split, keep in _SPLITS.items()}


def _recall_of(added: Sequence[Added], how: str) -> float:
    wanted = [(path, each.paths) for each in added for path, was in each.row.needed.items() if was == how]
    return round(sum(path in paths for path, paths in wanted) / max(1, len(wanted)), 3)


def _table(result: dict[str, Any]) -> str:
    lines = [f"# Prompts, {result['name']}", "", f"threshold {result['threshold']}; ms of the candidates: {result['ms']}", ""]
    for split in _SPLITS:
        lines += [f"## {split}", ""]
        for name, figures in result["arms"].items():
            told = figures[split]
            new = f"new P {told['precision, new files']:.3f} R {told['recall, new files']:.3f}"
            lines.append(
                f"{name:46s} n {told['prompts']} with {told['with an addition']:.2f}  P {told['precision']:.3f} R {told['recall']:.3f}  "
                f"{new}  harm {told['harm']:.3f} of {told['needed nothing']}"
            )
        lines.append("")
    return "\n".join([*lines, f"recall by how the file was needed: {result['needed, by how']}"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.prompts", description=__doc__)
    default = {name: os.environ.get(name) for name in ("CLEW_BENCH_DATA", "CLEW_BENCH_MIRRORS")}
    data, mirrors = (Path(value) if value else None for value in default.values())
    parser.add_argument("--data", type=Path, default=data, help="folder that holds sessions/ and sessions_tasks/")
    parser.add_argument("--mirrors", type=Path, default=mirrors, help="folder of git directories, OWNER+NAME/repo")
    parser.add_argument("--rows", type=Path, nargs="*", help="rows that were collected before; nothing is replayed")
    parser.add_argument("--save", type=Path, help=f"where the rows are kept; default: {WORK.relative_to(REPOSITORY)}")
    parser.add_argument("--project", default="", help="only this one")
    parser.add_argument("--limit", type=int, default=0, help="so many sessions of each project, spread evenly")
    parser.add_argument("--tasks", action="store_true", help="questions and issues of repositories, in place of sessions")
    parser.add_argument("--dry", action="store_true", help="print the table, and write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
