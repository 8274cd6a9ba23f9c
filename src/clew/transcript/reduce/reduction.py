"""What is known of an output before it is shortened, what is kept of it, and the markers for what is left out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from clew.records import Observation, TaskState, ToolCall, ToolKind
from clew.task.clues import find_clues

TASK_NAMES_MAX = 40  # names that steer one reduction: each costs one search through the text; guess
TASK_NAME_CHARS_MIN = 4  # a shorter name stands in every other line


@dataclass(frozen=True, slots=True)
class OutputContext:
    """What is known of a tool's output before it is read, to guide `reduce_output`.

    kind           what the tool does; a hint that is checked against the text, as is `command`, the command line of a shell.
    path           the file that it shows, "" for none.
    edited_paths   files that are being edited: an output that shows one stays whole.
    error_names    names in the texts of the errors that are not yet solved.
    recent_names   files of the working set and identifiers named lately, newest last.
    """

    kind: ToolKind = ToolKind.COMMAND
    command: str = ""
    path: str = ""
    edited_paths: tuple[str, ...] = ()
    error_names: tuple[str, ...] = ()
    recent_names: tuple[str, ...] = ()

    def with_task(self, task: TaskState) -> OutputContext:
        """Return a copy with the files, errors and names of a task state."""
        quoted = [find_clues(error.text) for error in task.open_errors]
        errors = dict.fromkeys(name for found in quoted for name in (*found.dotted, *found.identifiers, *(path for path, _ in found.paths)))
        return replace(
            self,
            edited_paths=tuple(file.path for file in task.working_set if file.last in ("edit", "write")),
            error_names=tuple(errors),
            recent_names=(*(file.path for file in task.working_set), *task.recent_identifiers),
        )


def build_context(result: Observation, call: Observation | None) -> OutputContext:
    """Return the context of a result; `call` is used when the result does not carry its own call."""
    asked = (call.call if call else None) or result.call or ToolCall()
    return OutputContext(asked.kind, asked.command, asked.path)


@dataclass(frozen=True, slots=True)
class KeptLines:
    """Lines that are kept, 1-based and inclusive, with the reason of the one with the highest utility."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class OmittedLines:
    """Lines that are left out, 1-based and inclusive; `description` says what they are, "" when they are of several sorts."""

    start: int
    end: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class ReducedOutput:
    """A shortened output: which of its lines are kept, and why.

    text          the whole output.
    kind          the name of its `OutputKind`.
    line_count    number of lines in `text`, or of characters.
    kept, omitted together every line once, in order; without omitted lines the text is whole.
    counts_chars  very long lines are shortened within: kept and omitted count characters of the text instead of lines.
    kept_texts    the text of each range in `kept`: the bytes as written, less the overwritten states of a progress bar.
    """

    text: str
    kind: str
    line_count: int
    kept: tuple[KeptLines, ...]
    omitted: tuple[OmittedLines, ...] = ()
    kept_texts: tuple[str, ...] = ()
    counts_chars: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether no line is left out."""
        return not self.omitted

    @property
    def kept_ranges(self) -> tuple[tuple[int, int], ...]:
        """First and last line of each kept range, 1-based and inclusive."""
        return tuple((part.start, part.end) for part in self.kept)

    def render(self, handle: str = "") -> str:
        """Return the kept lines with a marker where lines are missing; the first marker names `handle`, which `clew unfold` takes."""
        if self.is_whole:
            return self.text
        pieces: list[tuple[int, str]] = [(part.start, text) for part, text in zip(self.kept, self.kept_texts, strict=True)]
        for at, gap in enumerate(self.omitted):
            marker = format_omission_marker(
                gap, self.line_count if at == 0 else 0, handle if at == 0 else "", unit="character" if self.counts_chars else "line"
            )
            pieces.append((gap.start, marker))
        pieces.sort()
        text = "\n".join(piece for _, piece in pieces)
        return text + "\n" if self.text.endswith("\n") else text


# Whatever looks like a line of ours: an output that holds one is never shortened, so that in a short form every marker is clew's.
MARKER_PATTERN = re.compile(
    r"^[ \t]*\[(?:… (?:(?:(?:line|character)s? )?\d[\d-]*(?: of \d+ left out)?|cut by the client; )"
    r"|output of .*, \d+ lines[^\n]*, left out)[^\n]*\][ \t\r]*$",
    re.MULTILINE,
)


def format_truncation_marker(handle: str = "", lines: int = 0) -> str:
    """Return the line below an output that the client had truncated: how to see all of it by `handle`, or that it was not stored."""
    if not handle:
        return "[… cut by the client; the rest was not seen]"
    return f"[… cut by the client; all {lines:,} lines: clew unfold {handle}]"


def format_omission_marker(gap: OmittedLines, total_lines: int, handle: str = "", *, unit: str = "line") -> str:
    """Return the line that replaces omitted lines of a text.

    total_lines  lines of the whole text, for a marker that is a full sentence; 0 for a short marker.
    handle       short id by which the agent can ask for the whole text; "" for none.
    unit         what start, end and total count: "line" or "character".
    """
    where = f"{gap.start}-{gap.end}" if gap.end > gap.start else f"{gap.start}"
    what = f": {gap.description}" if gap.description else ""
    units = f"{unit}s" if gap.end > gap.start else unit
    if not total_lines:
        return f"[… {where}{what}]" if unit == "line" else f"[… {units} {where}{what}]"
    back = f"; clew unfold {handle}" if handle else ""
    return f"[… {units} {where} of {total_lines} left out{what}{back}]"
