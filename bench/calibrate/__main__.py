"""Command: `python -m bench.calibrate`. Calibrates repositories at a commit older than all rows, and answers the rows both ways.

Each row is asked the tree of its base commit, with the commits before it, through the same packets that a replay judges with:
with the default weights, with the fitted ones whether or not they were adopted, and with what `clew calibrate` would have kept.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.localization.rows import Row, git_dir_of, load_rows
from bench.machine import REPOSITORY, provenance, write_result
from bench.trees import write_tree
from clew.cli.calibration import calibration_json
from clew.enrich import history
from clew.enrich.calibrate import BUDGET_TOKENS, TOKENIZER, calibrate
from clew.enrich.past import Past
from clew.hindsight.intervals import difference, estimate
from clew.records import Packet, Resolution
from clew.retrieval.retrieve import retrieve
from clew.retrieval.weights import DEFAULT, Weights
from clew.task.question import question_state
from clew.text.tokens import counter

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "calibrate.jsonl"
DATASETS = "swebench_lite,swebench_verified,swebench_multilingual,locbench"
REPOS = "jqlang/jq,psf/requests,google/gson,sharkdp/bat,fluent/fluentd,py-pdf/pypdf,pytest-dev/pytest,pylint-dev/pylint"
COMMITS = 60
ROWS_MAX = 12
LEVELS = ("FILE", "FUNCTION", "LINE", "file@5")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    given = _parser().parse_args(arguments)
    words = ("--repos", ",".join(given.repos), "--datasets", ",".join(given.datasets))
    counts = ("--commits", str(given.commits), "--rows", str(given.rows))
    source = provenance(("python", "-m", "bench.calibrate", *words, *counts), ("numpy",))
    given.work.parent.mkdir(parents=True, exist_ok=True)
    known = {
        one["repo"]: one
        for line in (given.work.read_text("utf-8").splitlines() if given.work.exists() else ())
        for one in [json.loads(line)]
    }
    for repo in [] if given.table_only else given.repos:
        if repo not in known:
            known[repo] = _measured(given, repo)
            with given.work.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(known[repo]) + "\n")
            print(f"{repo}: done", file=sys.stderr, flush=True)
    done = [known[repo] for repo in given.repos if repo in known]
    write_result(given.results / f"{source.name}.json", {"name": source.name, **source.as_json(), "repositories": done})
    text = table(done)
    (given.results / f"{source.name}.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _measured(given: argparse.Namespace, repo: str) -> dict[str, Any]:
    rows = list({row.id: row for row in load_rows(given.data, given.datasets, [repo])}.values())
    git_dir = git_dir_of(given.mirrors, rows[0])
    times = {row.id: int(_git(git_dir, "log", "-1", "--format=%ct", row.base_commit)) for row in rows}
    rows.sort(key=lambda row: (times[row.id], row.id))
    # Evenly among all, so that few rows still span the years.
    chosen = [rows[at] for at in sorted({int(at) for at in np.linspace(0, len(rows) - 1, min(len(rows), given.rows))})]
    with TemporaryDirectory() as scratch:
        root = Path(scratch) / "tree"
        write_tree(git_dir, rows[0].base_commit, root)
        found = calibrate(root, commits=given.commits)
        note = found.note
        fitted = Weights(**note.weights) if note else DEFAULT
        answers = [_answered(row, past, fitted) for row, past in _replayed(root, chosen)]
    return {
        "repo": repo,
        "at": rows[0].base_commit,
        "is_adopted": found.weights is not None,
        "reason": found.reason,
        "looked_through": found.looked_through,
        "calibration": calibration_json(note) if note else None,
        "rows": answers,
    }


def _replayed(root: Path, rows: Sequence[Row]) -> Iterator[tuple[Row, Past]]:
    past = Past(root)
    told: set[str] = set()

    def at(row: Row) -> Past:
        ids = _git(root / ".git", "rev-list", "--no-merges", f"--max-count={history.COMMITS_MAX}", row.base_commit).split()
        new = [commit for commit in ids if commit not in told]
        told.update(new)
        reads = history.read_commits(root, new)
        past.tell([reads[commit] for commit in new if commit in reads])
        past.stand_at(row.base_commit)
        return past

    return ((row, at(row)) for row in rows)


def _answered(row: Row, past: Past, fitted: Weights) -> dict[str, Any]:
    state = question_state(row.query)
    count = counter(TOKENIZER)
    packets = [retrieve(past, "", state, budget_tokens=BUDGET_TOKENS, counter=count, weights=weights) for weights in (DEFAULT, fitted)]
    return {"id": row.id, "default": _scores(row, packets[0]), "fitted": _scores(row, packets[1])}


def _scores(row: Row, packet: Packet) -> dict[str, bool | None]:
    lines: dict[str, set[int]] = {}
    for entry in packet.entries:
        if entry.resolution >= Resolution.SIGNATURE:
            lines.setdefault(entry.path, set()).update(range(entry.start, entry.end + 1))
    leading = list(dict.fromkeys(entry.path for entry in packet.entries))[:5]
    none: set[int] = set()
    return {
        "FILE": all(path in lines for path in row.files),
        "FUNCTION": all(lines.get(g.path, none) & set(range(g.start, g.end + 1)) for g in row.functions) if row.functions else None,
        "LINE": all(set(range(g.start, g.end + 1)) <= lines.get(g.path, none) for g in row.lines),
        "file@5": all(path in leading for path in row.files),
    }


def table(done: Sequence[dict[str, Any]]) -> str:
    """The repositories' own held-out commits, then the rows."""
    text = [
        "| repository | commits: fitted to, held out | found | default | fitted | difference | adopted |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in done:
        note = one["calibration"]
        for at, measure in enumerate(note["found"] if note else []):
            first = at == 0
            shown = [
                f"{100 * measure[arm][0]:.1f} [{100 * measure[arm][1]:.0f}–{100 * measure[arm][2]:.0f}]" for arm in ("default", "fitted")
            ]
            gain = measure["difference"]
            counts = f"{note['fitted_to']}, {note['held_out']}" if first else ""
            text.append(
                f"| {one['repo'] if first else ''} | {counts} | {measure['name']} | "
                f"{shown[0]} | {shown[1]} | {100 * gain[0]:+.1f} [{100 * gain[1]:+.1f}, {100 * gain[2]:+.1f}] | "
                f"{('yes' if one['is_adopted'] else 'no: ' + one['reason']) if first else ''} |"
            )
    rows = [(one, answer) for one in done for answer in one["rows"]]
    if rows:
        text += [
            "",
            "| rows | n | default | fitted, adopted or not | difference | adopted ones only: difference |",
            "|---|---|---|---|---|---|",
        ]
        clusters = [one["repo"] for one, _ in rows]
        for level in LEVELS:
            default, fitted = ([_value(answer[arm][level]) for _, answer in rows] for arm in ("default", "fitted"))
            kept = [second if one["is_adopted"] else first for (one, _), first, second in zip(rows, default, fitted, strict=True)]
            n = sum(value is not None for value in default)
            means = [estimate(values, clusters).mean for values in (default, fitted)]
            both = [difference(values, default, clusters) for values in (fitted, kept)]
            cells = [f"{100 * each.mean:+.1f} [{100 * each.low:+.1f}, {100 * each.high:+.1f}]" for each in both]
            text.append(f"| {level} | {n} | {100 * means[0]:.1f} | {100 * means[1]:.1f} | {cells[0]} | {cells[1]} |")
    return "\n".join(text) + "\n"


def _value(held: bool | None) -> float | None:  # noqa: FBT001
    return None if held is None else float(held)


def _git(git_dir: Path, *words: str) -> str:
    return subprocess.run(["git", f"--git-dir={git_dir}", *words], capture_output=True, text=True, check=True).stdout


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _parser() -> argparse.ArgumentParser:
    folder = {name: Path(os.environ[name]) if os.environ.get(name) else None for name in ("CLEW_BENCH_MIRRORS", "CLEW_BENCH_DATA")}
    parser = argparse.ArgumentParser(prog="python -m bench.calibrate", description=__doc__)
    parser.add_argument("--mirrors", type=Path, default=folder["CLEW_BENCH_MIRRORS"], help="folder of OWNER+NAME/repo git directories")
    parser.add_argument("--data", type=Path, default=folder["CLEW_BENCH_DATA"], help="folder of data sets")
    parser.add_argument("--datasets", type=_names, default=_names(DATASETS), metavar="NAME,…", help="data sets whose rows are asked")
    parser.add_argument("--repos", type=_names, default=_names(REPOS), metavar="OWNER/NAME,…", help="repositories that are calibrated")
    parser.add_argument("--commits", type=int, default=COMMITS, help="commits of each repository that are asked")
    parser.add_argument("--rows", type=int, default=ROWS_MAX, help="rows of each repository, spread over its years")
    parser.add_argument("--work", type=Path, default=WORK, help="file of finished repositories")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--table-only", action="store_true", help="measure nothing, and write what is finished")
    return parser


if __name__ == "__main__":
    sys.exit(main())
