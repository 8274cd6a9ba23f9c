"""Table: a result as Markdown, for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {
    "files": "files named",
    "verbatim": "edited lines",
    "folded": "one unfold away",
    "terms": "rare names, with line",
    "named": "rare names, named",
    "terms_per_1000": "points of those with line / 1,000 tokens",
    "repeats": "repeats spared",
    "constraints": "constraints",
    "dead_ends": "dead ends",
    "given_files": "files, given labels",
    "given_verbatim": "edited lines, given labels",
    "marked_dead_ends": "dead ends, marked",
    "marked_constraints": "constraints, marked",
}
HEAD = (
    "What of the history was needed later, and how much of it stands in the window. Means over cuts in % [95 % interval, bootstrap over "
    "sessions, then cuts within them]; below each table clew minus the arm, paired.\n"
)


def table(result: Mapping[str, Any]) -> str:
    """Return a result as Markdown."""
    machine, summary = result["machine"], result["summary"]
    parts = [
        f"# Hindsight, {result['name']}\n",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mb']:,} MB; {machine['python']}; `{' '.join(result['command'])}`\n",
        HEAD,
        _facts(result),
    ]
    for at in summary["budgets"]:
        title = "The size of the client's own summary" if at["budget"] == "summary" else f"{at['budget']} of the history"
        parts.append(f"## {title}: {at['cuts']} cuts of {at['sessions']} sessions, median {at['tokens']:,} tokens ({at['share']:.1%})\n")
        measures = [name for name in NAMES if any(arm.get(name, {}).get("n") for arm in at["arms"].values())]
        parts.append(
            "\n".join([_line("arm", [NAMES[name] for name in measures]), _line("---", ["---"] * len(measures)), *_arms(at, measures)])
        )
        parts.append("")
        if marks := result["marks"].get(at["budget"]):
            parts.append("Marks kept, all together: " + "; ".join(_marked(arm, counts) for arm, counts in marks.items()) + ".\n")
    return "\n".join(parts)


def _arms(at: Mapping[str, Any], measures: list[str]) -> list[str]:
    lines = [_line(arm, [_mean(found[name]) for name in measures]) for arm, found in at["arms"].items()]
    return lines + [_line(f"clew − {arm}", [_mean(found[name]) for name in measures]) for arm, found in at["ahead"].items()]


def _line(head: str, cells: list[str]) -> str:
    return f"| {head} | {' | '.join(cells)} |"


def _mean(value: Mapping[str, Any]) -> str:
    return f"{100 * value['mean']:.1f} [{100 * value['low']:.0f}, {100 * value['high']:.0f}]" if value["mean"] is not None else "–"


def _marked(arm: str, counts: Mapping[str, list[int]]) -> str:
    return f"{arm} " + ", ".join(f"{kept} of {of} {kind.removeprefix('marked_').replace('_', ' ')}" for kind, (kept, of) in counts.items())


def _facts(result: Mapping[str, Any]) -> str:
    summary, back = result["summary"], result["summary"]["recovery"]
    went_on = summary["sessions"] - summary["too_short"]
    needed = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in summary["needed"].items())
    text = (
        f"- {summary['cuts']} cuts of {went_on} sessions, {summary['compactions']} of them where the client compacted; "
        f"{summary['observations']:,} observations before them.\n"
        f"- Needed: {needed}.\n"
        f"- Recovered: {back['size_back']:,} of {back['size']:,} bytes, {back['records_back']:,} of {back['records']:,} records, "
        f"{back['handles_back']:,} of {back['handles']:,} printed handles.\n"
        f"- clew's records of a history: median {summary['made_ms']:.0f} ms, at most {summary['made_ms_max']:.0f} ms, "
        f"{summary['ms_per_observation']:.2f} ms an observation. A window: median {result['window_ms']:.0f} ms, at most "
        f"{result['window_ms_max']:.0f} ms.\n"
    )
    if result["agreement"]:
        text += "- Labels: " + "; ".join(_agreed(kind, counts) for kind, counts in result["agreement"].items()) + ".\n"
    text += "".join(f"- Not read: {problem}\n" for problem in summary["problems"])
    return text + "".join(f"- No window: {failure}\n" for failure in result["failures"])


def _agreed(kind: str, counts: Mapping[str, int]) -> str:
    return f"{kind} {counts['both']} by both, {counts['ours']} by ours alone, {counts['given']} by the given ones alone"
