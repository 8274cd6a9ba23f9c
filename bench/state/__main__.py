"""Command: `python -m bench.state --data SESSIONS`. Judges what hand-offs convey and claim, and the verdicts of checks."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import provenance, write_result
from bench.state import verdicts
from bench.state.arms import ARMS
from bench.state.judge import BUDGETS, judge
from bench.state.marks import cuts
from clew.evaluation.intervals import estimate
from clew.pool import map_in_processes

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("msgspec", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.data is None or not given.data.is_dir():
        print("error: --data is needed, the folder of the recorded sessions; or CLEW_BENCH_SESSIONS", file=sys.stderr)
        return 2
    started = time.perf_counter()
    source = provenance(("python", "-m", "bench.state", "--data", given.data.name), PACKAGES)
    wanted = [(cut, given.data) for cut in cuts() if not given.only or cut.cut in given.only]
    rows = [row for found in map_in_processes(judge, wanted, given.jobs) for row in found]
    tried = verdicts.judged(given.data)
    result: dict[str, object] = {
        "name": source.name,
        **source.as_json(),
        "seconds": round(time.perf_counter() - started, 1),
        "cuts": {name: _summary([row for row in rows if keep(row)]) for name, keep in _SPLITS.items()},
        "verdicts": {
            "all": verdicts.figures(tried),
            "held out": verdicts.figures([row for row in tried if row[0] != "entireio__cli"]),
            "labels and verdicts": verdicts.confusion(tried),
        },
    }
    for row in rows if given.list else ():
        for text in (*row["missing"], *row["claims"]):
            print(f"{row['cut']} {row['arm']} {row['budget']}: {text}")
    if not given.dry:
        write_result(given.results / f"{source.name}.json", result)
    print(_table(result))
    return 0


_SPLITS = {
    "held out": lambda row: row["is_held_out"],
    "development": lambda row: not row["is_held_out"],
    "at a compaction": lambda row: row["kind"] == "compaction",
}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each budget and arm: facts conveyed with the interval by session, false statements, by kind of fact."""
    found: dict[str, dict[str, Any]] = {}
    for budget in BUDGETS:
        for arm in ARMS:
            own = [row for row in rows if row["arm"] == arm and row["budget"] == budget]
            if not own:
                continue
            conveyed = estimate([row["share"] for row in own], [row["session"] for row in own])
            kinds: dict[str, list[int]] = defaultdict(lambda: [0, 0])
            for row in own:
                for kind, (has, of) in row["by_kind"].items():
                    kinds[kind][0] += has
                    kinds[kind][1] += of
            found[f"{arm} @ {budget}"] = {
                "cuts": len(own),
                "conveyed": [conveyed.mean, conveyed.low, conveyed.high],
                "false_statements": sum(len(row["claims"]) for row in own),
                "chars": round(sum(row["chars"] for row in own) / len(own)),
                "by_kind": {kind: round(has / of, 3) for kind, (has, of) in sorted(kinds.items())},
            }
    return found


def _table(result: dict[str, Any]) -> str:
    lines: list[str] = []
    for split, arms in result["cuts"].items():
        lines.append(f"\n{split}: facts conveyed, by weight (95 % interval by session); false statements")
        for name, own in arms.items():
            mean, low, high = own["conveyed"]
            lines.append(
                f"  {name:32} {mean:.3f} [{low:.3f}, {high:.3f}]  {own['false_statements']:3}  {own['cuts']} cuts, {own['chars']} chars"
            )
    lines.append("\nverdicts of checks")
    lines += [
        f"  {split:10} " + "  ".join(f"{name} {value}" for name, value in result["verdicts"][split].items())
        for split in ("all", "held out")
    ]
    lines += [f"  {name}: {count}" for name, count in result["verdicts"]["labels and verdicts"].items()]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.state", description=__doc__)
    own = os.environ.get("CLEW_BENCH_SESSIONS")
    parser.add_argument("--data", type=Path, default=Path(own) if own else None, help="recorded sessions, one folder a project")
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], metavar="NN,…", help="these cuts alone")
    parser.add_argument("--list", action="store_true", help="print each missing fact and each false statement")
    parser.add_argument("--jobs", type=int, default=1, help="cuts that are judged at once")
    parser.add_argument("--dry", action="store_true", help="print the table, and write no result")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
