"""After a compaction: how much of what the next calls go back to stands in the window? By weights that have not seen the session."""

from __future__ import annotations

from collections.abc import Mapping

from bench.hindsight.run import Job
from bench.hindsight.run import measure as measured
from bench.score.figure import Context, Figure, Value
from clew.evaluation.evaluate import SUMMARY_BUDGET, RecoveryCounts
from clew.pool import map_in_processes

QUICK_SESSIONS = 20
MEASURES = {
    "files": "needed files named",
    "verbatim": "edited lines shown",
    "terms": "rare names with a line",
    "named": "rare names",
    "constraints": "constraints",
    "dead_ends": "dead ends",
}
TENTH = "10 %"


def measure(context: Context) -> Mapping[str, Value]:
    """Judge clew's window at the size of the client's own summary, and at a tenth of the history."""
    sessions = context.sessions(QUICK_SESSIONS)
    work = [Job(path, path.name.partition(".")[0], (), ("clew",), (0.1,), "claude") for path in sessions]
    cuts = [cut for done in map_in_processes(measured, work, 2) for cut in done.outcome.cuts]
    clusters = {cut.id: cut.session for cut in cuts}
    values: dict[str, Value] = {}
    for budget, size in ((SUMMARY_BUDGET, "summary's size"), (TENTH, "a tenth")):
        rows = {cut.id: row for cut in cuts for row in cut.rows if row.budget == budget}
        for name, label in MEASURES.items():
            values[f"{label}, {size}"] = Value.of_rows({cut: row.values[name] for cut, row in rows.items()}, clusters)
    whole = sum((cut.recovery for cut in cuts), RecoveryCounts())
    values["bytes that come back"] = Value(whole.size_back / max(whole.size, 1), "%", "higher")
    return values


FIGURE = Figure("compaction", "After a compaction the window holds what is needed next; all else comes back by its handle.", measure)
