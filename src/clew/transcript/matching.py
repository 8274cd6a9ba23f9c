"""Match the results of tool calls with their calls, which may be far apart in a transcript.

A call without a result is given up once the user writes to a resting agent, or once so many other results have come that it
was surely abandoned; the stream then holds an observation of kind UNANSWERED. A result that comes later still finds its call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from clew.records import Observation, ObservationKind, ToolCall, ToolResult
from clew.task.bounded import drop_oldest
from clew.transcript.dialects.values import infer_outcome

OTHER_RESULTS_MAX = 64  # results of other calls before one without a result is given up; parallel calls were never more than 40
ABANDONED_CALLS_MAX = 32  # calls that were given up, and whose results may still come; guess


class _Waiting(msgspec.Struct, array_like=True):
    call: Observation
    results_since: int = 0


class _Memory(msgspec.Struct, array_like=True):
    waiting: dict[str, _Waiting] = msgspec.field(default_factory=dict[str, _Waiting])  # by call id, oldest first
    late: dict[str, ToolCall] = msgspec.field(default_factory=dict[str, ToolCall])


class CallMatcher:
    """Matches the calls of one transcript with their results; `saved_state` continues an earlier one."""

    def __init__(self, saved_state: bytes = b"") -> None:
        self._memory = msgspec.json.decode(saved_state, type=_Memory) if saved_state else _Memory()
        for item in self._memory.waiting.values():
            arguments = item.call.call.arguments if item.call.call else ""
            item.call = replace(item.call, text=arguments, arguments=arguments)

    def dump_state(self) -> bytes:
        """Return the matcher's state as JSON, from which the constructor continues."""
        waiting = {
            key: _Waiting(replace(item.call, text="", arguments=""), item.results_since) for key, item in self._memory.waiting.items()
        }
        return msgspec.json.encode(_Memory(waiting, self._memory.late))

    def match(self, seen: Observation) -> Iterator[Observation]:
        """Yield the observation, a result with its whole call, and one of kind UNANSWERED for each call that it shows to be abandoned."""
        waiting = self._memory.waiting
        if seen.call is None and seen.kind in (ObservationKind.CALL, ObservationKind.RESULT):
            seen = replace(seen, call=_plain_call(seen))
        if seen.kind is ObservationKind.CALL:
            yield seen
            if seen.call_id:
                waiting[seen.call_id] = _Waiting(seen)
            else:
                yield replace(seen, kind=ObservationKind.UNANSWERED)
        elif seen.kind is ObservationKind.RESULT:
            item = waiting.pop(seen.call_id, None)
            asked = item.call.call if item else self._memory.late.pop(seen.call_id, None)
            yield replace(seen, call=replace(asked, result=seen.call.result)) if asked and seen.call else seen
            yield from self._give_up([key for key, item in waiting.items() if self._is_tired(item, seen.agent)])
        else:
            is_fresh = seen.kind is ObservationKind.PROMPT and not (seen.is_meta or seen.agent or seen.is_steering)
            if is_fresh and waiting:
                yield from self._give_up([key for key, item in waiting.items() if not item.call.agent])
            yield seen

    @staticmethod
    def _is_tired(item: _Waiting, agent: str) -> bool:
        item.results_since += item.call.agent == agent
        return item.results_since >= OTHER_RESULTS_MAX and item.call.agent == agent

    def _give_up(self, keys: list[str]) -> Iterator[Observation]:
        for key in keys:
            call = self._memory.waiting.pop(key).call
            if call.call:
                self._memory.late[key] = call.call
            yield replace(call, kind=ObservationKind.UNANSWERED)
        drop_oldest(self._memory.late, ABANDONED_CALLS_MAX)


def _plain_call(seen: Observation) -> ToolCall:
    """The call of an observation that no dialect made: what it says of itself."""
    if seen.kind is ObservationKind.CALL:
        return ToolCall(seen.tool, id=seen.call_id, arguments=seen.arguments or seen.text, cwd=seen.cwd)
    outcome = infer_outcome(seen.text, is_error=seen.is_error, exit_code=seen.exit_code)
    return ToolCall(seen.tool, id=seen.call_id, result=ToolResult(seen.text, outcome, seen.is_error, seen.exit_code))
