"""What a dialect must answer: is this record yours, and which observations does this line hold?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypedDict

import msgspec

from clew.records import FileView, Observation, ToolCall, Usage
from clew.task.bounded import drop_oldest

REMEMBERED_MAX = 512  # calls, links and record types kept between lines; the widest real session had 40 calls under way


@dataclass(frozen=True, slots=True)
class TranscriptOrigin:
    """What the place of a transcript tells before its first line is read.

    session         id of the session, "" to take it from the records.
    agent           the subagent whose own file this is, "" for a main thread.
    agents_apart    subagents that have a file of their own, so copies of their records are left to that file.
    """

    session: str = ""
    agent: str = ""
    separate_agents: frozenset[str] = field(default=frozenset())


class ParserState(msgspec.Struct):
    """What every parser remembers between lines; a dialect adds its own fields."""

    seq: int = 0
    session: str = ""
    calls: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # call id: tool
    unknown: dict[str, int] = msgspec.field(default_factory=dict[str, int])


class ObservationDetails(TypedDict, total=False):
    """Fields of an observation that only some kinds have."""

    tool: str
    call_id: str
    arguments: str
    is_error: bool | None
    exit_code: int | None
    usage: Usage | None
    is_meta: bool
    call: ToolCall | None
    view: FileView | None
    is_steering: bool


class LineParser(ABC):
    """Reads one transcript line by line. Everything that it must remember between lines is in `memory`."""

    def __init__(self, origin: TranscriptOrigin, kept: ParserState) -> None:
        self.origin = origin
        self._kept = kept
        kept.session = kept.session or origin.session

    @property
    def session(self) -> str:
        """The session's id, "" until a record has told it."""
        return self._kept.session

    @property
    def unknown_types(self) -> dict[str, int]:
        """Record types that the dialect does not know, and how often they came."""
        return self._kept.unknown

    def dump_state(self) -> bytes:
        """What `Dialect.parser` needs to go on at the next line, as JSON."""
        return msgspec.json.encode(self._kept)

    @abstractmethod
    def parse(self, line: bytes, record_index: int) -> Sequence[Observation]:
        """Return the observations that one record holds. Raises msgspec.DecodeError for what is no JSON object."""

    def _count_unknown(self, kind: str) -> None:
        """Count a record type that is not listed; of more than MEMORY_MAX types the later ones are not counted."""
        unknown = self._kept.unknown
        if kind in unknown or len(unknown) < REMEMBERED_MAX:
            unknown[kind] = unknown.get(kind, 0) + 1

    def _keep_tool(self, call_id: str, tool: str) -> None:
        """Remember which tool a call is of, for its result."""
        self._kept.calls[call_id] = tool
        drop_oldest(self._kept.calls, REMEMBERED_MAX)

    def _next_seq(self) -> int:
        self._kept.seq += 1
        return self._kept.seq - 1


class Dialect(ABC):
    """One client's way of writing transcripts. A module of this folder that defines `DIALECT` adds one."""

    name: ClassVar[str]
    repeated_attachments: ClassVar[frozenset[str]] = frozenset()
    """Types of attachments that repeat what the client says in every session, so that no record is made of them."""

    @abstractmethod
    def recognises(self, record: Mapping[str, object]) -> bool:
        """Say whether only this client writes such a record."""

    @abstractmethod
    def create_parser(self, origin: TranscriptOrigin, saved_state: bytes = b"") -> LineParser:
        """Return a parser at the first line, or where `memory` was taken. Raises msgspec.DecodeError for a foreign memory."""

    @abstractmethod
    def parse_session_info(self, record: Mapping[str, object]) -> tuple[str, str]:
        """Return the session's id and folder, as far as one of the first records tells; "" for what it does not."""

    @abstractmethod
    def build_tool_call(self, tool: str, inputs: Mapping[str, object], arguments: str = "") -> ToolCall:
        """Return what a call asks for in the terms of `ToolCall`; `arguments` are its inputs as JSON text."""
