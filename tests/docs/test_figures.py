"""The README's figures come from result files, and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.figures import BEGIN, END, README, block_of, is_current, named, newest, render

MACHINE = {"cpu": "a cpu", "cores": 2, "memory_mb": 1, "system": "Linux", "python": "CPython 3.11"}


def result_of(kind: str, name: str) -> dict[str, Any]:
    head = {"name": name, "machine": MACHINE, "commit": name * 5, "is_dirty": False}
    if kind == "ingest":
        return {
            **head,
            "figures": {"mb_per_s": 21.5, "failures": 0, "peak_rss_mb": 120.0, "again_seconds": 1.5, "sessions": 3, "raw_mb": 9.0},
        }
    share = {"mean": 0.5, "low": 0.25, "high": 0.75, "n": 4}
    systems = {"clew": {"budgets": {"8192": {"file": share, "function": share, "whole": share, "line": {**share, "mean": None}}}}}
    subsets = {"all": {"rows": 4, "systems": systems}, "path_not_in_text": {"rows": 0, "systems": {}}}
    return {**head, "summary": {"budgets": [8192], "subsets": subsets}}


def write(bench: Path, kind: str, name: str) -> None:
    path = bench / kind / "results" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result_of(kind, name)))


def test_the_readme_shows_what_its_result_files_say() -> None:
    assert is_current(README.read_text(encoding="utf-8")), "run: python -m bench.figures"


def test_a_block_names_its_results_and_is_made_again_from_them(tmp_path: Path) -> None:
    write(tmp_path, "ingest", "aaaa1111")
    write(tmp_path, "localization", "bbbb2222")

    block = render(newest(tmp_path))

    assert "21.5 MB" in block
    assert "50.0 % [25–75]" in block
    assert render(named(block, tmp_path)) == block
    assert is_current(f"# x\n{BEGIN}{block}{END}\n", tmp_path)


def test_a_block_is_out_of_date_when_a_benchmark_is_missing_from_it(tmp_path: Path) -> None:
    write(tmp_path, "ingest", "aaaa1111")
    block = render(newest(tmp_path))
    write(tmp_path, "localization", "bbbb2222")

    assert not is_current(f"{BEGIN}{block}{END}", tmp_path)


def test_a_result_without_clew_is_no_figure_of_clew(tmp_path: Path) -> None:
    write(tmp_path, "localization", "bbbb2222-without-clew")

    assert newest(tmp_path) == {}
    assert block_of(f"{BEGIN}{render({})}{END}").startswith("No results yet")
