"""Say how a command ended, and which lines of its output say why.

Reads the output of a finished command: did it fail, which few lines are the most telling, and which line
sums it up. Exit statuses are trusted where they belong to the command; behind a pipe the output decides.
All lines are returned as they stood, without terminal colours and surrounding space.
"""

from __future__ import annotations

import re

from clew.records import Outcome, ToolResult
from clew.task.clues import error_lines
from clew.task.commands import Command
from clew.task.cuts import cut_of, is_preview
from clew.task.vocabulary import says

LINES_TELLING_MAX = 4  # guess: two names of what failed, two reasons
LINE_CHARS_MAX = 300  # guess: a reason longer than this carries payload
HEAD_CHARS, TAIL_CHARS = 20_000, 60_000  # failures stand at an output's ends; what lies between repeats them

_COLOURS = re.compile(r"\x1b\[[0-9;?]{0,24}[A-Za-z]")
_PREFIX = re.compile(r"^\[[\w:@/.-]{1,40}\] ")  # task runners name the task before each line
_GO_OK = re.compile(r"^ok  ?\t?\S", re.MULTILINE)


def plain(text: str) -> str:
    """The text without terminal colours and runners' prefixes, at most its two ends."""
    if len(text) > HEAD_CHARS + TAIL_CHARS:
        text = text[:HEAD_CHARS] + "\n" + text[-TAIL_CHARS:]
    if "\x1b" in text:
        text = _COLOURS.sub("", text)
    if "[" in text:
        text = "\n".join(_PREFIX.sub("", line) if line.startswith("[") else line for line in text.split("\n"))
    return text


def has_failed(result: ToolResult) -> bool | None:
    """Say whether a tool failed by its own account; None when it gives none: refused, interrupted, still running."""
    return None if result.outcome is Outcome.UNKNOWN else result.outcome is Outcome.FAILED


def has_check_failed(command: Command, result: ToolResult) -> bool | None:
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
    if not command.is_status_hidden:
        return failed
    if is_beginning:
        return None
    text = plain(result.text)
    if says(text, "fails"):
        return True
    if failed and command.commands[-1].words[0] in ("grep", "egrep", "rg") and len(text) < 40:
        return None  # the filter found nothing, which says nothing of what it filtered
    return None if cut is not None and not failed else failed


def telling(text: str) -> tuple[str, ...]:
    """Return the few lines of a failure that say what failed and why, in their order; () for an empty output."""
    lines = [line.strip() for line in plain(text).split("\n")]
    stated = set(error_lines("\n".join(lines)))
    named: list[int] = []
    reasons: list[int] = []
    for at, line in enumerate(lines):
        if not line or says(line, "bland"):
            continue
        if says(line, "named"):
            named.append(at)
        elif says(line, "reason") or any(line.endswith(error) for error in stated if error in line):
            reasons.append(at)
    chosen = _first_and_last(named, LINES_TELLING_MAX // 2)
    chosen += _nearest(reasons, chosen, LINES_TELLING_MAX - len(chosen))
    if not chosen:
        chosen = [at for at, line in enumerate(lines) if line and not says(line, "bland")][-1:]
    kept = dict.fromkeys(lines[at] for at in sorted(chosen))
    return tuple(line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}…" for line in kept)


def summary(text: str, *, has_passed: bool) -> str:
    """Return the line that sums a check up, or the first telling one of its failure; "" where there is neither, or no end was seen."""
    if is_preview(text):
        return ""
    clean = plain(text)
    lines = [line.strip() for line in clean.split("\n")]
    for line in reversed(lines):
        if len(line) <= LINE_CHARS_MAX and says(line, "summary") and (has_passed or says(line, "bad_news")):
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
