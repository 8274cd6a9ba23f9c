"""Claude Code's JSONL: one record a line, of every release that we have seen.

Words come from `message` and are kept as the model saw them. `toolUseResult`, which often repeats them next to
a whole file, is scanned once for the few fields that say more: ranges, line counts, patches, exit codes. Progress
of running tools, hook timings, file snapshots and the client's own logs hold no event and are passed over in silence;
a record type that is not listed here is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from clew.records import Observation, ObservationKind, Usage
from clew.task.cuts import cut_of
from clew.transcript.dialects.dialect import LineParser, Origin, count_unknown
from clew.transcript.dialects.values import compact, content_text, count_of, list_of, mapping_of, patch_hunks, text_of, time_ns
from clew.transcript.events import Change, Detail, Event
from clew.transcript.vocabulary import HAND_OFF_MARK, listed

MEMORY_MAX = 512  # calls, sidechain links and queued prompts kept between lines; the widest real session had 40 calls under way
_SILENT = listed("""
    file-history-snapshot file-history-delta permission-mode mode last-prompt agent-name agent-color agent-setting custom-title ai-
    title api-request api-request-shape api-request-blob cost-state tools-used atis-latch worktree-state relocated content-replacement
    marble-origami-commit marble-origami-snapshot speculation-accept task-summary tag
""")
_SILENT_SYSTEM = listed("""
    turn_duration bridge_status memory_saved agents_killed scheduled_task_fire task_progress
""")
_SPOKEN_SYSTEM = listed("""
    api_error informational local_command away_summary microcompact_boundary stop_hook_summary permission_retry model_refusal_fallback
""")
# Text that the client writes in the user's name, without the user's wish behind it.
_CLIENT_NOTES = (
    "<local-command-",
    "[Request interrupted",
    "Caveat: The messages below were generated",
    "<bash-stdout>",
    "<bash-stderr>",
    "<bash-input>",
)
_CLIENT_PROMPTS = ("<task-notification>", "<system-reminder>", "<agent-notification>", "<teammate-message", "<ide_", "<tick>")
_EXIT = re.compile(r"(?:Error: )?Exit code (-?\d{1,6})(?:\n|$)")
_THINKING = frozenset(("thinking", "redacted_thinking"))


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


class _ToolUseResult(msgspec.Struct, rename="camel"):
    file: _FileView | None = None
    file_path: object = None
    structured_patch: object = None
    interrupted: object = None
    stdout: msgspec.Raw = msgspec.Raw()
    return_code_interpretation: object = None
    background_task_id: object = None
    persisted_output_path: object = None


class _Memory(msgspec.Struct):
    seq: int = 0
    session: str = ""
    usage: dict[str, int] = msgspec.field(default_factory=dict[str, int])  # message id: output tokens already counted
    calls: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # call id: tool
    side: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # uuid in a sidechain: agent
    queue: list[str] = msgspec.field(default_factory=list[str])  # prompts typed while the agent works
    handed: list[str] = msgspec.field(default_factory=list[str])  # taken from the queue in mid-turn, not yet seen as an attachment
    attached: list[str] = msgspec.field(default_factory=list[str])  # the other way round
    unknown: dict[str, int] = msgspec.field(default_factory=dict[str, int])


_LINES = msgspec.json.Decoder(_Line)
_PROGRESS = msgspec.json.Decoder(_Progress)
_RESULTS = msgspec.json.Decoder(_ToolUseResult)


class ClaudeCode:
    """Transcripts under `~/.claude/projects`, of today's and earlier releases."""

    name = "claude-code"

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Every record names its session, or is one of the few older types that do not."""
        kind = record.get("type")
        if not isinstance(kind, str) or "payload" in record:
            return False
        if isinstance(record.get("sessionId"), str):
            return True
        return (kind == "summary" and "leafUuid" in record) or (kind == "file-history-snapshot" and "messageId" in record)

    def parser(self, origin: Origin, memory: bytes = b"") -> LineParser:
        """Return a parser at the first line, or where `memory` was taken."""
        return _Parser(origin, msgspec.json.decode(memory, type=_Memory) if memory else _Memory(session=origin.session))


class _Parser:
    def __init__(self, origin: Origin, memory: _Memory) -> None:
        self._origin = origin
        self._memory = memory
        self._readers: dict[str, Callable[[_Line, int], list[Event]]] = {
            "user": self._user,
            "assistant": self._assistant,
            "system": self._system,
            "attachment": self._attachment,
            "summary": self._title,
            "progress": self._progress,
            "queue-operation": self._queue,
            "pr-link": self._pull_request,
        }

    @property
    def session(self) -> str:
        """The session's id, "" until a record has told it."""
        return self._memory.session

    @property
    def unknown(self) -> dict[str, int]:
        """Record types that it does not know, and how often they came."""
        return self._memory.unknown

    def memory(self) -> bytes:
        """What is needed to go on at the next line, as JSON."""
        return msgspec.json.encode(self._memory)

    def parse(self, line: bytes, record_index: int) -> Sequence[Event]:
        """The events of one record."""
        record = _LINES.decode(line)
        if not self._memory.session:
            self._memory.session = text_of(record.session_id)
        kind = text_of(record.type)
        reader = self._readers.get(kind)
        if reader is not None:
            return reader(record, record_index)
        if kind not in _SILENT:
            self._count(kind or "(no type)")
        return ()

    def _count(self, kind: str) -> None:
        count_unknown(self._memory.unknown, kind, MEMORY_MAX)

    def _event(
        self,
        record: _Line,
        index: int,
        kind: ObservationKind,
        text: str,
        agent: str,
        *,
        tool: str = "",
        call_id: str = "",
        arguments: str = "",
        is_error: bool | None = None,
        exit_code: int | None = None,
        model: str = "",
        usage: Usage | None = None,
        is_meta: bool = False,
        detail: Detail | None = None,
    ) -> Event:
        memory = self._memory
        observation = Observation(
            memory.session,
            memory.seq,
            index,
            text_of(record.uuid) or f"{memory.session}:{index}",
            kind,
            text,
            text_of(record.parent_uuid),
            tool,
            call_id,
            arguments,
            is_error,
            exit_code,
            agent,
            text_of(record.cwd),
            text_of(record.git_branch),
            model,
            text_of(record.version),
            time_ns(record.timestamp),
            usage,
            is_meta,
        )
        memory.seq += 1
        return Event(observation, detail)

    def _agent(self, record: _Line) -> str:
        """The subagent that a record belongs to. Older releases mark a sidechain without naming its agent: its first record does."""
        if self._origin.agent or not record.is_sidechain:
            return self._origin.agent
        if named := text_of(record.agent_id):
            return named
        side = self._memory.side
        uuid = text_of(record.uuid)
        agent = side.get(text_of(record.parent_uuid)) or uuid[:8]
        if uuid:
            side[uuid] = agent
            if len(side) > MEMORY_MAX:
                del side[next(iter(side))]
        return agent

    def _user(self, record: _Line, index: int) -> list[Event]:
        agent = self._agent(record)
        content = mapping_of(record.message).get("content")
        if record.is_compact_summary:
            return [self._event(record, index, ObservationKind.SUMMARY, content_text(content), agent)]
        if isinstance(content, str):
            return [self._prompt(record, index, content, agent)]
        events: list[Event] = []
        said: list[object] = []
        for block in list_of(content):
            if mapping_of(block).get("type") == "tool_result":
                events.append(self._result(record, index, mapping_of(block), agent))
            else:
                said.append(block)
        if said:
            events.append(self._prompt(record, index, content_text(said), agent))
        return events

    def _prompt(self, record: _Line, index: int, text: str, agent: str) -> Event:
        if text.startswith(HAND_OFF_MARK):  # what we put into the window ourselves; the user did not say it again
            return self._event(record, index, ObservationKind.SUMMARY, text, agent)
        if text.startswith(_CLIENT_NOTES):
            return self._event(record, index, ObservationKind.NOTE, text, agent, tool="client")
        spoken_by = text_of(mapping_of(record.origin).get("kind"))
        is_meta = bool(record.is_meta) or text.startswith(_CLIENT_PROMPTS) or spoken_by not in ("", "human", "user")
        return self._event(record, index, ObservationKind.PROMPT, text, agent, is_meta=is_meta)

    def _result(self, record: _Line, index: int, block: Mapping[str, object], agent: str) -> Event:
        text = content_text(block.get("content"))
        is_error = bool(block["is_error"]) if isinstance(block.get("is_error"), bool) else None
        call_id = text_of(block.get("tool_use_id"))
        detail, exit_code = self._detail(record, text)
        if is_error and (code := _EXIT.match(text)):
            exit_code = int(code[1])
        tool = self._memory.calls.pop(call_id, "")
        return self._event(
            record,
            index,
            ObservationKind.RESULT,
            text,
            agent,
            tool=tool,
            call_id=call_id,
            is_error=is_error,
            exit_code=exit_code,
            detail=detail,
        )

    def _detail(self, record: _Line, text: str) -> tuple[Detail | None, int | None]:
        """What `toolUseResult` says beyond the text, and the exit code of a command that it calls successful."""
        raw = bytes(record.tool_use_result)
        cut = cut_of(text)
        spilled = cut.path if cut is not None else ""
        if raw[:1] != b"{":
            return (Detail(spilled=spilled) if spilled else None), None
        try:
            result = _RESULTS.decode(raw)
        except msgspec.DecodeError:  # a tool of somebody else's with fields of the same names; its text is still read
            return (Detail(spilled=spilled) if spilled else None), None
        spilled = text_of(result.persisted_output_path) or spilled
        view = result.file
        if view is not None and isinstance(view.file_path, str):
            lines, total = count_of(view.num_lines), count_of(view.total_lines)
            return Detail(view.file_path, count_of(view.start_line), lines, total, spilled=spilled), None
        if result.structured_patch is not None and isinstance(result.file_path, str):
            change = Change(result.file_path, patch_hunks(list_of(result.structured_patch)))
            return Detail(result.file_path, changes=(change,), spilled=spilled), None
        exit_code = None
        if bytes(result.stdout) and not (result.interrupted or result.return_code_interpretation or result.background_task_id):
            exit_code = 0
        return (Detail(spilled=spilled) if spilled else None), exit_code

    def _assistant(self, record: _Line, index: int) -> list[Event]:
        agent = self._agent(record)
        message = mapping_of(record.message)
        content = message.get("content")
        model = text_of(message.get("model"))
        if record.is_api_error_message:
            return [self._event(record, index, ObservationKind.NOTE, content_text(content), agent, tool="api_error", is_error=True)]
        usage = self._usage(message)
        events: list[Event] = []
        blocks: list[object] = [{"type": "text", "text": content}] if isinstance(content, str) else list_of(content)
        for item in blocks:
            block = mapping_of(item)
            kind = text_of(block.get("type"))
            if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
                event = self._call(record, index, block, agent, model, usage)
            elif kind in _THINKING:
                text = text_of(block.get("thinking"))
                event = self._event(record, index, ObservationKind.THINKING, text, agent, model=model, usage=usage)
            elif kind.endswith("_tool_result"):
                event = self._result(record, index, block, agent)
            else:
                event = self._event(record, index, ObservationKind.MESSAGE, content_text([item]), agent, model=model, usage=usage)
            events.append(event)
            usage = None
        return events

    def _call(self, record: _Line, index: int, block: Mapping[str, object], agent: str, model: str, usage: Usage | None) -> Event:
        tool, call_id = text_of(block.get("name")), text_of(block.get("id"))
        calls = self._memory.calls
        calls[call_id] = tool
        if len(calls) > MEMORY_MAX:
            del calls[next(iter(calls))]
        arguments = compact(block.get("input"))
        return self._event(
            record,
            index,
            ObservationKind.CALL,
            arguments,
            agent,
            tool=tool,
            call_id=call_id,
            arguments=arguments,
            model=model,
            usage=usage,
        )

    def _usage(self, message: Mapping[str, object]) -> Usage | None:
        """Usage once per message: each block repeats it, and only the last of them may know all output tokens."""
        usage = mapping_of(message.get("usage"))
        if not usage:
            return None
        key = text_of(message.get("id"))
        output_tokens = count_of(usage.get("output_tokens"))
        counted = self._memory.usage
        before = counted.get(key) if key else None
        counted[key] = max(output_tokens, before or 0)
        if len(counted) > 64:
            del counted[next(iter(counted))]
        if before is not None:
            return Usage(output_tokens=output_tokens - before) if output_tokens > before else None
        return Usage(
            count_of(usage.get("input_tokens")),
            output_tokens,
            count_of(usage.get("cache_read_input_tokens")),
            count_of(usage.get("cache_creation_input_tokens")),
        )

    def _system(self, record: _Line, index: int) -> list[Event]:
        kind = text_of(record.subtype)
        agent = self._agent(record)
        text = content_text(record.content)
        if kind == "compact_boundary":
            about = compact(record.compact_metadata) if record.compact_metadata is not None else ""
            return [self._event(record, index, ObservationKind.BOUNDARY, text, agent, tool=kind, arguments=about)]
        if kind in _SILENT_SYSTEM or (kind == "stop_hook_summary" and not list_of(record.hook_errors)):
            return []
        if kind not in _SPOKEN_SYSTEM:
            self._count(f"system/{kind}")
        about = ""
        if kind == "microcompact_boundary":
            about = compact(record.microcompact_metadata)
        elif kind == "stop_hook_summary":
            text = content_text(list_of(record.hook_errors))
        elif kind == "api_error" and not text:
            text = compact(record.error) if record.error else ""
        return [self._event(record, index, ObservationKind.NOTE, text, agent, tool=kind, arguments=about)] if text or about else []

    def _attachment(self, record: _Line, index: int) -> list[Event]:
        attachment = mapping_of(record.attachment)
        kind = text_of(attachment.get("type"))
        agent = self._agent(record)
        if kind == "queued_command":
            text = content_text(attachment.get("prompt"))
            if text_of(attachment.get("commandMode")) in ("", "prompt") and not text.startswith(_CLIENT_PROMPTS):
                memory = self._memory
                return self._steer(record, index, text, agent, memory.attached, memory.handed)
            return [self._event(record, index, ObservationKind.PROMPT, text, agent, is_meta=True)]
        text, detail = content_text(record.rendered), None
        if kind == "file":
            view = mapping_of(mapping_of(attachment.get("content")).get("file"))
            text = text or text_of(view.get("content"))
            path = text_of(view.get("filePath")) or text_of(attachment.get("filename"))
            lines, total = count_of(view.get("numLines")), count_of(view.get("totalLines"))
            detail = Detail(path, count_of(view.get("startLine")), lines, total)
        elif kind == "edited_text_file":
            text = text or text_of(attachment.get("snippet"))
            detail = Detail(text_of(attachment.get("filename")))
        elif not text:
            text = content_text(attachment.get("content")) or text_of(attachment.get("text"))
            text = text or compact({key: value for key, value in attachment.items() if key != "type"})
        return [self._event(record, index, ObservationKind.ATTACHMENT, text, agent, tool=kind, detail=detail)]

    def _title(self, record: _Line, index: int) -> list[Event]:
        text = text_of(record.summary)
        return [self._event(record, index, ObservationKind.SUMMARY, text, "", tool="title")] if text else []

    def _pull_request(self, record: _Line, index: int) -> list[Event]:
        text = f"Pull request #{count_of(record.pr_number)}: {text_of(record.pr_url)}"
        return [self._event(record, index, ObservationKind.NOTE, text, "", tool="pr-link")]

    def _progress(self, record: _Line, index: int) -> list[Event]:
        """A subagent's record, copied into its parent's file as progress of the call that started it."""
        progress = _PROGRESS.decode(record.data) if bytes(record.data)[:1] == b"{" else _Progress()
        if progress.type != "agent_progress" or bytes(progress.message)[:1] != b"{":
            return []
        agent = text_of(progress.agent_id)
        if agent in self._origin.agents_apart:
            return []
        inner = _LINES.decode(progress.message)
        inner.agent_id, inner.is_sidechain = agent, True
        inner.cwd, inner.version, inner.git_branch = record.cwd, record.version, record.git_branch
        inner.timestamp = inner.timestamp or record.timestamp
        inner.uuid = inner.uuid or record.uuid
        if inner.type == "user":
            return self._user(inner, index)
        return self._assistant(inner, index) if inner.type == "assistant" else []

    def _queue(self, record: _Line, index: int) -> list[Event]:
        """Prompts typed while the agent works. `remove` hands one over in mid-turn, and some releases write it nowhere else."""
        queue = self._memory.queue
        operation = text_of(record.operation)
        if operation == "enqueue":
            queue.append(content_text(record.content))
            del queue[:-MEMORY_MAX]
        elif operation == "popAll":
            queue.clear()
        elif queue:
            text = queue.pop(0)
            if operation == "remove" and text and not text.startswith(("{", "/", *_CLIENT_PROMPTS)):
                memory = self._memory
                return self._steer(record, index, text, self._origin.agent, memory.handed, memory.attached)
        return []

    def _steer(self, record: _Line, index: int, text: str, agent: str, here: list[str], there: list[str]) -> list[Event]:
        """A prompt in mid-turn, once: newer releases write it both ways, in either order."""
        if text in there:
            there.remove(text)
            return []
        here.append(text)
        del here[:-16]
        return [self._event(record, index, ObservationKind.PROMPT, text, agent, detail=Detail(is_steering=True))]
