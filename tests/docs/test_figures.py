"""The figures of `docs/benchmarks.md` and of the README come from result files, and from nowhere else."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

from bench.figures import BEGIN, DOCUMENT, END, README, block_of, headlines, is_current, named, newest, render
from bench.localization.kept import rows_path

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
    if kind == "localization":
        signs = {"clew-lib": ("1", "1"), "random": ("0", "1")}  # of each issue, at one budget
        lines = [
            {"system": system, "dataset": "d", "id": f"a__a-{at}", "file": "1", "function": sign, "whole": "-", "line": "0"}
            for system, found in signs.items()
            for at, sign in enumerate(found if system == "random" else ("1", "0"))
        ]
        lines.append({**lines[0], "id": "b__b-1"})  # an issue that clew alone was asked
        rows_path(path).write_bytes(lzma.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))


def test_the_documents_show_what_the_result_files_say() -> None:
    assert is_current(DOCUMENT.read_text(encoding="utf-8"), README.read_text(encoding="utf-8")), "run: python -m bench.figures"


def test_a_block_names_its_results_and_is_made_again_from_them(tmp_path: Path) -> None:
    write(tmp_path, "ingest", "aaaa1111")
    write(tmp_path, "localization", "bbbb2222")

    block = render(newest(tmp_path))

    assert "21.5 MB" in block
    assert "| clew | 100.0 % [100–100] | 50.0 %" in block
    assert "The same 2 issues" in block
    assert render(named(block, tmp_path)) == block
    assert is_current(f"# x\n{BEGIN}{block}{END}\n", f"{BEGIN}{headlines(newest(tmp_path))}{END}", tmp_path)


def test_a_block_is_out_of_date_when_a_benchmark_is_missing_from_it(tmp_path: Path) -> None:
    write(tmp_path, "ingest", "aaaa1111")
    block = render(newest(tmp_path))
    write(tmp_path, "localization", "bbbb2222")

    assert not is_current(f"{BEGIN}{block}{END}", f"{BEGIN}{headlines(newest(tmp_path))}{END}", tmp_path)


def test_a_result_without_clew_is_no_figure_of_clew(tmp_path: Path) -> None:
    write(tmp_path, "localization", "bbbb2222-without-clew")

    assert newest(tmp_path) == {}
    assert block_of(f"{BEGIN}{render({})}{END}").startswith("No results yet")
