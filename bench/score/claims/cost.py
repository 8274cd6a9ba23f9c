"""What sessions would have been billed with clew, against doing nothing."""

from __future__ import annotations

from collections.abc import Mapping

from bench.score.figure import Context, Figure, Value
from clew.evaluation.repricing import BOTH, REPLAYS, Repriced, reprice
from clew.transcript.parse import open_transcript

QUICK_SESSIONS = 10


def measure(context: Context) -> Mapping[str, Value]:
    """Price sessions again with outputs shortened on arrival and the window rewritten when it pays."""
    priced: dict[str, Repriced] = {}
    clusters: dict[str, str] = {}
    for path in context.sessions(QUICK_SESSIONS):
        with open_transcript(path) as stream:
            found = reprice(stream.readlines(), arms={BOTH: REPLAYS[BOTH]})
        if found is not None:
            name = path.name.partition(".")[0]
            priced[name], clusters[name] = found, path.parent.name
    shares = {name: found.against_nothing(BOTH) for name, found in priced.items()}
    dearer = sum(share > 1e-6 for share in shares.values())
    return {
        "cost against doing nothing": Value.of_rows(shares, clusters, better="lower"),
        "sessions that cost more": Value(dearer, "sessions", "lower"),
    }


FIGURE = Figure("cost", "No session becomes dearer, long ones become cheaper.", measure)
