"""Registry of the coding agents that clew plugs into, one module each.

A module of this package with a `CLIENT` is a client. It alone knows that client's files, payloads and answers, and is imported when
asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Protocol

from clew.errors import UsageError

if TYPE_CHECKING:
    from clew.adapters.doctor import DoctorCheck
    from clew.sessions.live import LiveSession, WindowUsage
    from clew.sessions.policy import SessionPolicy

DEFAULT_CLIENT = "claude_code"

PATH_BYTES_MAX, NAME_BYTES_MAX = 4096, 255  # of what a system can have: limits.h of Linux
_SESSION_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")

HookAnswer = dict[str, Any] | str
"""What a client's hook is answered: an object, or plain text where the client reads that; {} for nothing."""


class ClientAdapter(Protocol):
    """Interface to one coding agent: where it keeps its files, how its hook payloads are parsed and how its hooks are answered.

    title  its name as people write it.
    """

    title: str

    def config_dir(self) -> Path:
        """Return the folder of its settings and records."""
        ...

    def find_transcript_dir(self, root: Path) -> Path | None:
        """Return the folder with the transcripts of sessions started in `root`; None where there is none."""
        ...

    def list_transcript_dirs(self) -> list[Path]:
        """Return the transcript folders of all repositories."""
        ...

    def parse_session(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Return the session fields of a payload: `name` ("" for none), and `cwd` and `transcript` where it has them."""
        ...

    def build_handlers(self, policy: SessionPolicy) -> Mapping[str, Callable[[dict[str, Any], LiveSession], HookAnswer]]:
        """Return the handler of each event by its name, such as a hook's; a handler takes a payload and its session and returns the
        client's answer.
        """
        ...

    def record_undelivered(self, policy: SessionPolicy, event: str, answer: HookAnswer, live: LiveSession) -> None:
        """Tell the session policy that the answer to an event arrived too late or its reader had gone."""
        ...

    def doctor_checks(self) -> Sequence[DoctorCheck]:
        """Return the checks of this client that `clew doctor` runs."""
        ...

    def parse_window_usage(self, payload: Mapping[str, Any]) -> WindowUsage | None:
        """Return the window usage in a status line payload; None where it has none."""
        ...


def parse_path(value: object) -> str:
    """Return a path that a message names, if it is absolute and a system can have it; "" for anything else."""
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        return ""
    try:
        return value if len(os.fsencode(value)) < PATH_BYTES_MAX and max(map(len, os.fsencode(value).split(b"/"))) <= NAME_BYTES_MAX else ""
    except UnicodeEncodeError:  # half of a character
        return ""


def parse_session_name(value: object) -> str:
    """Return the id of a session that a message names, if it can be a file's name; "" for anything else."""
    return value if isinstance(value, str) and _SESSION_NAME.fullmatch(value) else ""


def list_client_names() -> list[str]:
    """Return the module names of all clients, sorted."""
    return sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


def load_client(name: str = DEFAULT_CLIENT) -> ClientAdapter:
    """Import a client's module by name and return its adapter. Raises UsageError where no client has that name."""
    if name not in list_client_names():
        raise UsageError(f"no client is called {name!r}\nhint: there are {', '.join(list_client_names())}")
    return import_module(f"{__name__}.{name}").CLIENT


def load_all_clients() -> list[ClientAdapter]:
    """Return the adapters of all clients, in the order of their names."""
    return [load_client(name) for name in list_client_names()]


def find_transcript_dirs(root: Path) -> list[Path]:
    """Return the folders in which any client keeps transcripts of sessions started in `root`."""
    return [found for each in load_all_clients() if (found := each.find_transcript_dir(root)) is not None]


def find_repository_transcript_dirs(root: Path) -> list[Path]:
    """Return the folders in which any client keeps transcripts of the repository that holds `root`: of all its work trees, and of those
    that are gone from below its own folder. Reads the beginning of a transcript in each folder of each client.
    """
    from clew.settings import find_repository  # lazy: a hook's client has no need of it
    from clew.transcript.session_files import find_sessions  # lazy: it loads the dialects

    main, found = find_repository(root).main, find_transcript_dirs(root)
    for folder in (folder for client in load_all_clients() for folder in client.list_transcript_dirs()):
        start = next((session.cwd for session in find_sessions(folder) if session.cwd), "")
        if folder not in found and start and find_repository(Path(start)).main == main:
            found.append(folder)
    return found


def find_latest_transcript(root: Path, begun_by_ns: int = 0) -> Path | None:
    """Return the transcript that was written last of sessions started in `root`, of any client; None if there is none.

    begun_by_ns  time by which it had its first record; 0 for any.
    """
    from clew.transcript.session_files import find_begin  # lazy: a hook parses no transcript

    found = [path for folder in find_transcript_dirs(root) for path in folder.glob("*.jsonl")]
    found.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    return next((path for path in found if not begun_by_ns or 0 < find_begin(path) <= begun_by_ns), None)
