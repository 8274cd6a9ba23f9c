"""Record: one remembered thing, in one of four layers, at several resolutions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import blake2b

from clew.records.reasons import EndReason

HANDLE_LENGTH = 8  # base-32 characters shown of an id: 40 bits; among 60,000 records two share one with a chance of 0.2 %


class Layer(StrEnum):
    """What kind of truth a record holds."""

    FACT = "fact"  # learned about the world: files, symbols, causes, environment
    ACTION = "action"  # what was done, with its outcome
    INTENT = "intent"  # what is wanted: goals, constraints, decisions
    STATE = "state"  # what is true now: checks, open errors, plan


class Resolution(IntEnum):
    """How much of a record is shown; a higher one shows more."""

    NAME = 0
    SIGNATURE = 1  # a signature, or one line
    FOLDED = 2
    FULL = 3

    @property
    def label(self) -> str:
        """The name that packets and their JSON use."""
        return self.name.lower()


class Trust(IntEnum):
    """How far a text may be believed. trust(derived) = min(trust(inputs))."""

    QUOTED = 0  # came from outside the repository: web pages, unknown output
    OBSERVED = 1  # tool output, file contents, the agent's own words
    USER = 2  # said by the user


class Tier(IntEnum):
    """Where a record lives. Every tier is searchable and every original stays; a higher one is shown less."""

    HOT = 0
    FOLDED = 1  # never shown in full unless a question names it
    ARCHIVED = 2  # found only when asked for, or when nothing else answers


@dataclass(frozen=True, slots=True)
class Text:
    """A record's text at one resolution: inline, or a span of a stored original.

    chars   length in unicode code points for inline text, in bytes for a span.
    blob    digest of the original that holds it, or "" when `inline` does.
    start, end            byte offsets in that original, end exclusive.
    start_line, end_line  1-based lines of the span in its file, inclusive; 0 where lines mean nothing.
    """

    resolution: Resolution
    chars: int
    inline: str = ""
    blob: str = ""
    start: int = 0
    end: int = 0
    start_line: int = 0
    end_line: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One remembered thing.

    id          stable: made by `identify` from subject and content, so the same bytes under the same
                subject are the same record, whenever they were seen.
    source      the unit that produced it and is replaced with it: `file:src/a.py`, `session:<id>`.
    subject     supersession key: `file:src/a.py`, `symbol:src/a.py::Foo.bar`, `check:pytest tests/x`.
    digest      content hash of what it was derived from; when that changes, it is suspect.
    texts       in ascending resolution, at least one; the last one is the whole.
    seq         order within its source (line, or position in the session); ties in a packet break by it.
    path        file that it speaks of, "" when none.
    session, uuid  where in a conversation it was seen, "" for code.
    importance  0 to 1, how much its loss would hurt, before any question is asked.
    at_ns       when it was observed, nanoseconds since 1970, 0 when unknown (code has no clock).
    lineage     (what, value) of where it was observed, beyond the fields above: branch, folder, exit.
    """

    id: str
    layer: Layer
    kind: str
    subject: str
    source: str
    digest: str
    name: str
    texts: tuple[Text, ...]
    seq: int = 0
    parent: str = ""
    path: str = ""
    language: str = ""
    session: str = ""
    uuid: str = ""
    agent: str = ""
    trust: Trust = Trust.OBSERVED
    importance: float = 0.5
    at_ns: int = 0
    lineage: tuple[tuple[str, str], ...] = ()

    def text(self, resolution: Resolution) -> Text | None:
        """The text at this resolution, or None where the record has no such step."""
        return next((text for text in self.texts if text.resolution == resolution), None)

    @property
    def whole(self) -> Text:
        """The text at the highest resolution."""
        return self.texts[-1]


@dataclass(frozen=True, slots=True)
class Status:
    """What the store knows of a record beyond its words: is it still true, and on which tier does it live?

    superseded_by  id of the record that replaced it; "" with `is_live` False means that nothing did.
    reason         why it is no longer live; of a live one what happened to what it cites, None where it is not suspect.
    ended_seq      position in its session at which it ceased to be true; 0 for code.
    """

    is_live: bool = True
    superseded_by: str = ""
    reason: EndReason | None = None
    ended_seq: int = 0
    valid_from_ns: int = 0
    valid_to_ns: int = 0
    tier: Tier = Tier.HOT
    uses: int = 0
    used_at_ns: int = 0

    @property
    def is_suspect(self) -> bool:
        """What it was derived from has changed, and nobody has looked since."""
        return self.is_live and self.reason is not None


def identify(*parts: str) -> str:
    """Return the id of what these parts name: 26 base-32 characters (128 bits), the same in every process."""
    state = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(4, "big"))
        state.update(data)
    return _base32(state.digest())


def handle_of(record_id: str) -> str:
    """Return the short stable form of an id, as printed where something was folded."""
    return record_id[:HANDLE_LENGTH]


def _base32(data: bytes) -> str:
    # Crockford's alphabet in lower case: no i, l, o, u, so a handle that is read aloud survives.
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    number = int.from_bytes(data, "big") << 2
    return "".join(alphabet[(number >> shift) & 31] for shift in range(125, -1, -5))
