"""Live sessions: the daemon's state of each agent session that runs or ran lately.

A few numbers and names for each, in one small file under `run/sessions/`, so that a restarted daemon knows which handles are already in
a session's window. The conversation itself is in the client's transcript and in the store; here are only the agent's last message and
a hand-off not yet delivered, both with secrets masked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from clew.files import replace_file
from clew.records import Packet
from clew.sessions.processes import is_alive
from clew.transcript.follow import ProgressReader
from clew.transcript.session_files import SessionFiles

_SESSIONS_MAX = 200  # session files; the oldest are deleted first. Guess
SEEN_HANDLES_MAX = 500  # handles remembered as being in one window; guess
_FOLLOWED_MAX = 16  # sessions whose task state is held in memory; guess


T = TypeVar("T")


class LastPacket(msgspec.Struct):
    """Summary of the last packet that a session was given, for the status line.

    kind  "prompt", "hand-off" or "compaction"; layers  tokens by layer; why  a reason in words.
    """

    kind: str = msgspec.field(default="", name="door")
    tokens: int = 0
    entries: int = 0
    layers: dict[str, int] = {}
    took_ms: float = 0.0
    why: str = ""

    @classmethod
    def from_packet(cls, kind: str, packet: Packet, took_ms: float, why: str) -> LastPacket:
        """Summarize `packet`, which was built for `kind` in `took_ms` milliseconds."""
        layers: dict[str, int] = {}
        for entry in packet.entries:
            layers[entry.layer] = layers.get(entry.layer, 0) + entry.tokens
        return cls(kind, packet.tokens, len(packet.entries), dict(sorted(layers.items())), round(took_ms, 1), why)


class WindowUsage(msgspec.Struct):
    """Usage of the client's context window as the client last reported it. Shares are 0 to 1, None where it reported none."""

    tokens: int = 0
    limit_tokens: int = 0
    used: float | None = None
    cache_hits: float | None = None
    is_warm: bool | None = None


class LiveSession(msgspec.Struct):
    """State of one agent session, stored as JSON under `run/sessions/`.

    client               name of the client that it runs in.
    mod_at               last message of the client's mod, in seconds since 1970; 0 for none.
    seen                 handles that are in its window already.
    saved_tokens         tokens that shortened outputs have kept out of its window; reduced  number of those outputs.
    compacted            compactions whose following session start has not come yet.
    is_started           the hook of its start was received.
    is_unplaced          it goes on another session, and a trial runs that has to know which.
    owed, owed_given     hand-off that its start could not deliver in time; the one that was added to the last prompt.
    added, saved_last    handles added to the last prompt, tokens saved by the last output, until they are known to be delivered.
    asked_ns             time of the last prompt that was searched for.
    late, late_at        consecutive prompts answered too late; time of the last of them.
    is_late              the last prompt was answered too late.
    ended                why the session ended, "" while it runs.
    guarded              files that it was told were not changed; guarded_last  those of the last time.
    """

    id: str
    cwd: str = ""
    transcript: str = ""
    client_pid: int = 0
    client: str = "claude_code"
    mod_at: float = 0.0
    seen: list[str] = []
    saved_tokens: int = 0
    reduced: int = 0
    compacted: int = 0
    said_last: str = ""
    is_started: bool = False
    is_unplaced: bool = False
    owed: str = ""
    owed_given: str = ""
    added: list[str] = []
    saved_last: int = 0
    asked_ns: int = 0
    late: int = 0
    late_at: float = 0.0
    is_late: bool = False
    last_packet: LastPacket = msgspec.field(default_factory=LastPacket, name="told")
    window: WindowUsage = msgspec.field(default_factory=WindowUsage)
    at: float = 0.0
    ended: str = ""
    guarded: list[str] = []
    guarded_last: list[str] = []

    @property
    def has_transcript(self) -> bool:
        """Whether the client has written the session's transcript file yet."""
        return bool(self.transcript) and Path(self.transcript).is_file()


class _Followed:
    """The reader of one transcript's task state, used by one thread at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reader: ProgressReader | None = None


class LiveSessions:
    """The LiveSession of every session that runs or ran lately, loaded from and saved to `folder`. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._known: dict[str, LiveSession] = {}
        self._followed: dict[str, _Followed] = {}  # by transcript
        with suppress(OSError):
            for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)[-_SESSIONS_MAX:]:
                with suppress(OSError, msgspec.DecodeError, RecursionError):  # one that is broken is begun anew
                    live = msgspec.json.decode(file.read_bytes(), type=LiveSession)
                    self._known[live.id] = live

    def update(
        self, session_id: str, *, cwd: str = "", transcript: str = "", client: str = "", client_pid: int | None = None
    ) -> LiveSession:
        """Return the session, created if unknown, with these values set and its time set to now; "" and None leave a value as it is."""
        with self._lock:
            live = self._known.setdefault(session_id, LiveSession(session_id))
            live.cwd, live.transcript = cwd or live.cwd, transcript or live.transcript
            live.client, live.client_pid = client or live.client, client_pid or live.client_pid
            live.at = time.time()
            return live

    def find(self, session_id: str) -> LiveSession | None:
        """Return the session with this id, or None."""
        with self._lock:
            return self._known.get(session_id)

    def save(self, live: LiveSession) -> None:
        """Write the session to its file; beyond _SESSIONS_MAX the oldest is deleted. Errors of the disk are ignored.

        A state that was not saved costs repeated texts after a restart of the daemon, and no more.
        """
        if not live.id or not all(letter.isalnum() or letter in "-_" for letter in live.id):
            return
        with self._lock:
            del live.seen[:-SEEN_HANDLES_MAX]
            data = msgspec.json.encode(live)
        with suppress(OSError):
            replace_file(self.folder / f"{live.id}.json", data)
            if len(self._known) > _SESSIONS_MAX:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        with self._lock:
            oldest = min(self._known.values(), key=lambda live: live.at)
            del self._known[oldest.id]
            self._followed.pop(oldest.transcript, None)
        (self.folder / f"{oldest.id}.json").unlink(missing_ok=True)

    def follow(
        self, session: SessionFiles, open_reader: Callable[[SessionFiles], ProgressReader], use: Callable[[ProgressReader], T],
        seconds_max: float,
    ) -> T:  # fmt: skip
        """Return what `use` makes of a session's task state as its transcript is now. Raises NotReadable.

        open_reader  makes the reader, at the first call. seconds_max  time for what the transcript gained since the last one.
        """
        name = str(session.path)
        with self._lock:
            found = self._followed[name] = self._followed.pop(name, None) or _Followed()
            while len(self._followed) > _FOLLOWED_MAX:
                del self._followed[next(iter(self._followed))]
        with found.lock:
            found.reader = found.reader or open_reader(session)
            found.reader.advance(seconds_max=seconds_max)
            return use(found.reader)

    def stop_following(self, transcript: str) -> None:
        """Let go of the reader of a transcript: the next one goes on from what is stored by then."""
        with self._lock:
            self._followed.pop(transcript, None)

    def list_recent(self) -> list[LiveSession]:
        """Return all known sessions, the last used first."""
        with self._lock:
            return sorted(self._known.values(), key=lambda live: (-live.at, live.id))

    def list_client_pids(self) -> list[int]:
        """Return the process ids of running clients with a session that has not ended, sorted."""
        return sorted({live.client_pid for live in self.list_recent() if live.client_pid and not live.ended and is_alive(live.client_pid)})

    def find_session_id(self, client_pid: int) -> str:
        """Return the id of the session that runs in the client process `client_pid`, "" if unknown."""
        return next((live.id for live in self.list_recent() if client_pid and live.client_pid == client_pid and not live.ended), "")
