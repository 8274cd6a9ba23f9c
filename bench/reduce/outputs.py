"""Outputs: what tools answered in a folder of transcripts, each with what was known then and what was done afterwards."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from clew.records import ObservationKind, ToolCall
from clew.task.tracker import TaskTracker
from clew.transcript.parse import TranscriptReader
from clew.transcript.reduce.reduction import OutputContext, build_context
from clew.transcript.session_files import build_origin, find_sessions

CHARS_MIN = 4000  # a shorter output is left whole by `reduce`
CALLS_AFTER = 10
CALLS_BEFORE = 10


@dataclass(frozen=True, slots=True)
class Output:
    """One answer of a tool.

    given, guided  what is known without and with the task state.
    before   the inputs of the calls up to and with its own, as strings.
    after    the next calls, each with the strings of its input.
    """

    session: str
    project: str
    seq: int
    text: str
    given: OutputContext
    guided: OutputContext
    before: tuple[str, ...]
    after: tuple[tuple[ToolCall, tuple[str, ...]], ...]


def outputs(folder: Path) -> Iterator[Output]:
    """Yield every output longer than CHARS_MIN of the sessions below `folder`, ordered by file and place."""
    for session in find_sessions(folder):
        seen = list(TranscriptReader(session.path, origin=build_origin(session)).read_observations())
        calls = [each for each in seen if each.kind is ObservationKind.CALL]
        by_id = {call.call_id: call for call in calls}
        words = [tuple(_strings(_inputs(call.arguments))) for call in calls]
        places = [call.seq for call in calls]
        tracker = TaskTracker()
        for each in seen:
            if each.kind is ObservationKind.RESULT and len(each.text) > CHARS_MIN:
                call = by_id.get(each.call_id)
                given = build_context(each, call)
                at = bisect_right(places, each.seq)
                yield Output(
                    session.path.name.partition(".")[0],
                    session.path.parent.name,
                    each.seq,
                    each.text,
                    given,
                    given.with_task(tracker.state()),
                    tuple(word for row in words[max(0, at - CALLS_BEFORE) : at] for word in row),
                    tuple((calls[next_].call or ToolCall(), words[next_]) for next_ in range(at, min(at + CALLS_AFTER, len(calls)))),
                )
            tracker.observe(each)


def _inputs(arguments: str) -> dict[str, object]:
    try:
        found = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return {"input": arguments}
    return found if isinstance(found, dict) else {"input": arguments}


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
