"""Codex rollouts: the model's items one a line, in an envelope (`type`, `payload`) or, in older releases, bare.

`response_item` records are the conversation. `event_msg` records mostly repeat them for the screen; taken from them are
exit codes, the hunks of applied patches and the tokens billed. Instructions and environment that the client puts into the
user's mouth are attachments, not prompts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Unpack

import msgspec

from clew.records import (
    FileChange,
    FileTouch,
    Hunk,
    Observation,
    ObservationKind,
    PlanChange,
    Replacement,
    ToolCall,
    ToolKind,
    ToolResult,
    Usage,
)
from clew.task.vocabulary import load
from clew.transcript.dialects.dialect import About, Dialect, LineParser, Origin, ParserMemory
from clew.transcript.dialects.values import (
    compact,
    content_text,
    count_of,
    diff_hunks,
    first_text,
    list_of,
    mapping_of,
    outcome_of,
    plan_steps,
    shell_words,
    text_of,
    time_ns,
    title_in,
)
from clew.transcript.vocabulary import by_word, listed

_ENVELOPES = frozenset(("session_meta", "response_item", "event_msg", "turn_context", "compacted"))
_WORDS = load("codex.toml", __file__)
_SILENT_EVENTS, _SILENT_ITEMS, _CALLS, _OUTPUTS = (listed(_WORDS[name]) for name in ("silent_events", "silent_items", "calls", "outputs"))
_CLIENT_PROMPTS: tuple[str, ...] = tuple(_WORDS["client_prompts"])
_IMAGE_TAG = re.compile(r"</?image(?: name=\[[^\]\n]{0,80}\])?>\n?")
_EXIT = re.compile(r"(?:^|\n)(?:Exit code: |Process exited with code |exit_code: )(-?\d{1,6})\n")
_HEAD_CHARS = 2048  # headers before the output: command, wall time, exit code
_KINDS = {name: ToolKind(kind) for name, kind in by_word(_WORDS["kinds"]).items()}
_PATCH = "*** Begin Patch"
_PATCHED_FILE = re.compile(r"^\*\*\* (?:(Add|Update|Delete) File|Move to): ([^\n]{1,400})$", re.MULTILINE)


class _Line(msgspec.Struct):
    type: object = None
    timestamp: object = None
    record_type: object = None
    payload: msgspec.Raw = msgspec.Raw()


class _EventMessage(msgspec.Struct):
    type: object = None
    call_id: object = None
    exit_code: object = None
    success: object = None
    changes: msgspec.Raw = msgspec.Raw()
    info: object = None
    message: object = None
    reason: object = None


class _Memory(ParserMemory):
    cwd: str = ""
    branch: str = ""
    model: str = ""
    version: str = ""
    billed: int = 0  # total tokens of the last usage report, to skip its repetitions
    exits: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    patches: dict[str, list[tuple[str, list[tuple[int, int, int]]]]] = msgspec.field(
        default_factory=dict[str, list[tuple[str, list[tuple[int, int, int]]]]]
    )


_LINES = msgspec.json.Decoder(_Line)
_EVENTS = msgspec.json.Decoder(_EventMessage)


class Codex(Dialect):
    """Rollouts under `~/.codex/sessions`."""

    name = "codex"
    repeated_attachments = listed(_WORDS["repeated_attachments"])

    def recognises(self, record: Mapping[str, object]) -> bool:
        """An envelope with a payload; in older releases a head with id and instructions, or a state record."""
        if record.get("type") in _ENVELOPES and isinstance(record.get("payload"), dict):
            return True
        if record.get("record_type") == "state":
            return True
        return (
            "type" not in record
            and isinstance(record.get("id"), str)
            and "timestamp" in record
            and ("instructions" in record or "git" in record)
        )

    def parser(self, origin: Origin, memory: bytes = b"") -> LineParser:
        """Return a parser at the first line, or where `memory` was taken."""
        return _Parser(origin, msgspec.json.decode(memory, type=_Memory) if memory else _Memory())

    def head(self, record: Mapping[str, object]) -> tuple[str, str]:
        """The first record names the session; it or a later one the folder."""
        payload = mapping_of(record.get("payload"))
        is_envelope = record.get("type") == "session_meta"
        about = payload if is_envelope else record if "type" not in record else mapping_of(None)
        return text_of(about.get("id")), text_of(record.get("cwd")) or text_of(payload.get("cwd"))

    def tool_call(self, tool: str, inputs: Mapping[str, object], arguments: str = "") -> ToolCall:
        """What a call asks for."""
        kind = _KINDS.get(tool, ToolKind.OTHER)
        is_command, is_search = kind is ToolKind.COMMAND, kind is ToolKind.SEARCH
        command = shell_words(inputs.get("command") or inputs.get("cmd")) if is_command else ""
        if is_command and _PATCH in text_of(inputs.get("command"))[:200]:
            kind = ToolKind.EDIT
        content = first_text(inputs, "input", "patch") if tool == "apply_patch" else ""
        patch = content or (command if _PATCH in command else "")
        path = first_text(inputs, "file_path", "path")
        touches = [FileTouch(name.strip(), "write" if how == "Add" else "edit") for how, name in _PATCHED_FILE.findall(patch)]
        if tool == "read_file" and path:
            touches = [FileTouch(path, "read")]
        options = {key: value for key, value in inputs.items() if key not in ("pattern", "query", "path")} if is_search else {}
        return ToolCall(
            tool,
            kind,
            arguments=arguments,
            workdir=text_of(inputs.get("workdir")),
            path=path,
            touches=tuple(touches),
            command=command,
            typed=first_text(inputs, "chars", "input") if is_command else "",
            edits=tuple(_replacements(patch)) if patch else (),
            content=content,
            query=first_text(inputs, "pattern", "query"),
            scope=path if is_search else "",
            options=compact(options) if options else "",
            title=title_in(inputs),
            prompt=first_text(inputs, "prompt", "message") if kind is ToolKind.AGENT else "",
            job=text_of(inputs.get("agent_id")),
            question=" / ".join(text for item in list_of(inputs.get("questions")) if (text := text_of(mapping_of(item).get("question")))),
            todo=PlanChange(plan_steps(inputs.get("plan")) or ()) if kind is ToolKind.TODO else None,
            is_foreign="__" in tool,
        )


def _replacements(patch: str) -> Iterator[Replacement]:
    """The texts that a patch replaces, hunk by hunk."""
    path = ""
    old: list[str] = []
    new: list[str] = []
    for line in [*patch.split("\n"), "*** End"]:
        if line.startswith(("***", "@@")):
            if path and (old or new):
                yield Replacement(path, "\n".join(old), "\n".join(new))
            old, new = [], []
            if line.startswith("***"):
                path = line.partition("File: ")[2].strip()
        elif line.startswith("-"):
            old.append(line[1:])
        elif line.startswith("+"):
            new.append(line[1:])


class _Parser(LineParser):
    def __init__(self, origin: Origin, memory: _Memory) -> None:
        super().__init__(origin, memory)
        self._memory = memory

    def parse(self, line: bytes, record_index: int) -> Sequence[Observation]:
        """The observations of one record."""
        record = _LINES.decode(line)
        at_ns = time_ns(record.timestamp)
        kind = text_of(record.type)
        if kind not in _ENVELOPES:
            return self._bare(record, kind, line, record_index, at_ns)
        if kind == "event_msg":
            return self._message(record.payload, record_index, at_ns)
        payload = mapping_of(msgspec.json.decode(record.payload) if bytes(record.payload) else None)
        if kind == "response_item":
            return self._item(payload, record_index, at_ns)
        if kind == "compacted":
            return self._compacted(payload, record_index, at_ns)
        self._context(payload, is_head=kind == "session_meta")
        return ()

    def _bare(self, record: _Line, kind: str, line: bytes, index: int, at_ns: int) -> Sequence[Observation]:
        if record.record_type == "state":
            return ()
        value = mapping_of(msgspec.json.decode(line))
        if not kind:
            if isinstance(value.get("id"), str):
                self._context(value, is_head=True)
                return ()
            self._count_unknown("(no type)")
            return ()
        return self._item(value, index, at_ns)

    def _context(self, payload: Mapping[str, object], *, is_head: bool) -> None:
        memory = self._memory
        if is_head:
            memory.session = memory.session or text_of(payload.get("id"))
            memory.version = text_of(payload.get("cli_version")) or memory.version
            memory.branch = text_of(mapping_of(payload.get("git")).get("branch")) or memory.branch
        memory.cwd = text_of(payload.get("cwd")) or memory.cwd
        memory.model = text_of(payload.get("model")) or memory.model

    def _observed(self, index: int, at_ns: int, kind: ObservationKind, text: str, **about: Unpack[About]) -> Observation:
        memory = self._memory
        return Observation(
            session=memory.session,
            seq=self._next_seq(),
            record_index=index,
            uuid=f"{memory.session}:{index}",
            kind=kind,
            text=text,
            agent=self.origin.agent,
            cwd=memory.cwd,
            branch=memory.branch,
            version=memory.version,
            at_ns=at_ns,
            model=memory.model,
            **about,
        )

    def _item(self, item: Mapping[str, object], index: int, at_ns: int) -> list[Observation]:
        kind = text_of(item.get("type"))
        if kind == "message":
            return self._said(item, index, at_ns)
        if kind == "reasoning":
            text = content_text(item.get("summary")) or content_text(item.get("content"))
            return [self._observed(index, at_ns, ObservationKind.THINKING, text)] if text else []
        if kind in _CALLS:
            return [self._call(kind, item, index, at_ns)]
        if kind in _OUTPUTS:
            return [self._output(item, index, at_ns)]
        if kind == "web_search_call":
            action = mapping_of(item.get("action"))
            return [self._called("web_search", action, compact(action), "", index, at_ns)]
        if kind not in _SILENT_ITEMS:
            self._count_unknown(f"response_item/{kind}")
        return []

    def _said(self, item: Mapping[str, object], index: int, at_ns: int) -> list[Observation]:
        text = content_text(item.get("content"))
        role = text_of(item.get("role"))
        if role == "assistant":
            return [self._observed(index, at_ns, ObservationKind.MESSAGE, text)]
        if role in ("developer", "system"):
            return [self._observed(index, at_ns, ObservationKind.ATTACHMENT, text, tool="developer", is_meta=True)]
        if text.startswith(_CLIENT_PROMPTS):
            kind = "environment" if text.startswith("<environment_context>") else "instructions"
            return [self._observed(index, at_ns, ObservationKind.ATTACHMENT, text, tool=kind, is_meta=True)]
        return [self._observed(index, at_ns, ObservationKind.PROMPT, _IMAGE_TAG.sub("", text))]

    def _call(self, kind: str, item: Mapping[str, object], index: int, at_ns: int) -> Observation:
        tool = text_of(item.get("name")) or kind
        call_id = text_of(item.get("call_id")) or text_of(item.get("id"))
        given: object = item.get("arguments")
        if kind == "local_shell_call":
            tool, given = "local_shell", mapping_of(item.get("action"))
        elif kind == "custom_tool_call":
            given = {"input": text_of(item.get("input"))}
        inputs, arguments = _decoded(given)
        self._keep_tool(call_id, tool)
        return self._called(tool, inputs, arguments, call_id, index, at_ns)

    def _called(self, tool: str, inputs: Mapping[str, object], arguments: str, call_id: str, index: int, at_ns: int) -> Observation:
        call = replace(DIALECT.tool_call(tool, inputs, arguments), id=call_id, cwd=self._memory.cwd)
        return self._observed(index, at_ns, ObservationKind.CALL, arguments, tool=tool, call_id=call_id, arguments=arguments, call=call)

    def _output(self, item: Mapping[str, object], index: int, at_ns: int) -> Observation:
        memory = self._memory
        call_id = text_of(item.get("call_id"))
        text, exit_code, is_error = _unwrapped(item.get("output"))
        exit_code = memory.exits.pop(call_id, exit_code)
        if exit_code is None and (found := _EXIT.search(text, 0, _HEAD_CHARS)):
            exit_code = int(found[1])
        if is_error is None and exit_code is not None:
            is_error = exit_code != 0
        tool = memory.calls.pop(call_id, "")
        if tool == "apply_patch" and exit_code is None and is_error is None:
            is_error = not text.startswith("Success")
        changes = tuple(FileChange(path, tuple(Hunk(*hunk) for hunk in hunks)) for path, hunks in memory.patches.pop(call_id, []))
        outcome = outcome_of(text, is_error=is_error, exit_code=exit_code)
        call = ToolCall(tool, id=call_id, result=ToolResult(text, outcome, is_error, exit_code, changes=changes))
        return self._observed(
            index, at_ns, ObservationKind.RESULT, text, tool=tool, call_id=call_id, is_error=is_error, exit_code=exit_code, call=call
        )

    def _message(self, payload: msgspec.Raw, index: int, at_ns: int) -> list[Observation]:
        message = _EVENTS.decode(payload)
        memory = self._memory
        kind, call_id = text_of(message.type), text_of(message.call_id)
        if kind == "exec_command_end":
            if isinstance(message.exit_code, int) and call_id in memory.calls:
                memory.exits[call_id] = count_of(message.exit_code)
        elif kind == "patch_apply_end":
            if call_id in memory.calls and message.success and bytes(message.changes)[:1] == b"{":
                changes = mapping_of(msgspec.json.decode(message.changes))
                memory.patches[call_id] = [
                    (
                        path,
                        [
                            (hunk.old_start, hunk.old_lines, hunk.new_lines)
                            for hunk in diff_hunks(text_of(mapping_of(change).get("unified_diff")))
                        ],
                    )
                    for path, change in changes.items()
                ]
        elif kind == "token_count":
            return self._billed(mapping_of(message.info), index, at_ns)
        elif kind == "error":
            return [self._observed(index, at_ns, ObservationKind.NOTE, text_of(message.message), tool="api_error", is_error=True)]
        elif kind == "turn_aborted":
            return [self._observed(index, at_ns, ObservationKind.NOTE, f"[turn aborted: {text_of(message.reason)}]", tool="client")]
        elif kind not in _SILENT_EVENTS:
            self._count_unknown(f"event_msg/{kind}")
        return []

    def _billed(self, info: Mapping[str, object], index: int, at_ns: int) -> list[Observation]:
        total = count_of(mapping_of(info.get("total_token_usage")).get("total_tokens"))
        last = mapping_of(info.get("last_token_usage"))
        if not last or total == self._memory.billed:
            return []
        self._memory.billed = total
        cached = count_of(last.get("cached_input_tokens"))
        usage = Usage(max(0, count_of(last.get("input_tokens")) - cached), count_of(last.get("output_tokens")), cached)
        return [self._observed(index, at_ns, ObservationKind.NOTE, "", tool="token_count", usage=usage)]

    def _compacted(self, payload: Mapping[str, object], index: int, at_ns: int) -> list[Observation]:
        summary = text_of(payload.get("message"))
        if not summary:
            kept = [mapping_of(item) for item in list_of(payload.get("replacement_history"))]
            spoken = [(text_of(item.get("role")), content_text(item.get("content"))) for item in kept if item.get("type") == "message"]
            summary = "\n\n".join(f"{role}: {text}" for role, text in spoken if text)
        observations = [self._observed(index, at_ns, ObservationKind.BOUNDARY, "Conversation compacted", tool="compacted")]
        if summary:
            observations.append(self._observed(index, at_ns, ObservationKind.SUMMARY, summary))
        return observations


def _decoded(given: object) -> tuple[Mapping[str, object], str]:
    """A call's input, which may come as JSON in a string, and as JSON with sorted keys; free text of older releases as it is."""
    try:
        value: object = msgspec.json.decode(given) if isinstance(given, str) else given
    except (msgspec.DecodeError, RecursionError):
        return {"input": given}, text_of(given)
    return mapping_of(value), compact(value)


def _unwrapped(output: object) -> tuple[str, int | None, bool | None]:
    """Text, exit code and failure of an output: a string, blocks, or older envelopes around a string."""
    if isinstance(output, str) and output.startswith('{"output":'):
        try:
            output = msgspec.json.decode(output)
        except (msgspec.DecodeError, RecursionError):
            return text_of(output), None, None
    envelope = mapping_of(output)
    if not envelope:
        return content_text(output), None, None
    text = content_text(envelope.get("output") if "output" in envelope else envelope.get("content"))
    exit_code = mapping_of(envelope.get("metadata")).get("exit_code")
    is_error = None if envelope.get("success") is None else not envelope.get("success")
    return text, exit_code if isinstance(exit_code, int) else None, is_error


DIALECT = Codex()
