"""Keep the log of packets: what was added to each prompt of a session, why, how likely, and what it cost.

One record for each prompt, in a source of its own beside the session's, so that no search finds it. It holds no word of the prompt but
those that its reasons quote, and points at what was added; what became of it is told by the session's own records. Pure: returns Deltas
for `apply_deltas`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from clew.records import Delta, Layer, MatchKind, MatchReason, Packet, Record, RecordText, Resolution, SourceState, Withheld, make_id
from clew.store.originals import digest_of
from clew.store.ports import Snapshot
from clew.text.secrets import mask_text

PRODUCER = "packets/1"  # name and version of this producer in its Deltas
PACKET_KIND = "packet"
PACKETS_PREFIX = "packets:"  # of the sources that hold them, one for each session
PACKETS_MAX, PACKETS_SPARE = 200, 50  # of one session; when so many more are there, the oldest are erased. Guess


class LoggedEntry(msgspec.Struct, frozen=True):
    """One thing that was added: a place in a file, or a turn of an earlier session, which has no path and no probability."""

    path: str = ""
    start: int = 0
    end: int = 0
    handle: str = ""
    kind: str = ""
    name: str = ""
    probability: float | None = None
    tokens: int = 0
    why: list[tuple[str, list[str | int]]] = []

    @property
    def reasons(self) -> tuple[MatchReason, ...]:
        """Why it was added, strongest first; without kinds that this release does not know."""
        known = {kind.value: kind for kind in MatchKind}
        return tuple(MatchReason(known[kind], tuple(values)) for kind, values in self.why if kind in known)


class LoggedPacket(msgspec.Struct, frozen=True):
    """What was added to one prompt; no entries where nothing was likely enough.

    took_ms   of the search; skipped  stages that were left out for want of time.
    is_shown  False where it came too late, so that the agent did not read it.
    withheld  what would have been added, and was called noise in a prompt like it.
    """

    entries: list[LoggedEntry] = []
    tokens: int = 0
    budget_tokens: int = 0
    tokenizer: str = ""
    took_ms: float = 0.0
    skipped: list[str] = []
    is_shown: bool = True
    withheld: list[Withheld] = []


def packets_source(session: str) -> str:
    """Return the name of the source that holds the packets of a session."""
    return f"{PACKETS_PREFIX}{session}"


def build_packet(packet: Packet, *, session: str, asked_ns: int, took_ms: float, is_shown: bool, state: SourceState | None) -> Delta:
    """Return the Delta that stores what was added to the prompt that came at `asked_ns`. state: of the session's packets so far."""
    entries = [
        LoggedEntry(
            entry.path, entry.start, entry.end, entry.handle, entry.kind, "" if entry.session else entry.name,
            None if entry.session else entry.weight, entry.tokens, [(reason.kind.value, list(reason.values)) for reason in entry.why],
        )
        for entry in packet.entries
    ]  # fmt: skip
    logged = LoggedPacket(
        entries, packet.tokens, packet.budget_tokens, packet.tokenizer, round(took_ms, 1), list(packet.skipped), is_shown,
        list(packet.withheld),
    )  # fmt: skip
    text = mask_text(msgspec.json.encode(logged).decode())
    source, count = packets_source(session), state.size if state else 0
    said = f"{len(entries)} added, {packet.tokens} tokens" if entries else "nothing added"
    name = f"Prompt: {said}{'' if is_shown else ', too late'}"
    record = Record(
        id=make_id("packet", session, str(asked_ns), text),
        layer=Layer.ACTION,
        kind=PACKET_KIND,
        subject=f"packet:{session}/{asked_ns}",
        source=source,
        digest=digest_of(text.encode()),
        name=name,
        texts=(RecordText(Resolution.NAME, len(name), inline=name), RecordText(Resolution.FULL, len(text), inline=text)),
        seq=count,
        session=session,
        at_ns=asked_ns,
    )
    return Delta(PRODUCER, source, is_whole=False, records=(record,), state=SourceState(source, size=count + 1, mtime_ns=asked_ns))


def read_packet(record: Record) -> LoggedPacket:
    """Return what a record of the log holds."""
    return msgspec.json.decode(record.full_text.inline, type=LoggedPacket)


def find_surplus(snapshot: Snapshot, session: str) -> list[str]:
    """Return the ids of the oldest packets of a session, beyond PACKETS_MAX; none until PACKETS_SPARE more are there."""
    records = snapshot.records_of_sources(packets_source(session))
    return [record.id for record in records[:-PACKETS_MAX]] if len(records) >= PACKETS_MAX + PACKETS_SPARE else []


def find_citing(snapshot: Snapshot, sessions: Collection[str], texts: Sequence[str]) -> list[str]:
    """Return the ids of the packets of these sessions, and of those of any session that name one of `texts` (paths, handles)."""
    known = [state.source for state in snapshot.source_states(PACKETS_PREFIX)]
    own = {packets_source(session) for session in sessions}
    named = [msgspec.json.encode(text).decode() for text in texts]
    return [
        record.id
        for record in snapshot.records_of_sources(*known)
        if record.source in own or any(text in record.full_text.inline for text in named)
    ]
