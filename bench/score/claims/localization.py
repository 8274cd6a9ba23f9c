"""The text of an issue is the question: how often does a packet hold all that its fix touched?"""

from __future__ import annotations

from collections.abc import Mapping

from bench.localization.rows import Row, load_rows, sampled
from bench.localization.run import Plan, run
from bench.score.figure import Context, DataMissing, Figure, Value

DATASETS = ("swebench_lite", "swebench_verified", "swebench_multilingual", "locbench")
BUDGETS = (2048, 8192)
QUICK_ROWS, ROWS = 10, 80
QUICK_REPOSITORIES = ("google/gson", "psf/requests", "jqlang/jq")  # small ones


def measure(context: Context) -> Mapping[str, Value]:
    """Ask the questions of those repositories that are here."""
    held: dict[str, bool] = {}
    rows: list[Row] = []
    for row in load_rows(context.of_data("localization"), DATASETS):
        if row.mirror not in held:
            held[row.mirror] = _is_held(context, row.mirror)
        if held[row.mirror] and (not context.is_quick or row.mirror in QUICK_REPOSITORIES):
            rows.append(row)
    if not rows or context.mirrors is None:
        raise DataMissing("--mirrors with a repository of the rows")
    chosen = sampled(rows, QUICK_ROWS if context.is_quick else ROWS)
    plan = Plan(context.mirrors.resolve(), ("clew-lib",), BUDGETS)
    lines = run(chosen, plan, context.work / "work.jsonl", jobs=2, say=lambda _: None).lines
    clusters = {f"{line.dataset} {line.id}": line.repo for line in lines}
    levels = {"file": "every gold file", "function": "every gold function", "line": "every gold line"}
    return {
        f"{label}, {budget} tokens": Value.of_rows(
            {f"{line.dataset} {line.id}": getattr(line, level) for line in lines if line.budget == budget}, clusters
        )
        for budget in BUDGETS
        for level, label in levels.items()
    }


def _is_held(context: Context, mirror: str) -> bool:
    try:
        context.mirror_of(mirror)
    except DataMissing:
        return False
    return True


FIGURE = Figure("localization", "A packet for an issue's text holds what the fix touched.", measure)
