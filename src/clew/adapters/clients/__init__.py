"""Clients: the coding agents that clew plugs into, one module each.

A module of this package that has a `CLIENT` is a client: what it lacks, no other module knows. It is imported when it is asked for.
"""

from __future__ import annotations

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

HookAnswer = dict[str, Any] | str
"""What a client's hook is answered: an object, or plain text where the client reads that; {} for nothing."""


class ClientAdapter(Protocol):
    """What clew needs to know of a coding agent: where it keeps its records, what its hooks say, and how they are answered.

    title  its name as people write it.
    """

    title: str

    def config_dir(self) -> Path:
        """Return the folder in which it keeps its settings and records."""
        ...

    def find_transcript_dir(self, root: Path) -> Path | None:
        """Return the folder of the transcripts of sessions that were started in `root`, None where there is none."""
        ...

    def list_transcript_dirs(self) -> list[Path]:
        """Return the folders of the transcripts of all repositories."""
        ...

    def parse_session(self, payload: Mapping[str, Any]) -> dict[str, str]:
        """Return what a payload says of its session: `name` ("" for none), and `cwd` and `transcript` where it says them."""
        ...

    def build_handlers(self, policy: SessionPolicy) -> Mapping[str, Callable[[dict[str, Any], LiveSession], HookAnswer]]:
        """Return what answers each of its events, by the event's name."""
        ...

    def record_undelivered(self, policy: SessionPolicy, event: str, answer: HookAnswer, live: LiveSession) -> None:
        """Take note that an answer has reached nobody."""
        ...

    def doctor_checks(self) -> Sequence[DoctorCheck]:
        """Return what `clew doctor` looks at of it."""
        ...

    def parse_window_usage(self, payload: Mapping[str, Any]) -> WindowUsage | None:
        """Return what a payload for the status line says of the client's window; None where it says nothing of it."""
        ...


def list_client_names() -> list[str]:
    """Return the names of all clients."""
    return sorted(found.name for found in iter_modules(__path__) if not found.name.startswith("_"))


def load_client(name: str = DEFAULT_CLIENT) -> ClientAdapter:
    """Return a client by its name. Raises UsageError where there is none."""
    if name not in list_client_names():
        raise UsageError(f"no client is called {name!r}\nhint: there are {', '.join(list_client_names())}")
    return import_module(f"{__name__}.{name}").CLIENT


def load_all_clients() -> list[ClientAdapter]:
    """Return all clients."""
    return [load_client(name) for name in list_client_names()]


def find_transcript_dirs(root: Path) -> list[Path]:
    """Return the folders in which clients keep transcripts of sessions that were started in `root`."""
    return [found for each in load_all_clients() if (found := each.find_transcript_dir(root)) is not None]
