"""Freshness: re-index changed files before an answer shows them, mark entries that may be outdated, and count uses."""

from __future__ import annotations

import os
import time
from collections import Counter as CountOf
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from clew import usecases
from clew.codebase import compute_stamp
from clew.errors import StoreBusy, StoreUnwritable
from clew.lifecycle import notes
from clew.lifecycle.apply import apply_deltas
from clew.lifecycle.forget import record_use
from clew.ranking.deadline import Deadline
from clew.records import MatchKind, MatchReason, Packet, PacketEntry
from clew.settings import Settings
from clew.store.originals import digest_of
from clew.store.ports import LOCAL, Snapshot, Writer
from clew.text.secrets import mask_bytes
from clew.usecases.places import find_code

T = TypeVar("T")
_REREADS_MAX = 3  # of one changed file for one question; an editor that saves more often wins
_WRITE_DELAY_NS = 60_000_000_000  # an edit is recorded before it reaches the disk: a file counts as newer beyond this; guess


def answer_fresh(
    store: Writer,
    settings: Settings,
    path: Path,
    answer_from: Callable[[Snapshot], T],
    list_paths: Callable[[T], Iterable[str]],
    deadline: Deadline,
) -> T:
    """Return an answer that shows files as they are now: files it shows that changed are indexed, and the answer is computed again.

    answer_from  computes an answer from one snapshot.
    list_paths   returns the paths of the files that an answer shows.
    Each file is indexed at most _REREADS_MAX times. If the deadline has passed, or the store cannot be written, the answer is returned
    as it is, and the deadline's `skipped` says so.
    """
    key, root = find_code(store, path)
    times: CountOf[str] = CountOf()
    while True:
        with store.snapshot(LOCAL, key) as snapshot:
            answer = answer_from(snapshot)
            if not root.is_dir() or not deadline.allows("fresh"):
                return answer
            stale = [name for name in _find_changed(snapshot, root, list_paths(answer)) if times[name] < _REREADS_MAX]
        if not stale:
            return answer
        try:
            usecases.index.update(store, settings, path, stale)
        except (StoreBusy, StoreUnwritable):  # the answer is given all the same, and says so
            deadline.skipped.append(f"fresh: {len(stale)} files shown have changed since they were indexed")
            return answer
        times.update(stale)


def _find_changed(snapshot: Snapshot, root: Path, names: Iterable[str]) -> list[str]:
    """Return the files that differ from their indexed content. Cost: one stat each, and reading those whose size or time differ."""
    found: list[str] = []
    for source, state in snapshot.states_of_sources([f"file:{name}" for name in dict.fromkeys(names)]).items():
        name = source.removeprefix("file:")
        try:
            status = os.stat(f"{root}/{name}")  # noqa: PTH116  a Path takes longer than the look
            if (status.st_size, compute_stamp(status)) == (state.size, state.mtime_ns):
                continue
            is_equal = status.st_size == state.size and (
                not state.digest or digest_of(mask_bytes((root / name).read_bytes())) == state.digest
            )
        except OSError:  # gone, or no longer readable: its records are retired
            is_equal = False
        if not is_equal:
            found.append(name)
    return found


def mark_doubtful_entries(snapshot: Snapshot, packet: Packet, root: Path | None) -> Packet:
    """Return the packet with a first reason added to each entry from a session that is suspect, or whose file changed since or is gone.

    root  the folder in which files are looked at; None to look at none.
    """
    remembered = [entry.id for entry in packet.entries if entry.session]
    statuses = dict(zip(remembered, snapshot.statuses(remembered), strict=True))
    cited = [entry.id for entry in packet.entries if entry.session and entry.path] if root and root.is_dir() else []
    seen_ns = {record.id: record.at_ns for record in snapshot.records(cited)} if cited else {}

    def with_reason(entry: PacketEntry) -> PacketEntry:
        why = entry.why
        if (status := statuses.get(entry.id)) and status.is_suspect:
            why = (MatchReason(MatchKind.SUSPECT, end=status.reason), *why)
        if (seen := seen_ns.get(entry.id)) and root and (became := _file_change(root / entry.path, seen)):
            why = (MatchReason(became), *why)
        return entry if why is entry.why else replace(entry, why=why)

    return replace(packet, entries=tuple(map(with_reason, packet.entries)))


def _file_change(file: Path, seen_ns: int) -> MatchKind | None:
    """Return whether a file changed or is gone since `seen_ns`, None if neither, or `seen_ns` is 0 (unknown)."""
    try:
        is_newer = file.stat().st_mtime_ns > seen_ns + _WRITE_DELAY_NS
    except OSError:
        return MatchKind.FILE_GONE
    return MatchKind.FILE_CHANGED if is_newer else None


def record_packet_use(store: Writer, key: str, packet: Packet) -> None:
    """Count in workspace `key` a use of each session record that a packet shows, so that it does not age.

    Does nothing if the store cannot be written now.
    """
    used = [entry.id for entry in packet.entries if entry.session]
    with suppress(StoreBusy, StoreUnwritable):
        if used:
            record_use(store, key, used, now_ns=time.time_ns())


def list_shown_files(packet: Packet) -> list[str]:
    """Return the paths of the files from which a packet shows code."""
    return [entry.path for entry in packet.entries if entry.path and not entry.session]


def update_note_statuses(store: Writer, key: str, root: Path) -> None:
    """Mark notes as suspect whose cited files have changed, and unmark those whose files are as cited again.

    key   id of the repository's workspace in the store.
    root  the repository's folder.
    """
    with store.snapshot(LOCAL, key) as snapshot:
        held = snapshot.source_state(notes.NOTES_SOURCE)
        if held is None:
            return
        records = snapshot.records_of_sources(notes.NOTES_SOURCE)
        statuses = snapshot.statuses([record.id for record in records])

    def digest_now(name: str) -> str | None:
        try:
            return digest_of((root / name).read_bytes())
        except OSError:  # gone, or no longer readable: that is a change as well
            return None

    delta = notes.mark_stale_notes(zip(records, statuses, strict=True), digest_now, state=held, at_ns=time.time_ns())
    if delta is not None:
        apply_deltas(store, key, [delta])
