"""Tracebacks: an output that is mostly frames; `evidence` finds and keeps them in any kind."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_repeats
from clew.transcript.reduce.output_kind import described
from clew.transcript.reduce.traces import is_frame

TRACEBACK = described(__file__, score_repeats, lambda line: is_frame(line) or None)
