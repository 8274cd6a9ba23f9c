"""The transcript format of Codex: the model's items one a line, in an envelope (`type`, `payload`) or, in older releases, bare.

`response_item` records are the conversation. `event_msg` records mostly repeat them for the screen; taken from them are
exit codes, the hunks of applied patches and the tokens billed. Instructions and environment that the client sends in
the user's role are attachments, not prompts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, replace
from itertools import pairwise
from typing import Unpack

import msgspec

from clew.records import (
    FileChange,
    FileTouch,
    Hunk,
    Observation,
    ObservationKind,
    PlanChange,
    TextReplacement,
    ToolCall,
    ToolKind,
    ToolResult,
)
from clew.task.vocabulary import load_toml
from clew.transcript.dialects.dialect import Dialect, LineParser, ObservationDetails, ParserState, TranscriptOrigin
from clew.transcript.dialects.values import (
    encode_compact_json,
    find_first_text,
    find_title,
    infer_outcome,
    int_or_zero,
    list_or_empty,
    mapping_or_empty,
    parse_command_line,
    parse_diff_hunks,
    parse_plan_steps,
    parse_time_ns,
    render_content,
    text_or_empty,
)
from clew.transcript.vocabulary import map_words_to_lists, split_words

_ENVELOPES = frozenset(("session_meta", "response_item", "event_msg", "turn_context", "compacted"))
_WORDS = load_toml("codex.toml", __file__)
_SILENT_EVENTS, _SILENT_ITEMS, _CALLS, _OUTPUTS = (
    split_words(_WORDS[name]) for name in ("silent_events", "silent_items", "calls", "outputs")
)
_CLIENT_PROMPTS: tuple[str, ...] = tuple(_WORDS["client_prompts"])
_IMAGE_TAG = re.compile(r"</?image(?: name=\[[^\]\n]{0,80}\])?>\n?")
_EXIT = re.compile(r"(?:^|\n)(?:Exit code: |Process exited with code |exit_code: )(-?\d{1,6})\n")
_HEAD_CHARS = 2048  # headers before the output: command, wall time, exit code
_KINDS = {name: ToolKind(kind) for name, kind in map_words_to_lists(_WORDS["kinds"]).items()}
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
    message: object = None
    reason: object = None


class _Memory(ParserState):
    cwd: str = ""
    branch: str = ""
    model: str = ""
    version: str = ""
    exits: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    patches: dict[str, list[tuple[str, list[tuple[int, int, int]]]]] = msgspec.field(
        default_factory=dict[str, list[tuple[str, list[tuple[int, int, int]]]]]
    )


_LINES = msgspec.json.Decoder(_Line)
_EVENTS = msgspec.json.Decoder(_EventMessage)


class Codex(Dialect):
    """The dialect of Codex: transcripts ("rollouts") under `~/.codex/sessions`."""

    name = "codex"
    repeated_attachments = split_words(_WORDS["repeated_attachments"])

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Return whether the record is an envelope with a payload, or an older head with id and instructions, or a state record."""
        if text_or_empty(record.get("type")) in _ENVELOPES and isinstance(record.get("payload"), dict):
            return True
        if record.get("record_type") == "state":
            return True
        return (
            "type" not in record
            and isinstance(record.get("id"), str)
            and "timestamp" in record
            and ("instructions" in record or "git" in record)
        )

    def create_parser(self, origin: TranscriptOrigin, saved_state: bytes = b"") -> LineParser:
        """Return a parser at the first line, or at the line where `saved_state` was dumped."""
        return _Parser(origin, msgspec.json.decode(saved_state, type=_Memory) if saved_state else _Memory())

    def parse_session_info(self, record: Mapping[str, object]) -> tuple[str, str]:
        """Return the session's id, which the first record names, and its folder, which that or a later one names."""
        payload = mapping_or_empty(record.get("payload"))
        is_envelope = record.get("type") == "session_meta"
        about = payload if is_envelope else record if "type" not in record else mapping_or_empty(None)
        return text_or_empty(about.get("id")), text_or_empty(record.get("cwd")) or text_or_empty(payload.get("cwd"))

    def build_tool_call(self, tool: str, inputs: Mapping[str, object], arguments: str = "") -> ToolCall:
        """Translate a call of one of Codex's tools, or of an MCP tool, into a `ToolCall`."""
        kind = _KINDS.get(tool, ToolKind.OTHER)
        is_command, is_search = kind is ToolKind.COMMAND, kind is ToolKind.SEARCH
        command = parse_command_line(inputs.get("command") or inputs.get("cmd")) if is_command else ""
        if is_command and _PATCH in text_or_empty(inputs.get("command"))[:200]:
            kind = ToolKind.EDIT
        content = find_first_text(inputs, "input", "patch") if tool == "apply_patch" else ""
        patch = content or (command if _PATCH in command else "")
        path = find_first_text(inputs, "file_path", "path")
        named: list[tuple[str, str]] = _PATCHED_FILE.findall(patch)
        touches = [FileTouch(name.strip(), "write" if how == "Add" else "edit") for how, name in named]
        if tool == "read_file" and path:
            touches = [FileTouch(path, "read")]
        options = {key: value for key, value in inputs.items() if key not in ("pattern", "query", "path")} if is_search else {}
        return ToolCall(
            tool,
            kind,
            arguments=arguments,
            workdir=text_or_empty(inputs.get("workdir")),
            path=path,
            touches=tuple(touches),
            command=command,
            typed=find_first_text(inputs, "chars", "input") if is_command else "",
            edits=tuple(_replacements(patch)) if patch else (),
            content=content,
            removes=tuple(name.strip() for how, name in named if how == "Delete"),
            moves=tuple((old.strip(), new.strip()) for (_, old), (how, new) in pairwise(named) if not how),
            query=find_first_text(inputs, "pattern", "query"),
            scope=path if is_search else "",
            options=encode_compact_json(options) if options else "",
            title=find_title(inputs),
            prompt=find_first_text(inputs, "prompt", "message") if kind is ToolKind.AGENT else "",
            job=text_or_empty(inputs.get("agent_id")),
            question=" / ".join(
                text for item in list_or_empty(inputs.get("questions")) if (text := text_or_empty(mapping_or_empty(item).get("question")))
            ),
            todo=PlanChange(parse_plan_steps(inputs.get("plan")) or ()) if kind is ToolKind.TODO else None,
            is_foreign="__" in tool,
        )


def _replacements(patch: str) -> Iterator[TextReplacement]:
    """The texts that a patch replaces, hunk by hunk."""
    path = ""
    old: list[str] = []
    new: list[str] = []
    for line in [*patch.split("\n"), "*** End"]:
        if line.startswith(("***", "@@")):
            if path and (old or new):
                yield TextReplacement(path, "\n".join(old), "\n".join(new))
            old, new = [], []
            if line.startswith("***"):
                path = line.partition("File: ")[2].strip()
        elif line.startswith("-"):
            old.append(line[1:])
        elif line.startswith("+"):
            new.append(line[1:])


class _Parser(LineParser):
    def __init__(self, origin: TranscriptOrigin, memory: _Memory) -> None:
        super().__init__(origin, memory)
        self._memory = memory

    def parse(self, line: bytes, record_index: int) -> Sequence[Observation]:
        """Return the observations in one line; a record type that is not known is counted."""
        record = _LINES.decode(line)
        at_ns = parse_time_ns(record.timestamp)
        kind = text_or_empty(record.type)
        if kind not in _ENVELOPES:
            return self._bare(record, kind, line, record_index, at_ns)
        if kind == "event_msg":
            return self._message(record.payload, record_index, at_ns)
        payload = mapping_or_empty(msgspec.json.decode(record.payload) if bytes(record.payload) else None)
        if kind == "response_item":
            return self._item(payload, record_index, at_ns)
        if kind == "compacted":
            return self._compacted(payload, record_index, at_ns)
        self._context(payload, is_head=kind == "session_meta")
        return ()

    def _bare(self, record: _Line, kind: str, line: bytes, index: int, at_ns: int) -> Sequence[Observation]:
        if record.record_type == "state":
            return ()
        value = mapping_or_empty(msgspec.json.decode(line))
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
            memory.session = memory.session or text_or_empty(payload.get("id"))
            memory.version = text_or_empty(payload.get("cli_version")) or memory.version
            memory.branch = text_or_empty(mapping_or_empty(payload.get("git")).get("branch")) or memory.branch
        memory.cwd = text_or_empty(payload.get("cwd")) or memory.cwd
        memory.model = text_or_empty(payload.get("model")) or memory.model

    def _observed(self, index: int, at_ns: int, kind: ObservationKind, text: str, **about: Unpack[ObservationDetails]) -> Observation:
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
        kind = text_or_empty(item.get("type"))
        if kind == "message":
            return self._said(item, index, at_ns)
        if kind == "reasoning":
            text = render_content(item.get("summary")) or render_content(item.get("content"))
            return [self._observed(index, at_ns, ObservationKind.THINKING, text)] if text else []
        if kind in _CALLS:
            return [self._call(kind, item, index, at_ns)]
        if kind in _OUTPUTS:
            return [self._output(item, index, at_ns)]
        if kind == "web_search_call":
            action = mapping_or_empty(item.get("action"))
            return [self._called("web_search", action, encode_compact_json(action), "", index, at_ns)]
        if kind not in _SILENT_ITEMS:
            self._count_unknown(f"response_item/{kind}")
        return []

    def _said(self, item: Mapping[str, object], index: int, at_ns: int) -> list[Observation]:
        text = render_content(item.get("content"))
        role = text_or_empty(item.get("role"))
        if role == "assistant":
            return [self._observed(index, at_ns, ObservationKind.MESSAGE, text)]
        if role in ("developer", "system"):
            return [self._observed(index, at_ns, ObservationKind.ATTACHMENT, text, tool="developer", is_meta=True)]
        if text.startswith(_CLIENT_PROMPTS):
            kind = "environment" if text.startswith("<environment_context>") else "instructions"
            return [self._observed(index, at_ns, ObservationKind.ATTACHMENT, text, tool=kind, is_meta=True)]
        return [self._observed(index, at_ns, ObservationKind.PROMPT, _IMAGE_TAG.sub("", text))]

    def _call(self, kind: str, item: Mapping[str, object], index: int, at_ns: int) -> Observation:
        tool = text_or_empty(item.get("name")) or kind
        call_id = text_or_empty(item.get("call_id")) or text_or_empty(item.get("id"))
        given: object = item.get("arguments")
        if kind == "local_shell_call":
            tool, given = "local_shell", mapping_or_empty(item.get("action"))
        elif kind == "custom_tool_call":
            given = {"input": text_or_empty(item.get("input"))}
        inputs, arguments = _decoded(given)
        self._keep_tool(call_id, tool)
        return self._called(tool, inputs, arguments, call_id, index, at_ns)

    def _called(self, tool: str, inputs: Mapping[str, object], arguments: str, call_id: str, index: int, at_ns: int) -> Observation:
        call = replace(DIALECT.build_tool_call(tool, inputs, arguments), id=call_id, cwd=self._memory.cwd)
        return self._observed(index, at_ns, ObservationKind.CALL, arguments, tool=tool, call_id=call_id, arguments=arguments, call=call)

    def _output(self, item: Mapping[str, object], index: int, at_ns: int) -> Observation:
        memory = self._memory
        call_id = text_or_empty(item.get("call_id"))
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
        outcome = infer_outcome(text, is_error=is_error, exit_code=exit_code)
        call = ToolCall(tool, id=call_id, result=ToolResult(text, outcome, is_error, exit_code, changes=changes))
        return self._observed(
            index, at_ns, ObservationKind.RESULT, text, tool=tool, call_id=call_id, is_error=is_error, exit_code=exit_code, call=call
        )

    def _message(self, payload: msgspec.Raw, index: int, at_ns: int) -> list[Observation]:
        message = _EVENTS.decode(payload)
        memory = self._memory
        kind, call_id = text_or_empty(message.type), text_or_empty(message.call_id)
        if kind == "exec_command_end":
            if isinstance(message.exit_code, int) and call_id in memory.calls:
                memory.exits[call_id] = int_or_zero(message.exit_code)
        elif kind == "patch_apply_end":
            if call_id in memory.calls and message.success and bytes(message.changes)[:1] == b"{":
                changes = mapping_or_empty(msgspec.json.decode(message.changes))
                memory.patches[call_id] = [
                    (path, [astuple(hunk) for hunk in parse_diff_hunks(text_or_empty(mapping_or_empty(change).get("unified_diff")))])
                    for path, change in changes.items()
                ]
        elif kind == "error":
            return [self._observed(index, at_ns, ObservationKind.NOTE, text_or_empty(message.message), tool="api_error", is_error=True)]
        elif kind == "turn_aborted":
            return [self._observed(index, at_ns, ObservationKind.NOTE, f"[turn aborted: {text_or_empty(message.reason)}]", tool="client")]
        elif kind not in _SILENT_EVENTS:
            self._count_unknown(f"event_msg/{kind}")
        return []

    def _compacted(self, payload: Mapping[str, object], index: int, at_ns: int) -> list[Observation]:
        summary = text_or_empty(payload.get("message"))
        if not summary:
            kept = [mapping_or_empty(item) for item in list_or_empty(payload.get("replacement_history"))]
            spoken = [
                (text_or_empty(item.get("role")), render_content(item.get("content"))) for item in kept if item.get("type") == "message"
            ]
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
        return {"input": given}, text_or_empty(given)
    return mapping_or_empty(value), encode_compact_json(value)


def _unwrapped(output: object) -> tuple[str, int | None, bool | None]:
    """Text, exit code and failure of an output: a string, blocks, or older envelopes around a string."""
    if isinstance(output, str) and output.startswith('{"output":'):
        try:
            output = msgspec.json.decode(output)
        except (msgspec.DecodeError, RecursionError):
            return text_or_empty(output), None, None
    envelope = mapping_or_empty(output)
    if not envelope:
        return render_content(output), None, None
    text = render_content(envelope.get("output") if "output" in envelope else envelope.get("content"))
    exit_code = mapping_or_empty(envelope.get("metadata")).get("exit_code")
    is_error = None if envelope.get("success") is None else not envelope.get("success")
    return text, exit_code if isinstance(exit_code, int) else None, is_error


DIALECT = Codex()
