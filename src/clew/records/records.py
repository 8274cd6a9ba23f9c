"""Record: one unit of memory (a symbol, a decision, a command's output), stored with texts of several lengths."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from hashlib import blake2b

from clew.records.reasons import EndReason

HANDLE_CHARS = 8  # base-32 characters shown of an id: 40 bits; among 60,000 records two share one with a chance of 0.2 %


class Layer(StrEnum):
    """What a record states: a fact about the world, an action, an intent, or the current state of the work."""

    FACT = "fact"  # learned about the world: files, symbols, causes, environment
    ACTION = "action"  # what was done, with its outcome
    INTENT = "intent"  # what is wanted: goals, constraints, decisions
    STATE = "state"  # what is true now: checks, open errors, plan


class Resolution(IntEnum):
    """How much of a record's text is shown, from its name alone to all of it; a higher value shows more."""

    NAME = 0
    SIGNATURE = 1  # a signature, or one line
    FOLDED = 2
    FULL = 3

    @property
    def label(self) -> str:
        """The lower-case name, as packets and their JSON show it."""
        return self.name.lower()


class Trust(IntEnum):
    """How far a text may be believed, by its origin. A derived text has the lowest trust of its inputs."""

    QUOTED = 0  # came from outside the repository: web pages, unknown output
    OBSERVED = 1  # tool output, file contents, the agent's own words
    USER = 2  # said by the user


class Tier(IntEnum):
    """Storage tier of a record, raised as it ages. Every tier is searchable and loses nothing; a higher one is shown more briefly."""

    HOT = 0
    FOLDED = 1  # never shown in full unless a question names it
    ARCHIVED = 2  # shown only where a question asks for it, or nothing else matches


@dataclass(frozen=True, slots=True)
class RecordText:
    """A record's text at one resolution: inline, or as a byte range of a stored original.
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
    """One unit of memory: a piece of code, or something said or done in a session.

    id          made by `make_id` from subject and content, so the same bytes under the same subject are the same record.
    source      the file or session that it was read from; its records are replaced together. `file:src/a.py`, `session:<id>`.
    subject     what it is about: a newer record of the same subject supersedes it. `file:src/a.py`, `symbol:src/a.py::Foo.bar`.
    digest      content hash of what it was derived from; when that changes, it is suspect.
    texts       in ascending resolution, at least one; the last one is the full text.
    seq         order within its source (line, or position in the session); of equally ranked records it decides the order.
    path        file that it is about, "" when none.
    session, uuid  where in a conversation it was seen, "" for code.
    at_ns       when it was observed, nanoseconds since 1970, 0 when unknown (code has no clock).
    lineage     (key, value) pairs of where it was observed, beyond the fields above: branch, folder, exit status.
    """

    id: str
    layer: Layer
    kind: str
    subject: str
    source: str
    digest: str
    name: str
    texts: tuple[RecordText, ...]
    seq: int = 0
    parent: str = ""
    path: str = ""
    language: str = ""
    session: str = ""
    uuid: str = ""
    agent: str = ""
    trust: Trust = Trust.OBSERVED
    at_ns: int = 0
    lineage: tuple[tuple[str, str], ...] = ()

    def text_at(self, resolution: Resolution) -> RecordText | None:
        """Return the text at exactly this resolution; None where the record has none."""
        return next((text for text in self.texts if text.resolution == resolution), None)

    @property
    def full_text(self) -> RecordText:
        """The longest text, which has the highest resolution."""
        return self.texts[-1]


@dataclass(frozen=True, slots=True)
class Status:
    """The store's current state of a record: whether it is still true, its tier, and how often it was used.
    superseded_by  id of the record that replaced it; "" with `is_live` False means that nothing did.
    reason         why it is no longer live; of a live one what happened to what it cites, None where it is not suspect.
    ended_seq      position in its session at which it ceased to be true; 0 for code.
    valid_from_ns, valid_to_ns  when it was true, by the clock of what it is about; 0 when unknown, as of code.
    recorded_at_ns  when the store first held it, 0 for what an earlier release stored.
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
    recorded_at_ns: int = 0

    @property
    def is_suspect(self) -> bool:
        """Whether it is live, though what it was derived from has changed since."""
        return self.is_live and self.reason is not None


def make_id(*parts: str) -> str:
    """Return a record id made from these strings: 26 base-32 characters (128 bits), the same in every process."""
    state = blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(4, "big"))
        state.update(data)
    return _base32(state.digest())


def make_handle(record_id: str) -> str:
    """Return the handle of a record: the first characters of its id, which packets print and `unfold` takes."""
    return record_id[:HANDLE_CHARS]


def _base32(data: bytes) -> str:
    # Crockford's alphabet in lower case: no i, l, o, u, so a handle that is read aloud survives.
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    number = int.from_bytes(data, "big") << 2
    return "".join(alphabet[(number >> shift) & 31] for shift in range(125, -1, -5))
