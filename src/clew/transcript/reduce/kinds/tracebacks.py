"""Tracebacks: an output that is mostly stack frames; `evidence` finds and keeps them in any kind."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_by_template
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.traces import is_stack_frame

TRACEBACK = load_output_kind(__file__, score_by_template, lambda line: is_stack_frame(line) or None)
