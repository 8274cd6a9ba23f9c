"""Output that looks like no other kind. It is shortened only when that pays even if it is asked for again (bench/LOG.md)."""

from __future__ import annotations

from clew.transcript.reduce.kinds.logs import score_by_template
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import LineScores


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score lines by the rarity of their template, as those of a log; any of them may be an entry of a list."""
    score_by_template(lines, scores)
    scores.entries = [at for at in lines.scanned if lines.plain[at].strip()]


UNKNOWN = load_output_kind(__file__, score_lines, lambda _line: None)
