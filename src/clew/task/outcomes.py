"""Read the outcome of a finished command: whether it failed, the verdict of its checks, the lines that say why.

Lines are returned without terminal colours and surrounding space.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from clew.records import CallOutcome, ToolResult, Verdict
from clew.task.clues import find_error_lines
from clew.task.commands import CommandAnalysis
from clew.task.runners.verdict import NOT_SEEN, CheckVerdict, read_verdict
from clew.task.truncation import is_truncated_preview
from clew.task.vocabulary import matches_any

LINES_TELLING_MAX = 4  # guess: two names of what failed, two reasons
LINE_CHARS_MAX = 300  # guess: a reason longer than this carries payload
HEAD_CHARS, TAIL_CHARS = 20_000, 60_000  # failures stand at an output's ends; what lies between repeats them

_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,24}[A-Za-z]")
_SCRIPT = re.compile(r"^> \S+@\S+ (\S+)(?: /.*)?$", re.MULTILINE)  # npm and pnpm print it before each script of a package
_PREFIX = re.compile(r"^\[[\w:@/.-]{1,40}\] ")  # task runners name the task before each line


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


def find_failing_script(output: str) -> str:
    """Return the script of a package in which a failed run of npm or pnpm ended, "" where it names none."""
    names = _SCRIPT.findall(strip_terminal_codes(output)) if "> " in output else []
    return names[-1] if names else ""


def has_failed(result: ToolResult) -> bool | None:
    """Return whether a tool call failed; None where it was refused, interrupted, or is still running."""
    return None if result.outcome is CallOutcome.UNKNOWN else result.outcome is CallOutcome.FAILED


@lru_cache(maxsize=2)  # the task state and the records ask for the same call one after the other
def judge_check(command: CommandAnalysis, result: ToolResult) -> CheckVerdict:
    """Return how the checks (tests, linter, …) that a command line runs ended, with the line that says so.

    Not seen where the call was refused, was interrupted or is still running. A status that the client recorded counts for a
    truncated output too, if it is that of the check.
    """
    failed = has_failed(result)
    if failed is None:
        return NOT_SEEN
    code = int(failed) if result.exit_code is None else result.exit_code
    is_unknown = result.exit_code is None and not result.is_error and is_truncated_preview(result.text)
    verdict = read_verdict(command, result.text, None if is_unknown else code)
    if verdict.evidence or verdict.value is Verdict.NOT_SEEN:
        return verdict
    lines = extract_failure_lines(result.text) if verdict.has_failed and not is_truncated_preview(result.text) else ()
    return replace(verdict, evidence=next(iter(lines), f"exit status {code}"))


def extract_failure_lines(text: str, evidence: str = "") -> tuple[str, ...]:
    """Return the lines of a failed command's output that say what failed and why, at most LINES_TELLING_MAX; () for an empty output.

    evidence  the line that decided the verdict: returned where no line names what failed; without it, the last line.
    """
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
    if not chosen and evidence and evidence in text:
        return (evidence,)
    if not chosen:
        chosen = [at for at, line in enumerate(lines) if line and not matches_any(line, "bland")][-1:]
    kept = dict.fromkeys(lines[at] for at in sorted(chosen))
    return tuple(line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}…" for line in kept)


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
