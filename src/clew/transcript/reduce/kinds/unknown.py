"""Output that looks like no other kind. It is shortened only when that pays even if it is asked for again (bench/LOG.md)."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_by_template
from clew.transcript.reduce.output_kind import load_output_kind

UNKNOWN = load_output_kind(__file__, score_by_template, lambda _line: None)
