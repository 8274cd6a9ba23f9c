"""Tracebacks: an output that is mostly frames; `evidence` finds and keeps them in any kind."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_repeats
from clew.transcript.reduce.output_kind import OutputKind
from clew.transcript.reduce.traces import is_frame

TRACEBACK = OutputKind(
    name="traceback",
    rank=6,
    matches=lambda line: is_frame(line) or None,
    share_min=0.3,
    score=score_repeats,
    budget=(3000, 0.25),
)
