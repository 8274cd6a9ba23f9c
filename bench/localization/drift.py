"""Command: `python -m bench.localization.drift --data DATA --mirrors MIRRORS --repos OWNER/NAME,…`. The drift drill.

Each issue, and its first line, is asked alone, and with the state of a session that works on another issue of the same repository: its
goal, its files just read and edited, its names. FILE and FUNCTION must not fall by more than a point.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bench.localization.rows import Row, load_rows, sampled
from bench.machine import provenance, write_result
from bench.trees import switch_tree, write_tree
from clew.engine import open_engine
from clew.ranking.question import SHORT_CHARS
from clew.records import AgentMessage, FileState, FileStatus, Packet, TaskState, UserStatement, WorkingFile
from clew.settings import Settings
from clew.task.question import build_question_state

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "numpy", "tree-sitter")


def build_wrong_state(other: Row) -> TaskState:
    """Return the state of a session that just read and edited what another issue needs."""
    own = build_question_state(other.query)
    files = tuple(WorkingFile(path, how, at) for at, (path, how) in enumerate(((p, h) for p in other.files for h in ("read", "edit")), 2))
    return TaskState(
        question=other.query,
        goals=(UserStatement(other.query, seq=1),),
        working_set=tuple({file.path: file for file in files}.values()),
        files=tuple(FileState(path, FileStatus.EDITED, seq=9) for path in other.files),
        recent_identifiers=(*own.recent_identifiers, *(gold.qualname for gold in other.functions)),
        messages=(AgentMessage(f"I have changed {', '.join(f'`{gold.qualname}` in {gold.path}' for gold in other.functions)}."),),
        prompts=(1,),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    given = _parser().parse_args(arguments)
    source = provenance(("python", "-m", "bench.localization.drift"), PACKAGES)
    rows = load_rows(given.data, given.rows.split(","), given.repos.split(",") if given.repos else [])
    by_repo: dict[str, list[Row]] = defaultdict(list)
    for row in sampled(rows, given.sample) if given.sample else rows:
        by_repo[row.repo].append(row)
    found: dict[str, list[tuple[bool, bool | None]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as box, open_engine(settings=Settings(Path(box) / "home")) as engine:
        for repo, its in by_repo.items():
            tree, git = Path(box) / repo.replace("/", "+"), given.mirrors / repo.replace("/", "+") / "repo"
            for at, row in enumerate(its):
                if len(its) < 2:
                    continue
                switch_tree(git, row.base_commit, tree) if tree.exists() else write_tree(git, row.base_commit, tree)
                engine.index(tree)
                title = row.query.strip().partition("\n")[0][:SHORT_CHARS]
                for asked, text in (("issue", row.query), ("its first line", title)):
                    for name, task in (("alone", None), ("with another issue's state", build_wrong_state(its[at - 1]))):
                        packet = engine.retrieve(tree, text, budget_tokens=given.budget, tokenizer="chars4", task=task)
                        found[f"{asked} {name}"].append(_judge(row, packet))
    figures = {name: _describe(pairs) for name, pairs in found.items()}
    if not given.dry:
        write_result(RESULTS / f"drift-{source.name}.json", {"name": source.name, **source.as_json(), "figures": figures})
    for name, one in figures.items():
        print(f"{name:42s} {one}")
    return 0


def _judge(row: Row, packet: Packet) -> tuple[bool, bool | None]:
    """Whether all files, and all functions, of the fix have a line that is shown."""
    shown = [(entry.path, entry.start, entry.end) for entry in packet.entries if entry.start and not entry.session]
    paths = {path for path, _, _ in shown}
    functions = [any(path == gold.path and start <= gold.end and gold.start <= end for path, start, end in shown) for gold in row.functions]
    return all(path in paths for path in row.files), all(functions) if functions else None


def _describe(pairs: Sequence[tuple[bool, bool | None]]) -> dict[str, float]:
    functions = [function for _, function in pairs if function is not None]
    return {
        "rows": len(pairs),
        "FILE": round(sum(file for file, _ in pairs) / max(1, len(pairs)), 3),
        "FUNCTION": round(sum(functions) / max(1, len(functions)), 3),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.localization.drift", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.jsonl[.xz]")
    parser.add_argument("--mirrors", type=Path, required=True, help="folder of git directories, OWNER+NAME/repo")
    parser.add_argument("--rows", default="swebench_lite", help="data sets, comma-separated")
    parser.add_argument("--repos", default="", help="only rows of these repositories, comma-separated")
    parser.add_argument("--sample", type=int, default=0, help="so many rows, spread over the repositories")
    parser.add_argument("--budget", type=int, default=8192, help="tokens of a packet")
    parser.add_argument("--dry", action="store_true", help="print the figures, and write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
