"""Live sessions: what is known of the sessions that run, or that ran lately.

A few numbers and names for each, in one small file under `run/sessions/`, so that a daemon that starts anew knows what stands in
their windows already. What was said in them is in the client's transcript, and in the store; here are only the agent's last words and a
hand-off that is still owed, both masked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from clew.records import Observation, Packet, TaskState
from clew.sessions.processes import is_alive
from clew.task.tracker import TaskTracker
from clew.transcript.parse import ResumePoint, TranscriptReader

_SESSIONS_MAX = 200  # files of sessions; the oldest go first. Guess
SEEN_HANDLES_MAX = 500  # handles that are known to stand in one window; guess
_TASK_READERS_MAX = 16  # sessions whose task state is held in memory; guess


class LastPacket(msgspec.Struct):
    """The last packet that a session was given: what for, how long it is, in tokens by layer, and why."""

    kind: str = msgspec.field(default="", name="door")
    tokens: int = 0
    entries: int = 0
    layers: dict[str, int] = {}
    took_ms: float = 0.0
    why: str = ""

    @classmethod
    def from_packet(cls, kind: str, packet: Packet, took_ms: float, why: str) -> LastPacket:
        """Return what the status line says of a packet."""
        layers: dict[str, int] = {}
        for entry in packet.entries:
            layers[entry.layer] = layers.get(entry.layer, 0) + entry.tokens
        return cls(kind, packet.tokens, len(packet.entries), dict(sorted(layers.items())), round(took_ms, 1), why)


class WindowUsage(msgspec.Struct):
    """The client's window, as its status line was told last. Shares are 0 to 1, None where it did not say."""

    tokens: int = 0
    limit_tokens: int = 0
    used: float | None = None
    cache_hits: float | None = None
    is_warm: bool | None = None


class LiveSession(msgspec.Struct):
    """A session. `seen` are handles that stand in its window; `saved_tokens` is what shortened outputs left out of it.

    client               the name of the client that it runs in.
    mod_at               when the client's mod last spoke in it, in seconds since 1970; 0 for never.
    is_started           its start was seen here.
    owed, owed_given     a hand-off that its start could not give in time; the one that the last prompt was given.
    added, saved_last    what the last prompt and the last output came to, until it is known that the client has them.
    late, late_at        prompts that were answered too late, since one was answered in time; when the last of them was.
    is_late              the last prompt was one of them.
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
    owed: str = ""
    owed_given: str = ""
    added: list[str] = []
    saved_last: int = 0
    late: int = 0
    late_at: float = 0.0
    is_late: bool = False
    last_packet: LastPacket = msgspec.field(default_factory=LastPacket, name="told")
    window: WindowUsage = msgspec.field(default_factory=WindowUsage)
    at: float = 0.0
    ended: str = ""

    @property
    def has_transcript(self) -> bool:
        """Whether the client has begun to write down what is said in it."""
        return bool(self.transcript) and Path(self.transcript).is_file()


class TaskStateReader:
    """The task of one session, read off its transcript as that grows."""

    def __init__(self, transcript: Path, root: str) -> None:
        self.transcript, self.root = transcript, root
        self._carry: ResumePoint | None = None
        self._tracker = TaskTracker(root=root)
        self._lock = threading.Lock()

    def read_state(self) -> TaskState:
        """Read what is new, and return what the task is. A transcript that does not exist yet is an empty one."""
        with self._lock:
            for seen in self._new():
                self._tracker.observe(seen)
            return self._tracker.state()

    def _new(self) -> Iterator[Observation]:
        if not self.transcript.is_file():
            return
        if self._carry is not None and self.transcript.stat().st_size < self._carry.offset:
            self._carry, self._tracker = None, TaskTracker(root=self.root)
        reading = TranscriptReader(self.transcript, resume_point=self._carry)
        yield from reading.read_observations()
        self._carry = reading.resume_point()


class LiveSessions:
    """All sessions that are known. Safe with threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._known: dict[str, LiveSession] = {}
        self._task_readers: dict[str, TaskStateReader] = {}
        with suppress(OSError):
            for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime)[-_SESSIONS_MAX:]:
                with suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):  # one that is broken is begun anew
                    live = msgspec.json.decode(file.read_bytes(), type=LiveSession)
                    self._known[live.id] = live

    def update(
        self, session_id: str, *, cwd: str = "", transcript: str = "", client: str = "", client_pid: int | None = None
    ) -> LiveSession:
        """Return a session by its id, with what is now known of it; "" and None say nothing new."""
        with self._lock:
            live = self._known.setdefault(session_id, LiveSession(session_id))
            live.cwd, live.transcript = cwd or live.cwd, transcript or live.transcript
            live.client, live.client_pid = client or live.client, client_pid or live.client_pid
            live.at = time.time()
            return live

    def find(self, session_id: str) -> LiveSession | None:
        """Return a session by its id, None where nothing is known of it."""
        with self._lock:
            return self._known.get(session_id)

    def save(self, live: LiveSession) -> None:
        """Keep what is known of a session. A disk that takes nothing more costs a repetition after the next start, and no more."""
        if not live.id or not all(letter.isalnum() or letter in "-_" for letter in live.id):
            return
        with self._lock:
            del live.seen[:-SEEN_HANDLES_MAX]
            data = msgspec.json.encode(live)
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self.folder / f"{live.id}.{threading.get_ident()}"
            beside.write_bytes(data)
            beside.replace(self.folder / f"{live.id}.json")
            if len(self._known) > _SESSIONS_MAX:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        with self._lock:
            oldest = min(self._known.values(), key=lambda live: live.at)
            del self._known[oldest.id]
            self._task_readers.pop(oldest.id, None)
        (self.folder / f"{oldest.id}.json").unlink(missing_ok=True)

    def read_task(self, live: LiveSession, root: Path) -> TaskState:
        """Return what the agent is doing in a session, by its transcript as it stands now."""
        with self._lock:
            found = self._task_readers.pop(live.id, None)
            if found is None or str(found.transcript) != live.transcript:
                found = TaskStateReader(Path(live.transcript), str(root))
            self._task_readers[live.id] = found
            while len(self._task_readers) > _TASK_READERS_MAX:
                del self._task_readers[next(iter(self._task_readers))]
        return found.read_state()

    def list_recent(self) -> list[LiveSession]:
        """Return all that are known, the latest first."""
        with self._lock:
            return sorted(self._known.values(), key=lambda live: (-live.at, live.id))

    def list_client_pids(self) -> list[int]:
        """Return the pids of clients that still run, of sessions that have not ended."""
        return sorted({live.client_pid for live in self.list_recent() if live.client_pid and not live.ended and is_alive(live.client_pid)})

    def find_session_id(self, client_pid: int) -> str:
        """Return the id of the session that a client is in now, "" where that is not known."""
        return next((live.id for live in self.list_recent() if client_pid and live.client_pid == client_pid and not live.ended), "")
