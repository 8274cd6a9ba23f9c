"""JSON output: shallow lines and names have the highest utility; of a list the first elements show the shape."""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import OutputLines
from clew.transcript.reduce.odd import find_odd_json_lines, find_odd_lines, mark_odd_lines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import KEY_UTILITY, NAMED_UTILITY, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
SAMPLE_ELEMENTS = 3  # guess: of a list this many show what the others look like
VALUE_ROWS_SHARE = 0.8  # guess
_TELLING = _PATTERNS["telling"]
_WRONG = re.compile(r"^\s{0,80}\"(?:error|errors|stderr|exception|failure|reason)\": ?(?!null|\"\"|\[\]|\{\}|false|0\b)", re.IGNORECASE)
_OPEN, _CLOSE = ("{", "["), ("}", "]", "},", "],")


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the lines of JSON by their depth, and elements of a list by their place in it.

    Records that differ from many others are required.
    """
    plain = lines.plain
    if _is_a_value_a_line(lines):
        for count, at in enumerate(lines.scanned):
            scores.quoted[at] = 1
            scores.utility[at] = 2.0 / (1 + count)
        mark_odd_lines(scores, find_odd_lines(lines))
        return
    element: dict[int, int] = {}  # by indent: how many elements opened there
    for at in lines.scanned:
        line = plain[at]
        bare = line.strip()
        indent = len(line) - len(line.lstrip()) if bare else 0
        scores.quoted[at] = 1
        if bare.startswith(_OPEN):
            element[indent] = element.get(indent, 0) + 1
        if bare.startswith(_CLOSE):
            for deeper in [depth for depth in element if depth > indent]:
                del element[deeper]
        surplus = max((count for depth, count in element.items() if depth <= indent), default=0)
        utility = 2.0 / (1 + indent / 4)
        if surplus > SAMPLE_ELEMENTS:
            utility /= surplus
        if bare.rstrip(",") in ("{", "}", "[", "]"):
            utility *= 0.3
        scores.utility[at] = utility
        if _TELLING.match(line[:300]):
            scores.utility[at] *= 2
        if _WRONG.match(line[:300]):
            scores.raise_utility(at, max(NAMED_UTILITY, KEY_UTILITY / 2), "an error in the data")
    mark_odd_lines(scores, find_odd_json_lines(lines))


def _is_a_value_a_line(lines: OutputLines) -> bool:
    """Most lines are a value each; a few may be another's, such as headers above them."""
    rows = [line for at in lines.scanned if (line := lines.plain[at])][:50]
    values = sum(row[0] in "{[" and row.rstrip(", \t").endswith(("}", "]")) for row in rows)
    return len(rows) > 1 and values >= VALUE_ROWS_SHARE * len(rows)


JSON = load_output_kind(__file__, score_lines)
