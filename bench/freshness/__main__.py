"""Command: `python -m bench.freshness --mirrors DIR --repos OWNER/NAME,…`. Replays commits and counts stale entries."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.freshness.judge import CAUSES
from bench.freshness.replay import Tally, replay
from bench.machine import provenance, write_result

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "msgspec", "numpy")
REPOS = "psf/requests,jqlang/jq,google/gson,sharkdp/bat,pytest-dev/pytest"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 when an arm that stays fresh showed a stale entry."""
    parser = argparse.ArgumentParser(prog="python -m bench.freshness", description=__doc__)
    mirrors = os.environ.get("CLEW_BENCH_MIRRORS")
    parser.add_argument(
        "--mirrors", type=Path, default=Path(mirrors) if mirrors else None, help="folder of owner+name/repo git directories"
    )
    parser.add_argument("--repos", default=REPOS, metavar="OWNER/NAME,…")
    parser.add_argument("--commits", type=int, default=30, help="successive commits of each (30)")
    parser.add_argument("--budget", type=int, default=4096, help="tokens of a packet (4096)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    if given.mirrors is None:
        parser.error("--mirrors is missing")
    words = ("--repos", given.repos, "--commits", str(given.commits), "--budget", str(given.budget))
    source = provenance(("python", "-m", "bench.freshness", *words), PACKAGES)
    rows: list[dict[str, Any]] = []
    result: dict[str, object] = {"name": source.name, **source.as_json(), "rows": rows}
    for repo in given.repos.split(","):
        git_dir = given.mirrors / repo.replace("/", "+") / "repo"
        git_dir = git_dir / ".git" if (git_dir / ".git").is_dir() else git_dir
        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
            tallies = replay(git_dir, given.commits, Path(folder), budget_tokens=given.budget, say=_say)
        rows += [_row(repo, arm, tally) for arm, tally in tallies.items()]
        write_result(given.results / f"{source.name}.json", result)  # after each, so that a run that is stopped leaves what it has
    text = table(result)
    (given.results / f"{source.name}.md").write_text(text, encoding="utf-8")
    print(text)
    return 1 if any(row["stale"] for row in rows if row["arm"] != "no-refresh") else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _row(repo: str, arm: str, tally: Tally) -> dict[str, Any]:
    return {
        "repo": repo,
        "arm": arm,
        "packets": tally.packets,
        "stale_packets": tally.stale_packets,
        "entries": tally.entries,
        "memories": tally.memories,
        "stale": tally.stale.total(),
        **{cause: tally.stale[cause] for cause in CAUSES},
        "question_ms": round(1000 * tally.seconds / max(tally.packets, 1), 1),
        "refresh_s": round(tally.refresh_seconds, 2),
    }


def table(result: Mapping[str, Any]) -> str:
    """Return the rows as a Markdown table."""
    machine = result["machine"]
    columns = list(result["rows"][0]) if result["rows"] else []
    lines = [f"{result['name']}: {machine['cpu']}, {machine['cores']} cores, {machine['python']}", ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(row[name]) for name in columns) + " |" for row in result["rows"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
