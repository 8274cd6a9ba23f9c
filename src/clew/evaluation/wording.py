"""Say in words, and as JSON, what an evaluation found: the command line and the page show the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from clew.evaluation.evaluate import TranscriptResult
from clew.evaluation.report import EvaluationReport
from clew.records.wording import format_count, format_size

MEASURE_NAMES = {
    "files": "needed files, named",
    "verbatim": "edited lines, verbatim",
    "folded": "… one unfold away",
    "terms": "rare names with a line",
    "named": "rare names, named",
    "repeats": "repeated looks spared",
    "constraints": "constraints",
    "dead_ends": "dead ends",
}


LIMITS = (
    "What this does not say: whether the agent would have worked as well. It sees only what was done next, with the window that there "
    "was; it counts words, so what is said in other words, as in a summary, counts as lost; and constraints and dead ends are those "
    "that clew itself found."
)


def report_to_json(report: EvaluationReport, outcomes: Sequence[TranscriptResult], tokenizer: str) -> dict[str, Any]:
    """Return an evaluation's means, and each compaction's figures, as JSON."""
    value = asdict(replace(report, problems=()))
    del value["problems"]
    cuts = [
        {
            "cut": cut.id,
            "path": str(outcome.path),
            "kind": cut.kind,
            "tokens": cut.tokens,
            "calls": cut.calls,
            "needed": dict(cut.needed),
            "windows": [
                {"arm": row.arm, "budget": row.budget, "tokens": row.tokens, "missing": list(row.missing)}
                | {measure: found for measure, found in row.values.items() if found is not None}
                for row in cut.rows
            ],
        }
        for outcome in outcomes
        for cut in outcome.cuts
    ]
    return {"tokenizer": tokenizer, **value, "cuts_judged": cuts, "problems": list(report.problems)}


def describe_cuts(report: EvaluationReport) -> str:
    """Return what was cut where, and what the calls after the cuts needed; "" where no session was read."""
    if not report.sessions:
        return ""
    if not report.cuts:
        sessions = "The one session" if report.sessions == 1 else f"None of {report.sessions:,} sessions"
        verb = "did not go" if report.sessions == 1 else "went"
        return f"{sessions} {verb} on for long enough after a cut to tell anything: 20 calls before it and 5 after it are needed."
    went_on = report.sessions - report.too_short
    shares = report.cuts - report.compactions
    where = [f"{report.compactions:,} where the client compacted"] if report.compactions else []
    where += [f"{shares:,} at 60 % of a session that it never compacted"] if shares else []
    where += [f"{format_count(report.too_short, 'session')} too short to be judged"] if report.too_short else []
    said = (
        f"What would have survived a compaction, at {format_count(report.cuts, 'cut')} of {format_count(went_on, 'session')}"
        f" ({'; '.join(where)})."
    )
    needed = report.needed
    if not any(needed.values()):
        return f"{said} The calls after them went back to nothing that had stood before, so there is nothing to compare."
    return (
        f"{said} The calls after each cut went back to {format_count(needed['files'], 'file')} and "
        f"{format_count(needed['terms'], 'rare name')} from before it, replaced {format_count(needed['lines'], 'line')} that had been "
        f"shown, and repeated {format_count(needed['repeats'], 'look')}. How much of that would have stood in a window of the same size?"
    )


def describe_recovery(report: EvaluationReport) -> str:
    """Return whether all that was folded can be restored."""
    back = report.recovery
    said = (
        f"{format_size(back.size_back)} of {format_size(back.size)} of transcripts, {back.records_back:,} of "
        f"{format_count(back.records, 'record')}, {back.handles_back:,} of {format_count(back.handles, 'handle')} that windows print"
    )
    return f"All that was folded comes back, byte for byte: {said}." if back.is_whole else f"NOT ALL COMES BACK: {said}."


def describe_times(report: EvaluationReport) -> str:
    """Return how long clew took to read a session."""
    return f"clew read a session up to its cut in {report.made_ms:,.0f} ms (median; at most {report.made_ms_max:,.0f} ms)."
