"""Logs: lines of one template differ in numbers, times and names; its first and last line represent it, rare templates matter more.

The template of a line is its text with what varies masked, in the manner of Drain's fixed-depth tree (He et al. 2017) but with
the masks alone: no similarity threshold, so that the result depends on no order.
"""

from __future__ import annotations

import re
from collections import Counter

from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.odd import TEMPLATE_CHARS, VARYING_WORD
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import KEY_UTILITY, SIMILAR, LineScores

_LEVEL = re.compile(r"\b(?:WARN(?:ING)?|warn(?:ing)?|level=warn)\b")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the lines of a log by the rarity of their template, warnings twice as high."""
    score_by_template(lines, scores)
    for at in lines.scanned:
        if _LEVEL.search(lines.plain[at][:160]):
            scores.utility[at] *= 2


def score_by_template(lines: OutputLines, scores: LineScores) -> None:
    """Score lines by the rarity of their template (the line with numbers and paths masked), its first and last line highest."""
    templates = [VARYING_WORD.sub("*", lines.plain[at][:TEMPLATE_CHARS]) for at in lines.scanned]
    times = Counter(templates)
    last = {form: at for at, form in enumerate(templates)}
    seen: set[str] = set()
    count = len(templates)
    for place, (at, form) in enumerate(zip(lines.scanned, templates, strict=True)):
        if not form.strip():
            scores.utility[at] = 0.1
            continue
        often = times[form]
        utility = 0.6 + 0.4 * place / count  # the end says more, where nothing else tells
        if often > 2:
            is_end = form not in seen or last[form] == place
            utility = 2.0 if is_end else 1.0 / often
            if is_end:
                scores.reasons[at] = "first or last of its sort"
            elif often > 8:
                scores.noise[at] = SIMILAR
        elif often == 1:
            utility *= 1.3
        seen.add(form)
        scores.utility[at] = min(utility, KEY_UTILITY)


LOG = load_output_kind(__file__, score_lines)
