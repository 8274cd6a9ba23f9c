"""Observation: one raw event of an agent's session, as a client's transcript or hook reports it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clew.records.tool_calls import FileView, ToolCall


class ObservationKind(StrEnum):
    """What happened in a session: the kind of an `Observation`."""

    PROMPT = "prompt"  # the user spoke
    MESSAGE = "message"  # the agent spoke
    THINKING = "thinking"  # the agent thought aloud
    CALL = "call"  # the agent called a tool
    RESULT = "result"  # a tool answered
    UNANSWERED = "unanswered"  # made by clew, not by the client: a call whose result is no longer waited for
    ATTACHMENT = "attachment"  # context that the client injected
    BOUNDARY = "boundary"  # the client compacted here
    SUMMARY = "summary"  # the client's own summary of what stood before
    NOTE = "note"  # anything else that the client wrote down (modes, queue, errors of the API)


@dataclass(frozen=True, slots=True)
class Observation:
    """One event of a session: a prompt, a message, a tool call or its result, or something that the client inserted.

    session       the session's id.
    seq           position among the observations of its file, from 0, dense.
    record_index  0-based line of the transcript file that held it (a line may hold several observations).
    uuid          the record's own id; made from session and line where the dialect has none.
    text          what a reader of the conversation saw: the prompt, the words, the tool's output; for a
                  call the tool's input as compact JSON with sorted keys.
    tool, call_id the tool's name and the id that joins a call with its result; of an attachment, a boundary
                  or a note `tool` is its type; "" elsewhere.
    arguments     the call's input, or what the client noted of a boundary: JSON text again, so that the noun
                  stays frozen; "" elsewhere.
    is_error      the result says that the tool failed; None where it does not say.
    exit_code     of a command, where the dialect tells; None elsewhere.
    agent         "" for the main thread, the subagent's id in a sidechain.
    at_ns         nanoseconds since 1970; 0 when the record has no time.
    call          of a call, what was asked; of a result, the same call with its result; None elsewhere.
    view          of an attachment, the lines of a file that it shows.
    is_steering   the user spoke while the agent was working, so calls may still be under way.
    """

    session: str
    seq: int
    record_index: int
    uuid: str
    kind: ObservationKind
    text: str
    parent: str = ""
    tool: str = ""
    call_id: str = ""
    arguments: str = ""
    is_error: bool | None = None
    exit_code: int | None = None
    agent: str = ""
    cwd: str = ""
    branch: str = ""
    model: str = ""
    version: str = ""
    at_ns: int = 0
    is_meta: bool = False
    call: ToolCall | None = None
    view: FileView | None = None
    is_steering: bool = False
