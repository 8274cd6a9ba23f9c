"""Answer the MCP tools. Their descriptions, written for the model that reads them, are in `tools.json`.

An error is an answer too: it tells the agent what was found, what was expected and what to try. Knows nothing of the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from clew import usecases
from clew.adapters.clients import find_latest_transcript
from clew.engine import Engine
from clew.errors import ClewError, UnknownHandle, UsageError
from clew.packet.options import attribute_text
from clew.records import AsOf, Author, Span, Spans, TaskState, clew_span, infer_author, make_handle, merge_spans, outside_span
from clew.records.wording import describe_as_of, describe_end, describe_reason, missing_spans, remark_spans
from clew.settings import find_workspace

ANSWER_CHARS_MAX = 28_000  # of one answer: the client takes 30,000 and puts a longer one into a file
RECALL_TOKENS_DEFAULT, RECALL_TOKENS_MAX = 2_000, 8_000  # guess
IMPACT_FILES_DEFAULT = 12

SERVER_INSTRUCTIONS = """\
clew keeps what this window no longer shows. "clew unfold 3k7q2m9x" or [3k7q2m9x] is a handle: `unfold` it, do not run or read again. \
`recall` what may have been done before; `impact` before changing what others use."""


# As the protocol lists them. All take `repo` as well, which an error asks for where it is needed: a schema is paid in each request.
TOOL_DEFINITIONS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("tools.json").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """Where a tool was called: the repository's folder, and the id of the session that called it, "" where that is not known.

    read_task  returns what that session's agent is working on; an empty state where the session is not known.
    """

    engine: Engine
    folder: Path
    tokenizer: str
    session: str = ""
    read_task: Callable[[], TaskState] = TaskState


def answer_recall(asked: ToolRequest, arguments: Mapping[str, Any]) -> Spans:
    """Answer the `recall` tool: turns of earlier sessions and code that bear on a question, within a token budget.

    Raises UsageError without a question.
    """
    question = _text(arguments, "question")
    budget = min(max(_number(arguments, "budget_tokens", RECALL_TOKENS_DEFAULT), 200), RECALL_TOKENS_MAX)
    where = str(arguments.get("where") or "all")
    when = _when(asked, arguments)
    parts: list[Span] = []
    if where in ("all", "history"):
        turns_max = 12 if where == "history" else 6
        found = asked.engine.recall(asked.folder, question, running=asked.session, turns_max=turns_max, as_of=when)
        parts += usecases.recall.render_turns(asked.engine.store, asked.folder, found)
    if where in ("all", "code"):
        packet = asked.engine.retrieve(
            asked.folder, question, budget_tokens=budget, tokenizer=asked.tokenizer, with_sessions=False,
            task=None if when else asked.read_task(), as_of=when,
        )  # fmt: skip
        parts += [clew_span("\n")] if parts else []
        what = f"# From the repository, {packet.tokens:,} tokens" if packet.entries else "# The repository: nothing relevant was found"
        parts += [clew_span(f"{what}, {describe_as_of(packet.as_of)}\n"), *packet.spans, *missing_spans(packet.as_of)]
    return merge_spans(parts)


def _when(asked: ToolRequest, arguments: Mapping[str, Any]) -> AsOf | None:
    """Return what an answer is wanted as of; None for now. Raises UnknownMoment."""
    text = str(arguments.get("as_of") or "")
    return asked.engine.find_as_of(asked.folder, text) if text else None


def answer_unfold(asked: ToolRequest, arguments: Mapping[str, Any]) -> Spans:
    """Answer the `unfold` tool: the exact text that a handle (a record's short id) stands for, or the requested range of its lines, up to ANSWER_CHARS_MAX."""
    handle = _text(arguments, "handle")
    found = asked.engine.unfold(asked.folder, handle)
    whole = found.data.decode("utf-8", "replace")
    lines = whole.splitlines(keepends=True)
    wanted = str(arguments.get("lines") or "").strip()
    if not wanted and len(whole) <= ANSWER_CHARS_MAX:
        return attribute_text(found.record, whole)
    first, last = _range(wanted, len(lines))
    shown: list[str] = []
    size = 0
    for line in lines[first - 1 : last]:
        if size + len(line) > ANSWER_CHARS_MAX and shown:
            break
        shown.append(line[:ANSWER_CHARS_MAX])
        size += len(line)
    author = infer_author(found.record)
    if author is Author.USER and len(attribute_text(found.record, whole)) > 1:
        author = Author.OUTSIDE  # a part of what the client put words into: whose a line is, is not told apart here
    text = Span(author, "".join(shown))
    end = first + len(shown) - 1
    if end == last:
        return (text,)
    return text, clew_span(f"\n[lines {first}-{end} of {len(lines)}; ask for lines {end + 1}-{last} for more]")


def _range(wanted: str, count: int) -> tuple[int, int]:
    """Return the first and last line number of a range such as 40-80; the whole text for none. Raises UsageError."""
    if not wanted:
        return 1, count
    first, _, last = wanted.partition("-")
    if not first.strip().isdecimal() or not (last.strip() or first.strip()).isdecimal():
        raise UsageError(f"lines {wanted!r} is no range\nhint: such as 40-80, counted from 1; the text has {count}")
    start, end = int(first), int(last.strip() or first)
    if not 1 <= start <= min(end, count):
        raise UsageError(f"lines {wanted} are not in it\nhint: it has lines 1-{count}")
    return start, min(end, count)


def answer_impact(asked: ToolRequest, arguments: Mapping[str, Any]) -> Spans:
    """Answer the `impact` tool: files that will probably change with the named ones, or with what the session changed, likeliest first.

    Raises UsageError without names where the session has changed nothing, or is not known.
    """
    wanted, task = _names(arguments.get("names")), asked.read_task()
    if not (wanted or task.files):
        raise UsageError("no name was given\nhint: names: paths such as src/a.py, or src/a.py::Class.method, or handles")
    limit = _number(arguments, "limit", IMPACT_FILES_DEFAULT)
    meant, found = asked.engine.find_impact(asked.folder, wanted, limit=limit, task=task)
    remarks = asked.engine.find_unread_targets(asked.folder, meant)
    unread = [span for remark in remarks for span in (*remark_spans(remark), clew_span("\n"))]
    if not found:
        return *unread, clew_span("No file is known to change with "), outside_span(", ".join(meant)), clew_span(".\n")
    lines = [f"{file.path} ({'; '.join(map(describe_reason, file.reasons[:3]))})" for file in found]
    named = clew_span("Files that will probably change with "), outside_span(", ".join(meant)), clew_span(", most likely first:\n")
    return *unread, *named, outside_span("\n".join(lines)), clew_span("\n")


def answer_remember(asked: ToolRequest, arguments: Mapping[str, Any]) -> Spans:
    """Answer the `remember` tool: store a note for later sessions and return its handle. Raises UsageError without a text."""
    files = _names(arguments.get("about"))
    kind = str(arguments.get("kind") or "fact").replace("_", " ")
    note = usecases.write.NewNote(_text(arguments, "text"), kind, tuple(files), str(arguments.get("subject") or ""))
    [handle] = asked.engine.write(asked.folder, [note]).handles
    until = f" It will be marked as suspect when {', '.join(files)} changes." if files else ""
    return clew_span(f"Remembered as [{handle}]."), outside_span(until)


def answer_explain(asked: ToolRequest, arguments: Mapping[str, Any]) -> Spans:
    """Answer the `explain` tool: a record's kind, status, source, other versions and links."""
    explanation = asked.engine.explain(asked.folder, _text(arguments, "handle"))
    record, status = explanation.record, explanation.status
    why = describe_end(status.reason, is_doubt=status.is_live)
    state = f"suspect: {why}" if status.is_suspect else "true now" if status.is_live else f"no longer true: {why}"
    lines = [
        f"[{make_handle(record.id)}] {record.kind}, {record.layer}: {record.name}",
        f"{state}; from {record.source}{f', {record.path}' if record.path else ''}; trust: {record.trust.name.lower()}",
    ]
    for version, its in explanation.versions:
        if version.id != record.id:
            how = "true now" if its.is_live else describe_end(its.reason) or "ended"
            lines.append(f"other version [{make_handle(version.id)}]: {how}")
    lines.extend(f"{how} {name} [{handle}]" for how, name, handle, _ in explanation.links[:20])
    return (outside_span("\n".join(lines) + "\n"),)


def answer_state(asked: ToolRequest, arguments: Mapping[str, Any]) -> Spans:
    """Answer the `state` tool: the state of a session as JSON, by default of the latest here. Raises UsageError where there is none."""
    when = _when(asked, arguments)
    root, begun_by_ns = find_workspace(asked.folder)[1], when.at_ns if when else 0
    session = str(arguments.get("session") or find_latest_transcript(root, begun_by_ns) or "")
    if not session:
        raise UsageError("no session of this repository is known\nhint: session: the id of an ingested one")
    found = asked.engine.describe_state(asked.folder, session, at=str(arguments.get("at") or "") or None, as_of=when)
    return (outside_span(json.dumps(found, ensure_ascii=False, indent=1)[:ANSWER_CHARS_MAX]),)


def _names(value: object) -> list[str]:
    """Return a list of names; a single string counts as a list of one, as models send it."""
    return [str(name) for name in cast("list[object]", value)] if isinstance(value, list) else [str(value)] if value else []


def _number(arguments: Mapping[str, Any], name: str, default: int) -> int:
    """Return a whole number of at least 1, also one that is written as a text, as models send it; `default` for none. Raises UsageError."""
    value: object = arguments.get(name)
    if value is None or value == "":
        return default
    told = "" if isinstance(value, bool) else str(value)
    if not told[:12].isdecimal() or not told.isdecimal() or not 0 < int(told[:12]) < 10**9:
        raise UsageError(f"{name} is {str(value)[:40]!r}\nhint: a whole number from 1")
    return int(told[:12])


def _text(arguments: Mapping[str, Any], name: str) -> str:
    """Return a text argument. Raises UsageError where it is missing or blank."""
    value = arguments.get(name)
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{name} is missing\nhint: give {name} as a text")
    return value


def format_error(error: ClewError) -> str:
    """Return an error as text for the agent, its hint as something to try."""
    text = str(error).replace("\nhint: ", "\nTry: ")
    if isinstance(error, UnknownHandle):
        text += "\nHandles are printed in brackets where something was folded; `recall` finds records by what they say."
    return text


TOOL_HANDLERS: Mapping[str, Callable[[ToolRequest, Mapping[str, Any]], Spans]] = {
    "recall": answer_recall, "unfold": answer_unfold, "impact": answer_impact, "remember": answer_remember, "explain": answer_explain,
    "state": answer_state,
}  # fmt: skip
"""What answers each tool: functions of (where it was called, arguments)."""
