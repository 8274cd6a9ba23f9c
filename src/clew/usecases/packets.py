"""Packets: log what was added to a prompt, after it was answered, and explain it with what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clew.augment.noise import find_prompt_words
from clew.errors import UnknownHandle, UsageError
from clew.lifecycle.apply import apply_deltas
from clew.lifecycle.forget import purge_records
from clew.lifecycle.marks import StoredMark, read_marks
from clew.lifecycle.packets import PACKETS_PREFIX, LoggedPacket, build_packet, find_surplus, packets_source, read_packet
from clew.packet.options import OriginalCache
from clew.ranking.question import Question
from clew.records import Noise, Packet, Record
from clew.store.ports import LOCAL, Reader, Snapshot, Writer
from clew.task.prompts import extract_typed_text
from clew.usecases import marks
from clew.usecases.inputs import find_record, get_source_state
from clew.usecases.places import find_memory, open_memory

_TOUCHES = {"read": "read", "edit": "edited", "write": "written"}
_CLOCKS_APART_NS = 5_000_000_000  # a prompt's record may bear an earlier time than the hook's by this; guess
_SURPLUS = "the log of packets keeps the last ones of a session"


def log_packet(store: Writer, path: Path, packet: Packet, *, session: str, asked_ns: int, took_ms: float, is_shown: bool) -> None:
    """Store what was added to a session's prompt that came at `asked_ns`. Of a long session the oldest packets are erased."""
    key, _ = open_memory(store, path)
    state = get_source_state(store, key, packets_source(session))
    made = build_packet(packet, session=session, asked_ns=asked_ns, took_ms=took_ms, is_shown=is_shown, state=state)
    apply_deltas(store, key, [made])
    with store.snapshot(LOCAL, key) as snapshot:
        surplus = find_surplus(snapshot, session)
    if surplus:
        purge_records(store, key, surplus, reason=_SURPLUS, now_ns=time.time_ns())


@dataclass(frozen=True, slots=True)
class PacketExplanation:
    """A packet of the log with the prompt that it was added to, and what became of each entry.

    prompt  the prompt's record; None while the session is not ingested up to there. `asked` its words.
    became  of each entry, in order: "read", "edited" or "written", the last that the session did with its file since; "" for nothing.
    noise   of each entry, in order: the handle of the user's mark that it was noise, "" for none.
    withheld_became  as `became`, of what was withheld.
    """

    record: Record
    packet: LoggedPacket
    prompt: Record | None
    asked: str
    became: tuple[str, ...]
    noise: tuple[str, ...] = ()
    withheld_became: tuple[str, ...] = ()


def find_last_session(store: Reader, path: Path) -> str:
    """Return the id of the session whose prompt was last asked about in a repository. Raises UsageError where the log is empty."""
    key, _ = find_memory(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        states = snapshot.source_states(PACKETS_PREFIX)
    if not states:
        raise UsageError("no prompt of this repository was ever added to\nhint: clew adds to prompts where its hooks are set up: clew init")
    return max(states, key=lambda state: (state.mtime_ns, state.source)).source.removeprefix(PACKETS_PREFIX)


def explain_last_packet(store: Reader, path: Path, session: str) -> PacketExplanation:
    """Return what was added to the last prompt of a session, and what became of it. Raises UsageError where nothing is logged of it."""
    key, _ = find_memory(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        records = snapshot.records_of_sources(packets_source(session))
        if not records:
            raise UsageError(f"nothing is logged of session {session}\nhint: without --session the last prompt of the repository is meant")
        return _explain(snapshot, records[-1], _session_records(snapshot, session), read_marks(snapshot, Noise, ""))


def list_packets(store: Reader, path: Path, session: str, *, first: int, count: int) -> tuple[list[PacketExplanation], int]:
    """Return what was added to some logged prompts of a session, the latest being number 0, and how many are logged."""
    key, _ = find_memory(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        logged = snapshot.records_of_sources(packets_source(session))[::-1]
        records = _session_records(snapshot, session) if logged else []
        noise = read_marks(snapshot, Noise, "") if logged else []
        return [_explain(snapshot, record, records, noise) for record in logged[first : first + count]], len(logged)


def list_added_files(store: Reader, path: Path, session: str) -> list[tuple[int, str]]:
    """Return (time of the prompt in ns, path) of every file that the agent was shown beside a logged prompt, the earliest first."""
    key, _ = find_memory(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        logged = [(record, read_packet(record)) for record in snapshot.records_of_sources(packets_source(session))]
    return [(record.at_ns, entry.path) for record, packet in logged if packet.is_shown for entry in packet.entries if entry.path]


def _session_records(snapshot: Snapshot, session: str) -> list[Record]:
    return snapshot.records_of_sources(f"session:{session}", f"session:{session}/live")


def _explain(
    snapshot: Snapshot, record: Record, records: Sequence[Record], noise: Sequence[StoredMark[Noise]]
) -> PacketExplanation:  # fmt: skip
    packet = read_packet(record)
    since = record.at_ns - _CLOCKS_APART_NS
    later = [one for one in records if one.at_ns >= since]
    prompts = [one for one in later if one.kind == "prompt" and not one.agent]
    prompt = min(prompts, key=lambda one: (abs(one.at_ns - record.at_ns), one.seq), default=None)
    seq = prompt.seq if prompt else -1
    last: dict[str, str] = {}
    for one in sorted(later, key=lambda one: (one.at_ns, one.seq)):
        if one.path and one.kind in _TOUCHES and one.seq > seq:
            last[one.path] = _TOUCHES[one.kind]
    asked = OriginalCache(snapshot).text_of(prompt.full_text) if prompt else ""
    marked = {(each.mark.path, each.mark.handle if not each.mark.path else "", each.mark.prompt_id): each.handle for each in noise}
    prompt_id = prompt.id if prompt else ""
    return PacketExplanation(
        record, packet, prompt, asked,
        became=tuple(last.get(entry.path, "") for entry in packet.entries),
        noise=tuple(marked.get((entry.path, "" if entry.path else entry.handle, prompt_id), "") for entry in packet.entries),
        withheld_became=tuple(last.get(each.path, "") for each in packet.withheld),
    )  # fmt: skip


def mark_noise(store: Writer, path: Path, session: str, handle: str, number: int, *, by: str) -> str:
    """Store that an addition to a logged prompt was noise, and return the mark's handle.

    handle, number  of the packet, and of the addition in it, from 0. Raises UnknownHandle, UsageError where the prompt is not stored yet.
    """
    key, _ = find_memory(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        record = find_record(snapshot, handle)
        if record.source != packets_source(session):
            raise UnknownHandle(handle)
        found = _explain(snapshot, record, _session_records(snapshot, session), ())
    if not 0 <= number < len(found.packet.entries):
        raise UsageError("there is no such addition")
    if found.prompt is None:
        raise UsageError("the prompt is not stored yet\nhint: clew ingest, or wait until the session rests")
    entry = found.packet.entries[number]
    words = find_prompt_words(Question.of(extract_typed_text(found.asked) or found.asked))
    noise = Noise(entry.path, "" if entry.path else entry.handle, words, found.prompt.id)
    return marks.mark_noise(store, path, noise, session=session, by=by)
