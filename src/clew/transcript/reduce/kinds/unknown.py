"""Unknown: what looks like no other kind. It enters shorter only where that pays even if it is asked for again (bench/LOG.md)."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_repeats
from clew.transcript.reduce.output_kind import OutputKind

UNKNOWN = OutputKind(
    name="unknown", rank=99, matches=lambda _line: None, share_min=0.0, score=score_repeats, budget=(5000, 0.5), return_chance=1.0
)
