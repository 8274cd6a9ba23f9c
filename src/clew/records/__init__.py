"""What are the nouns? Frozen, standard library only.

Everything that two rooms say to each other is said in these words, so that no room needs another
room's types. Nothing here reads a clock, a file or the environment.
"""

from clew.records.deltas import Blob, Delta, SourceState, Supersession
from clew.records.edges import Edge, EdgeKind
from clew.records.observations import Observation, ObservationKind, Usage
from clew.records.packets import Entry, Packet
from clew.records.records import Layer, Record, Resolution, Standing, Text, Tier, Trust, handle_of, identify
from clew.records.task_state import Check, DeadEnd, OpenError, PlanStep, Stated, TaskState, WorkingFile

__all__ = [
    "Blob",
    "Check",
    "DeadEnd",
    "Delta",
    "Edge",
    "EdgeKind",
    "Entry",
    "Layer",
    "Observation",
    "ObservationKind",
    "OpenError",
    "Packet",
    "PlanStep",
    "Record",
    "Resolution",
    "SourceState",
    "Standing",
    "Stated",
    "Supersession",
    "TaskState",
    "Text",
    "Tier",
    "Trust",
    "Usage",
    "WorkingFile",
    "handle_of",
    "identify",
]
