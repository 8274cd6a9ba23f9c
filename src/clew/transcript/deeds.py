"""Deeds: a call and its result are one thing that the agent did.

Joins them, whatever stands between. A call whose result never comes is a deed of its own once the user speaks to a
resting agent, or once so many other results have come that it was surely given up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from clew.records import Observation, ObservationKind
from clew.transcript.dialects.values import mapping_of, text_of
from clew.transcript.events import Detail, Event

WAITING_MAX = 64  # results of other calls before one without a result is given up; parallel calls were never more than 40


class Verb(StrEnum):
    """What kind of thing a call does, whatever its client calls the tool."""

    READ = "read"
    SEARCH = "search"
    COMMAND = "command"
    EDIT = "edit"
    WRITE = "write"
    FETCH = "fetch"
    AGENT = "agent"
    TODO = "todo"
    PLAN = "plan"
    ASK = "ask"
    TOOL = "tool"


_VERBS: dict[str, Verb] = {
    name: verb
    for verb, names in {
        Verb.READ: "Read NotebookRead view_image read_file ReadMcpResourceTool",
        Verb.SEARCH: "Grep Glob LS LSP ToolSearch grep_files list_dir tool_search_call",
        Verb.COMMAND: "Bash BashOutput shell shell_command exec_command local_shell container.exec write_stdin unified_exec PowerShell",
        Verb.EDIT: "Edit MultiEdit NotebookEdit apply_patch",
        Verb.WRITE: "Write",
        Verb.FETCH: "WebFetch WebSearch web_search web_fetch",
        Verb.AGENT: "Task Agent TaskOutput AgentOutputTool spawn_agent wait_agent SendMessage",
        Verb.TODO: "TodoWrite TaskCreate TaskUpdate TaskList TaskGet update_plan",
        Verb.PLAN: "ExitPlanMode exit_plan_mode",
        Verb.ASK: "AskUserQuestion request_user_input",
    }.items()
    for name in names.split()
}


def verb_of(tool: str) -> Verb:
    """The verb of a tool's name; TOOL for one that nobody has told us about."""
    return _VERBS.get(tool, Verb.TOOL)


@dataclass(frozen=True, slots=True)
class Deed:
    """A call with its result; at least one of the two is there.

    inputs   the call's input, parsed; empty where it is no JSON object.
    text     what the tool answered, "" without a result.
    """

    verb: Verb
    tool: str
    call: Observation | None
    result: Observation | None
    inputs: Mapping[str, object]
    detail: Detail | None

    @property
    def last(self) -> Observation:
        """The observation that completed it: the result, or the call that has none."""
        observation = self.result or self.call
        assert observation is not None
        return observation

    @property
    def text(self) -> str:
        """What the tool answered."""
        return self.result.text if self.result else ""

    @property
    def has_failed(self) -> bool:
        """The client, or the exit code, says that it failed."""
        return self.result is not None and (bool(self.result.is_error) or bool(self.result.exit_code))


class _Waiting(msgspec.Struct, array_like=True):
    call: Observation
    results_since: int = 0


@dataclass(slots=True)
class Joining:
    """Calls that wait for their results, oldest first."""

    waiting: dict[str, _Waiting]

    @classmethod
    def start(cls, memory: bytes = b"") -> Joining:
        """Begin, or go on from what `memory` gave. Raises msgspec.DecodeError for a foreign memory."""
        kept = msgspec.json.decode(memory, type=list[_Waiting]) if memory else []
        for item in kept:
            item.call = replace(item.call, text=item.call.arguments)
        return cls({item.call.call_id: item for item in kept})

    def memory(self) -> bytes:
        """What `start` needs to go on: the waiting calls as JSON, each input once."""
        return msgspec.json.encode([_Waiting(replace(item.call, text=""), item.results_since) for item in self.waiting.values()])

    def join(self, event: Event) -> Iterator[Deed | Event]:
        """Yield what an event completes: deeds for calls and results, every other event as it is."""
        observation = event.observation
        if observation.kind is ObservationKind.CALL:
            if observation.call_id:
                self.waiting[observation.call_id] = _Waiting(observation)
            else:
                yield _deed(observation, None, event.detail)
        elif observation.kind is ObservationKind.RESULT:
            waiting = self.waiting.pop(observation.call_id, None)
            yield _deed(waiting.call if waiting else None, observation, event.detail)
            yield from self._tire(observation.agent)
        else:
            is_fresh = observation.kind is ObservationKind.PROMPT and not observation.is_meta and not observation.agent
            if is_fresh and self.waiting and not (event.detail and event.detail.is_steering):
                yield from self._give_up([key for key, item in self.waiting.items() if not item.call.agent])
            yield event

    def _tire(self, agent: str) -> Iterator[Deed]:
        tired: list[str] = []
        for key, item in self.waiting.items():
            if item.call.agent == agent:
                item.results_since += 1
                if item.results_since >= WAITING_MAX:
                    tired.append(key)
        yield from self._give_up(tired)

    def _give_up(self, keys: list[str]) -> Iterator[Deed]:
        for key in keys:
            yield _deed(self.waiting.pop(key).call, None, None)


def _deed(call: Observation | None, result: Observation | None, detail: Detail | None) -> Deed:
    tool = (call.tool if call else "") or (result.tool if result else "")
    inputs: Mapping[str, object] = {}
    if call is not None:
        try:
            inputs = mapping_of(msgspec.json.decode(call.arguments)) if call.arguments[:1] == "{" else {}
        except (msgspec.DecodeError, RecursionError):  # an older client's free text; it is still shown as it stands
            inputs = {"input": call.arguments}
    verb = verb_of(tool)
    if verb is Verb.COMMAND and "*** Begin Patch" in text_of(inputs.get("command"))[:200]:
        verb = Verb.EDIT
    return Deed(verb, tool, call, result, inputs, detail)
