"""Command: `python -m bench.trial --sessions DIR`. Simulates trials over the outcomes of recorded sessions.

`lost` is the share of all judged sessions whose work is lost by the treatment; at the margin a claim of "not worse" is an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import log
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

from bench.machine import provenance, write_result
from bench.trial.outcomes import RealOutcome, measure_folder
from bench.trial.simulate import Effect, Scenario, simulate
from clew.trial.plan import MARGIN, Assumptions, plan_sessions

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("numpy", "msgspec")
ALL = ("prompts", "reduction", "compaction")
SEED = 20_261_130


def make_scenarios(completed: float) -> tuple[Scenario, ...]:
    """Return what is simulated. A share of the completed is lost, so that of all judged sessions `lost` is.

    completed  share of judged sessions whose work is completed.
    """

    def lose(points: float) -> float:
        return points / completed

    return (
        Scenario("nothing", 100),
        Scenario("nothing", 500),
        Scenario("nothing, three parts", 500, parts=ALL),
        Scenario("10 points of work lost: at the margin", 500, Effect(lost=lose(0.10))),
        Scenario("10 points of work lost: at the margin", 1000, Effect(lost=lose(0.10))),
        Scenario("20 points of work lost", 500, Effect(lost=lose(0.20))),
        Scenario("5 points of work lost", 500, Effect(lost=lose(0.05))),
        Scenario("costs 10 % less", 500, Effect(cost=0.9)),
        Scenario("costs 20 % less", 500, Effect(cost=0.8)),
        Scenario("costs 30 % less", 500, Effect(cost=0.7)),
        Scenario("costs 30 % less", 250, Effect(cost=0.7)),
        Scenario("costs 30 % more", 500, Effect(cost=1.3)),
        Scenario("costs 30 % less, three parts", 500, Effect(cost=0.7), parts=ALL),
        Scenario("nothing, looked at every 50 sessions", 500, looks_every=50),
        Scenario("nothing, three parts, looked at every 50", 500, parts=ALL, looks_every=50),
        Scenario("nothing, three parts", 100, parts=ALL),
        Scenario("nothing, as many as are planned", plan_sessions(MARGIN, 1, Assumptions())),
        Scenario("nothing, three parts, as many as planned", plan_sessions(MARGIN, 3, Assumptions()), parts=ALL),
        Scenario("costs 30 % less, three parts, as planned", plan_sessions(MARGIN, 3, Assumptions()), Effect(cost=0.7), parts=ALL),
        Scenario("20 points lost, three parts, as planned", plan_sessions(MARGIN, 3, Assumptions()), Effect(lost=lose(0.20)), parts=ALL),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there are no sessions."""
    parser = argparse.ArgumentParser(prog="python -m bench.trial", description=__doc__)
    source_of = parser.add_mutually_exclusive_group(required=True)
    source_of.add_argument("--sessions", type=Path, metavar="DIR", help="a folder for each repository, with its transcripts")
    source_of.add_argument("--outcomes", type=Path, metavar="FILE", help="an earlier result, whose outcomes are drawn from")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th session")
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help="simulated trials of each kind")
    parser.add_argument("--only", default="", metavar="NUMBERS", help="scenarios by their numbers (0,3); the others stay as they are")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    drawn_from = ("--sessions", given.sessions.name) if given.sessions else ("--outcomes", given.outcomes.name)
    source = provenance(("python", "-m", "bench.trial", *drawn_from, "--runs", str(given.runs)), PACKAGES)
    path = given.results / f"{source.name}.json"
    before: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    measured = json.loads(given.outcomes.read_text("utf-8")) if given.outcomes else before
    outcomes = [RealOutcome(**row) for row in measured.get("outcomes", ())] or measure_folder(given.sessions, every=given.every)
    judged = [each for each in outcomes if each.is_completed is not None]
    if not judged:
        print(f"error: {given.sessions or given.outcomes}: no session whose work can be judged", file=sys.stderr)
        return 2
    scenarios = make_scenarios(fmean(bool(each.is_completed) for each in judged))
    rows: dict[int, dict[str, Any]] = {row["number"]: row for row in before.get("rows", ())}
    for number in [int(each) for each in given.only.split(",")] if given.only else range(len(scenarios)):
        rows[number] = {"number": number, **_row(scenarios[number], outcomes, given.runs, SEED + number)}
        result: dict[str, object] = {
            "name": source.name, **source.as_json(), "sessions": _describe(outcomes, judged), "rows": [rows[at] for at in sorted(rows)],
            "outcomes": [asdict(each) for each in outcomes],
        }  # fmt: skip
        write_result(path, result)
        print(table(result), flush=True)
    return 0


def table(result: Mapping[str, Any]) -> str:
    """Return the figures as lines."""
    about = result["sessions"]
    told = f"{about['sessions']} sessions, {about['judged']} judged, {about['completed']:.0%} of them completed"
    lines = [
        f"{result['name']}: {told}, log SD of cost {about['log_sd']}",
        f"{'effect of the part':<42} {'n':>5} {'helps':>7} {'no effect':>10} {'harm':>7} {'open':>7} {'not worse':>10} {'claims':>22}",
    ]
    for row in result["rows"]:
        runs, counts = row["runs"], row["counts"]
        shares = {name: counts.get(name, 0) / runs for name in ("helps", "no effect", "harm", "not shown either way", "not inferior")}
        low, high = row["claims_interval"]
        lines.append(
            f"{row['name']:<42} {row['sessions']:>5} {shares['helps']:>7.1%} {shares['no effect']:>10.1%} {shares['harm']:>7.1%} "
            f"{shares['not shown either way']:>7.1%} {shares['not inferior']:>10.1%} "
            f"{counts.get('any', 0) / runs:>7.1%} [{low:.1%}, {high:.1%}]"
        )
        if "false_interval" in row:
            low, high = row["false_interval"]
            lines.append(f"{'':<42} of another part: {counts.get('false', 0) / runs:.1%} [{low:.1%}, {high:.1%}]")
        if "peeking_interval" in row:
            low, high = row["peeking_interval"]
            early, peeked = counts.get("before the end", 0) / runs, counts["by peeking"] / runs
            lines.append(f"{'':<42} before the end: {early:.1%}; by whoever judged at each look: {peeked:.1%} [{low:.1%}, {high:.1%}]")
    return "\n".join(lines)


def _row(scenario: Scenario, outcomes: Sequence[RealOutcome], runs: int, seed: int) -> dict[str, Any]:
    started = time.perf_counter()
    counts = simulate(scenario, outcomes, runs, seed)
    seconds = round(time.perf_counter() - started, 1)
    intervals = {"claims_interval": _interval(counts["any"], runs)}
    if len(scenario.parts) > 1:
        intervals["false_interval"] = _interval(counts["false"], runs)
    if scenario.looks_every:
        intervals["peeking_interval"] = _interval(counts["by peeking"], runs)
    return {**asdict(scenario), "runs": runs, "counts": dict(sorted(counts.items())), **intervals, "seconds": seconds}


def _interval(hits: int, runs: int) -> list[float]:
    """The interval of a share at 95 %, by Wilson's score."""
    z = NormalDist().inv_cdf(0.975)
    share, weight = hits / runs, z * z / runs
    middle, half = share + weight / 2, z * (share * (1 - share) / runs + weight / (4 * runs)) ** 0.5
    return [round((middle - half) / (1 + weight), 4), round((middle + half) / (1 + weight), 4)]


def _describe(outcomes: Sequence[RealOutcome], judged: Sequence[RealOutcome]) -> dict[str, object]:
    logs: dict[str, list[float]] = {}
    for each in outcomes:
        if each.units:
            logs.setdefault(each.repository, []).append(log(each.units))
    spread = [(value - fmean(values)) ** 2 for values in logs.values() if len(values) > 1 for value in values]
    freedom = len(spread) - sum(len(values) > 1 for values in logs.values())
    return {
        "sessions": len(outcomes), "judged": len(judged), "completed": round(fmean(bool(each.is_completed) for each in judged), 3),
        "log_sd": round((sum(spread) / freedom) ** 0.5, 3) if freedom else None,
        "why": dict(sorted(Counter(each.why for each in outcomes).items())),
        "by_repository": dict(sorted(Counter(each.repository for each in outcomes).items())),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
