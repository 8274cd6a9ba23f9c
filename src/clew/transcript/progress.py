"""Keep the task state of a session as far as its transcript was read, in a form that is stored with the session.

`SessionProgress` is advanced with each observation; `dump` gives it as text, from which `load_progress` continues exactly. What another
release wrote is not loaded: the state is then made from the transcript again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import msgspec
import zstandard

from clew import __version__
from clew.records import Observation, ObservationKind, TaskState
from clew.task.tracker import TaskTracker, load_tracker
from clew.transcript.session_files import SessionFiles

# Of what is stored; the release is part of it, as another one may read the same records otherwise. Raise it between releases for the same.
PROGRESS_VERSION = f"5/{__version__}"
PLACES_MAX = 4096  # records whose places are remembered before those that the state does not rest on are dropped; guess
CUTS_MAX = 4  # compactions of the client, the latest, at which the state is kept; guess


class Cut(msgspec.Struct):
    """A compaction of the client: the number of its observation, the latest time before it (0 when unknown), and the state before it."""

    seq: int
    at_ns: int
    saved_state: msgspec.Raw

    def load_state(self) -> TaskState:
        """Return the task state before the compaction."""
        return msgspec.json.decode(self.saved_state, type=TaskState)


@dataclass(slots=True)
class SessionProgress:
    """The task state of a session after some of its observations, and when that was.

    places  0-based line of the transcript, and time in seconds (0 when unknown), by uuid, of the records that the state may rest on.
    line    of the newest observation, -1 before the first; `uuid` its record's id; `at_ns` the latest time so far, 0 when unknown.
    cuts    the client's latest compactions, oldest first.
    """

    tracker: TaskTracker
    places: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    line: int = -1
    uuid: str = ""
    at_ns: int = 0
    cuts: list[Cut] = field(default_factory=list[Cut])
    _places_max: int = PLACES_MAX

    def observe(self, seen: Observation) -> None:
        """Advance with the next observation of the transcript."""
        if seen.kind is ObservationKind.UNANSWERED:  # clew's own: the client wrote nothing
            return
        if seen.kind is ObservationKind.BOUNDARY and not seen.agent:
            state = msgspec.Raw(msgspec.json.encode(self.tracker.state()))
            self.cuts = [*self.cuts[1 - CUTS_MAX :], Cut(seen.seq, self.at_ns, state)]
        self.tracker.observe(seen)
        self.places.setdefault(seen.uuid, (seen.record_index, seen.at_ns // 10**9))
        self.line, self.uuid, self.at_ns = seen.record_index, seen.uuid, max(self.at_ns, seen.at_ns)
        if len(self.places) > self._places_max:
            self._dump_tracker(is_short=False)
            self._places_max = max(PLACES_MAX, 2 * len(self.places))

    def dump(self, *, is_short: bool = True) -> str:
        """Return it as text: versioned, compressed JSON, in letters that JSON need not escape. `is_short` as in `dump_state`."""
        tracker = self._dump_tracker(is_short=is_short)
        saved = _Saved(PROGRESS_VERSION, msgspec.Raw(tracker), self.places, self.line, self.uuid, self.at_ns, self.cuts)
        return b64encode(zstandard.ZstdCompressor(level=1).compress(msgspec.json.encode(saved))).decode()

    def _dump_tracker(self, *, is_short: bool) -> bytes:
        """Return the tracker as JSON, and forget the places of records that nothing in it names."""
        data = self.tracker.dump_state(is_short=is_short)
        named = {part for text in _strings(msgspec.json.decode(data)) for part in (text, text.partition(":")[0])}
        self.places = {uuid: place for uuid, place in self.places.items() if uuid in named}
        return data


class _Saved(msgspec.Struct):
    version: str
    tracker: msgspec.Raw
    places: dict[str, tuple[int, int]]
    line: int
    uuid: str
    at_ns: int
    cuts: list[Cut]


def start_progress(session: SessionFiles | None, root: str) -> SessionProgress:
    """Return the progress of a session of which nothing was read. `root` is its repository's, "" where that is not known."""
    cwd = session.cwd if session else ""
    is_outside = bool(root and cwd) and cwd != root and not cwd.startswith(f"{root.rstrip('/')}/")
    return SessionProgress(TaskTracker(root=cwd if is_outside else root))


def load_progress(data: str) -> SessionProgress | None:
    """Return the progress that `dump` wrote; None for text of another release, or for none."""
    if not data:
        return None
    try:
        saved = msgspec.json.decode(zstandard.ZstdDecompressor().decompress(b64decode(data)), type=_Saved)
        if saved.version != PROGRESS_VERSION:
            return None
        return SessionProgress(load_tracker(bytes(saved.tracker)), saved.places, saved.line, saved.uuid, saved.at_ns, saved.cuts)
    except (ValueError, zstandard.ZstdError, msgspec.DecodeError, RecursionError):  # damaged, or a development version's: made again
        return None


def _strings(value: object) -> Iterator[str]:
    """Every string within a JSON value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in cast("dict[str, object]", value).items():
            yield key
            yield from _strings(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _strings(each)
