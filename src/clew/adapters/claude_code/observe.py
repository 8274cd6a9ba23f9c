"""Observe: what a hook tells of a tool's call, as observations; and a shorter output, in the shape that the tool itself answers in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import msgspec

from clew.records import Observation, ObservationKind, ToolCall, ToolKind
from clew.task.cuts import cut_of
from clew.transcript.dialects.claude_code import DIALECT, OWN_TOOLS
from clew.transcript.dialects.claude_code import result_of as answered


def call_of(payload: dict[str, Any], *, at_ns: int = 0) -> Observation:
    """The call that a PostToolUse payload, or the mod, speaks of."""
    call = asked_in(payload)
    return replace(_observed(payload, ObservationKind.CALL, 0, at_ns), text=call.arguments, arguments=call.arguments, call=call)


def result_of(payload: dict[str, Any], text: str, *, at_ns: int = 0, is_error: bool | None = None) -> Observation:
    """Its result, with the text that the agent would read."""
    call, exit_code = asked_in(payload), _exit_code(payload)
    call = replace(call, result=answered(call.tool, text, is_error=is_error, exit_code=exit_code))
    seen = _observed(payload, ObservationKind.RESULT, 1, at_ns)
    return replace(seen, text=text, is_error=is_error, exit_code=exit_code, call=call)


def asked_in(payload: dict[str, Any]) -> ToolCall:
    """What the call of a payload asks for."""
    inputs = payload.get("tool_input")
    known = cast("dict[str, object]", inputs) if isinstance(inputs, dict) else {}
    call = DIALECT.tool_call(str(payload.get("tool_name") or ""), known, msgspec.json.encode(inputs or {}).decode())
    return replace(call, id=str(payload.get("tool_use_id") or ""), cwd=str(payload.get("cwd") or ""))


def _observed(payload: dict[str, Any], kind: ObservationKind, seq: int, at_ns: int) -> Observation:
    call_id = str(payload.get("tool_use_id") or "")
    return Observation(
        session=str(payload.get("session_id") or ""),
        seq=seq,
        record_index=seq,
        uuid=f"{call_id}:{kind}",
        kind=kind,
        text="",
        tool=str(payload.get("tool_name") or ""),
        call_id=call_id,
        agent=str(payload.get("agent_id") or ""),
        cwd=str(payload.get("cwd") or ""),
        at_ns=at_ns,
    )


def _exit_code(payload: dict[str, Any]) -> int | None:
    """0 for a command of which the client says nothing else: one that fails comes by another hook."""
    answer = payload.get("tool_response")
    if not asked_in(payload).command or not isinstance(answer, dict):
        return None
    told = cast("dict[str, object]", answer)
    return None if told.get("interrupted") or told.get("returnCodeInterpretation") or told.get("backgroundTaskId") else 0


def cut_in(payload: dict[str, Any], text: str) -> tuple[bool, str]:
    """Whether the client had cut a tool's answer before it handed it over, and the file in which it keeps the whole, "" for none.

    text  the part of the answer that the agent would read.
    """
    answer = payload.get("tool_response")
    kept = cast("dict[str, object]", answer).get("persistedOutputPath") if isinstance(answer, dict) else None
    if isinstance(kept, str) and kept:
        return True, kept
    cut = cut_of(text)
    return cut is not None, cut.path if cut is not None else ""


def text_in(payload: dict[str, Any]) -> str:
    """The part of a tool's answer that may be long and may be shortened in its own shape; "" for a tool whose shape has none."""
    answer = payload.get("tool_response")
    call = asked_in(payload)
    if call.tool.startswith(OWN_TOOLS):
        return ""
    if call.command and isinstance(answer, dict):
        return str(cast("dict[str, object]", answer).get("stdout") or "")
    if call.is_foreign and isinstance(answer, str):
        return answer
    return ""


def with_text(payload: dict[str, Any], text: str) -> dict[str, Any]:
    """The hook's output that puts `text` in place of what `text_in` gave, all other fields as the tool answered them."""
    answer = payload["tool_response"]
    if isinstance(answer, str):
        return {"updatedMCPToolOutput": text}
    return {"updatedToolOutput": {**cast("dict[str, Any]", answer), "stdout": text}}


def edited_file(payload: dict[str, Any]) -> str:
    """The file that a call has written, "" for none."""
    call = asked_in(payload)
    return call.path if call.kind in (ToolKind.EDIT, ToolKind.WRITE) else ""
