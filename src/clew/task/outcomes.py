"""Outcomes: how a command ended, and which of its lines say why.

Reads the output of a finished command: did it fail, which few lines are the most telling, and which line
sums it up. Exit statuses are trusted where they belong to the command; behind a pipe the output decides.
All lines are returned as they stood, without terminal colours and surrounding space.
"""

from __future__ import annotations

import re

from clew.records import Observation
from clew.task.clues import error_lines
from clew.task.commands import Command
from clew.task.cuts import cut_of, is_preview

LINES_TELLING_MAX = 4  # guess: two names of what failed, two reasons
LINE_CHARS_MAX = 300  # guess: a reason longer than this carries payload
HEAD_CHARS, TAIL_CHARS = 20_000, 60_000  # failures stand at an output's ends; what lies between repeats them

_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,24}[A-Za-z]")
_PREFIX = re.compile(r"^\[[\w:@/.-]{1,40}\] ")  # task runners name the task before each line
_EXIT = re.compile(r"\A(?:[^\n]{0,200}\n){0,6}?(?:Exit code:? |Process exited with code )(\d{1,3})$", re.MULTILINE)
_NO_VERDICT = (
    "The user doesn't want to",
    "[Request interrupted",
    "Permission to use",
    "This command requires approval",
    "Command running in background",
    "Command was manually backgrounded",
    "<tool_use_error>",
    "The tool use was rejected",
)
_NAMED = re.compile(
    r"^\s{0,12}(?:FAILED \S|ERROR \S+(?:::| - )|--- FAIL: |FAIL[: ]\s{0,4}[\w./]|not ok \d|● \S|[✕✘✗×] \S"
    r"|test \S{1,200} \.\.\. FAILED|\d{1,4}\) \S|\[FAIL|FAIL: \S)"
)
_REASON = re.compile(
    r"^\s{0,16}(?:E   ?[^\s]|\S{1,200}_test\.go:\d{1,7}: |panicked at |fatal: |npm (?:ERR!|error) [^A]|make(?:\[\d\])?: \*\*\* "
    r"|CONFLICT \(|\S{1,300}:\d{1,7}:\d{1,7}:? +(?:error|Error|[A-Z]{1,4}\d{3,4})\b|\S{1,300}\.\w{1,5}:\d{1,7}:\d{1,7}: |Type '"
    r"|expected|Expected|assert)"
)
_FAILS = re.compile(
    r"^(?:--- FAIL: |FAIL\b|FAILED\b|ERROR\b.{0,80}\bfailed\b|error(?:\[E\d{4}\])?: |make(?:\[\d\])?: \*\*\*|npm ERR!"
    r"|\s{0,8}ELIFECYCLE|BUILD FAILED"
    r"|test result: FAILED|\s{0,8}\d{1,6} failed\b|Traceback \(most recent)"
    r"|\b[1-9]\d{0,5} (?:failed|failing|failures?|errors?)\b|: error TS\d{3,5}\b|ERROR task failed|\bFailed: [1-9]|Found [1-9]\d{0,5} error"
    r"|^[1-9]\d{0,5} issues[.:]|✖ [1-9]\d{0,5} problems?",
    re.MULTILINE,
)
_SUMMARY = re.compile(
    r"^(?:=+ .{1,160} =+$|\d{1,6} (?:passed|failed|errors?|passing|failing)\b.{0,120}|\d{1,6} issues[.:].{0,20}"
    r"|Tests?:? {1,8}.{0,20}\d.{0,120}|test result: .{1,160}"
    r"|Found \d{1,6} (?:errors?|problems?|issues?|warnings?)\b.{0,80}|All checks passed.{0,20}|Success: no issues.{0,80}"
    r"|✖ \d{1,6} problems?.{0,80}"
    r"|BUILD (?:SUCCESSFUL|FAILED|SUCCESS).{0,40}|Passed: \d.{0,80}|\d{1,6} examples?, .{1,80}|OK \(\d.{0,60}|Ran \d{1,6} tests?.{0,60}"
    r"|Finished `.{0,120}|Tests run: .{1,100}|\d{1,6} errors?, \d{1,6} warnings?.{0,80}|\d{1,6} tests?, .{1,80}"
    r"|✓ built in .{1,40}|Test Suites: .{1,80}"
    r"|Summary: .{1,120}|Contracts: .{1,80})$"
)
_GO_OK = re.compile(r"^ok  ?\t?\S", re.MULTILINE)
_BLAND = re.compile(r"^(?:Exit code|FAIL$|PASS$|exit status|Process exited|ERROR task failed|ok\s|[Ww]arning|hint: |\$ |[^A-Za-z]*$)")
_BAD_NEWS = re.compile(r"[1-9]\d* (?:failed|failing|failures?|errors?|problems?|issues)|fail|FAIL")


def plain(text: str) -> str:
    """The text without terminal colours and runners' prefixes, at most its two ends."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    if "[" in text:
        text = "\n".join(_PREFIX.sub("", line) if line.startswith("[") else line for line in text.split("\n"))
    return text


def has_failed(result: Observation) -> bool | None:
    """Say whether a tool failed by its own account; None when it gives none: refused, interrupted, still running."""
    if result.text.startswith(_NO_VERDICT) or "<tool_use_error>" in result.text[:40]:
        return None
    if result.exit_code is not None:
        return result.exit_code != 0
    if result.is_error:
        return True
    if result.is_error is None and not is_preview(result.text) and (found := _EXIT.match(result.text[:2000])):
        return found[1] != "0"
    return False


def has_check_failed(line: Command, result: Observation) -> bool | None:
    """Say whether a check failed; None when nothing tells. Behind a pipe the output has the last word, if it was seen to its end.

    What the client's record says of a status holds also for an output that it has cut; the text of a preview says nothing of it.
    """
    failed = has_failed(result)
    if failed is None:
        return None
    cut = cut_of(result.text)
    is_beginning = cut is not None and cut.is_preview
    if is_beginning and result.exit_code is None and not result.is_error:
        return None
    if not line.is_status_hidden:
        return failed
    if is_beginning:
        return None
    text = plain(result.text)
    if _FAILS.search(text):
        return True
    if failed and line.commands and line.commands[-1].words[0] in ("grep", "egrep", "rg") and len(text) < 40:
        return None  # the filter found nothing, which says nothing of what it filtered
    return None if cut is not None and not failed else failed


def telling(text: str) -> tuple[str, ...]:
    """Return the few lines of a failure that say what failed and why, in their order; () for an empty output."""
    lines = [line.strip() for line in plain(text).split("\n")]
    stated = set(error_lines("\n".join(lines)))
    named: list[int] = []
    reasons: list[int] = []
    for at, line in enumerate(lines):
        if not line or _BLAND.match(line):
            continue
        if _NAMED.match(line):
            named.append(at)
        elif _REASON.match(line) or any(line.endswith(error) for error in stated if error in line):
            reasons.append(at)
    chosen = _first_and_last(named, LINES_TELLING_MAX // 2)
    chosen += _nearest(reasons, chosen, LINES_TELLING_MAX - len(chosen))
    if not chosen:
        chosen = [at for at, line in enumerate(lines) if line and not _BLAND.match(line)][-1:]
    kept = dict.fromkeys(lines[at] for at in sorted(chosen))
    return tuple(line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}…" for line in kept)


def summary(text: str, *, has_passed: bool) -> str:
    """Return the line that sums a check up, or the first telling one of its failure; "" where there is neither, or no end was seen."""
    if is_preview(text):
        return ""
    clean = plain(text)
    lines = [line.strip() for line in clean.split("\n")]
    for line in reversed(lines):
        if len(line) <= LINE_CHARS_MAX and _SUMMARY.match(line) and (has_passed or _BAD_NEWS.search(line)):
            return line.strip("= ")
    if not has_passed:
        return next(iter(telling(text)), "")
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
