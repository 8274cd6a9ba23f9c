"""Report: means with intervals clustered by repository, differences from clew, and a table for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.impact.arms import arms, scores
from bench.impact.replay import Replayed
from clew.evaluation.intervals import difference, estimate

MEASURES = ("recall@5", "recall@10", "mrr")
CHOSEN_ON = ("psf/requests", "google/gson", "fluent/fluentd", "py-pdf/pypdf", "tokio-rs/tokio", "yt-dlp/yt-dlp", "dask/dask")
"""Repositories on which weights may be chosen; all others are held out. So far the first three were used."""
HEAD = (
    "One file of a change is given; which others are among the first ten? Means over changes, in % [95 % interval, changes drawn "
    "within drawn repositories]; the last column is clew minus the arm at recall@10.\n"
)
TITLES = {
    "held out": "Repositories on which nothing was chosen",
    "chosen on": "Repositories on which weights may be chosen",
    "commits": "All repositories",
    "issues": "Issues whose fix changed several files",
}


def summarise(replayed: Sequence[Replayed]) -> dict[str, Any]:
    """Return measures by subset and arm, and paired differences of clew from each arm at recall@10, as plain JSON values."""
    subsets = {
        "held out": [one for one in replayed if one.kind == "commit" and one.repo not in CHOSEN_ON],
        "chosen on": [one for one in replayed if one.kind == "commit" and one.repo in CHOSEN_ON],
        "commits": [one for one in replayed if one.kind == "commit"],
        "issues": [one for one in replayed if one.kind == "issue"],
    }
    return {name: _subset(rows) for name, rows in subsets.items() if any(one.asked for one in rows)}


def table(result: Mapping[str, Any]) -> str:
    """Return a result as Markdown."""
    machine = result["machine"]
    parts = [
        f"# Impact, {result['name']}\n",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mb']:,} MB; {machine['python']}; `{' '.join(result['command'])}`\n",
        HEAD,
    ]
    for subset, summary in result["summary"].items():
        parts.append(f"## {TITLES[subset]} ({summary['changes']} changes of {len(summary['repositories'])} repositories)\n")
        lines = ["| arm | recall@5 | recall@10 | MRR | clew ahead by |", "|---|---|---|---|---|"]
        for arm, row in summary["arms"].items():
            ahead = summary["ahead"].get(arm)
            lines.append(f"| {arm} | {' | '.join(_share(row[measure]) for measure in MEASURES)} | {_share(ahead) if ahead else ''} |")
        parts.append("\n".join(lines) + "\n")
        by_repo = [f"{repo} {100 * mean:.0f}" for repo, mean in summary["repositories"].items()]
        parts.append("Recall@10 of clew by repository: " + ", ".join(by_repo) + ".\n")
    return "\n".join(parts)


def _subset(rows: Sequence[Replayed]) -> dict[str, Any]:
    rows = [one for one in rows if one.asked]
    repos = [one.repo for one in rows]
    measured = {name: [scores(arm, one) for one in rows] for name, arm in arms().items()}
    values = {name: {m: [one[m] if one else None for one in found] for m in MEASURES} for name, found in measured.items()}
    ahead = {name: asdict(difference(values["clew"]["recall@10"], values[name]["recall@10"], repos)) for name in values if name != "clew"}
    seconds = sorted(asked.seconds for one in rows for asked in one.asked)
    own = values["clew"]["recall@10"]
    by_repo = {
        repo: [value for value, owner in zip(own, repos, strict=True) if owner == repo and value is not None] for repo in sorted(set(repos))
    }
    return {
        "changes": len(rows),
        "given": sum(len(one.asked) for one in rows),
        "repositories": {repo: sum(found) / len(found) for repo, found in by_repo.items()},
        "median_ms": round(1000 * seconds[len(seconds) // 2], 1),
        "arms": {name: {m: asdict(estimate(found[m], repos)) for m in MEASURES} for name, found in values.items()},
        "ahead": ahead,
    }


def _share(value: Mapping[str, Any]) -> str:
    return f"{100 * value['mean']:.1f} [{100 * value['low']:.0f} to {100 * value['high']:.0f}]" if value["mean"] is not None else "–"
