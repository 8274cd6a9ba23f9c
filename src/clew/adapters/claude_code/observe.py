"""Observe: what a hook tells of a tool's call, as observations; and a shorter output, in the shape that the tool itself answers in."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from clew.records import Observation, ObservationKind
from clew.task.cuts import cut_of

OWN_TOOLS = ("mcp__plugin_clew_clew__", "mcp__clew__")  # what our own tools answer is what was asked for, and stays whole


def call_of(payload: dict[str, Any], *, at_ns: int = 0) -> Observation:
    """The call that a PostToolUse payload, or the mod, speaks of."""
    arguments = msgspec.json.encode(payload.get("tool_input") or {}).decode()
    return _observed(payload, ObservationKind.CALL, arguments, 0, at_ns, arguments=arguments)


def result_of(payload: dict[str, Any], text: str, *, at_ns: int = 0, is_error: bool | None = None) -> Observation:
    """Its result, with the text that the agent would read."""
    return _observed(payload, ObservationKind.RESULT, text, 1, at_ns, is_error=is_error, exit_code=_exit_code(payload))


def _observed(
    payload: dict[str, Any], kind: ObservationKind, text: str, seq: int, at_ns: int, *,
    arguments: str = "", is_error: bool | None = None, exit_code: int | None = None,
) -> Observation:  # fmt: skip
    call_id = str(payload.get("tool_use_id") or "")
    return Observation(
        session=str(payload.get("session_id") or ""),
        seq=seq,
        record_index=seq,
        uuid=f"{call_id}:{kind}",
        kind=kind,
        text=text,
        tool=str(payload.get("tool_name") or ""),
        call_id=call_id,
        arguments=arguments,
        is_error=is_error,
        exit_code=exit_code,
        agent=str(payload.get("agent_id") or ""),
        cwd=str(payload.get("cwd") or ""),
        at_ns=at_ns,
    )


def _exit_code(payload: dict[str, Any]) -> int | None:
    """0 for a command of which the client says nothing else: one that fails comes by another hook."""
    answer = payload.get("tool_response")
    if payload.get("tool_name") != "Bash" or not isinstance(answer, dict):
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
    tool = str(payload.get("tool_name") or "")
    if tool.startswith(OWN_TOOLS):
        return ""
    if tool == "Bash" and isinstance(answer, dict):
        return str(cast("dict[str, object]", answer).get("stdout") or "")
    if tool.startswith("mcp__") and isinstance(answer, str):
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
    inputs = payload.get("tool_input")
    if payload.get("tool_name") not in ("Edit", "Write", "MultiEdit", "NotebookEdit") or not isinstance(inputs, dict):
        return ""
    told = cast("dict[str, object]", inputs)
    return str(told.get("file_path") or told.get("notebook_path") or "")
