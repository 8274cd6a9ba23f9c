"""Command: `python -m bench.score [--quick]`. Measures one figure for each claim of the README, and compares with the last results.

What rose and what fell beyond noise is printed; a figure whose data is not here is named. Exit code 0: nothing fell; 1: something
did, or is no longer measured; 2: wrong usage. Results are `bench/score/results/COMMIT.json`, of a quick run `COMMIT-quick.json`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import REPOSITORY, provenance, write_result
from bench.score import claims
from bench.score.compare import Change, compare, table
from bench.score.figure import REFERENCE_COMMIT, Context, DataMissing, Figure, Value

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "msgspec", "numpy", "tree-sitter", "zstandard")


def figures() -> list[Figure]:
    """Return the figures of all modules of `bench.score.claims`, speed first: nothing else runs meanwhile."""
    found: list[Figure] = []
    for module in sorted(pkgutil.iter_modules(claims.__path__), key=lambda each: (each.name != "speed", each.name)):
        figure = importlib.import_module(f"{claims.__name__}.{module.name}").FIGURE
        assert isinstance(figure, Figure)
        found.append(figure)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    given = _parser().parse_args(arguments)
    chosen = [figure for figure in figures() if not given.only or figure.name in given.only]
    if not chosen:
        print(f"error: no figure of that name; there are {', '.join(figure.name for figure in figures())}", file=sys.stderr)
        return 2
    started = time.perf_counter()
    words = (["--quick"] if given.quick else []) + (["--only", ",".join(given.only)] if given.only else [])
    source = provenance(("python", "-m", "bench.score", *words), PACKAGES)
    measured: dict[str, dict[str, Value]] = {}
    missing: dict[str, str] = {}
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="clew-score-") as folder:
        for figure in chosen:
            work = Path(folder, figure.name)
            work.mkdir()
            begun = time.perf_counter()
            try:
                measured[figure.name] = dict(
                    figure.measure(Context(work, given.data, given.mirrors, given.cases, given.quick, given.reference))
                )
            except DataMissing as problem:
                missing[figure.name] = str(problem)
            seconds[figure.name] = round(time.perf_counter() - begun, 1)
            print(f"{figure.name}: {seconds[figure.name]:.0f} s", file=sys.stderr, flush=True)
    is_usual = given.reference == REFERENCE_COMMIT  # ratios to another commit compare with nothing
    before = last(given.results, is_quick=given.quick, but=source.name) if is_usual else None
    found = changes(before, measured, missing)
    name = f"{source.name}-quick" if given.quick else source.name
    result: dict[str, object] = {
        "name": name,
        **source.as_json(),
        "is_quick": given.quick,
        "seconds": seconds,
        "missing": missing,
        "figures": {each.name: {"claim": each.claim, "values": _plain(measured[each.name])} for each in chosen if each.name in measured},
    }
    if not given.dry and is_usual:
        write_result(given.results / f"{name}.json", result)
    print(f"Before: {before['name'] if before else 'no results of an earlier commit'}. Now: {name}.")
    print(table(found, missing))
    print(f"{time.perf_counter() - started:.0f} s")
    return int(any(each.verdict in ("worse", "gone") for changed in found.values() for each in changed))


def changes(
    before: Mapping[str, Any] | None, measured: Mapping[str, Mapping[str, Value]], missing: Mapping[str, str]
) -> dict[str, list[Change]]:
    """Compare what was measured with a result; what could not be measured now is no change."""
    held: dict[str, Any] = before["figures"] if before else {}
    found: dict[str, list[Change]] = {}
    for figure, values in measured.items():
        old = {name: Value.from_json(each) for name, each in held.get(figure, {"values": {}})["values"].items() if figure not in missing}
        found[figure] = [compare(name, old.get(name), values.get(name)) for name in dict.fromkeys((*old, *values))]
    return found


def last(results: Path, *, is_quick: bool, but: str) -> dict[str, Any] | None:
    """Return the newest committed result of the same kind of run, other than this commit's own."""
    done = subprocess.run(["git", "-C", str(REPOSITORY), "rev-list", "HEAD"], capture_output=True, text=True, check=False)
    age = {commit: at for at, commit in enumerate(done.stdout.split())}
    held: list[dict[str, Any]] = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    kept = [each for each in held if each["is_quick"] == is_quick and each["commit"] in age and not each["name"].startswith(but)]
    return min(kept, key=lambda each: (age[each["commit"]], each["is_dirty"]), default=None)


def _plain(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: value.as_json() for name, value in values.items()}


def _folder(name: str) -> Path | None:
    return Path(os.environ[name]) if os.environ.get(name) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.score", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample of everything, in about five minutes")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NAME,…", help="these figures alone")
    parser.add_argument("--data", type=Path, default=_folder("CLEW_BENCH_DATA"), help="folder with sessions/, localization/, memory/")
    parser.add_argument("--mirrors", type=Path, default=_folder("CLEW_BENCH_MIRRORS"), help="folder of git directories: owner+name/repo")
    parser.add_argument("--cases", type=Path, default=_folder("CLEW_BENCH_CASES"), help="folder with conversation/NN-verdicts.jsonl")
    parser.add_argument(
        "--reference",
        default=REFERENCE_COMMIT,
        metavar="COMMIT",
        help=f"speeds are ratios to it; other than {REFERENCE_COMMIT}: no result is kept",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--dry", action="store_true", help="write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
