"""Command: `python -m bench.impact`. Replays changes of repositories, or prints the table of a result."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.impact.arms import arms, scores
from bench.impact.changes import git_dir_of, newest, of_rows
from bench.impact.replay import Replayed, Work, replay
from bench.impact.report import summarise, table
from bench.localization.rows import DataMissing
from bench.machine import REPOSITORY, provenance, write_result
from bench.trees import TreeError

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "impact.jsonl"
PACKAGES = ("apsw", "numpy", "tree-sitter")
REPOS = (
    "psf/requests,google/gson,fluent/fluentd,py-pdf/pypdf,tokio-rs/tokio,yt-dlp/yt-dlp,dask/dask,"
    "jqlang/jq,sharkdp/bat,pytest-dev/pytest,DS4SD/docling,pylint-dev/pylint,prometheus/prometheus,rubocop/rubocop"
)
COMMITS = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.table is not None:
        print(table(json.loads(given.table.read_text(encoding="utf-8"))))
        return 0
    if given.mirrors is None or (given.rows and given.data is None):
        print("error: --mirrors is needed, and --data with --rows; or CLEW_BENCH_MIRRORS and CLEW_BENCH_DATA", file=sys.stderr)
        return 2
    try:
        return _measure(given)
    except (DataMissing, TreeError, FileNotFoundError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


def _measure(given: argparse.Namespace) -> int:
    source = provenance(("python", "-m", "bench.impact", *_repeatable(given)), PACKAGES)
    work, mirrors = Work(given.work), given.mirrors.resolve()
    replayed: list[Replayed] = []
    for named in given.repos:
        repo, _, count = named.partition(":")
        git_dir = git_dir_of(mirrors, repo)
        changes = newest(git_dir, repo, int(count or given.commits))
        if given.rows:
            changes += of_rows(given.data, given.rows, [repo])
        replayed += replay(git_dir, changes, work, lambda text: print(text, file=sys.stderr, flush=True))
    result: dict[str, object] = {"name": source.name, **source.as_json(), "summary": summarise(replayed), "rows": _plain(replayed)}
    write_result(given.results / f"{source.name}.json", result)
    text = table(result)
    (given.results / f"{source.name}.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _plain(replayed: Sequence[Replayed]) -> list[dict[str, object]]:
    own = arms()["clew"]
    return [
        {"repo": one.repo, "id": one.id, "kind": one.kind, "files": one.files, "given": len(one.asked), "clew": scores(own, one)}
        for one in replayed
    ]


def _repeatable(given: argparse.Namespace) -> list[str]:
    words = ["--repos", ",".join(given.repos), "--commits", str(given.commits)]
    return words + (["--rows", ",".join(given.rows)] if given.rows else [])


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _folder(name: str) -> Path | None:
    return Path(os.environ[name]) if os.environ.get(name) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.impact", description=__doc__)
    parser.add_argument("--mirrors", type=Path, default=_folder("CLEW_BENCH_MIRRORS"), help="folder of OWNER+NAME/repo git directories")
    parser.add_argument(
        "--repos", type=_names, default=_names(REPOS), metavar="OWNER/NAME[:N],…", help="repositories, and how many commits of each"
    )
    parser.add_argument("--commits", type=int, default=COMMITS, help="commits of a repository that names no number")
    parser.add_argument("--data", type=Path, default=_folder("CLEW_BENCH_DATA"), help="folder of data sets, for --rows")
    parser.add_argument("--rows", type=_names, default=[], metavar="NAME,…", help="data sets of issues whose fix changed several files")
    parser.add_argument("--work", type=Path, default=WORK, help="file of finished changes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--table", type=Path, default=None, help="print the table of this result, and measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
