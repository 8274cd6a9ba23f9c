"""Find what an agent needed of a session's history after it was cut, from what the agent did next.

Counted are the files that it used again, the text that its edits replaced, and the rare identifiers, paths and error codes in its
calls. What the next prompt says, or leads to by one look-up, was not needed from the history and does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from clew.evaluation.cases import EvaluationCase
from clew.records import CallOutcome, Observation, ObservationKind, ToolCall, ToolKind
from clew.task.commands import analyse_command
from clew.task.paths import relative_path
from clew.task.prompts import extract_typed_text

LINE_CHARS_MIN = 12  # a shorter line ("}", "return nil") stands everywhere and is evidence of nothing
LINE_CHARS_MAX = 400  # of a longer line as much is evidence as a person would read
TERM_PIECES_MAX = 4  # a rarer term has few places to be found again; in a session of 600 calls 4 pieces are 0.3 %
TERM_PIECES_SHARE = 0.01
_NUMBERED = re.compile(r"^[ \t]*\d{1,9}(?:[→\t]|[ \t]*[│|][ \t])")
# What a name is to the judge, apart from `clew.compaction.names`: what a compaction is fitted to must not move the measure.
_TERM = re.compile(r"[A-Za-z0-9_./@#:+~-]{5,160}")
_TELLING = re.compile(r"[0-9_./#:@]|[a-z][A-Z]|[A-Z]{3}|\w-\w")
_WORDY = re.compile(r"[A-Za-z]{3}|\d{3}")


@dataclass(frozen=True, slots=True)
class NeededEdit:
    """An edit after the cut whose replaced text is in the history. `lines` are the lines of that text that are long enough to search."""

    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeededTerm:
    """A rare identifier that a call after the cut used. `evidence` are the lines of the history that hold it, blanks collapsed."""

    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RepeatedRead:
    """A read-only call after the cut that repeats one of the history with the same output. `lines` are the longer lines of the output."""

    what: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """What the calls after the cut needed of the history before it. Paths are relative to the folder that the session began in."""

    files: tuple[str, ...] = ()
    edits: tuple[NeededEdit, ...] = ()
    terms: tuple[NeededTerm, ...] = ()
    repeats: tuple[RepeatedRead, ...] = ()


def find_needs(case: EvaluationCase) -> Needs:
    """Return what the calls after a case's cut needed of its history. Cost: some passes over the session's text."""
    history = [_as_lines(piece) for piece in case.pieces]
    squeezed = ["\n".join(collapse_blanks(line) for line in text.split("\n")) for text in history]
    root = next((each.cwd for each in case.before if each.cwd), "")
    return Needs(
        _files(case, root),
        tuple(_edits(case, root, squeezed)),
        tuple(_terms(case, squeezed)),
        tuple(_repeats(case)),
    )


def _as_lines(piece: Observation) -> str:
    """A piece's text in lines: without the numbers that a tool put in front, and of a call also its words behind its JSON.

    Whoever shows a call as a command, or an edit by its lines, shows the same as who shows the JSON.
    """
    if piece.kind is not ObservationKind.CALL:
        return strip_line_numbers(piece.text)
    return "\n".join([piece.text, *_strings(piece.text)])


def strip_line_numbers(text: str) -> str:
    """Return a tool's output without the line numbers in front of its lines."""
    if not _NUMBERED.search(text[:200].lstrip("\n")):
        return text
    return "\n".join(_NUMBERED.sub("", line) for line in text.split("\n"))


def collapse_blanks(line: str) -> str:
    """Return a line without its indentation, and with one blank for each run of blanks."""
    return " ".join(line.split())


def extract_evidence_lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text of at least LINE_CHARS_MIN characters, blanks collapsed, each once, cut at LINE_CHARS_MAX."""
    lines = (collapse_blanks(line)[:LINE_CHARS_MAX].strip() for line in text.split("\n"))
    return tuple(dict.fromkeys(line for line in lines if len(line) >= LINE_CHARS_MIN))


def list_touched_files(observation: Observation, root: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a tool call names as (path relative to `root`, "read", "edit", "write" or "search")."""
    call = observation.call or ToolCall()
    for touch in call.touches or (analyse_command(call.command).touches if call.command else ()):
        if path := relative_path(touch.path, call.workdir or observation.cwd, root):
            yield path, touch.how


def _files(case: EvaluationCase, root: str) -> tuple[str, ...]:
    """The files of the work that were touched before the cut and again after it, by their first use."""
    seen = {path for each in case.before if each.kind is ObservationKind.CALL for path, _ in list_touched_files(each, root)}
    later = [
        path for each in case.after if each.kind is ObservationKind.CALL for path, how in list_touched_files(each, root) if how != "search"
    ]
    return tuple(dict.fromkeys(path for path in later if path in seen and not path.startswith(("/", "~"))))


def _edits(case: EvaluationCase, root: str, squeezed: Sequence[str]) -> Iterator[NeededEdit]:
    for each in case.after:
        if each.kind is ObservationKind.CALL:
            path = next((path for path, how in list_touched_files(each, root) if how == "edit"), "")
            for old in list_replaced_texts(each.call or ToolCall()):
                block = "\n".join(collapse_blanks(line) for line in old.strip("\n").split("\n"))
                lines = extract_evidence_lines(old)
                if path and lines and any(block in text for text in squeezed):
                    yield NeededEdit(path, lines)


def list_replaced_texts(call: ToolCall) -> tuple[str, ...]:
    """Return the texts that an edit replaces, verbatim; those of a patch joined into one."""
    olds = tuple(edit.old for edit in call.edits if edit.old)
    is_patch = bool(call.edits) and bool(call.content or call.command)
    return ("\n".join(olds),) if is_patch else olds


def _terms(case: EvaluationCase, squeezed: Sequence[str]) -> Iterator[NeededTerm]:
    most = max(TERM_PIECES_MAX, int(len(case.pieces) * TERM_PIECES_SHARE))
    prompt = next((words for each in case.after if each.kind is ObservationKind.PROMPT and (words := extract_typed_text(each.text))), "")
    asked = set(extract_identifiers(prompt))
    wanted = dict.fromkeys(
        term
        for each in case.after
        if each.kind is ObservationKind.CALL
        for word in list_input_strings(each.call or ToolCall())
        for term in extract_identifiers(word)
    )
    places: dict[str, list[int]] = {term: [] for term in wanted}
    for at, text in enumerate(squeezed):
        for term in set(extract_identifiers(text)):
            if term in places:
                places[term].append(at)
    rare_asked = {term for term in asked if 0 < sum(term in text for text in squeezed) <= most}
    for term, found in places.items():
        if not 0 < len(found) <= most or term in asked or term in prompt:
            continue
        lines = [line for at in found for line in squeezed[at].split("\n") if term in line]
        if any(other in line for line in lines for other in rare_asked):
            continue  # whoever looks the prompt's own word up finds it
        yield NeededTerm(term, tuple(dict.fromkeys(_around(line, term) for line in lines)))


def extract_identifiers(text: str) -> Iterator[str]:
    """Yield the identifiers, paths, numbers and codes of a text, in order: words that do not occur in prose."""
    for found in _TERM.findall(text):
        term = found.strip("./:-+~@#")
        if len(term) >= 5 and _TELLING.search(term) and _WORDY.search(term):
            yield term


def _around(line: str, term: str) -> str:
    """A long line by the part that holds the term."""
    if len(line) <= LINE_CHARS_MAX:
        return line
    at = line.find(term)
    start = max(0, min(at - LINE_CHARS_MAX // 2, len(line) - LINE_CHARS_MAX))
    return line[start : start + LINE_CHARS_MAX].strip()


def list_input_strings(call: ToolCall) -> Iterator[str]:
    """Yield the strings in a tool call's arguments, except the content of a file that it writes."""
    return (word for word in _strings(call.arguments) if not (call.kind is ToolKind.WRITE and word == call.content))


def _strings(arguments: str) -> Iterator[str]:
    """All strings of a call's input, which is JSON text, or a text of its own."""
    try:
        waiting: list[object] = [msgspec.json.decode(arguments)] if arguments else []
    except (msgspec.DecodeError, RecursionError):
        waiting = [arguments]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting.extend(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        elif isinstance(value, list):
            waiting.extend(value)  # pyright: ignore[reportUnknownArgumentType]


def _repeats(case: EvaluationCase) -> Iterator[RepeatedRead]:
    """Looks after the cut whose question and answer both stood before it."""
    known = {(question, answer) for question, answer in _answered(case.before)}
    for question, answer in _answered(case.after):
        if (question, answer) in known and (lines := extract_evidence_lines(strip_line_numbers(answer))):
            known.discard((question, answer))
            yield RepeatedRead(question, lines)


def _answered(observations: Iterable[Observation]) -> Iterator[tuple[str, str]]:
    called: set[str] = set()
    for each in observations:
        if each.kind is ObservationKind.CALL:
            called.add(each.call_id)
            continue
        result = each.call.result if each.call and each.call_id in called else None
        if each.call and result and result.outcome is not CallOutcome.FAILED:
            yield f"{each.call.tool} {each.call.arguments}", each.text
