"""Long outputs arrive shorter: how much of them, and how much of what the next ten calls use do they still show?"""

from __future__ import annotations

from collections.abc import Mapping

from bench.reduce.__main__ import measured, share
from bench.reduce.needed import needed
from bench.reduce.outputs import outputs
from bench.score.figure import Context, Figure, Value

QUICK_SESSIONS = 10


def measure(context: Context) -> Mapping[str, Value]:
    """Reduce every long output of the sessions."""
    kept: dict[str, float | None] = {}
    shown: dict[str, float | None] = {}
    clusters: dict[str, str] = {}
    for path in context.sessions(QUICK_SESSIONS):
        for output in outputs(path):
            row = measured(output, needed(output))
            name = f"{output.session} {output.seq}"
            clusters[name] = output.session
            if not row["is_whole"]:
                kept[name] = share(row["held"]["clew"])
                shown[name] = row["shown"] / row["tokens"]
    return {
        "shown of what is used next, of shortened outputs": Value.of_rows(kept, clusters),
        "tokens of shortened outputs": Value.of_rows(shown, clusters, better="lower"),
    }


FIGURE = Figure("reducing", "Long output arrives shorter, with what is needed of it.", measure)
