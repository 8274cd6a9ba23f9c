"""Report: scores of many rows as shares with intervals, differences between systems, and a table for a person.

`summarise` makes the result that is kept; `table` prints any such result, so an old one reads like a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from statistics import median
from typing import Any

from bench.localization.intervals import difference, estimate
from bench.localization.metrics import LEVELS
from bench.localization.run import Measured

FILE_ACC, FUNCTION_ACC = (1, 3, 5, 10), (5, 10)
SUBSETS: Mapping[str, Callable[[Measured], bool]] = {
    "all": lambda _: True,
    "path_not_in_text": lambda line: not line.is_path_leaked,
}
REFERENCES = ("clew", "clew-lib", "bm25-symbols")  # the first that was measured is compared with every other system
FAILURE_LEVELS = ("file", "function", "line")


def summarise(lines: Sequence[Measured]) -> dict[str, Any]:
    """Return shares, ranks, seconds and paired differences by subset, as plain JSON values.

    A row without gold functions counts for FILE and LINE only; every figure says the `n` that it is over.
    """
    systems = [*dict.fromkeys(line.system for line in lines)]
    budgets = sorted({line.budget for line in lines})
    subsets: dict[str, Any] = {}
    for subset, belongs in SUBSETS.items():
        chosen = [line for line in lines if belongs(line)]
        subsets[subset] = {
            "rows": len({(line.dataset, line.id) for line in chosen}),
            "systems": {name: _system([line for line in chosen if line.system == name], budgets) for name in systems},
            "differences": _differences(chosen, systems, budgets),
        }
    return {"budgets": budgets, "systems": {line.system: line.version for line in lines}, "subsets": subsets}


def table(result: Mapping[str, Any]) -> str:
    """Return a result as Markdown: machine, shares at each budget, ranks, differences, failures."""
    machine = result["machine"]
    parts = [
        f"# Localization, {result['name']}\n",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mb']:,} MB; {machine['python']}; `{' '.join(result['command'])}`\n",
        "Share of rows in % [95 % interval, rows drawn within drawn repositories]. One token is four characters.\n",
    ]
    titles = {"all": "All rows", "path_not_in_text": "Rows whose text does not name the path"}
    for subset, title in titles.items():
        summary = result["summary"]["subsets"][subset]
        if summary["rows"]:
            parts += [f"## {title} (n = {summary['rows']})\n", _shares(summary), _ranks(summary), _compared(summary)]
    parts.append(_failures(result))
    return "\n".join(parts)


def _system(lines: Sequence[Measured], budgets: Sequence[int]) -> dict[str, Any]:
    at = {budget: [line for line in lines if line.budget == budget] for budget in budgets}
    widest = at[budgets[-1]]
    repos = [line.repo for line in widest]
    return {
        "budgets": {str(budget): _levels(at[budget]) for budget in budgets},
        "file_acc": {str(k): asdict(estimate([_within(line.file_ranks, k) for line in widest], repos)) for k in FILE_ACC},
        "function_acc": {str(k): asdict(estimate([_within(line.function_ranks, k) for line in widest], repos)) for k in FUNCTION_ACC},
        "mrr": asdict(estimate([_reciprocal(line.file_ranks) for line in widest], repos)),
        "index_s": _seconds([line.index_s for line in widest]),
        "query_s": _seconds([line.query_s for line in widest]),
        "unfounded": sum(line.unfounded for line in lines),
        "problems": sum(bool(line.problem) for line in lines),
    }


def _levels(lines: Sequence[Measured]) -> dict[str, Any]:
    repos = [line.repo for line in lines]
    levels: dict[str, Any] = {level: asdict(estimate([_verdict(line, level) for line in lines], repos)) for level in LEVELS}
    return levels | {"tokens": sum(line.tokens for line in lines) / max(len(lines), 1)}


def _differences(lines: Sequence[Measured], systems: Sequence[str], budgets: Sequence[int]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for budget in budgets:
        by_system = {name: [line for line in lines if line.system == name and line.budget == budget] for name in systems}
        for first, second in combinations(systems, 2):
            repos = [line.repo for line in by_system[first]]
            for level in LEVELS:
                left = [_verdict(line, level) for line in by_system[first]]
                right = [_verdict(line, level) for line in by_system[second]]
                pair = difference(left, right, repos)
                found.append({"first": first, "second": second, "budget": budget, "level": level, **asdict(pair)})
    return found


def _verdict(line: Measured, level: str) -> float | None:
    verdict: bool | None = {"file": line.file, "function": line.function, "whole": line.whole, "line": line.line}[level]
    return None if verdict is None else float(verdict)


def _within(ranks: Sequence[int | None], k: int) -> float | None:
    return float(all(rank is not None and rank <= k for rank in ranks)) if ranks else None


def _reciprocal(ranks: Sequence[int | None]) -> float:
    return max((1 / rank for rank in ranks if rank is not None), default=0.0)


def _seconds(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"median": 0.0, "mean": 0.0, "max": 0.0}
    return {"median": round(median(values), 4), "mean": round(sum(values) / len(values), 4), "max": max(values)}


def _shares(summary: Mapping[str, Any]) -> str:
    rows = ["| system | budget | FILE | FUNCTION | WHOLE | LINE | tokens shown |", "|---|---|---|---|---|---|---|"]
    n_function = 0
    for name, system in summary["systems"].items():
        for budget, levels in system["budgets"].items():
            n_function = levels["function"]["n"]
            shares = " | ".join(_share(levels[level]) for level in LEVELS)
            rows.append(f"| {name} | {int(budget):,} | {shares} | {levels['tokens']:,.0f} |")
    return "\n".join(rows) + f"\n\nFUNCTION and WHOLE are over the {n_function} rows that change a function.\n"


def _ranks(summary: Mapping[str, Any]) -> str:
    heads = [*(f"file @{k}" for k in FILE_ACC), "MRR", *(f"function @{k}" for k in FUNCTION_ACC), "index s", "query s"]
    rows = ["| system | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, system in summary["systems"].items():
        cells = [_share(system["file_acc"][str(k)]) for k in FILE_ACC]
        cells.append("–" if system["mrr"]["mean"] is None else f"{system['mrr']['mean']:.3f}")
        cells += [_share(system["function_acc"][str(k)]) for k in FUNCTION_ACC]
        cells += [f"{system['index_s']['median']:.2f}", f"{system['query_s']['median']:.3f}"]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n\nSeconds are medians; answers at the largest budget.\n"


def _compared(summary: Mapping[str, Any]) -> str:
    reference = _reference(summary["systems"])
    rows = [f"| {reference} minus | budget | " + " | ".join(level.upper() for level in LEVELS) + " |", "|---" * (len(LEVELS) + 2) + "|"]
    cells: dict[tuple[str, int], list[str]] = {}
    for pair in summary["differences"]:
        if reference in (pair["first"], pair["second"]):
            other, sign = (pair["second"], 1) if pair["first"] == reference else (pair["first"], -1)
            cells.setdefault((other, pair["budget"]), []).append(_change(pair, sign))
    rows += [f"| {other} | {budget:,} | " + " | ".join(values) + " |" for (other, budget), values in sorted(cells.items())]
    return "\n".join(rows) + "\n\nPoints, paired by row, * where the interval excludes 0.\n" if cells else ""


def _failures(result: Mapping[str, Any]) -> str:
    reference = _reference(result["summary"]["systems"])
    budget = result["summary"]["budgets"][-1]
    rows = [
        f"## What {reference} did not show at {budget:,}\n",
        "| row | level | missing | first entry that touches it |",
        "|---|---|---|---|",
    ]
    for line in result["rows"]:
        if line["system"] != reference or line["budget"] != budget:
            continue
        if line["problem"]:
            rows.append(f"| {line['id']} | – | {line['problem'].splitlines()[0]} | – |")
        rows += [
            f"| {line['id']} | {missing['level'].upper()} | `{missing['what']}` | {missing['rank'] or '–'} |"
            for missing in line["missing"]
            if missing["level"] in FAILURE_LEVELS
        ]
    return "\n".join(rows) + "\n"


def _reference(systems: Mapping[str, Any]) -> str:
    return next((name for name in REFERENCES if name in systems), next(iter(systems)))


def _share(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "–"
    return f"{100 * value['mean']:.1f} [{100 * value['low']:.0f}–{100 * value['high']:.0f}]"


def _change(pair: Mapping[str, Any], sign: int) -> str:
    if pair["mean"] is None:
        return "–"
    low, high = sorted((sign * pair["low"], sign * pair["high"]))
    is_sure = low > 0 or high < 0
    # Adding 0.0 turns a negative zero into a plain one.
    mean, low, high = (round(100 * value, 1) + 0.0 for value in (sign * pair["mean"], low, high))
    return f"{mean:+.1f} [{low:+.0f}, {high:+.0f}]{'*' if is_sure else ''}"
