"""Mark the lines of an output that say what went wrong and where, whatever kind of output it is.

An error is found in a list of files as in a test run, so that an output taken for the wrong kind loses no failure. Lines that the
kind has marked as noise (the name of a passed test) or as quoted (a line of a file) are not read here.

A failure is its heading and the block below it. A short block stays whole; of a long one the lines that state a reason or
a place stay, and the rest has a higher utility than other lines. An error that a program repeats with other numbers stays at
its first and last places; a compiler's errors never count as repeated.
"""

from __future__ import annotations

import re
from pathlib import Path

from clew.task.commands import analyse_command
from clew.task.runners.formats import LineMeaning, find_runner
from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import HEAD_CHARS, LINE_CHARS_MAX, TAIL_CHARS, OutputLines
from clew.transcript.reduce.scores import KEY_UTILITY, NAME_GRADE, SIMILAR, LineScores
from clew.transcript.reduce.traces import is_stack_frame, mark_trace

BLOCK_LINES_MAX = 60  # guess: a failure with its source and its traceback; what is longer prints data
BLOCK_SCAN_LINES_MAX = 400  # where a block is given up
NOTES_LINES_MAX = 14  # guess: what a compiler says below one error
REPEATED_ERRORS_MAX = 2  # of an error that differs in numbers only, and the last one

# A line without one of these, in any case, is no evidence; finding words is some hundred times cheaper than reading lines.
_WORDS = (
    *("error", "fail", "exception", "panic", "fatal", "traceback", "assert", "critical", "unhandled", "uncaught", "killed", "abort"),
    *("not ok ", "✕", "✘", "✗", "✖", "×", "●", "❌", "conflict", "caused by", "undefined", "cannot ", "could not", "denied", "refused"),
    *("not found", "no such", "segmentation", "dumped", "***", "err!", "elifecycle", "timed out", "not exist", "unresolved", "unexpected"),
    *(
        "timeout",
        "terminated",
        "running tests:",
        "exit status",
        "exit code",
        "tests:",
        "tests run",
        "examples,",
        " passed",
        "ran ",
        "found ",
        "success",
        "with code",
    ),
)
_PATTERNS = PatternFile(Path(__file__).with_name("patterns.toml"))
_DIAGNOSTIC = _PATTERNS["diagnostic"]
_WARNS = re.compile(r"-? ?(?:warning|note|remark|info|information|hint|debug|suggestion)\b", re.IGNORECASE)
_HEADING = _PATTERNS["heading"]
_NUMBERED = re.compile(r"^\s{0,16}\d{1,4}\) \S")
_UNDERLINED = re.compile(r"^_{3,} .{1,200} _{3,}$")
_STATES = _PATTERNS["states"]
_SAYS = _PATTERNS["says"]
_SUMMARY = _PATTERNS["summary"]
_KEYS = _PATTERNS["keys"]
_ENDS = _PATTERNS["ends"]
_SOURCE = re.compile(r"^(?:-{6,}$|\s{0,8}\d{1,6} ?\| |\s{0,12}\|)")
_SHOWS_SOURCE = re.compile(r"^(?:-{6,}\n)?\s{0,8}\d{1,6} ?\| ")
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|\b[0-9a-f]{7,64}\b|\d+")


def mark_evidence(lines: OutputLines, scores: LineScores, *, are_diagnostics: bool, are_numbered: bool) -> None:
    """Mark the lines of an output that must be shown because they name, state, locate or sum up a failure.

    are_diagnostics  a place at a line's start is a complaint about it; False where places head every line.
    are_numbered     failures are numbered, as mocha, rspec and PHPUnit do: what is below `2) name` is one.
    """
    plain, quoted, noise = lines.plain, scores.quoted, scores.noise
    candidates = [at for at in lines.find_lines_with(_WORDS, in_any_case=True) if not quoted[at] and noise[at] in ("", SIMILAR)]
    extra = _places(lines) if are_diagnostics else []
    if are_numbered:
        extra += [at for at in lines.scanned if ") " in plain[at][:20] and _NUMBERED.match(plain[at])]
    candidates = sorted({*candidates, *(at for at in extra if not quoted[at] and not noise[at])})
    repeats: dict[str, list[int]] = {}
    headings: set[str] = set()
    done = 0  # below a block that was read already
    for at in candidates:
        if scores.required[at] and at < done:
            continue
        line = plain[at][:LINE_CHARS_MAX]
        if noise[at] and not _HEADING.match(line):
            continue  # by its form it is one of many, and only a failure's name makes it more
        if (found := _DIAGNOSTIC.match(line)) and not line.lstrip().startswith(("at ", "http")) and are_diagnostics:
            if _is_complaint(line, found.end()):
                done = _mark_complaint(lines, scores, at)
                continue
            if _WARNS.match(line, found.end()):
                scores.raise_utility(at, 2.0, "warning")
                continue
            if found.end() >= len(line) and _SHOWS_SOURCE.match("\n".join(plain[at + 1 : at + 3])):
                done = _mark_source(lines, scores, at)
                continue
        if _HEADING.match(line) or (are_numbered and _NUMBERED.match(line)):
            name = line.strip()
            if name in headings:
                scores.raise_utility(at, KEY_UTILITY, "failure, named again")
                continue
            headings.add(name)
            done = _mark_block(lines, scores, at)
        elif _SUMMARY.match(line):
            scores.require(at, at + 1, "summary", grade=2)
        elif _STATES.match(line) or (_SAYS.search(line) and not is_stack_frame(line)):
            repeats.setdefault(_NUMBERS.sub("#", line.strip()[:300]), []).append(at)
    for places in repeats.values():
        for at in dict.fromkeys((*places[:REPEATED_ERRORS_MAX], places[-1])):
            if not scores.required[at] or scores.required[at] == 1:
                scores.require(at, at + 1, "error", grade=2)
                mark_trace(lines, scores, at)
        for at in places:
            scores.raise_utility(at, 2.0, "error, said again")


def mark_runner_failures(lines: OutputLines, scores: LineScores, command: str) -> None:
    """Mark the lines in which a tool that the command names says that it failed, or what did, by the tool's own file."""
    tools = {tool.name: tool for simple in analyse_command(command).commands if simple.words and (tool := find_runner(simple.words))}
    if not tools or len(lines.text) > HEAD_CHARS + TAIL_CHARS:
        return
    text = lines.text if lines.plain is lines.raw else "\n".join(lines.plain)
    for tool in tools.values():
        for hit in tool.hits(text):
            if hit.says in (LineMeaning.FAILED, LineMeaning.DETAIL) and not scores.quoted[hit.line]:
                is_name = tool.is_test and hit.says is LineMeaning.DETAIL and not lines.plain[hit.line].startswith("E ")
                scores.require(hit.line, hit.line + 1, "failure", grade=NAME_GRADE if is_name else 2)


def _places(lines: OutputLines) -> list[int]:
    """Lines that begin with a place, of those that are near."""
    plain = lines.plain
    return [at for at in lines.scanned if ((":" in (line := plain[at][:400])) or "(" in line) and _DIAGNOSTIC.match(line)]


def _is_complaint(line: str, end: int) -> bool:
    """What follows a place complains: it is no warning and no frame, and it says something."""
    rest = line[end:].lstrip()
    is_frame = rest.startswith(("in ", "at ", "+0x"))
    return len(rest) > 3 and not is_frame and not _WARNS.match(rest) and any(char.isalpha() for char in rest[:40])


def _mark_complaint(lines: OutputLines, scores: LineScores, at: int) -> int:
    """A compiler's error with the indented lines, carets and notes below it; the first line after them."""
    end = at + 1
    plain = lines.plain
    while end < len(lines) and end - at < NOTES_LINES_MAX and (line := plain[end]):
        is_note = line[0].isspace() or line[0].isdigit() or line[0] in "|^~="
        if not is_note or _DIAGNOSTIC.match(line[:400]):
            break
        end += 1
    scores.require(at, at + 1, "error", grade=2)
    scores.require(at + 1, end, "what the error shows")
    return end


def _mark_source(lines: OutputLines, scores: LineScores, at: int) -> int:
    """A place on a line of its own with the source below it, as image builds show where they stopped; the first line after it."""
    end = at + 1
    while end < len(lines) and end - at < NOTES_LINES_MAX and _SOURCE.match(lines.plain[end]):
        end += 1
    scores.require(at, end, "where it failed", grade=2)
    return end


def _mark_block(lines: OutputLines, scores: LineScores, at: int) -> int:
    """A failure's heading and what stands below it, to the next heading, summary or divider; the first line after it."""
    plain = lines.plain
    # pytest and those that number failures print text without an indent below a blank line too.
    is_loose = _UNDERLINED.match(plain[at][:LINE_CHARS_MAX]) or _NUMBERED.match(plain[at][:LINE_CHARS_MAX])
    end = at + 1
    blanks = 0
    while end < len(lines) and end - at < BLOCK_SCAN_LINES_MAX:
        line = plain[end][:LINE_CHARS_MAX]
        if not line or line.isspace():
            blanks += 1
        else:
            # Without an indent a block ends at its first text after a blank line.
            is_inside = is_loose or line[0].isspace() or not blanks or line[0] in "+-E>#|❯"
            is_noise = scores.noise[end] not in ("", SIMILAR)
            if _HEADING.match(line) or _ENDS.match(line) or _NUMBERED.match(line) or is_noise or not is_inside:
                break
            blanks = 0 if line[0].isspace() else blanks
        end += 1
    while end > at + 1 and (not plain[end - 1] or plain[end - 1].isspace()):
        end -= 1
    scores.require(at, at + 1, "failure", grade=NAME_GRADE)
    if end - at <= BLOCK_LINES_MAX:
        scores.require(at + 1, end, "what failed, and why")
        return end
    for place in range(at + 1, end):
        line = plain[place][:LINE_CHARS_MAX]
        if place < at + 6 or place >= end - 4 or (_KEYS.match(line) and not is_stack_frame(line)):
            scores.require(place, place + 1, "what failed, and why")
        else:
            scores.raise_utility(place, KEY_UTILITY, "a failure's own lines")
    mark_trace(lines, scores, at, end)
    return end
