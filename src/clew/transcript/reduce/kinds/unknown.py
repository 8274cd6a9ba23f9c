"""Unknown: what looks like no other kind. It enters shorter only where that pays even if it is asked for again (bench/LOG.md)."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_repeats
from clew.transcript.reduce.output_kind import described

UNKNOWN = described(__file__, score_repeats, lambda _line: None)
