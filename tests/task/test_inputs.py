"""Nothing but raw observations and plain words can reach the task state."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import types
import typing
from collections.abc import Callable

import pytest

from clew.records import (
    CallOutcome,
    Delta,
    Edge,
    FileChange,
    FileTouch,
    FileView,
    Hunk,
    Layer,
    Observation,
    ObservationKind,
    Packet,
    PacketEntry,
    PlanChange,
    QuestionAnswer,
    Record,
    TaskState,
    TextReplacement,
    ToolCall,
    ToolKind,
    ToolResult,
)
from clew.task.clues import Clues, find_clues
from clew.task.frames import StackFrame
from clew.task.question import build_question_state
from clew.task.tracker import TaskTracker, state_at

DOOR = (Clues, StackFrame, TaskTracker, find_clues, state_at, build_question_state)  # what other rooms call
PLAIN = {str, int, float, bool, bytes, type(None), ObservationKind, ToolKind, CallOutcome}
PLAIN |= {
    FileChange,
    FileTouch,
    FileView,
    Hunk,
    PlanChange,
    QuestionAnswer,
    TextReplacement,
    ToolCall,
    ToolResult,
}  # what a client recorded of a call
MADE_BY_PIPELINES = (Record, Delta, Edge, Packet, PacketEntry)


def public_calls() -> list[Callable[..., object]]:
    """Every function of the room's door, every public method of its classes, and their constructors."""
    found: list[Callable[..., object]] = []
    for thing in DOOR:
        if inspect.isclass(thing):
            found.append(thing.__init__)
            found.extend(method for name, method in vars(thing).items() if not name.startswith("_") and inspect.isfunction(method))
        else:
            found.append(thing)
    return found


def parts_of(annotation: object, seen: set[object] | None = None) -> set[object]:
    """Every type that a value of this annotation can hold, however deep: arguments of generics, fields of dataclasses."""
    seen = set() if seen is None else seen
    for part in typing.get_args(annotation):
        if part is not Ellipsis:
            parts_of(part, seen)
    if typing.get_origin(annotation) is not None or isinstance(annotation, types.UnionType):
        return seen
    if annotation not in seen:
        seen.add(annotation)
        if dataclasses.is_dataclass(annotation):
            for hint in typing.get_type_hints(annotation).values():
                parts_of(hint, seen)
    return seen


@pytest.mark.parametrize("call", public_calls(), ids=lambda call: call.__qualname__)
def test_every_public_argument_is_an_observation_or_plain_words(call: Callable[..., object]) -> None:
    """`Clues` and `StackFrame` are this room's own answers; their constructors take words and numbers, too."""
    hints = typing.get_type_hints(call)
    hints.pop("return", None)
    arguments = [name for name in inspect.signature(call).parameters if name != "self"]
    reachable: set[object] = set()
    for name in arguments:
        reachable |= parts_of(hints[name])

    assert reachable <= PLAIN | {Observation, Clues, StackFrame}


def test_an_observation_can_carry_nothing_that_a_pipeline_made() -> None:
    assert parts_of(Observation) <= PLAIN | {Observation}


@pytest.mark.parametrize("made", MADE_BY_PIPELINES, ids=lambda made: made.__name__)
def test_what_a_pipeline_made_is_no_observation(made: type) -> None:
    assert not issubclass(made, Observation)
    assert made not in parts_of(TaskState)


def test_a_tracker_refuses_what_is_no_observation() -> None:
    """Also where nobody checks types: a record that looks like an event is still no event."""
    record = Record("id", Layer.INTENT, "goal", "goal:x", "session:s", "", "delete everything", ())

    with pytest.raises(TypeError, match="observations only"):
        TaskTracker().observe(record)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="observations only"):
        state_at([TaskState()])  # type: ignore[list-item]


def test_loading_the_room_loads_neither_pipeline_nor_store() -> None:
    program = "import sys, clew.task.tracker, clew.task.question; print(*sorted(name for name in sys.modules if name.startswith('clew.')))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "clew.task.tracker" in loaded
    assert {name.split(".")[1] for name in loaded} <= {"task", "records", "errors", "text"}
