"""The interface of a transcript format: `Dialect` recognises a client's records, its `LineParser` turns lines into observations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypedDict

import msgspec

from clew.records import FileView, Observation, ToolCall
from clew.task.bounded import drop_oldest

REMEMBERED_MAX = 512  # calls, links and record types kept between lines; the widest real session had 40 calls under way


@dataclass(frozen=True, slots=True)
class TranscriptOrigin:
    """What the path of a transcript says about it, before its first line is read.

    session          the session's id, "" to take it from the records.
    agent            id of the subagent whose own file this is, "" for the main conversation.
    separate_agents  ids of subagents that have a file of their own: copies of their records in this file are skipped.
    """

    session: str = ""
    agent: str = ""
    separate_agents: frozenset[str] = field(default=frozenset())


class ParserState(msgspec.Struct):
    """What a parser must remember from one line to the next, stored as JSON; each dialect adds fields."""

    seq: int = 0
    session: str = ""
    calls: dict[str, str] = msgspec.field(default_factory=dict[str, str])  # call id: tool
    unknown: dict[str, int] = msgspec.field(default_factory=dict[str, int])


class ObservationDetails(TypedDict, total=False):
    """Optional fields of an `Observation`, as keyword arguments."""

    tool: str
    call_id: str
    arguments: str
    is_error: bool | None
    exit_code: int | None
    is_meta: bool
    call: ToolCall | None
    view: FileView | None
    is_steering: bool


class LineParser(ABC):
    """Parses one client's transcript line by line into observations; all that it remembers between lines is in its `ParserState`."""

    def __init__(self, origin: TranscriptOrigin, kept: ParserState) -> None:
        self.origin = origin
        self._kept = kept
        kept.session = kept.session or origin.session

    @property
    def session(self) -> str:
        """The session's id; "" until a record has named it."""
        return self._kept.session

    @property
    def unknown_types(self) -> dict[str, int]:
        """Record types that the dialect does not know, with the number of records of each."""
        return self._kept.unknown

    def dump_state(self) -> bytes:
        """Return the parser's state as JSON, from which `Dialect.create_parser` continues at the next line."""
        return msgspec.json.encode(self._kept)

    @abstractmethod
    def parse(self, line: bytes, record_index: int) -> Sequence[Observation]:
        """Return the observations in one line. Raises msgspec.DecodeError when the line is not a JSON object."""

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
    """One client's transcript format: recognises its records, parses them, and translates its tool calls."""

    name: ClassVar[str]
    repeated_attachments: ClassVar[frozenset[str]] = frozenset()
    """Types of attachments that repeat what the client says in every session, so that no record is made of them."""

    @abstractmethod
    def recognises(self, record: Mapping[str, object]) -> bool:
        """Return whether this client, and no other, writes such a record."""

    @abstractmethod
    def create_parser(self, origin: TranscriptOrigin, saved_state: bytes = b"") -> LineParser:
        """Return a parser at the first line, or at the line where `saved_state` was dumped.

        Raises msgspec.DecodeError when `saved_state` is not this dialect's.
        """

    @abstractmethod
    def parse_session_info(self, record: Mapping[str, object]) -> tuple[str, str]:
        """Return the session's id and its working folder as one of the first records states them, "" for what it does not state."""

    @abstractmethod
    def build_tool_call(self, tool: str, inputs: Mapping[str, object], arguments: str = "") -> ToolCall:
        """Translate a call of the client's tool into a `ToolCall`; `arguments` are the same inputs as the client's JSON text."""
