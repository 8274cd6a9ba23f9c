"""What are the nouns? Frozen, standard library only.

Everything that two rooms say to each other is said in these words, so that no room needs another
room's types. Nothing here reads a clock, a file or the environment.
"""

from clew.records.deltas import Blob, Delta, SourceState, Supersession
from clew.records.edges import Edge, EdgeKind
from clew.records.observations import Observation, ObservationKind, Usage
from clew.records.packets import Entry, Packet
from clew.records.reasons import EndKind, EndReason, MatchKind, MatchReason
from clew.records.records import Layer, Record, Resolution, Status, Text, Tier, Trust, handle_of, identify
from clew.records.shell import ShellLine, SimpleCommand
from clew.records.spans import (
    FIRST_FENCE,
    NEXT_FENCE,
    STAND_IN,
    Author,
    Span,
    Spans,
    author_of,
    clew_says,
    fenced,
    joined,
    nonce_of,
    outside,
    text_of,
    user_runs,
)
from clew.records.task_state import Check, DeadEnd, OpenError, PlanStep, Stated, TaskState, Verdict, WorkingFile
from clew.records.tool_calls import (
    FileChange,
    FileTouch,
    FileView,
    Hunk,
    Outcome,
    PlanChange,
    Replacement,
    ToolCall,
    ToolKind,
    ToolResult,
)

__all__ = [
    "FIRST_FENCE",
    "NEXT_FENCE",
    "STAND_IN",
    "Author",
    "Blob",
    "Check",
    "DeadEnd",
    "Delta",
    "Edge",
    "EdgeKind",
    "EndKind",
    "EndReason",
    "Entry",
    "FileChange",
    "FileTouch",
    "FileView",
    "Hunk",
    "Layer",
    "MatchKind",
    "MatchReason",
    "Observation",
    "ObservationKind",
    "OpenError",
    "Outcome",
    "Packet",
    "PlanChange",
    "PlanStep",
    "Record",
    "Replacement",
    "Resolution",
    "ShellLine",
    "SimpleCommand",
    "SourceState",
    "Span",
    "Spans",
    "Stated",
    "Status",
    "Supersession",
    "TaskState",
    "Text",
    "Tier",
    "ToolCall",
    "ToolKind",
    "ToolResult",
    "Trust",
    "Usage",
    "Verdict",
    "WorkingFile",
    "author_of",
    "clew_says",
    "fenced",
    "handle_of",
    "identify",
    "joined",
    "nonce_of",
    "outside",
    "text_of",
    "user_runs",
]
