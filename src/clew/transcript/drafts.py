"""Turn tool calls into drafts of records: name, full text, most informative line, kind and subject.

The text of a draft holds every byte of the tool's output, below a line that says what was asked. Ids, blobs and the
ledger are left to `extract`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.records import DeadEnd, Layer, ToolCall, ToolKind, Trust, Verdict
from clew.task.commands import CommandAnalysis
from clew.task.outcomes import extract_failure_lines
from clew.task.runners.verdict import CheckVerdict
from clew.text.patterns import PatternFile
from clew.transcript.statements import find_first_sentence

NAME_CHARS_MAX = 140
LINE_CHARS_MAX = 300  # a longer line is shown cut; it is data
_PATTERNS = PatternFile(Path(__file__).with_suffix(".toml"))


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """A record before it has an id: what `RecordExtractor` stores for one tool call or one sentence.

    subject            key by which a later record supersedes this one.
    text               the full text, which the agent can ask for by the record's handle.
    signature          its most informative line.
    is_end_informative folded, it shows its last lines rather than its first.
    start, end         1-based lines of `path` that `text` shows below its first line; 0 for none.
    """

    layer: Layer
    kind: str
    subject: str
    name: str
    text: str
    signature: str = ""
    trust: Trust = Trust.OBSERVED
    path: str = ""
    is_end_informative: bool = False
    start: int = 0
    end: int = 0


def shorten_to_line(text: str, chars_max: int = LINE_CHARS_MAX) -> str:
    """Return the text on one line with single spaces, cut at `chars_max` with an ellipsis."""
    head = text[: chars_max * 2]
    line = " ".join(head.split())
    return line if len(line) <= chars_max and len(head) == len(text) else line[: chars_max - 1].rstrip() + "…"


def extract_output(call: ToolCall) -> str:
    """Return a command's output without the header lines that Codex puts above it."""
    text = call.output
    if text.startswith(("Exit code", "Command: ", "Chunk ID", "Wall time", "Warning")) and (head := _PATTERNS["codex_headers"].match(text)):
        return text[head.end() :]
    return text


def find_outcome_line(text: str, evidence: str, *, has_failed: bool) -> str:
    """Return the line that says how a command ended: the evidence of its verdict, a failure's reason, else the last line with text."""
    line = evidence or (next(iter(extract_failure_lines(text)), "") if has_failed else "")
    if line:
        return shorten_to_line(line)
    for line in reversed(text[-4000:].split("\n")):
        if line.strip() and not line.startswith("</"):
            return shorten_to_line(line)
    return ""


def find_definition_line(text: str) -> str:
    """Return the first definition or heading in a piece of a file, else its first line with words."""
    head = text[:20_000]
    found = _PATTERNS["definition"].search(head)
    return shorten_to_line(found[0]) if found else find_first_sentence(head, LINE_CHARS_MAX)


def build_sentence_draft(layer: Layer, kind: str, words: str, trust: Trust = Trust.OBSERVED) -> RecordDraft:
    """Build the draft of one stated sentence.

    layer  what the sentence states: a fact, an action, an intent or a state.
    kind   "constraint", "decision" or "claim".
    trust  how far its author may be believed.
    """
    subject = f"{kind}:{' '.join(words.lower().split())}"
    return RecordDraft(layer, kind, subject, shorten_to_line(words, NAME_CHARS_MAX), words, trust=trust)


def build_read_draft(call: ToolCall, path: str, start: int, end: int, total: int) -> RecordDraft:
    """Build the draft of a file that a tool showed. Lines are 1-based; 0 when unknown."""
    where = f"{path}:{start}-{end}" if end else path
    name = f"Read {where}{f' of {total}' if total > end > 0 else ''}"
    subject = f"file:{path}@{start}-{end}" if end else f"file:{path}@"
    text = f"{name}\n{call.output}"
    return RecordDraft(Layer.FACT, "read", subject, name, text, find_definition_line(call.output), path=path, start=start, end=end)


def build_search_draft(call: ToolCall, path: str) -> RecordDraft:
    """Build the draft of a search by pattern, name or symbol, with the number of lines found."""
    lines = call.output.count("\n") + 1 if call.output and not (call.result and call.result.is_empty) else 0
    asked = f"{call.tool} {call.query!r}{f' in {path or call.scope}' if call.scope else ''}"
    name = f"{shorten_to_line(asked, NAME_CHARS_MAX)} → {f'{lines} lines' if lines else 'nothing'}"
    text = f"{asked}{' ' + call.options if call.options else ''}\n{call.output}"
    subject = f"search:{call.tool} {call.arguments}"
    return RecordDraft(Layer.FACT, "search", subject, name, text, _first_line(call.output), path=path)


def build_command_draft(call: ToolCall, line: str, parsed: CommandAnalysis, check_name: str, verdict: CheckVerdict | None) -> RecordDraft:
    """Build the draft of a shell command with its outcome.

    check_name  subject of the check that it runs (tests, linter, …), "" for none.
    verdict     how that check ended; None for a command that checks nothing, or has no answer.
    """
    output = extract_output(call)
    exit_code = call.result.exit_code if call.result else None
    has_failed = call.is_marked_failed if verdict is None or verdict.has_failed is None else verdict.has_failed
    ending = "" if call.result else " → no answer"
    if exit_code is not None:
        ending = f" → exit {exit_code}"
    elif call.result and call.result.is_error:
        ending = " → failed"
    if verdict and not (exit_code == 0 and verdict.value is Verdict.PASSED) and not (exit_code and verdict.has_failed):
        ending += f" ({verdict.value})"
    asked = _PATTERNS["here_document"].sub(r"\3", line)
    name = f"$ {find_first_sentence(asked, NAME_CHARS_MAX)}{ending}"
    kind = "error" if has_failed else "search" if parsed.is_search and parsed.is_read_only and not check_name else "command"
    layer = Layer.STATE if check_name else Layer.FACT if parsed.is_read_only or has_failed else Layer.ACTION
    return RecordDraft(
        layer,
        kind,
        check_name or f"command:{line.strip()}",
        name,
        f"$ {line}\n{call.output}",
        find_outcome_line(output, verdict.evidence if verdict else "", has_failed=has_failed),
        Trust.QUOTED if parsed.is_web else Trust.OBSERVED,
        is_end_informative=not parsed.is_search,
    )


def build_edit_draft(call: ToolCall, path: str, other_paths: Sequence[str], start: int, end: int) -> RecordDraft:
    """Build the draft of an edit of one or several files, with the replaced and the new text."""
    where = f"{path}:{start}-{end}" if end else path
    name = f"Edit {where}{f' and {len(other_paths)} more' if other_paths else ''}{_failed(call)}"
    if call.content:
        parts = [call.content]
        new = next((line[1:] for line in call.content.split("\n") if line[:1] == "+" and line[1:].strip() and line[:3] != "+++"), "")
    elif call.edits and not call.command:
        parts = [f"<<<<<<< old\n{edit.old}\n=======\n{edit.new}\n>>>>>>> new" for edit in call.edits]
        new = next((line for edit in call.edits if (line := _first_new(edit.old, edit.new))), "")
    else:
        parts, new = [call.command or call.arguments], ""
    text = "\n".join([f"Edit {path}", *parts, call.output])
    return _draft_change(call, "edit", name, text, shorten_to_line(new), path)


def build_write_draft(call: ToolCall, path: str) -> RecordDraft:
    """Build the draft of a file that was written as a whole."""
    content = call.content
    lines = content.count("\n") + (not content.endswith("\n")) if content else 0
    name = f"Write {path} ({lines} lines){_failed(call)}"
    return _draft_change(call, "write", name, f"Write {path}\n{content}\n{call.output}", find_definition_line(content), path)


def _draft_change(call: ToolCall, kind: str, name: str, text: str, signature: str, path: str) -> RecordDraft:
    subject = f"{kind}:{path}"
    if call.is_marked_failed:
        return RecordDraft(Layer.FACT, "error", subject, name, text, _first_line(_plain_error(call.output)), path=path)
    return RecordDraft(Layer.ACTION, kind, subject, name, text, signature, path=path)


def build_failure_draft(call: ToolCall, title: str, path: str) -> RecordDraft:
    """Build the draft of a tool call that failed and changed nothing: a missing file, a broken pattern, an unreachable server."""
    message = _plain_error(call.output)
    name = f"{shorten_to_line(title, NAME_CHARS_MAX)} → failed"
    subject, text = f"{call.kind}:{title}", f"{title}\n{call.output}"
    return RecordDraft(Layer.FACT, "error", subject, name, text, _first_line(message), _trust_of(call), path)


def build_refusal_draft(call: ToolCall, title: str, path: str) -> RecordDraft:
    """Build the draft of a tool call that the user refused, with the reason they gave."""
    words = call.result.said if call.result else ""
    name = f"User rejected: {shorten_to_line(title, NAME_CHARS_MAX)}"
    text = f"{name}\n{call.arguments}\n{call.output}"
    signature = shorten_to_line(words) or "no reason given"
    subject = f"{call.kind}:{title}"
    return RecordDraft(Layer.INTENT, "rejection", subject, name, text, signature, path=path, is_end_informative=True)


def build_dead_end_draft(end: DeadEnd, subject: str) -> RecordDraft:
    """Build the draft of a dead end: what was tried, how it failed and why."""
    layer = Layer.INTENT if end.sign in ("refused", "corrected") else Layer.FACT
    name = f"Dead end: {shorten_to_line(end.text, NAME_CHARS_MAX)}"
    text = f"Dead end ({end.sign}): {end.text}" + (f"\nWhy: {end.reason}" if end.reason else "")
    return RecordDraft(layer, "dead_end", subject, name, text, shorten_to_line(end.reason))


def build_fetch_draft(call: ToolCall) -> RecordDraft:
    """Build the draft of a web page or web search, whose words are quoted and not trusted."""
    what = call.url or call.query or call.arguments
    name = f"Fetched {shorten_to_line(what, NAME_CHARS_MAX)}"
    text = f"{call.tool} {what}\n{call.prompt + chr(10) if call.prompt else ''}{call.output}"
    return RecordDraft(Layer.FACT, "fetch", f"fetch:{what}", name, text, _first_line(call.output), Trust.QUOTED)


def build_agent_run_draft(call: ToolCall) -> RecordDraft:
    """Build the draft of a subagent's task and its report."""
    what = call.description or find_first_sentence(call.prompt, 80) or f"output of {call.job or call.tool}"
    name = f"Agent{f' ({call.agent_type})' if call.agent_type else ''}: {shorten_to_line(what, NAME_CHARS_MAX)}"
    text = f"{name}\n{call.prompt + chr(10) if call.prompt else ''}{call.output}"
    return RecordDraft(Layer.FACT, "agent", f"agent:{what}", name, text, _first_line(call.output))


def build_answer_draft(call: ToolCall) -> RecordDraft:
    """Build the draft of a question that the agent asked the user, with the answer."""
    name = f"Asked: {shorten_to_line(call.question, NAME_CHARS_MAX)}"
    text = f"{name}\n{call.arguments}\n{call.output}"
    return RecordDraft(Layer.INTENT, "answer", f"answer:{call.question}", name, text, shorten_to_line(call.output), is_end_informative=True)


def build_plan_draft(call: ToolCall, agent_id: str) -> RecordDraft:
    """Build the draft of a plan that the agent presented to the user in this tool call; `agent_id` "" is the main agent."""
    words = call.plan or (call.result.plan if call.result else "")
    name = f"Plan: {find_first_sentence(words, NAME_CHARS_MAX)}"
    text = f"{name}\n{words if words not in call.output else ''}\n{call.output}"
    return RecordDraft(Layer.INTENT, "plan", f"plan:{agent_id or 'main'}", name, text, _first_line(words))


def build_todo_draft(call: ToolCall, agent_id: str, steps: Sequence[tuple[str, str]]) -> RecordDraft:
    """Build the draft of the agent's to-do list after this call; `steps` are (text, status) in order."""
    done = sum(status == "completed" for _, status in steps)
    current = next((step for step, status in steps if status == "in_progress"), "")
    name = f"Todo: {done} of {len(steps)} done" + (f", now: {shorten_to_line(current, NAME_CHARS_MAX)}" if current else "")
    marks = {"completed": "x", "in_progress": ">"}
    lines = [f"[{marks.get(status, ' ')}] {step}" for step, status in steps]
    text = "\n".join([name, *lines, f"{call.tool} {call.arguments}", call.output])
    return RecordDraft(Layer.STATE, "todo", f"todo:{agent_id or 'main'}", name, text, shorten_to_line(current))


def build_other_call_draft(call: ToolCall) -> RecordDraft:
    """Build the draft of a tool call of kind OTHER, named after its input."""
    arguments = call.arguments
    name = f"{call.tool or 'A notice'} {shorten_to_line(arguments, NAME_CHARS_MAX) if arguments not in ('', '{}') else ''}".rstrip()
    return RecordDraft(
        Layer.FACT, "tool", f"tool:{name}", name, f"{call.tool} {arguments}\n{call.output}", _first_line(call.output), _trust_of(call)
    )


def describe_call(call: ToolCall, path: str) -> str:
    """Return on one line what a tool call asks for: its command, its path, or its title."""
    if call.kind is ToolKind.COMMAND:
        return f"$ {call.command}"
    if path:
        return f"{call.tool} {path}"
    return (
        f"{call.tool} {find_first_sentence(call.title, NAME_CHARS_MAX) if call.title else shorten_to_line(call.arguments, NAME_CHARS_MAX)}"
    )


def _failed(call: ToolCall) -> str:
    return " → failed" if call.is_marked_failed else "" if call.result else " → no answer"


def _first_line(text: str) -> str:
    return find_first_sentence(text, LINE_CHARS_MAX)


def _trust_of(call: ToolCall) -> Trust:
    return Trust.QUOTED if call.is_foreign else Trust.OBSERVED


def _plain_error(text: str) -> str:
    return text.removeprefix("<tool_use_error>").removesuffix("</tool_use_error>").removeprefix("Error: ")


def _first_new(old: str, new: str) -> str:
    """The first line of `new` that `old` does not have, else the first line of `old` that is gone."""
    before, after = dict.fromkeys(old.split("\n")), dict.fromkeys(new.split("\n"))
    changed = (*(line for line in after if line not in before), *(line for line in before if line not in after))
    return next((line for line in changed if line.strip()), "")
