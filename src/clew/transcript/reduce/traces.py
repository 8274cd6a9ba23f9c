"""Choose which frames of a stack trace stay.

The exception, its causes and the frames in the project's code stay; of the frames in installed packages and in a language's
library the first and the last few stay too, since they say where the project's code was left.
"""

from __future__ import annotations

from pathlib import Path

from clew.text.patterns import PatternFile
from clew.transcript.reduce.lines import LINE_CHARS_MAX, OutputLines
from clew.transcript.reduce.scores import KEY_UTILITY, LineScores

TRACE_SCAN_LINES_MAX = 2000  # where a trace is given up; a recursion's is about 1000 frames
WHOLE_TRACE_LINES_MAX = 40  # guess: a trace of this length stays whole
LIBRARY_FRAMES_KEPT = 3  # foreign frames kept at each end of a run of them
NOTES_LINES_MAX = 10  # guess: indented lines below an error that is no trace
OWN_FRAMES_KEPT = 40  # own frames kept of a trace at either end; a recursion repeats itself

_PATTERNS = PatternFile(Path(__file__).with_name("patterns.toml"))
_FRAME = _PATTERNS["frame"]
_FOREIGN = _PATTERNS["foreign"]
_NAMES = _PATTERNS["names"]


def is_stack_frame(line: str) -> bool:
    """Return whether the line is one frame of a stack trace."""
    return _FRAME.match(line[:LINE_CHARS_MAX]) is not None


def is_library_frame(line: str) -> bool:
    """Return whether a frame lies in an installed package or in a language's own library."""
    return _FOREIGN.search(line[:LINE_CHARS_MAX]) is not None


def mark_trace(lines: OutputLines, scores: LineScores, at: int, end: int = 0) -> None:
    """Mark the frames of the stack trace around line `at` that must be shown; `end` is its last line, 0 to look for it."""
    start, stop = (at, end) if end else _extent(lines, at)
    plain = lines.plain
    if not any(is_stack_frame(plain[place]) for place in range(start, stop)):
        # No trace: at most a few indented lines that belong to what was said.
        scores.require(at, min(max(stop, at + 1), at + NOTES_LINES_MAX), "what the error shows")
        return
    if stop - start <= WHOLE_TRACE_LINES_MAX and not end:
        scores.require(start, stop, "traceback")
        return
    run: list[int] = []  # foreign frames in a row
    own: list[int] = []
    for place in range(start, stop):
        line = plain[place][:LINE_CHARS_MAX]
        if is_stack_frame(line):
            if is_library_frame(line):
                run.append(place)
                continue
            own.append(place)
        elif _NAMES.match(line):
            scores.require(place, place + 1, "exception", grade=2)
        elif run and line[:1].isspace():
            continue  # the source line below a foreign frame
        elif own and line[:1].isspace():
            own.append(place)
        _ends_stay(lines, scores, run)
        run = []
    _ends_stay(lines, scores, run)
    kept = own if len(own) <= 2 * OWN_FRAMES_KEPT else [*own[:OWN_FRAMES_KEPT], *own[-OWN_FRAMES_KEPT:]]
    for place in kept:
        scores.require(place, place + 1, "frame in own code")
        if place + 1 < stop and plain[place + 1][:1].isspace() and not is_stack_frame(plain[place + 1]):
            scores.require(place + 1, place + 2, "frame in own code")
    for place in own:
        scores.raise_utility(place, KEY_UTILITY, "frame in own code")


def _ends_stay(lines: OutputLines, scores: LineScores, run: list[int]) -> None:
    kept = set(run[:LIBRARY_FRAMES_KEPT] + run[-LIBRARY_FRAMES_KEPT:])
    for place in run:
        if place in kept:
            scores.require(place, place + 1, "frame")
        else:
            scores.mark_noise(place, "frames in packages")
            if place + 1 < len(lines) and not is_stack_frame(lines.plain[place + 1]) and lines.plain[place + 1][:2].isspace():
                scores.mark_noise(place + 1, "frames in packages")


def _extent(lines: OutputLines, at: int) -> tuple[int, int]:
    """The lines of a trace that begins at a heading or ends at an exception, with that line."""
    plain = lines.plain
    start = at
    while start > 0 and at - start < TRACE_SCAN_LINES_MAX and _is_part(plain[start - 1]):
        start -= 1
    if start < at and start > 0 and "Traceback" in plain[start - 1]:
        start -= 1
    stop = at + 1
    while stop < len(plain) and stop - at < TRACE_SCAN_LINES_MAX and _is_part(plain[stop]):
        stop += 1
    if stop > at + 1 and stop < len(plain) and _NAMES.match(plain[stop][:LINE_CHARS_MAX]):
        stop += 1
    return start, stop


def _is_part(line: str) -> bool:
    line = line[:LINE_CHARS_MAX]
    return bool(line) and (
        is_stack_frame(line) or ((line[:4].isspace() or line[0] == "\t") and len(line) > 4 and not line.isspace()) or _is_function(line)
    )


def _is_function(line: str) -> bool:
    """A Go trace names a function on a line of its own above its place."""
    return (
        not line[0].isspace() and line.endswith(")") and "(" in line and " " not in line.partition("(")[0] and "/" in line.partition("(")[0]
    )
