"""What a dialect must answer: is this record yours, and which events does this line hold?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from clew.transcript.events import Event


@dataclass(frozen=True, slots=True)
class Origin:
    """What the place of a transcript tells before its first line is read.

    session         id of the session, "" to take it from the records.
    agent           the subagent whose own file this is, "" for a main thread.
    agents_apart    subagents that have a file of their own, so copies of their records are left to that file.
    """

    session: str = ""
    agent: str = ""
    agents_apart: frozenset[str] = field(default=frozenset())


class LineParser(Protocol):
    """Reads one transcript line by line. Everything it must remember between lines survives in `memory`."""

    @property
    def session(self) -> str:
        """The session's id, "" until a record has told it."""
        ...

    @property
    def unknown(self) -> dict[str, int]:
        """Record types that it does not know, and how often they came."""
        ...

    def parse(self, line: bytes, record_index: int) -> Sequence[Event]:
        """Return the events that one record holds. Raises msgspec.DecodeError for what is no JSON object."""
        ...

    def memory(self) -> bytes:
        """What `Dialect.parser` needs to go on at the next line, as JSON."""
        ...


class Dialect(Protocol):
    """One client's way of writing transcripts."""

    name: str

    def recognises(self, record: Mapping[str, object]) -> bool:
        """Say whether only this client writes such a record."""
        ...

    def parser(self, origin: Origin, memory: bytes = b"") -> LineParser:
        """Return a parser at the first line, or where `memory` was taken. Raises msgspec.DecodeError for a foreign memory."""
        ...


def count_unknown(unknown: dict[str, int], kind: str, kinds_max: int) -> None:
    """Count a record type that nobody has told us about; of more than `kinds_max` types the later ones are not counted."""
    if kind in unknown or len(unknown) < kinds_max:
        unknown[kind] = unknown.get(kind, 0) + 1
