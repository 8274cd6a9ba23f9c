"""Command: `python -m bench.trial --sessions DIR`. Simulates trials over the outcomes of recorded sessions.

`lost` is the share of all judged sessions whose work is lost by the treatment; at the margin a claim of "not worse" is an error.
"""

from __future__ import annotations

import argparse
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
from bench.trial.simulate import Effect, Scenario, simulate, simulate_peeking
from clew.pool import map_in_processes

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
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there are no sessions."""
    parser = argparse.ArgumentParser(prog="python -m bench.trial", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="a folder for each repository, with its transcripts")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th session")
    parser.add_argument("--runs", type=int, default=1000, metavar="N", help="simulated trials of each kind")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    outcomes = measure_folder(given.sessions, every=given.every)
    judged = [each for each in outcomes if each.is_completed is not None]
    if not judged:
        print(f"error: {given.sessions}: no session whose work can be judged", file=sys.stderr)
        return 2
    completed = fmean(bool(each.is_completed) for each in judged)
    started = time.perf_counter()
    jobs = [(scenario, outcomes, given.runs, SEED + number) for number, scenario in enumerate(make_scenarios(completed))]
    rows = list(map_in_processes(_row, jobs, given.workers))
    peeking = Scenario("nothing, looked at after every 20 sessions", 500, looks_every=20)
    runs = max(1, given.runs // 5)
    seen = simulate_peeking(peeking, outcomes, runs, SEED)
    source = provenance(("python", "-m", "bench.trial", "--sessions", given.sessions.name, "--runs", str(given.runs)), PACKAGES)
    result: dict[str, object] = {
        "name": source.name, **source.as_json(), "sessions": _describe(outcomes, judged), "rows": rows,
        "peeking": {"name": peeking.name, "runs": runs, "claims": seen, "interval": _interval(seen, runs)},
        "seconds": round(time.perf_counter() - started, 1),
    }  # fmt: skip
    write_result(given.results / f"{source.name}.json", result)
    print(table(result))
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
    peek = result["peeking"]
    lines.append(f"{peek['name']}: claims {peek['claims'] / peek['runs']:.0%} of {peek['runs']}, which `clew trial` does not make")
    return "\n".join(lines)


def _row(job: tuple[Scenario, list[RealOutcome], int, int]) -> dict[str, object]:
    scenario, outcomes, runs, seed = job
    counts: Counter[str] = simulate(scenario, outcomes, runs, seed)
    about = asdict(scenario)
    del about["looks_every"]
    return {**about, "runs": runs, "counts": dict(sorted(counts.items())), "claims_interval": _interval(counts["any"], runs)}


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
