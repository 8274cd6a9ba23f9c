"""Output of compilers and linters: the first warnings of each rule and file matter most, progress is noise.

tsc, gcc, clang, rustc, go, javac, eslint, ruff, flake8, pylint, mypy, pyright, golangci-lint, clippy, shellcheck, msbuild, swiftc.
"""

from __future__ import annotations

import re
from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import LINE_CHARS_MAX, OutputLines
from clew.transcript.reduce.output_kind import load_output_kind
from clew.transcript.reduce.scores import HEADING_UTILITY, KEY_UTILITY, LineScores

_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))
_ESLINT = re.compile(r"^\s{1,12}\d{1,6}:\d{1,5} {1,4}(error|warning) {1,4}.{0,500}?([@\w/-]{0,80})$")
_WARNING = re.compile(r"^(?:warning(?:\[\w{1,20}\])?: |.{1,300}?[:)] ?-? ?(?:warning|note|info(?:rmation)?)\b)")
_RULE = re.compile(r"[\[(](-?[\w@/:.-]{2,60})[\])]\s*$|\b([A-Z]{1,5}\d{2,6})\b")
_PROGRESS = _PATTERNS["progress"]


def score_lines(lines: OutputLines, scores: LineScores) -> None:
    """Score the output of a compiler or linter: the first warnings of each rule highest, progress as noise."""
    plain = lines.plain
    rules: dict[str, int] = {}
    for at in lines.scanned:
        line = plain[at][:LINE_CHARS_MAX]
        if not line or line.isspace():
            scores.utility[at] = 0.2
        elif _PROGRESS.match(line):
            scores.mark_noise(at, "lines of progress")
        elif line[0].isspace() and (found := _ESLINT.match(line)):
            if found[1] == "error":
                scores.require(at, at + 1, "error", grade=2)
                _keep_file(lines, scores, at)
            else:
                times = rules[found[2]] = rules.get(found[2], 0) + 1
                scores.utility[at] = KEY_UTILITY / 2 if times == 1 else 1 / times
                scores.noise[at] = "warnings" if times > 3 else ""
        elif _WARNING.match(line):
            rule = (found[1] or found[2]) if (found := _RULE.search(line[-120:])) else line.partition(":")[2][-60:]
            times = rules[rule] = rules.get(rule, 0) + 1
            scores.utility[at] = KEY_UTILITY / 2 if times == 1 else 1 / times


def _keep_file(lines: OutputLines, scores: LineScores, at: int) -> None:
    """The file's name stands above its complaints."""
    for above in range(at - 1, max(-1, at - 400), -1):
        line = lines.plain[above]
        if line and not line[0].isspace():
            scores.require(above, above + 1, "file of an error")
            scores.raise_utility(above, HEADING_UTILITY, "file of an error")
            return


COMPILER = load_output_kind(__file__, score_lines)
