"""Report: scores of many rows as shares with intervals, differences between systems, and tables for a person.

`summarise` makes the result that is kept; `table` prints any such result, so an old one reads like a new one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations, pairwise
from statistics import median
from typing import Any

from bench.localization.metrics import CAUSES, LEVELS
from bench.localization.rows import CONTEXT
from bench.localization.run import Measured
from clew.evaluation.intervals import Difference, Estimate, difference, estimate

FORM = 2  # of the result; another form is not read
ACC = (1, 3, 5, 10)
DIGITS = 5  # of shares and their ends: far below what any interval could tell
REFERENCES = ("clew", "clew-lib", "bm25-symbols")  # the first that was measured is compared with every other system
FAILURE_LEVELS = ("function", "line")
NAMELESS = "the text names nothing of it"
HEADS = {"file": "FILE", "function": "FUNCTION", "whole": "WHOLE", "line": "LINE"}
TITLES = {"all": "All rows", "path_not_in_text": "Rows whose text does not name the path"}

Values = Sequence[float | None]


def summarise(lines: Sequence[Measured]) -> dict[str, Any]:
    """Return shares, ranks, areas, seconds and paired differences by subset, and the causes of failures, as plain JSON values.

    Subsets are all rows, those whose text does not name a path, each data set (with and without such rows) and each
    language. Rows of marked context stand in their data set alone: their gold is of another kind. A system that was
    measured on fewer rows is in each table with its own `n`; pairs are over the rows that both were measured on.
    """
    systems = [*dict.fromkeys(line.system for line in lines)]
    budgets = sorted({line.budget for line in lines})
    reference = reference_of(systems)
    subsets: dict[str, Any] = {}
    for subset, belongs in _subsets(lines).items():
        chosen = [line for line in lines if belongs(line)]
        pairs = combinations(systems, 2) if subset in TITLES else ((reference, name) for name in systems if name != reference)
        subsets[subset] = {
            "rows": len({(line.dataset, line.id) for line in chosen}),
            "repositories": len({line.repo for line in chosen}),
            "systems": {name: _system(own, budgets) for name in systems if (own := [line for line in chosen if line.system == name])},
            "differences": _differences(chosen, [*pairs], budgets),
        }
    return {
        "form": FORM,
        "reference": reference,
        "budgets": budgets,
        "systems": {line.system: line.version for line in lines},
        "subsets": subsets,
        "failures": _failures([line for line in lines if line.system == reference and line.budget == budgets[-1]]),
    }


def reference_of(systems: Iterable[str]) -> str:
    """Return the system that the others are compared with."""
    names = [*systems]
    return next((name for name in REFERENCES if name in names), names[0])


def table(result: Mapping[str, Any]) -> str:
    """Return a result as Markdown: machine, one row for each system, the same by data set and language, differences, failures.

    Raises KeyError for a result of another form.
    """
    summary, machine = result["summary"], result["machine"]
    if summary.get("form") != FORM:
        raise KeyError("form")
    parts = [
        f"# Localization, {result['name']}\n",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mb']:,} MB; {machine['python']}; `{' '.join(result['command'])}`\n",
        "Share of rows in % [95 % interval, rows drawn within drawn repositories]. One token is four characters.\n",
    ]
    if result.get("skipped"):
        parts.append(_skipped(result["skipped"]))
    for subset, title in TITLES.items():
        chosen = summary["subsets"][subset]
        if chosen["rows"]:
            parts += [f"## {title} (n = {chosen['rows']}, {chosen['repositories']} repositories)\n"]
            parts += [_widest(chosen, summary), _shares(chosen), _ranks(chosen), _seconds_table(chosen), _compared(chosen, summary)]
    named = [subset for subset in summary["subsets"] if subset not in TITLES]
    for subset in named:
        chosen = summary["subsets"][subset]
        parts += [f"## {subset} (n = {chosen['rows']}, {chosen['repositories']} repositories)\n", _widest(chosen, summary)]
    parts.append(_causes(summary))
    return "\n".join(parts)


def area(budgets: Sequence[int], shares: Values) -> float | None:
    """Return the mean share over the logarithm of the budget, by the trapezoid rule, 0 to 1.

    Each doubling of the budget weighs the same. One budget gives its own share.
    """
    if any(share is None for share in shares) or not shares:
        return None
    known = [share for share in shares if share is not None]
    if len(known) == 1:
        return known[0]
    places = [math.log2(budget) for budget in budgets]
    steps = zip(pairwise(places), pairwise(known), strict=True)
    return sum((right - left) * (low + high) / 2 for (left, right), (low, high) in steps) / (places[-1] - places[0])


def cause_of_row(line: Measured) -> str:
    """Return why a row misses FUNCTION or LINE: of all that it misses, the cause farthest from being shown; "" where it does not."""
    if line.function is not False and line.line is not False:
        return ""
    causes = {missing.cause for missing in line.missing if missing.level in FAILURE_LEVELS}
    return next((cause for cause in CAUSES if cause in causes), "no answer" if line.problem else "unknown")


def _subsets(lines: Sequence[Measured]) -> dict[str, Callable[[Measured], bool]]:
    datasets = [*dict.fromkeys(line.dataset for line in lines)]
    languages = sorted({line.language for line in lines if line.kind != CONTEXT})
    subsets: dict[str, Callable[[Measured], bool]] = {
        "all": lambda line: line.kind != CONTEXT,
        "path_not_in_text": lambda line: line.kind != CONTEXT and not line.is_path_leaked,
    }
    for dataset in datasets:
        subsets[dataset] = lambda line, wanted=dataset: line.dataset == wanted
        subsets[f"{dataset}, path not in text"] = lambda line, wanted=dataset: line.dataset == wanted and not line.is_path_leaked
    for language in languages:
        subsets[f"language {language}"] = lambda line, wanted=language: line.kind != CONTEXT and line.language == wanted
    return {name: belongs for name, belongs in subsets.items() if name in TITLES or any(belongs(line) for line in lines)}


def _system(lines: Sequence[Measured], budgets: Sequence[int]) -> dict[str, Any]:
    at = {budget: [line for line in lines if line.budget == budget] for budget in budgets}
    widest = at[budgets[-1]]
    repos = [line.repo for line in widest]
    cold = {(line.repo, line.id): line.index_s for line in widest if line.is_cold}
    followed = {(line.repo, line.id): line.index_s for line in widest if not line.is_cold}
    return {
        "budgets": {str(budget): _levels(at[budget]) for budget in budgets},
        "area": {level: _plain(estimate(_areas(at, budgets, level), repos)) for level in LEVELS},
        "file_acc": {str(k): _plain(estimate([_within(line.file_ranks, k) for line in widest], repos)) for k in ACC},
        "function_acc": {str(k): _plain(estimate([_within(line.function_ranks, k) for line in widest], repos)) for k in ACC},
        "mrr": _plain(estimate([_reciprocal(line.file_ranks) for line in widest], repos)),
        "index_s": _seconds([*cold.values()]),
        "follow_s": _seconds([*followed.values()]),
        "query_s": _seconds([line.query_s for line in widest]),
        "unfounded": sum(line.unfounded for line in lines),
        "problems": sum(bool(line.problem) for line in lines),
    }


def _levels(lines: Sequence[Measured]) -> dict[str, Any]:
    repos = [line.repo for line in lines]
    levels: dict[str, Any] = {level: _plain(estimate([_verdict(line, level) for line in lines], repos)) for level in LEVELS}
    levels["coverage"] = _plain(estimate([line.coverage for line in lines], repos))
    return levels | {"tokens": round(sum(line.tokens for line in lines) / max(len(lines), 1), 1)}


def _areas(at: Mapping[int, Sequence[Measured]], budgets: Sequence[int], level: str) -> list[float | None]:
    columns = [[_verdict(line, level) for line in at[budget]] for budget in budgets]
    return [area(budgets, shares) for shares in zip(*columns, strict=True)]


def _differences(lines: Sequence[Measured], pairs: Sequence[tuple[str, str]], budgets: Sequence[int]) -> list[list[Any]]:
    """Return [first, second, budget, measure, mean, low, high, p, n] for each pair, also of ranks (at the largest budget)."""
    by_key: dict[tuple[str, int], dict[tuple[str, str], Measured]] = {}
    for line in lines:
        by_key.setdefault((line.system, line.budget), {})[line.dataset, line.id] = line
    found: list[list[Any]] = []
    for first, second in pairs:
        for budget in budgets:
            left, right = by_key.get((first, budget), {}), by_key.get((second, budget), {})
            both = [key for key in left if key in right]
            repos = [left[key].repo for key in both]
            measures = [*LEVELS, *(("file@5", "file@10", "function@10") if budget == budgets[-1] else ())]
            for measure in measures:
                values = [(_measured(left[key], measure), _measured(right[key], measure)) for key in both]
                pair = difference([value for value, _ in values], [value for _, value in values], repos)
                if pair.n:
                    found.append([first, second, budget, measure, *_plain(pair).values()])
    return found


def _measured(line: Measured, measure: str) -> float | None:
    level, _, k = measure.partition("@")
    if not k:
        return _verdict(line, level)
    return _within(line.file_ranks if level == "file" else line.function_ranks, int(k))


def _failures(lines: Sequence[Measured]) -> dict[str, Any]:
    """Return, by data set, how many rows miss FUNCTION or LINE for which cause; a row counts once, for its first cause."""
    found: dict[str, Any] = {}
    for dataset in dict.fromkeys(line.dataset for line in lines if line.kind != CONTEXT):
        rows = [line for line in lines if line.dataset == dataset]
        causes = [cause for line in rows if (cause := cause_of_row(line))]
        nameless = sum(bool(cause_of_row(line)) and not line.is_named for line in rows)
        found[dataset] = {"rows": len(rows), "missed": len(causes), "causes": dict(Counter(causes).most_common()), "nameless": nameless}
    return found


def _plain(value: Estimate | Difference) -> dict[str, Any]:
    return {key: round(number, DIGITS) if isinstance(number, float) else number for key, number in asdict(value).items()}


def _verdict(line: Measured, level: str) -> float | None:
    verdict: bool | None = {"file": line.file, "function": line.function, "whole": line.whole, "line": line.line}[level]
    return None if verdict is None else float(verdict)


def _within(ranks: Sequence[int | None], k: int) -> float | None:
    return float(all(rank is not None and rank <= k for rank in ranks)) if ranks else None


def _reciprocal(ranks: Sequence[int | None]) -> float:
    return max((1 / rank for rank in ranks if rank is not None), default=0.0)


def _seconds(values: Sequence[float]) -> dict[str, float | int]:
    if not values:
        return {"median": 0.0, "mean": 0.0, "max": 0.0, "n": 0}
    return {"median": round(median(values), 4), "mean": round(sum(values) / len(values), 4), "max": max(values), "n": len(values)}


def _widest(chosen: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return one line for each system: all that fits, at the largest budget, without intervals."""
    budget = summary["budgets"][-1]
    heads = [*(f"{HEADS[level]} {budget:,}" for level in LEVELS), "lines shown", "file @1/3/5/10", "function @1/3/5/10", "MRR"]
    heads += [f"area {HEADS[level]}" for level in LEVELS]
    rows = [_row(["system", "n", *heads]), _row(["---"] * (len(heads) + 2))]
    for name, system in chosen["systems"].items():
        levels = system["budgets"][str(budget)]
        cells = [name, str(levels["file"]["n"]), *(_bare(levels[level]) for level in LEVELS), _bare(levels["coverage"])]
        cells += ["/".join(_bare(system[kind][str(k)], 0) for k in ACC) for kind in ("file_acc", "function_acc")]
        cells += [_mean(system["mrr"]), *(_bare(system["area"][level]) for level in LEVELS)]
        rows.append(_row(cells))
    return "\n".join(rows) + "\n"


def _shares(chosen: Mapping[str, Any]) -> str:
    heads = ["system", "budget", *HEADS.values(), "lines shown", "tokens shown"]
    rows = [_row(heads), _row(["---"] * len(heads))]
    n_function = 0
    for name, system in chosen["systems"].items():
        for budget, levels in system["budgets"].items():
            if levels["file"]["n"]:
                n_function = max(n_function, levels["function"]["n"])
                shares = [_share(levels[level]) for level in (*LEVELS, "coverage")]
                rows.append(_row([name, f"{int(budget):,}", *shares, f"{levels['tokens']:,.0f}"]))
    return "\n".join(rows) + f"\n\nFUNCTION and WHOLE are over the {n_function} rows that change a function.\n"


def _ranks(chosen: Mapping[str, Any]) -> str:
    heads = ["system", *(f"file @{k}" for k in ACC), "MRR", *(f"function @{k}" for k in ACC), *(f"area {head}" for head in HEADS.values())]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for name, system in chosen["systems"].items():
        cells = [_share(system["file_acc"][str(k)]) for k in ACC] + [_mean(system["mrr"])]
        cells += [_share(system["function_acc"][str(k)]) for k in ACC] + [_share(system["area"][level]) for level in LEVELS]
        rows.append(_row([name, *cells]))
    return (
        "\n".join(rows)
        + "\n\nRanks are of the answers at the largest budget. The area is the mean share over log2 of the budget (trapezoids).\n"
    )


def _seconds_table(chosen: Mapping[str, Any]) -> str:
    heads = ["system", "index s, cold, median (max)", "trees", "index s, next commit, median (max)", "trees", "query s, median (max)"]
    rows = [_row(heads), _row(["---"] * len(heads))]
    for name, system in chosen["systems"].items():
        cold, follow, query = system["index_s"], system["follow_s"], system["query_s"]
        if query["n"]:
            cells = [f"{cold['median']:.2f} ({cold['max']:.1f})", str(cold["n"])]
            cells += [f"{follow['median']:.2f} ({follow['max']:.1f})", str(follow["n"])] if follow["n"] else ["–", "–"]
            rows.append(_row([name, *cells, f"{query['median']:.3f} ({query['max']:.2f})"]))
    return "\n".join(rows) + "\n"


def _compared(chosen: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    reference = summary["reference"]
    cells: dict[tuple[str, int], dict[str, str]] = {}
    for first, second, budget, measure, *numbers in chosen["differences"]:
        if reference in (first, second):
            other, sign = (second, 1) if first == reference else (first, -1)
            cells.setdefault((other, budget), {})[measure] = _change(numbers, sign)
    if not cells:
        return ""
    measures = [*LEVELS, "file@5", "file@10", "function@10"]
    heads = [f"{reference} minus", "budget", *(HEADS.get(measure, measure) for measure in measures)]
    rows = [_row(heads), _row(["---"] * len(heads))]
    rows += [
        _row([other, f"{budget:,}", *(values.get(measure, "") for measure in measures)])
        for (other, budget), values in sorted(cells.items())
    ]
    return "\n".join(rows) + "\n\nPoints, paired by row, * where the interval excludes 0.\n"


def _causes(summary: Mapping[str, Any]) -> str:
    failures = summary["failures"]
    budget = summary["budgets"][-1]
    heads = ["why", *failures]
    rows = [f"## Why {summary['reference']} misses FUNCTION or LINE at {budget:,}\n", _row(heads), _row(["---"] * len(heads))]
    rows.append(_row(["rows", *(str(found["rows"]) for found in failures.values())]))
    rows.append(_row(["rows that miss", *(str(found["missed"]) for found in failures.values())]))
    seen = {cause for found in failures.values() for cause in found["causes"]}
    ordered = [*(cause for cause in CAUSES if cause in seen), *sorted(seen - {*CAUSES})]
    rows += [_row([cause, *(str(found["causes"].get(cause, 0)) for found in failures.values())]) for cause in ordered]
    rows.append(_row([f"of those that miss: {NAMELESS}", *(str(found["nameless"]) for found in failures.values())]))
    return "\n".join(rows) + "\n\nA row counts once: for the cause, of all that it misses, that is farthest from being shown.\n"


def _skipped(skipped: Mapping[str, str]) -> str:
    reasons: dict[str, list[str]] = {}
    for name, reason in skipped.items():
        reasons.setdefault(reason, []).append(name)
    return "Left out: " + "; ".join(f"{', '.join(names)} ({reason})" for reason, names in reasons.items()) + ".\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _share(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "–"
    return f"{100 * value['mean']:.1f} [{100 * value['low']:.0f}–{100 * value['high']:.0f}]"


def _bare(value: Mapping[str, Any], digits: int = 1) -> str:
    return "–" if value["mean"] is None else f"{100 * value['mean']:.{digits}f}"


def _mean(value: Mapping[str, Any]) -> str:
    return "–" if value["mean"] is None else f"{value['mean']:.3f}"


def _change(numbers: Sequence[float], sign: int) -> str:
    mean, low, high = sign * numbers[0], *sorted((sign * numbers[1], sign * numbers[2]))
    is_sure = low > 0 or high < 0
    # Adding 0.0 turns a negative zero into a plain one.
    mean, low, high = (round(100 * value, 1) + 0.0 for value in (mean, low, high))
    return f"{mean:+.1f} [{low:+.0f}, {high:+.0f}]{'*' if is_sure else ''}"
