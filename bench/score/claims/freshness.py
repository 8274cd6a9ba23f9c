"""After replayed commits: how many shown entries say what is no longer so?"""

from __future__ import annotations

from collections.abc import Mapping

from bench.freshness.replay import replay
from bench.score.figure import Context, Figure, Value

REPOSITORIES = ("psf/requests", "jqlang/jq", "google/gson")


def measure(context: Context) -> Mapping[str, Value]:
    """Count stale entries over all arms that refresh."""
    stale = 0
    for repository in REPOSITORIES[: 1 if context.is_quick else None]:
        folder = context.work / repository.replace("/", "+")
        folder.mkdir()
        tallies = replay(context.mirror_of(repository), 5 if context.is_quick else 20, folder, budget_tokens=4096, say=lambda _: None)
        stale += sum(tally.stale.total() for arm, tally in tallies.items() if arm != "no-refresh")
    return {"stale entries shown": Value(stale, "entries", "lower")}


FIGURE = Figure("freshness", "What a packet shows is what stands there now.", measure)
