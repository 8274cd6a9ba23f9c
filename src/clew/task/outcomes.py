"""Read the outcome of a finished command from its output: whether it failed, the lines that say why, the line that sums it up.

An exit status is trusted where it belongs to the command; behind a pipe the output decides. Lines are returned without terminal
colours and surrounding space.
"""

from __future__ import annotations

import re

from clew.records import CallOutcome, ToolResult
from clew.task.clues import find_error_lines
from clew.task.commands import CommandAnalysis
from clew.task.truncation import is_truncated_preview, parse_truncation_notice
from clew.task.vocabulary import matches_any

LINES_TELLING_MAX = 4  # guess: two names of what failed, two reasons
LINE_CHARS_MAX = 300  # guess: a reason longer than this carries payload
HEAD_CHARS, TAIL_CHARS = 20_000, 60_000  # failures stand at an output's ends; what lies between repeats them

_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,24}[A-Za-z]")
_PREFIX = re.compile(r"^\[[\w:@/.-]{1,40}\] ")  # task runners name the task before each line
_GO_OK = re.compile(r"^ok  ?\t?\S", re.MULTILINE)


def strip_terminal_codes(text: str) -> str:
    """Return an output without terminal colours and the task names that task runners print before each line.

    Of more than HEAD_CHARS + TAIL_CHARS characters only the two ends are returned.
    """
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    if "[" in text:
        text = "\n".join(_PREFIX.sub("", line) if line.startswith("[") else line for line in text.split("\n"))
    return text


def has_failed(result: ToolResult) -> bool | None:
    """Return whether a tool call failed; None where it was refused, interrupted, or is still running."""
    return None if result.outcome is CallOutcome.UNKNOWN else result.outcome is CallOutcome.FAILED


def has_check_failed(command: CommandAnalysis, result: ToolResult) -> bool | None:
    """Return whether the check (tests, linter, …) that a command line runs failed; None where that is unknown.

    Behind a pipe the output decides, unless its end is missing. An exit status or error mark also counts for a truncated output.
    """
    failed = has_failed(result)
    if failed is None:
        return None
    cut = parse_truncation_notice(result.text)
    is_beginning = cut is not None and cut.is_preview
    if is_beginning and result.exit_code is None and not result.is_error:
        return None
    if not command.is_status_hidden:
        return failed
    if is_beginning:
        return None
    text = strip_terminal_codes(result.text)
    if matches_any(text, "fails"):
        return True
    if failed and command.commands[-1].words[0] in ("grep", "egrep", "rg") and len(text) < 40:
        return None  # the filter found nothing, which says nothing of what it filtered
    return None if cut is not None and not failed else failed


def extract_failure_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a failed command's output that say what failed and why, at most LINES_TELLING_MAX; () for an empty output."""
    lines = [line.strip() for line in strip_terminal_codes(text).split("\n")]
    stated = set(find_error_lines("\n".join(lines)))
    named: list[int] = []
    reasons: list[int] = []
    for at, line in enumerate(lines):
        if not line or matches_any(line, "bland"):
            continue
        if matches_any(line, "named"):
            named.append(at)
        elif matches_any(line, "reason") or any(line.endswith(error) for error in stated if error in line):
            reasons.append(at)
    chosen = _first_and_last(named, LINES_TELLING_MAX // 2)
    chosen += _nearest(reasons, chosen, LINES_TELLING_MAX - len(chosen))
    if not chosen:
        chosen = [at for at, line in enumerate(lines) if line and not matches_any(line, "bland")][-1:]
    kept = dict.fromkeys(lines[at] for at in sorted(chosen))
    return tuple(line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}…" for line in kept)


def find_summary_line(text: str, *, has_passed: bool) -> str:
    """Return the summary line of a check's output ("3 passed"), else the first line that says why it failed.

    Returns "" where there is neither, or where the end of the output is missing.
    """
    if is_truncated_preview(text):
        return ""
    clean = strip_terminal_codes(text)
    lines = [line.strip() for line in clean.split("\n")]
    for line in reversed(lines):
        if len(line) <= LINE_CHARS_MAX and matches_any(line, "summary") and (has_passed or matches_any(line, "bad_news")):
            return line.strip("= ")
    if not has_passed:
        return next(iter(extract_failure_lines(text)), "")
    packages = len(_GO_OK.findall(clean))
    if packages:
        return f"{packages} packages ok" if packages > 1 else next(line for line in lines if _GO_OK.match(line))
    return ""


def _nearest(reasons: list[int], named: list[int], count: int) -> list[int]:
    """At most `count` of the reasons: those beside what failed; without names, the first ones and the last."""
    if not named:
        return _first_and_last(reasons, count)
    return sorted(reasons, key=lambda reason: (min(abs(reason - name) for name in named), reason))[:count]


def _first_and_last(places: list[int], count: int) -> list[int]:
    """At most `count` of the places: the first ones, and the last one, which is where a chain of causes ends."""
    if len(places) <= count:
        return list(places)
    return [*places[: count - 1], places[-1]] if count else []
