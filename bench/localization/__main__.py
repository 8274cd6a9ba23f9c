"""Command: `python -m bench.localization`. Measures systems on rows, or prints the table of a result."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.localization.kept import rows_path, write_rows
from bench.localization.report import reference_of, summarise, table
from bench.localization.rows import DataMissing, Row, load_rows, sampled
from bench.localization.run import BUDGETS, Measured, Outcome, Plan, read_work, run, version_of
from bench.localization.systems import UnknownSystem
from bench.machine import REPOSITORY, provenance, write_result
from bench.trees import TreeError

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "localization.jsonl"
PACKAGES = ("apsw", "numpy", "tree-sitter")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.table is not None:
        try:
            print(table(json.loads(given.table.read_text(encoding="utf-8"))))
        except KeyError:
            print(f"error: {given.table}: a result of another form\nhint: its own table lies beside it, as .md", file=sys.stderr)
            return 2
        return 0
    if given.data is None or given.mirrors is None:
        print("error: --data and --mirrors are needed, or CLEW_BENCH_DATA and CLEW_BENCH_MIRRORS", file=sys.stderr)
        return 2
    try:
        return _measure(given)
    except (DataMissing, UnknownSystem, TreeError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2


def _measure(given: argparse.Namespace) -> int:
    rows = load_rows(given.data, given.rows, given.repos, given.ids)
    if given.sample:
        rows = sampled(rows, given.sample)
    if not rows:
        print("error: no row is left\nhint: --repos and --ids narrow --rows", file=sys.stderr)
        return 2
    plan = Plan(given.mirrors.resolve(), tuple(given.systems), tuple(given.budgets), given.trees)
    source = provenance(("python", "-m", "bench.localization", *_repeatable(given)), PACKAGES)
    outcome = (
        Outcome(_measured(rows, plan, given.work), {})
        if given.measured
        else run(rows, plan, given.work, jobs=given.jobs, say=lambda text: print(text, file=sys.stderr, flush=True))
    )
    if not outcome.lines:
        print("error: nothing could be measured; what was left out is named above", file=sys.stderr)
        return 2
    has_clew = any(name.startswith("clew") for name in given.systems)
    name = source.name if has_clew else f"{source.name}-without-clew"
    summary = summarise(outcome.lines)
    result: dict[str, object] = {
        "name": name,
        **source.as_json(),
        "jobs": given.jobs,
        "skipped": {left: "could not be set up" if left in given.systems else reason for left, reason in outcome.skipped.items()},
        "summary": summary,
        "rows_file": rows_path(Path(name)).name,
    }
    path = given.results / f"{name}.json"
    write_result(path, result)
    write_rows(rows_path(path), outcome.lines, reference_of(summary["systems"]))
    text = table(result)
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _measured(rows: Sequence[Row], plan: Plan, work: Path) -> list[Measured]:
    """What the work file holds of these rows and systems at the budgets of the plan, in the order of a run; nothing is measured."""
    versions = {name: version_of(name) for name in plan.systems}
    held = {
        (line.system, line.dataset, line.id, line.budget): line for line in read_work(work) if versions.get(line.system) == line.version
    }
    keys = ((name, row.dataset, row.id, budget) for name in plan.systems for row in rows for budget in plan.budgets)
    return [held[key] for key in keys if key in held]


def _repeatable(given: argparse.Namespace) -> list[str]:
    """Return the arguments that decide the figures, without the folders of this machine."""
    words = ["--rows", ",".join(given.rows), "--systems", ",".join(given.systems), "--budgets", ",".join(map(str, given.budgets))]
    for option in ("repos", "ids"):
        if getattr(given, option):
            words += [f"--{option}", ",".join(getattr(given, option))]
    if given.sample:
        words += ["--sample", str(given.sample)]
    if given.measured:
        words += ["--measured"]
    return [*words, "--jobs", str(given.jobs)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.localization", description=__doc__)
    parser.add_argument("--data", type=Path, default=_folder("CLEW_BENCH_DATA"), help="folder of NAME.jsonl[.xz] ($CLEW_BENCH_DATA)")
    parser.add_argument(
        "--mirrors",
        type=Path,
        default=_folder("CLEW_BENCH_MIRRORS"),
        help="folder of owner+name/repo git directories ($CLEW_BENCH_MIRRORS)",
    )
    parser.add_argument("--rows", type=_words, default=["swebench_lite"], metavar="NAME,…", help="data sets (swebench_lite)")
    parser.add_argument("--repos", type=_words, default=[], metavar="OWNER/NAME,…", help="only rows of these repositories")
    parser.add_argument("--ids", type=_words, default=[], metavar="ID,…", help="only these rows")
    parser.add_argument(
        "--measured", action="store_true", help="measure nothing: tell of what the work file holds, each system over its own rows"
    )
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="only N of the rows, the same at each run, spread over repositories"
    )
    parser.add_argument("--systems", type=_words, default=["random", "bm25-files", "bm25-symbols", "oracle", "clew"], metavar="NAME,…")
    parser.add_argument("--budgets", type=_numbers, default=[*BUDGETS], metavar="TOKENS,…")
    parser.add_argument("--jobs", type=int, default=2, help="repositories measured at once (2); seconds are honest only with a core each")
    parser.add_argument("--trees", type=Path, default=None, help="folder for the trees (a temporary one)")
    parser.add_argument("--work", type=Path, default=WORK, help="file of finished answers, used again by the next run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--table", type=Path, default=None, metavar="FILE", help="print the table of an existing result and stop")
    return parser


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _numbers(text: str) -> list[int]:
    return sorted({int(word) for word in _words(text)})


if __name__ == "__main__":
    sys.exit(main())
