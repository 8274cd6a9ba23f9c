"""Command: `python -m bench.hindsight --data SESSIONS`. Judges the arms on recorded sessions, or prints the table of a result."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.hindsight import beside, labels
from bench.hindsight.arms import ARMS
from bench.hindsight.report import summarise
from bench.hindsight.run import ALL_MEASURES, MARKED, Done, jobs, measure
from bench.hindsight.table import table
from bench.machine import provenance, write_result
from clew.evaluation.evaluate import BUDGET_SHARES
from clew.pool import map_in_processes

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("msgspec", "numpy", "PyStemmer")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.table is not None:
        print(table(json.loads(given.table.read_text(encoding="utf-8"))))
        return 0
    if given.data is None or not given.data.is_dir():
        print("error: --data is needed, a folder of transcripts; or CLEW_BENCH_SESSIONS", file=sys.stderr)
        return 2
    known = (*ARMS, *beside.rival_names())
    if unknown := [name for name in given.arms or () if name not in known]:
        print(f"error: no arm {unknown[0]!r}\nhint: there are {', '.join(known)}", file=sys.stderr)
        return 2
    return _measure(given, given.arms or list(ARMS))


def _measure(given: argparse.Namespace, arms: Sequence[str]) -> int:
    started = time.perf_counter()
    source = provenance(("python", "-m", "bench.hindsight", *_repeatable(given)), PACKAGES)
    tasks = labels.load(given.tasks) if given.tasks else None
    work = jobs(given.data, tasks, arms, given.shares, given.tokenizer)
    work = work[:: max(1, len(work) // given.limit)][: given.limit] if given.limit else work
    done: list[Done] = []
    for each in map_in_processes(measure, work, given.jobs):
        done.append(each)
        print(f"\r{len(done)} of {len(work)} sessions, {time.perf_counter() - started:.0f} s", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    report = summarise([each.outcome for each in done], ALL_MEASURES)
    own = sorted(ms for each in done for ms in each.window_ms)
    agreement = sum((each.agreement for each in done), Counter[str]())
    result: dict[str, object] = {
        "name": source.name,
        **source.as_json(),
        "seconds": round(time.perf_counter() - started, 1),
        "window_ms": own[len(own) // 2] if own else 0.0,
        "window_ms_max": own[-1] if own else 0.0,
        "agreement": _agreement(agreement),
        "marks": _marks(done),
        "failures": [failure for each in done for failure in each.failures],
        "summary": asdict(report) | {"worst": [each.cut for each in report.worst]},
        "rows": _rows(done),
    }
    if not given.dry:
        write_result(given.results / f"{source.name}.json", result)
        (given.results / f"{source.name}.md").write_text(table(result), encoding="utf-8")
    print(table(result))
    print(f"{result['seconds']} s")
    return 0


def _rows(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Each cut's figures at each budget, of clew and of every other arm. No words of a session stand in them."""
    return [
        {
            "cut": cut.id,
            "budget": row.budget,
            "arm": row.arm,
            "budget_tokens": row.budget_tokens,
            "tokens": row.tokens,
            **{name: round(value, 4) for name in ALL_MEASURES if (value := row.values.get(name)) is not None},
        }
        for each in done
        for cut in each.outcome.cuts
        for row in cut.rows
        if row.arm == "clew"
    ]


def _marks(done: Sequence[Done]) -> dict[str, dict[str, dict[str, list[int]]]]:
    """All marks together: by budget, arm and kind how many were kept, and of how many."""
    found: dict[str, dict[str, dict[str, list[int]]]] = {}
    for row in (row for each in done for cut in each.outcome.cuts for row in cut.rows):
        for kind in MARKED:
            if row.values.get(f"{kind}_of"):
                counts = found.setdefault(row.budget, {}).setdefault(row.arm, {}).setdefault(kind, [0, 0])
                counts[0] += int(row.values[f"{kind}_kept"] or 0)
                counts[1] += int(row.values[f"{kind}_of"] or 0)
    return found


def _agreement(counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    kinds = dict.fromkeys(name.rpartition(" ")[0] for name in counts)
    return {kind: {who: counts.get(f"{kind} {who}", 0) for who in ("both", "ours", "given")} for kind in kinds}


def _repeatable(given: argparse.Namespace) -> list[str]:
    words = ["--data", given.data.name, "--tokenizer", given.tokenizer]
    words += ["--tasks", given.tasks.name] if given.tasks else []
    words += ["--arms", ",".join(given.arms)] if given.arms else []
    return words + (["--limit", str(given.limit)] if given.limit else [])


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _shares(text: str) -> list[float]:
    return [float(share) for share in text.split(",") if share]


def _folder(name: str) -> Path | None:
    return Path(os.environ[name]) if os.environ.get(name) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.hindsight", description=__doc__)
    parser.add_argument("--data", type=Path, default=_folder("CLEW_BENCH_SESSIONS"), help="folder of transcripts, at any depth")
    parser.add_argument(
        "--tasks", type=Path, default=None, help="given cuts and labels; without it every session is cut as `clew eval` does"
    )
    parser.add_argument("--arms", type=_names, default=None, metavar="NAME,…", help=f"arms and rivals; default: {','.join(ARMS)}")
    parser.add_argument(
        "--shares", type=_shares, default=BUDGET_SHARES, metavar="SHARE,…", help="budgets, as shares of the history's tokens"
    )
    parser.add_argument("--tokenizer", default="claude", help="whose tokens are counted")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="so many sessions only, spread over their names")
    parser.add_argument("--jobs", type=int, default=1, help="sessions that are judged at once")
    parser.add_argument("--dry", action="store_true", help="print the table, and write no result")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--table", type=Path, default=None, help="print the table of this result, and measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
