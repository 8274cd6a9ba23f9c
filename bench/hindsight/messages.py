"""Messages: a transcript's first lines as the list of messages that a client would send to the model.

Anthropic's format: user and assistant in turns, text, `tool_use` and `tool_result` blocks, each result after its call. It
is what rivals take, so it is read here by a reader of its own, never by clew's parser: a fault in that parser cannot hide
itself. Left out is what the model was not sent (subagents' records, progress, hooks, the client's own bookkeeping), what
the client said in the user's name, thinking, and images, of which a mark stays. A summary that the client made of what
stood before is kept: it was in the window.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

IMAGE = "[image]"
# What the client writes as the user and nobody said; its reminders inside other text stay, the model saw them.
_CLIENT_SAID = ("<local-command-", "Caveat: The messages below were generated", "<system-reminder>", "<task-notification>")
_CODEX_SAID = (
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<INSTRUCTIONS>",
    "<permissions instructions>",
    "<turn_aborted>",
)
_SHELLS = ("shell", "shell_command", "exec_command", "local_shell")  # Codex's names of what Claude Code calls Bash
_ENVELOPES = ("session_meta", "response_item", "event_msg", "turn_context", "compacted")
_CODEX_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "mcp_call")
_CODEX_RESULTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output", "mcp_tool_call_output")


def messages_of(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the messages that `lines` hold: Claude Code's JSONL or a Codex rollout, whichever the records are.

    Every `tool_result` follows the `tool_use` of its id, and every `tool_use` has exactly one. A call that was not
    answered in these lines has an empty result at the end of them; an answer to a call that is not in them is the user's
    text. Lines that are no JSON object are passed over. Returns [] when nothing was said.
    """
    talk = _Talk()
    claude = _ClaudeCode(talk)
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict):
            continue
        if record.get("type") in _ENVELOPES and isinstance(record.get("payload"), dict):
            _codex(talk, record["type"], record["payload"])
        else:
            claude.read(record)
    return talk.end()


class _Talk:
    """Messages as they grow: blocks of one role in a row are one message; calls wait here for their results."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._called: set[str] = set()
        self._open: dict[str, None] = {}  # in the order of the calls

    def say(self, role: str, text: str) -> None:
        if text.strip():
            self._add(role, {"type": "text", "text": text})

    def call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> None:
        if not call_id or call_id in self._called:  # an id names one call; a copy of it says nothing new
            return
        self._called.add(call_id)
        self._open[call_id] = None
        self._add("assistant", {"type": "tool_use", "id": call_id, "name": name, "input": dict(arguments)})

    def answer(self, call_id: str, text: str, *, is_error: bool = False) -> None:
        if call_id in self._open:
            del self._open[call_id]
            block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id, "content": text}
            self._add("user", block | ({"is_error": True} if is_error else {}))
        elif call_id not in self._called:
            self.say("user", text)

    def end(self) -> list[dict[str, Any]]:
        for call_id in list(self._open):
            self.answer(call_id, "")
        return self._messages

    def _add(self, role: str, block: dict[str, Any]) -> None:
        if not self._messages or self._messages[-1]["role"] != role:
            self._messages.append({"role": role, "content": []})
        self._messages[-1]["content"].append(block)


class _ClaudeCode:
    """Reader of Claude Code's records; remembers what the user typed while the agent worked, which comes twice or once."""

    def __init__(self, talk: _Talk) -> None:
        self._talk = talk
        self._seen: set[str] = set()  # records by uuid: a resumed session repeats them
        self._queued: list[str] = []
        self._steered: list[str] = []

    def read(self, record: Mapping[str, Any]) -> None:
        if record.get("isSidechain") or record.get("isMeta") or record.get("isApiErrorMessage"):
            return
        uuid = record.get("uuid")
        if isinstance(uuid, str):
            if uuid in self._seen:
                return
            self._seen.add(uuid)
        kind = record.get("type")
        if kind == "queue-operation":
            self._queue(record)
        elif kind == "attachment":
            attachment = _mapping(record.get("attachment"))
            if attachment.get("type") == "queued_command" and attachment.get("commandMode", "prompt") == "prompt":
                self._steer(_text(attachment.get("prompt")))
        elif kind in ("user", "assistant"):
            self._message(str(kind), _mapping(record.get("message")).get("content"))

    def _message(self, role: str, content: Any) -> None:
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content if isinstance(content, list) else []
        for block in map(_mapping, blocks):
            kind = block.get("type")
            if kind == "tool_use":
                self._talk.call(str(block.get("id", "")), str(block.get("name", "")), _mapping(block.get("input")))
            elif kind == "tool_result":
                is_error = block.get("is_error") is True
                self._talk.answer(str(block.get("tool_use_id", "")), _text(block.get("content")), is_error=is_error)
            elif kind in ("text", "image"):
                text = _text([block])
                if role == "assistant" or not text.startswith(_CLIENT_SAID):
                    self._talk.say(role, text)

    def _queue(self, record: Mapping[str, Any]) -> None:
        """A prompt that is taken out of the queue comes as the user's record; a removed one went to the agent in mid-turn."""
        operation = record.get("operation")
        if operation == "enqueue":
            self._queued.append(_text(record.get("content")))
        elif operation == "popAll":
            self._queued.clear()
        elif self._queued:
            text = self._queued.pop(0)
            if operation == "remove" and not text.startswith(("{", "/", *_CLIENT_SAID)):
                self._steer(text)

    def _steer(self, text: str) -> None:
        if text in self._steered:
            self._steered.remove(text)
        elif not text.startswith(_CLIENT_SAID):
            self._steered.append(text)
            self._talk.say("user", text)


def _codex(talk: _Talk, envelope: str, payload: Mapping[str, Any]) -> None:
    kind, call_id = payload.get("type"), str(payload.get("call_id") or payload.get("id") or "")
    if envelope == "compacted":
        talk.say("user", _text(payload.get("message")))
    elif envelope != "response_item":
        return
    elif kind == "message":
        role, text = payload.get("role"), _text(payload.get("content"))
        if role == "assistant" or (role == "user" and not text.startswith(_CODEX_SAID)):
            talk.say(str(role), text)
    elif kind in _CODEX_CALLS:
        talk.call(call_id, *_codex_call(payload))
    elif kind in _CODEX_RESULTS:
        talk.answer(call_id, *_codex_output(payload.get("output")))


def _codex_call(payload: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a call's name and arguments as Claude Code would have written them; what it has no tool for stays as it is."""
    name = str(payload.get("name") or "local_shell")
    arguments = payload.get("arguments", payload.get("input", payload.get("action")))
    if isinstance(arguments, str):
        try:
            told = json.loads(arguments)
        except ValueError:
            told = None
        arguments = told if isinstance(told, dict) else {"input": arguments}
    arguments = dict(_mapping(arguments))
    if name not in _SHELLS:
        return name, arguments
    command = arguments.get("command", arguments.get("cmd", ""))
    if isinstance(command, list):
        command = str(command[-1]) if len(command) == 3 and command[1] in ("-c", "-lc") else " ".join(map(str, command))
    return "Bash", {"command": str(command)}


def _codex_output(output: Any) -> tuple[str]:
    """Return an output's text, out of the envelopes of older releases."""
    if isinstance(output, str) and output.startswith('{"output":'):
        try:
            output = json.loads(output)
        except ValueError:
            return (str(output),)
    if isinstance(output, dict):
        output = output.get("output", output.get("content"))
    return (_text(output),)


def _text(content: Any) -> str:
    """Return the words of a string or of blocks, a mark for each image, and nothing for blocks of other kinds."""
    if isinstance(content, str):
        return content
    return "\n".join(_words(content)) if isinstance(content, list) else ""


def _words(blocks: Iterable[Any]) -> Iterable[str]:
    for block in blocks:
        if isinstance(block, str):
            yield block
        elif _mapping(block).get("type") in ("image", "input_image"):
            yield IMAGE
        elif isinstance(text := _mapping(block).get("text"), str):
            yield text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
