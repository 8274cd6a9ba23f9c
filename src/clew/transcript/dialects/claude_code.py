"""The transcript format of Claude Code: JSON Lines, one record a line, of every release seen so far.

Text comes from `message` and is kept as the model saw it. `toolUseResult`, which often repeats it next to a whole file, is scanned
for the few fields that say more: ranges, line counts, patches, exit codes. Progress of running tools, hook timings, file snapshots and
the client's own logs hold no event and are skipped; a record type that is not listed here is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Unpack

import msgspec

from clew.records import (
    CallOutcome,
    FileChange,
    FileTouch,
    FileView,
    Observation,
    ObservationKind,
    PlanChange,
    QuestionAnswer,
    TextReplacement,
    ToolCall,
    ToolKind,
    ToolResult,
)
from clew.task.bounded import drop_oldest
from clew.task.prompts import extract_typed_text
from clew.task.truncation import parse_truncation_notice
from clew.task.vocabulary import load_toml
from clew.transcript.dialects.dialect import REMEMBERED_MAX, Dialect, LineParser, ObservationDetails, ParserState, TranscriptOrigin
from clew.transcript.dialects.values import (
    encode_compact_json,
    find_first_text,
    find_title,
    infer_outcome,
    int_or_zero,
    list_or_empty,
    mapping_or_empty,
    normalize_step_status,
    parse_patch_hunks,
    parse_plan_steps,
    parse_time_ns,
    render_content,
    text_or_empty,
)
from clew.transcript.vocabulary import HANDOFF_HEADING, map_words_to_lists, split_words

_WORDS = load_toml("claude_code.toml", __file__)
_SILENT, _SILENT_SYSTEM, _SPOKEN_SYSTEM = (split_words(_WORDS[name]) for name in ("silent", "silent_system", "spoken_system"))
_CLIENT_NOTES, _CLIENT_PROMPTS, _NO_OUTCOME, _NOTHING_FOUND = (
    tuple[str, ...](_WORDS[name]) for name in ("client_notes", "client_prompts", "no_outcome", "nothing_found")
)
_EXIT = re.compile(r"(?:Error: )?Exit code (-?\d{1,6})(?:\n|$)")
_THINKING = frozenset(("thinking", "redacted_thinking"))
_KINDS = {name: ToolKind(kind) for name, kind in map_words_to_lists(_WORDS["kinds"]).items()}
_TOUCHES = map_words_to_lists(_WORDS["touches"])
CLEW_TOOL_PREFIXES = ("mcp__plugin_clew_clew__", "mcp__clew__")  # how the client calls the tools of clew's server
# What the client says in a tool's place.
# How `toolUseResult` begins where the client itself refused the call: what a tool printed stands there as an object, or as another error.
_REFUSED_BESIDE = (
    b'"User rejected tool use',
    b"\"Error: The user doesn't want to proceed with this tool use",
    b'"Error: The user doesn\\u2019t',
)
_INTERRUPTED = "[Request interrupted"
_UNKNOWN_TOOL = "No such tool available"
_JOB = re.compile(r"running in background with ID: (\w{1,40})")
_JOB_EXIT = re.compile(r"<status>(?:completed|failed|killed)</status>\s{0,4}<exit_code>(-?\d{1,6})</exit_code>")
_NOTIFIED = re.compile(
    r"\A<task-notification>\s{0,4}<task-id>(\w{1,40})</task-id>.{0,2000}?"
    r"<summary>(Background command .{0,2000}?exit code (-?\d{1,6})\)?)</summary>",
    re.DOTALL,
)
_REPORTED = re.compile(
    r"\A<task-notification>\s{0,4}<task-id>(\w{1,40})</task-id>.{0,2000}?"
    r"<summary>Agent \"?([^\n<]{0,300}?)\"? (?:completed|finished|failed)[^\n<]{0,200}</summary>\s{0,4}<result>(.*)</result>",
    re.DOTALL,
)
_LAUNCHED = re.compile(r"\s*(?:Async agent launched|Spawned successfully|Message (?:queued|sent))")
_AGENT_OUTPUT = re.compile(
    r"(?s)<retrieval_status>(?:(?!<output>).){0,600}<task_type>local_agent</task_type>(?:(?!<output>).){0,600}<output>\n?(.*?)(?:</output>\s*)?$"
)
_AGENT_TRAILER = re.compile(r"\s*agentId: \w{1,40} \(.*\Z|\s*<usage>.*\Z", re.DOTALL)
_ELEMENT = re.compile(r"\s*<([a-z][\w-]{0,60})(?:\s[^<>]{0,2000})?>.*</\1>\s*", re.DOTALL)
_STEP = re.compile(r"[Tt]ask #(\w{1,20})\b")


class _Line(msgspec.Struct, rename="camel"):
    type: object = None
    subtype: object = None
    uuid: object = None
    parent_uuid: object = None
    session_id: object = None
    timestamp: object = None
    cwd: object = None
    version: object = None
    git_branch: object = None
    agent_id: object = None
    is_sidechain: object = None
    is_meta: object = None
    is_compact_summary: object = None
    is_api_error_message: object = None
    origin: object = None
    message: object = None
    tool_use_result: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    attachment: object = None
    rendered: object = None
    content: object = None
    summary: object = None
    compact_metadata: object = None
    microcompact_metadata: object = None
    error: object = None
    hook_errors: object = None
    operation: object = None
    pr_url: object = None
    pr_number: object = None


class _Progress(msgspec.Struct, rename="camel"):
    type: object = None
    agent_id: object = None
    message: msgspec.Raw = msgspec.Raw()


class _FileView(msgspec.Struct, rename="camel"):
    file_path: object = None
    num_lines: object = None
    start_line: object = None
    total_lines: object = None

    def view(self) -> FileView:
        return FileView(
            text_or_empty(self.file_path), int_or_zero(self.start_line), int_or_zero(self.num_lines), int_or_zero(self.total_lines)
        )


class _ToolUseResult(msgspec.Struct, rename="camel"):
    file: _FileView | None = None
    file_path: object = None
    structured_patch: object = None
    interrupted: object = None
    stdout: msgspec.Raw = msgspec.Raw()
    return_code_interpretation: object = None
    background_task_id: object = None
    persisted_output_path: object = None
    questions: object = None
    answers: object = None


class _Memory(ParserState):
    side: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # uuid in a sidechain: agent
    queue: list[str] = msgspec.field(default_factory=list[str])  # prompts typed while the agent works
    handed: list[str] = msgspec.field(default_factory=list[str])  # taken from the queue in mid-turn, not yet seen as an attachment
    attached: list[str] = msgspec.field(default_factory=list[str])  # the other way round


_LINES = msgspec.json.Decoder(_Line)
_PROGRESS = msgspec.json.Decoder(_Progress)
_RESULTS = msgspec.json.Decoder(_ToolUseResult)


class ClaudeCode(Dialect):
    """The dialect of Claude Code: transcripts under `~/.claude/projects`, of today's and earlier releases."""

    name = "claude-code"
    repeated_attachments = split_words(_WORDS["repeated_attachments"])

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Return whether the record names its session as Claude Code does, or is of one of the few older types that do not."""
        kind = record.get("type")
        if not isinstance(kind, str) or "payload" in record:
            return False
        if isinstance(record.get("sessionId"), str):
            return True
        return (kind == "summary" and "leafUuid" in record) or (kind == "file-history-snapshot" and "messageId" in record)

    def create_parser(self, origin: TranscriptOrigin, saved_state: bytes = b"") -> LineParser:
        """Return a parser at the first line, or at the line where `saved_state` was dumped."""
        return _Parser(origin, msgspec.json.decode(saved_state, type=_Memory) if saved_state else _Memory())

    def parse_session_info(self, record: Mapping[str, object]) -> tuple[str, str]:
        """Return the session's id and folder; every record names both."""
        return text_or_empty(record.get("sessionId")), text_or_empty(record.get("cwd"))

    def build_tool_call(self, tool: str, inputs: Mapping[str, object], arguments: str = "") -> ToolCall:
        """Translate a call of one of Claude Code's tools, or of an MCP tool, into a `ToolCall`."""
        kind = _KINDS.get(tool, ToolKind.OTHER)
        path = find_first_text(inputs, "file_path", "path", "notebook_path", *(("filePath", "uri") if kind is not ToolKind.OTHER else ()))
        touches: tuple[FileTouch, ...] = ()
        if path and (tool in _TOUCHES or (tool == "Grep" and "." in path.rpartition("/")[2])):
            touches = (FileTouch(path, _TOUCHES.get(tool, "search")),)
        is_search, is_about = kind is ToolKind.SEARCH, kind in (ToolKind.FETCH, ToolKind.AGENT)
        options = {key: value for key, value in inputs.items() if key not in ("pattern", "query", "path")} if is_search else {}
        return ToolCall(
            tool,
            kind,
            arguments=arguments,
            path=path,
            touches=touches,
            command=text_or_empty(inputs.get("command")) if kind is ToolKind.COMMAND else "",
            edits=_edits(inputs, path) if kind is ToolKind.EDIT else (),
            content=find_first_text(inputs, "content", "new_source") if kind in (ToolKind.WRITE, ToolKind.EDIT) else "",
            query=find_first_text(inputs, "pattern", "query", *(("operation",) if is_search else ())),
            scope=" ".join(text for key in ("path", "glob", "filePath", "type") if (text := text_or_empty(inputs.get(key))))
            if is_search
            else "",
            options=encode_compact_json(options) if options else "",
            title=find_title(inputs),
            description=text_or_empty(inputs.get("description")) if is_about else "",
            prompt=find_first_text(inputs, "prompt", "message") if is_about else "",
            url=text_or_empty(inputs.get("url")) if is_about else "",
            agent_type=text_or_empty(inputs.get("subagent_type")),
            job=find_first_text(inputs, "task_id", "agent_id", "bash_id", "shell_id") if kind is not ToolKind.OTHER else "",
            plan=text_or_empty(inputs.get("plan")) if kind is ToolKind.PLAN else "",
            question=_question(inputs) if kind is ToolKind.QUESTION else "",
            todo=_todo(tool, inputs) if kind is ToolKind.TODO else None,
            start=int_or_zero(inputs.get("offset")) if kind is ToolKind.READ else 0,
            is_partial=bool(inputs.get("offset") or inputs.get("limit")),
            is_foreign="__" in tool,
        )


def _edits(inputs: Mapping[str, object], path: str) -> tuple[TextReplacement, ...]:
    changes = [inputs, *map(mapping_or_empty, list_or_empty(inputs.get("edits")))]
    return tuple(
        TextReplacement(path, text_or_empty(change.get("old_string")), text_or_empty(change.get("new_string")))
        for change in changes
        if "new_string" in change or "old_string" in change
    )


def _question(inputs: Mapping[str, object]) -> str:
    questions = [text_or_empty(mapping_or_empty(item).get("question")) for item in list_or_empty(inputs.get("questions"))]
    return " / ".join(question for question in questions if question) or text_or_empty(inputs.get("question"))


def _report(text: str) -> str:
    """What a subagent said when it ended, without what the client writes around it; "" where it still runs, or where a command ran."""
    if text.startswith("<retrieval_status>"):
        asked = _AGENT_OUTPUT.match(text)
        return asked[1].strip() if asked else ""
    return "" if _LAUNCHED.match(text) else _AGENT_TRAILER.sub("", text).strip()


def _answers(result: _ToolUseResult) -> tuple[QuestionAnswer, ...]:
    """What the user chose, each with the descriptions of the options that it names."""
    found: list[QuestionAnswer] = []
    asked = {text_or_empty(question.get("question")): question for question in map(mapping_or_empty, list_or_empty(result.questions))}
    for question, answer in mapping_or_empty(result.answers).items():
        options = [mapping_or_empty(option) for option in list_or_empty(asked.get(question, {}).get("options"))]
        labels = {label for option in options if (label := text_or_empty(option.get("label")))}
        chosen = {part.strip() for part in str(answer).split(",")} & labels or {str(answer)} & labels
        details = [
            f"{option['label']}: {detail}"
            for option in options
            if option.get("label") in chosen and (detail := text_or_empty(option.get("description")))
        ]
        if answer:
            found.append(QuestionAnswer(question, str(answer), "\n".join(details)))
    return tuple(found)


def _todo(tool: str, inputs: Mapping[str, object]) -> PlanChange | None:
    text, status = text_or_empty(inputs.get("subject")), text_or_empty(inputs.get("status"))
    if tool == "TodoWrite":
        return PlanChange(parse_plan_steps(inputs.get("todos")) or ())
    if tool == "TaskCreate":
        return PlanChange(text=text, status="pending")
    if tool == "TaskUpdate":
        return PlanChange(None, str(inputs.get("taskId") or ""), text, normalize_step_status(status) if status else "")
    return None


class _Parser(LineParser):
    def __init__(self, origin: TranscriptOrigin, memory: _Memory) -> None:
        super().__init__(origin, memory)
        self._memory = memory
        self._readers: dict[str, Callable[[_Line, int], list[Observation]]] = {
            "user": self._user,
            "assistant": self._assistant,
            "system": self._system,
            "attachment": self._attachment,
            "summary": self._title,
            "progress": self._progress,
            "queue-operation": self._queue,
            "pr-link": self._pull_request,
        }

    def parse(self, line: bytes, record_index: int) -> Sequence[Observation]:
        """Return the observations in one line; a record type that is not known is counted."""
        record = _LINES.decode(line)
        if not self._memory.session:
            self._memory.session = text_or_empty(record.session_id)
        kind = text_or_empty(record.type)
        reader = self._readers.get(kind)
        if reader is not None:
            return reader(record, record_index)
        if kind not in _SILENT:
            self._count_unknown(kind or "(no type)")
        return ()

    def _observed(
        self,
        record: _Line,
        index: int,
        kind: ObservationKind,
        text: str,
        agent: str,
        *,
        model: str = "",
        **about: Unpack[ObservationDetails],
    ) -> Observation:
        return Observation(
            session=self._memory.session,
            seq=self._next_seq(),
            record_index=index,
            uuid=text_or_empty(record.uuid) or f"{self._memory.session}:{index}",
            kind=kind,
            text=text,
            parent=text_or_empty(record.parent_uuid),
            agent=agent,
            cwd=text_or_empty(record.cwd),
            branch=text_or_empty(record.git_branch),
            model=model,
            version=text_or_empty(record.version),
            at_ns=parse_time_ns(record.timestamp),
            **about,
        )

    def _agent(self, record: _Line) -> str:
        """The subagent that a record belongs to. Older releases mark a sidechain without naming its agent: its first record does."""
        if self.origin.agent or not record.is_sidechain:
            return self.origin.agent
        if named := text_or_empty(record.agent_id):
            return named
        side = self._memory.side
        uuid = text_or_empty(record.uuid)
        agent = side.get(text_or_empty(record.parent_uuid)) or uuid[:8]
        if uuid:
            side[uuid] = agent
            drop_oldest(side, REMEMBERED_MAX)
        return agent

    def _user(self, record: _Line, index: int) -> list[Observation]:
        agent = self._agent(record)
        content = mapping_or_empty(record.message).get("content")
        if record.is_compact_summary:
            return [self._observed(record, index, ObservationKind.SUMMARY, render_content(content), agent)]
        if isinstance(content, str):
            return [self._prompt(record, index, content, agent)]
        observations: list[Observation] = []
        said: list[object] = []
        for block in list_or_empty(content):
            if mapping_or_empty(block).get("type") == "tool_result":
                observations.append(self._result(record, index, mapping_or_empty(block), agent))
            else:
                said.append(block)
        for block in (inserted := _inserted_blocks(said)):
            observations.append(self._observed(record, index, ObservationKind.PROMPT, render_content([block]), agent, is_meta=True))
        if typed := [block for block in said if block not in inserted]:
            observations.append(self._prompt(record, index, render_content(typed), agent))
        return observations

    def _prompt(self, record: _Line, index: int, text: str, agent: str) -> Observation:
        if text.startswith(HANDOFF_HEADING):  # what we put into the window ourselves; the user did not say it again
            return self._observed(record, index, ObservationKind.SUMMARY, text, agent)
        if text.startswith(_CLIENT_NOTES):
            tool = "interrupted" if text.startswith(_INTERRUPTED) else "client"
            return self._observed(record, index, ObservationKind.NOTE, text, agent, tool=tool)
        spoken_by = text_or_empty(mapping_or_empty(record.origin).get("kind"))
        is_meta = bool(record.is_meta) or _is_by_client(text) or spoken_by not in ("", "human", "user")
        call = _read_notice(text) if is_meta else None
        return self._observed(record, index, ObservationKind.PROMPT, text, agent, is_meta=is_meta, call=call)

    def _result(self, record: _Line, index: int, block: Mapping[str, object], agent: str) -> Observation:
        text = render_content(block.get("content"))
        is_error = bool(block["is_error"]) if isinstance(block.get("is_error"), bool) else None
        call_id = text_or_empty(block.get("tool_use_id"))
        tool = self._memory.calls.pop(call_id, "")
        view, changes, spilled, exit_code, answers = self._beside(record, text)
        if is_error and (code := _EXIT.match(text)):
            exit_code = int(code[1])
        is_refused = bool(is_error) and bytes(record.tool_use_result).startswith(_REFUSED_BESIDE)
        result = parse_tool_result(tool, text, is_error=is_error, exit_code=exit_code, is_refused=is_refused)
        call = ToolCall(
            tool,
            id=call_id,
            result=replace(
                result,
                view=view,
                changes=changes,
                spilled=spilled,
                answers=answers if _KINDS.get(tool) is ToolKind.QUESTION else (),
                report="" if is_error or _KINDS.get(tool) is not ToolKind.AGENT else _report(text),
            ),
        )
        return self._observed(
            record, index, ObservationKind.RESULT, text, agent,
            tool=tool, call_id=call_id, is_error=is_error, exit_code=exit_code, call=call,
        )  # fmt: skip

    def _beside(
        self, record: _Line, text: str
    ) -> tuple[FileView | None, tuple[FileChange, ...], str, int | None, tuple[QuestionAnswer, ...]]:
        """What `toolUseResult` says beyond the text: a view, changes, the file of a long output, the exit code of a success, answers."""
        raw = bytes(record.tool_use_result)
        cut = parse_truncation_notice(text)
        spilled = cut.path if cut is not None else ""
        try:
            result = _RESULTS.decode(raw) if raw[:1] == b"{" else None
        except (msgspec.DecodeError, RecursionError):  # another server's tool with fields of the same names; its text is still read
            result = None
        if result is None:
            return None, (), spilled, None, ()
        spilled = text_or_empty(result.persisted_output_path) or spilled
        if result.file is not None and isinstance(result.file.file_path, str):
            return result.file.view(), (), spilled, None, ()
        if result.structured_patch is not None and isinstance(result.file_path, str):
            return None, (FileChange(result.file_path, parse_patch_hunks(list_or_empty(result.structured_patch))),), spilled, None, ()
        is_plain = bytes(result.stdout) and not (result.interrupted or result.return_code_interpretation or result.background_task_id)
        return None, (), spilled, 0 if is_plain else None, _answers(result)

    def _assistant(self, record: _Line, index: int) -> list[Observation]:
        agent = self._agent(record)
        message = mapping_or_empty(record.message)
        content = message.get("content")
        model = text_or_empty(message.get("model"))
        if record.is_api_error_message:
            return [self._observed(record, index, ObservationKind.NOTE, render_content(content), agent, tool="api_error", is_error=True)]
        observations: list[Observation] = []
        blocks: list[object] = [{"type": "text", "text": content}] if isinstance(content, str) else list_or_empty(content)
        for item in blocks:
            block = mapping_or_empty(item)
            kind = text_or_empty(block.get("type"))
            if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
                observation = self._call(record, index, block, agent, model)
            elif kind in _THINKING:
                text = text_or_empty(block.get("thinking"))
                observation = self._observed(record, index, ObservationKind.THINKING, text, agent, model=model)
            elif kind.endswith("_tool_result"):
                observation = self._result(record, index, block, agent)
            else:
                observation = self._observed(record, index, ObservationKind.MESSAGE, render_content([item]), agent, model=model)
            observations.append(observation)
        return observations

    def _call(self, record: _Line, index: int, block: Mapping[str, object], agent: str, model: str) -> Observation:
        tool, call_id, inputs = text_or_empty(block.get("name")), text_or_empty(block.get("id")), block.get("input")
        self._keep_tool(call_id, tool)
        arguments = encode_compact_json(inputs)
        call = replace(DIALECT.build_tool_call(tool, mapping_or_empty(inputs), arguments), id=call_id, cwd=text_or_empty(record.cwd))
        return self._observed(
            record, index, ObservationKind.CALL, arguments, agent,
            tool=tool, call_id=call_id, arguments=arguments, model=model, call=call,
        )  # fmt: skip

    def _system(self, record: _Line, index: int) -> list[Observation]:
        kind = text_or_empty(record.subtype)
        agent = self._agent(record)
        text = render_content(record.content)
        if kind == "compact_boundary":
            about = encode_compact_json(record.compact_metadata) if record.compact_metadata is not None else ""
            return [self._observed(record, index, ObservationKind.BOUNDARY, text, agent, tool=kind, arguments=about)]
        if kind in _SILENT_SYSTEM or (kind == "stop_hook_summary" and not list_or_empty(record.hook_errors)):
            return []
        if kind not in _SPOKEN_SYSTEM:
            self._count_unknown(f"system/{kind}")
        about = ""
        if kind == "microcompact_boundary":
            about = encode_compact_json(record.microcompact_metadata)
        elif kind == "stop_hook_summary":
            text = render_content(list_or_empty(record.hook_errors))
        elif kind == "api_error" and not text:
            text = encode_compact_json(record.error) if record.error else ""
        return [self._observed(record, index, ObservationKind.NOTE, text, agent, tool=kind, arguments=about)] if text or about else []

    def _attachment(self, record: _Line, index: int) -> list[Observation]:
        attachment = mapping_or_empty(record.attachment)
        kind = text_or_empty(attachment.get("type"))
        agent = self._agent(record)
        if kind == "queued_command":
            text = render_content(attachment.get("prompt"))
            if text_or_empty(attachment.get("commandMode")) in ("", "prompt") and not _is_by_client(text):
                memory = self._memory
                return self._steer(record, index, text, agent, memory.attached, memory.handed)
            return [self._observed(record, index, ObservationKind.PROMPT, text, agent, is_meta=True, call=_read_notice(text))]
        text, view = render_content(record.rendered), None
        if kind == "file":
            file = mapping_or_empty(mapping_or_empty(attachment.get("content")).get("file"))
            text = text or text_or_empty(file.get("content"))
            view = msgspec.convert(file, _FileView).view()
            view = view if view.path else replace(view, path=text_or_empty(attachment.get("filename")))
        elif kind == "edited_text_file":
            text = text or text_or_empty(attachment.get("snippet"))
            view = FileView(text_or_empty(attachment.get("filename")))
        elif not text:
            text = render_content(attachment.get("content")) or text_or_empty(attachment.get("text"))
            text = text or encode_compact_json({key: value for key, value in attachment.items() if key != "type"})
        return [self._observed(record, index, ObservationKind.ATTACHMENT, text, agent, tool=kind, view=view)]

    def _title(self, record: _Line, index: int) -> list[Observation]:
        text = text_or_empty(record.summary)
        return [self._observed(record, index, ObservationKind.SUMMARY, text, "", tool="title")] if text else []

    def _pull_request(self, record: _Line, index: int) -> list[Observation]:
        text = f"Pull request #{int_or_zero(record.pr_number)}: {text_or_empty(record.pr_url)}"
        return [self._observed(record, index, ObservationKind.NOTE, text, "", tool="pr-link")]

    def _progress(self, record: _Line, index: int) -> list[Observation]:
        """A subagent's record, copied into its parent's file as progress of the call that started it."""
        progress = _PROGRESS.decode(record.data) if bytes(record.data)[:1] == b"{" else _Progress()
        if progress.type != "agent_progress" or bytes(progress.message)[:1] != b"{":
            return []
        agent = text_or_empty(progress.agent_id)
        if agent in self.origin.separate_agents:
            return []
        inner = _LINES.decode(progress.message)
        inner.agent_id, inner.is_sidechain = agent, True
        inner.cwd, inner.version, inner.git_branch = record.cwd, record.version, record.git_branch
        inner.timestamp = inner.timestamp or record.timestamp
        inner.uuid = inner.uuid or record.uuid
        if inner.type == "user":
            return self._user(inner, index)
        return self._assistant(inner, index) if inner.type == "assistant" else []

    def _queue(self, record: _Line, index: int) -> list[Observation]:
        """Prompts typed while the agent works. `remove` hands one over in mid-turn, and some releases write it nowhere else."""
        queue = self._memory.queue
        operation = text_or_empty(record.operation)
        if operation == "enqueue":
            queue.append(render_content(record.content))
            del queue[:-REMEMBERED_MAX]
        elif operation == "popAll":
            queue.clear()
        elif queue:
            text = queue.pop(0)
            if operation == "remove" and text and not text.startswith(("{", "/")) and not _is_by_client(text):
                memory = self._memory
                return self._steer(record, index, text, self.origin.agent, memory.handed, memory.attached)
        return []

    def _steer(self, record: _Line, index: int, text: str, agent: str, here: list[str], there: list[str]) -> list[Observation]:
        """A prompt in mid-turn, once: newer releases write it both ways, in either order."""
        if text in there:
            there.remove(text)
            return []
        here.append(text)
        del here[:-16]
        return [self._observed(record, index, ObservationKind.PROMPT, text, agent, is_steering=True)]


def parse_tool_result(tool: str, text: str, *, is_error: bool | None, exit_code: int | None, is_refused: bool = False) -> ToolResult:
    """Return what a tool answered: its outcome, and what the client says in its place.

    is_refused  the client's own record says that the user did not allow the call; the text alone never does, as any tool can print it.
    """
    kind = _KINDS.get(tool, ToolKind.OTHER)
    job = _JOB.search(text[:300]) if kind is ToolKind.COMMAND else None
    is_untold = is_refused or job is not None or (text.startswith(_NO_OUTCOME) and is_error is not False) or "<tool_use_error>" in text[:40]
    ended = _JOB_EXIT.search(text[:600]) if text.startswith(("<retrieval_status>", "<status>")) else None
    step = _STEP.search(text) if kind is ToolKind.TODO else None
    return ToolResult(
        text,
        CallOutcome.UNKNOWN if is_untold else infer_outcome(text, is_error=is_error, exit_code=exit_code),
        is_error,
        exit_code,
        is_refused,
        _words_with_refusal(text) if is_refused else "",
        text.startswith("<tool_use_error>"),
        job=job[1] if job else "",
        job_exit_code=int(ended[1]) if ended else None,
        task=step[1] if step else "",
        plan=text.partition("## Approved Plan:\n")[2] if kind is ToolKind.PLAN else "",
        is_empty=text.startswith(_NOTHING_FOUND),
        is_unknown_tool=_UNKNOWN_TOOL in text[:200],
    )


def _inserted_blocks(said: Sequence[object]) -> list[object]:
    """The text blocks of a prompt that are one element each, beside one that is none: nobody types two blocks, a client adds them."""
    texts = [block for block in said if mapping_or_empty(block).get("type") == "text"]
    elements = [block for block in texts if _ELEMENT.fullmatch(text_or_empty(mapping_or_empty(block).get("text")))]
    return elements if len(elements) < len(texts) else []


def _is_by_client(text: str) -> bool:
    """Say whether nothing of a prompt was typed: it begins with a block of the client's, and no words stand behind its blocks."""
    return text.startswith(_CLIENT_PROMPTS) and not extract_typed_text(text)


def _read_notice(text: str) -> ToolCall | None:
    """What the client's notice says of a background job or a subagent that has ended; None for another text."""
    if ended := _NOTIFIED.match(text):
        return ToolCall(job=ended[1], result=ToolResult(ended[2], CallOutcome.UNKNOWN, job_exit_code=int(ended[3])))
    if reported := _REPORTED.match(text):
        result = ToolResult(reported[3].strip(), report=_report(reported[3]))
        return ToolCall(kind=ToolKind.AGENT, job=reported[1], title=reported[2], result=result)
    return None


def _words_with_refusal(text: str) -> str:
    """What the user said while refusing a call; "" where they only refused it."""
    words = text.partition("the user said:\n")[2].partition("\n\nNote: The user's next message may")[0].strip()
    return "" if words.startswith("The user wants to clarify") else words


DIALECT = ClaudeCode()
