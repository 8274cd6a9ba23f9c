"""Marks: pin or drop lines of a session, correct claims of its state, call an addition to a prompt noise, and take each of these back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from clew.errors import UnknownHandle, UsageError
from clew.lifecycle.apply import apply_deltas
from clew.lifecycle.marks import MARKS_PREFIX, StoredMark, build_mark, build_undo, find_rule_records, read_marks
from clew.records import (
    EVERY_LINE,
    ClaimPart,
    Correction,
    Delta,
    EndKind,
    EndReason,
    Noise,
    Pin,
    PinnedLines,
    Record,
    Supersession,
    TaskState,
    make_handle,
)
from clew.store.ports import LOCAL, Reader, Snapshot, Writer
from clew.task.corrections import apply_corrections
from clew.usecases.inputs import find_record
from clew.usecases.places import find_memory, open_memory

PRODUCER = "marks/1"
BY_PAGE, BY_COMMAND = "a person on the page", "a person on the command line"
Places: TypeAlias = Mapping[str, tuple[int, int]]
"""(0-based line, time in seconds) of the records that a state rests on, by uuid."""
WORDS_CHARS_MAX = 4_000  # of a correction; guess


@dataclass(frozen=True, slots=True)
class SessionMarks:
    """What a person marked in one session of a workspace. `until_ns` is a time as of which the marks are read, 0 for now."""

    store: Reader
    key: str
    session: str

    def correct(self, state: TaskState, places: Places, *, until_ns: int = 0) -> TaskState:
        """Return a state of the session as the user corrected it; `places` as its progress has them."""
        return correct_state(state, places, self.list_corrections(until_ns=until_ns))

    def list_corrections(self, *, until_ns: int = 0) -> list[StoredMark[Correction]]:
        """Return the corrections of the session, and the rules that ended in the whole repository, the earliest first."""
        with self.store.snapshot(LOCAL, self.key, until_ns) as snapshot:
            found = read_marks(snapshot, Correction, self.session, "")
        return sorted(found, key=lambda each: (each.record.at_ns, each.record.id))

    def list_pins(self, *, until_ns: int = 0) -> list[StoredMark[Pin]]:
        """Return the pins and drops of the session, the earliest first."""
        with self.store.snapshot(LOCAL, self.key, until_ns) as snapshot:
            return read_marks(snapshot, Pin, self.session)

    def read_pins(self, *, until_ns: int = 0) -> PinnedLines:
        """Return the lines that are pinned and dropped."""
        pinned: dict[str, list[tuple[int, int]]] = {}
        dropped: dict[str, list[tuple[int, int]]] = {}
        for each in self.list_pins(until_ns=until_ns):
            pin = each.mark
            span = (pin.first - 1, pin.last - 1) if pin.first else EVERY_LINE
            (dropped if pin.is_dropped else pinned).setdefault(pin.record_id, []).append(span)
        return PinnedLines(pinned, dropped)


def correct_state(state: TaskState, places: Places, corrections: Sequence[StoredMark[Correction]]) -> TaskState:
    """Return a state as the user corrected it, the earliest correction first; `places` as its session's progress has them."""
    if not corrections:
        return state
    return apply_corrections(state, (each.mark for each in corrections), {uuid: at_s for uuid, (_, at_s) in places.items()})


def pin(
    store: Writer, path: Path, target: Record | str, *, first: int = 0, last: int = 0, is_dropped: bool = False, by: str = BY_COMMAND
) -> str:  # fmt: skip
    """Have the next compactions of a record's session keep lines of it, or leave them out; return the mark's handle.

    target       the record, or the handle of a stored one.
    first, last  1-based, inclusive; 0 for the whole record.
    Raises UnknownHandle, UsageError for lines that cannot be, or for a record that no compaction shows.
    """
    from clew.compaction.compact import EXCLUDED_KINDS  # lazy: a question needs no compaction

    if isinstance(target, str):
        with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
            target = find_record(snapshot, target)
    if not target.session or target.kind in EXCLUDED_KINDS or target.agent or not target.source.startswith("session:"):
        raise UsageError(f"[{make_handle(target.id)}] is no part of a session's window\nhint: clew explain says what it is")
    if (first or last) and not 0 < first <= last:
        raise UsageError(f"lines {first}-{last} cannot be\nhint: the first and the last line, from 1")
    where = f", lines {first}-{last}" if first else ""
    name = f"{'Dropped' if is_dropped else 'Pinned'}{where}: {target.name}"
    return _store(store, path, Pin(target.id, first, last, is_dropped), target.session, target.uuid, name, by)


def correct(store: Writer, path: Path, session: str, correction: Correction, *, by: str) -> str:
    """Store what the user says of a claim of a session's state, and return the mark's handle.

    A rule that ends is ended in memory too: of the session, or of all sessions of the repository. Raises UsageError for no claim.
    """
    if not correction.uuid or not correction.words.strip():
        raise UsageError("there is no such claim\nhint: a claim is named by its record and its words")
    if len(correction.now) > WORDS_CHARS_MAX:
        raise UsageError(f"the correction is longer than {WORDS_CHARS_MAX:,} characters")
    if correction.is_everywhere and (correction.part is not ClaimPart.RULE or correction.now):
        raise UsageError("only a rule can be ended for all sessions")
    correction = replace(correction, at_ns=time.time_ns())
    name = f"Corrected {correction.part}: {correction.now}" if correction.now else f"Ended {correction.part}: {correction.words}"
    handle = _store(
        store, path, correction, session, correction.uuid, name, by,
        at_ns=correction.at_ns, is_of_repository=correction.is_everywhere,
    )  # fmt: skip
    apply_rule_ends(store, find_memory(store, path)[0], session)
    return handle


def mark_noise(store: Writer, path: Path, noise: Noise, *, session: str, by: str) -> str:
    """Store that an addition to a prompt was noise, and return the mark's handle."""
    noise = replace(noise, at_ns=time.time_ns())
    name = f"Noise: {noise.path or noise.handle}"
    return _store(store, path, noise, session, "", name, by, at_ns=noise.at_ns, is_of_repository=True)


def take_back(store: Writer, path: Path, handles: Sequence[str], *, by: str) -> None:
    """Take marks back from now on, by their handles or, of pins, by those of the pinned records. Raises UnknownHandle."""
    key, now_ns = find_memory(store, path)[0], time.time_ns()
    with store.snapshot(LOCAL, key) as snapshot:
        found = [each for handle in handles for each in _find_marks(snapshot, handle)]
        deltas = build_undo(snapshot, found, by=by, at_ns=now_ns)
        deltas += [delta for each in _corrections(snapshot, found) for delta in _revive_rules(snapshot, each.record, each.mark, now_ns)]
    apply_deltas(store, key, deltas)


def list_noise(store: Reader, path: Path) -> list[StoredMark[Noise]]:
    """Return the additions that the user called noise in a repository, the earliest first."""
    with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
        return read_marks(snapshot, Noise, "")


def list_all_pins(store: Reader, path: Path) -> list[StoredMark[Pin]]:
    """Return all pins and drops of a repository, by session, the earliest first."""
    with store.snapshot(LOCAL, find_memory(store, path)[0]) as snapshot:
        sessions = [state.source.removeprefix(MARKS_PREFIX) for state in snapshot.source_states(MARKS_PREFIX)]
        return read_marks(snapshot, Pin, *sessions)


def apply_rule_ends(store: Writer, key: str, session: str) -> None:
    """End the records of rules that the user ended by hand, also after their session was read anew."""
    changes: list[Delta] = []
    with store.snapshot(LOCAL, key) as snapshot:
        for each in read_marks(snapshot, Correction, session, ""):
            records = find_rule_records(snapshot, each.mark, each.record.session)
            statuses = snapshot.statuses([record.id for record in records])
            live = [record for record, status in zip(records, statuses, strict=True) if status.is_live]
            changes += [_end(snapshot, record, each.record) for record in live]
    if changes:
        apply_deltas(store, key, changes)


def _end(snapshot: Snapshot, record: Record, by: Record) -> Delta:
    ended = Supersession(record.id, by.id, EndReason(EndKind.TAKEN_BACK), record.seq, by.at_ns)
    return Delta(PRODUCER, record.source, is_whole=False, superseded=(ended,), state=snapshot.source_state(record.source))


def _revive_rules(snapshot: Snapshot, by: Record, correction: Correction, at_ns: int) -> list[Delta]:
    """Return the Deltas that make rules true again that this mark, and nothing else, ended."""
    records = find_rule_records(snapshot, correction, by.session)
    statuses = snapshot.statuses([record.id for record in records])
    return [
        Delta(
            PRODUCER, record.source, is_whole=False, state=snapshot.source_state(record.source),
            superseded=(Supersession(record.id, "", None, record.seq, at_ns, is_undone=True),),
        )
        for record, status in zip(records, statuses, strict=True)
        if status.superseded_by == by.id
    ]  # fmt: skip


def _corrections(snapshot: Snapshot, records: Sequence[Record]) -> list[StoredMark[Correction]]:
    sessions = {record.source.removeprefix(MARKS_PREFIX) for record in records}
    ids = {record.id for record in records}
    return [each for each in read_marks(snapshot, Correction, *sessions) if each.record.id in ids]


def _find_marks(snapshot: Snapshot, handle: str) -> list[Record]:
    record = find_record(snapshot, handle)
    if record.source.startswith(MARKS_PREFIX):
        [status] = snapshot.statuses([record.id])
        return [record] if status.is_live else []
    found = [each.record for each in read_marks(snapshot, Pin, record.session) if each.mark.record_id == record.id]
    if not found:
        raise UnknownHandle(handle)
    return found


def _store(
    store: Writer, path: Path, mark: Pin | Correction | Noise, session: str, uuid: str, name: str, by: str, *, at_ns: int = 0,
    is_of_repository: bool = False,
) -> str:  # fmt: skip
    key, _ = open_memory(store, path)
    with store.snapshot(LOCAL, key) as snapshot:
        delta, record = build_mark(
            snapshot, mark, session=session, uuid=uuid, name=name, by=by, at_ns=at_ns or time.time_ns(), is_of_repository=is_of_repository
        )
    apply_deltas(store, key, [delta])
    return make_handle(record.id)
