"""Command: `python -m bench.cost --sessions DIR`. Prices Claude Code sessions again under each arm.

Every session below the folder that holds bills is one row: its cost under each arm as a share of doing nothing. Medians
come with an interval from a bootstrap that draws repositories (the folders) and then sessions. Nothing of a session's text
is written.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.cost.arms import ARMS
from bench.machine import provenance, write_result
from clew.evaluation.intervals import CONFIDENCE, draw
from clew.evaluation.repricing import BILLED, NOTHING, Repriced, reprice
from clew.transcript.parse import open_transcript

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("msgspec", "numpy")
LONG_CALLS = 100  # a session with more tool calls is a long one
EVEN = 1e-6  # beyond it an arm is dearer than doing nothing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when no session holds bills."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder with .jsonl and .jsonl.xz files at any depth")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th session")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    rows = [row for path in _transcripts(given.sessions)[:: given.every] if (row := _row(path))]
    if not rows:
        print(f"error: {given.sessions}: no session with bills\nhint: only Claude Code notes what each request was billed", file=sys.stderr)
        return 2
    every = () if given.every == 1 else ("--every", str(given.every))
    source = provenance(("python", "-m", "bench.cost", "--sessions", given.sessions.name, *every), PACKAGES)
    result: dict[str, object] = {"name": source.name, **source.as_json(), "figures": figures_of(rows), "rows": rows}
    write_result(given.results / f"{source.name}.json", result)
    print(table(result))
    return 0


def figures_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return, for all sessions and for the long ones, each arm against doing nothing, and the error of the cache model."""
    figures: dict[str, object] = {}
    for name, chosen in (("all", rows), ("long", [row for row in rows if row["calls"] > LONG_CALLS])):
        if chosen:
            repositories = tuple(row["repository"] for row in chosen)
            figures[name] = {
                "sessions": len(chosen),
                "model_error": _spread([abs(row["model_error"]) for row in chosen]),
                "bill_error": _spread([abs(row["bill_error"]) for row in chosen]),
                "summaries_of_nothing": round(sum(row["summaries"] for row in chosen) / len(chosen), 4),
                "arms": {arm: _against(chosen, arm, repositories) for arm in ARMS},
            }
    figures["seconds_per_session"] = round(sum(row["seconds"] for row in rows) / len(rows), 2)
    return figures


def table(result: Mapping[str, Any]) -> str:
    """Return the figures as lines."""
    machine = result["machine"]
    lines = [f"{result['name']}: {machine['cpu']}, {machine['cores']} cores, {machine['python']}"]
    for name in ("long", "all"):
        found = result["figures"].get(name)
        if found is None:
            continue
        error, bill = found["model_error"], found["bill_error"]
        lines.append(
            f"{name}: {found['sessions']} sessions; model off the bill by {error['median']:.1%} in the median, {error['p90']:.1%} at p90; "
            f"told of missed caches {bill['median']:.1%}, {bill['p90']:.1%}"
        )
        lines.append(
            f"  {'arm':<16} {'median':>8} {'interval':>18} {'mean':>8} {'all units':>10} {'worst':>8} {'dearer':>7} {'unfolds':>8}"
        )
        for arm, told in found["arms"].items():
            interval = f"[{told['low']:+.1%}, {told['high']:+.1%}]"
            lines.append(
                f"  {arm:<16} {told['median']:>+8.1%} {interval:>18} {told['mean']:>+8.1%} {told['pooled']:>+10.1%} "
                f"{told['worst']:>+8.1%} {told['dearer']:>7} {told['unfolds']:>8.1f}"
            )
    return "\n".join(lines)


def _transcripts(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.jsonl*") if path.name.endswith((".jsonl", ".jsonl.xz")) and path.name != "INDEX.jsonl")


def _row(path: Path) -> dict[str, object] | None:
    with open_transcript(path) as stream:
        lines = stream.readlines()
    started = time.perf_counter()
    told = reprice(lines, arms=ARMS)
    seconds = time.perf_counter() - started
    return None if told is None else _as_row(path, told, seconds)


def _as_row(path: Path, told: Repriced, seconds: float) -> dict[str, object]:
    nothing = told.arms[NOTHING]
    return {
        "repository": path.parent.name,
        "session": path.name.partition(".")[0],
        "model": told.model,
        "calls": told.calls,
        "requests": told.requests,
        "compactions": told.compactions,
        "model_error": round(told.model_error, 4),
        "bill_error": round(told.bill_error, 4),
        "billed_units": round(told.arms[BILLED].units),
        "nothing_units": round(nothing.units),
        "nothing_dollars": None if nothing.dollars is None else round(nothing.dollars, 2),
        "summaries": round(told.summary_units / nothing.units, 4),
        "seconds": round(seconds, 2),
        "arms": {
            arm: {
                "against_nothing": round(told.against_nothing(arm), 6),
                "without_summaries": round(told.against_nothing(arm, is_summary_paid=False), 6),
                "units": round(told.arms[arm].units),
                "unfolds": told.arms[arm].unfolds,
                "shrunk_tokens": told.arms[arm].shrunk_tokens,
                "evicted_tokens": told.arms[arm].evicted_tokens,
                "rewrites": told.arms[arm].rewrites,
            }
            for arm in ARMS
        },
    }


def _against(rows: Sequence[Mapping[str, Any]], arm: str, repositories: tuple[str, ...]) -> dict[str, object]:
    shares = np.array([row["arms"][arm]["against_nothing"] for row in rows])
    plain = np.array([row["arms"][arm]["without_summaries"] for row in rows])
    low, high = _median_interval(shares, repositories)
    units, nothing = sum(row["arms"][arm]["units"] for row in rows), sum(row["nothing_units"] for row in rows)
    return {
        "median": round(float(np.median(shares)), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "mean": round(float(shares.mean()), 4),
        "pooled": round(units / nothing - 1, 4),
        "worst": round(float(shares.max()), 4),
        "best": round(float(shares.min()), 4),
        "dearer": int((shares > EVEN).sum()),
        "median_without_summaries": round(float(np.median(plain)), 4),
        "dearer_without_summaries": int((plain > EVEN).sum()),
        "unfolds": round(sum(row["arms"][arm]["unfolds"] for row in rows) / len(rows), 2),
        "rewrites": round(sum(row["arms"][arm]["rewrites"] for row in rows) / len(rows), 2),
    }


def _median_interval(values: np.ndarray, repositories: tuple[str, ...]) -> tuple[float, float]:
    """The interval of the median, over draws of repositories and then sessions."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(draw(repositories)[:, order], axis=1)
    medians = values[order][(reached >= reached[:, -1:] / 2).argmax(axis=1)]
    low, high = np.quantile(medians, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(float(np.median(values)), 4), "p90": round(float(np.quantile(values, 0.9)), 4), "most": round(max(values), 4)}


if __name__ == "__main__":
    sys.exit(main())
