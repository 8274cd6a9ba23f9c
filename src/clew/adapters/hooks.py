"""Hooks: what a client's hooks say, put to the session policy in the words of that client's module, and the answers back.

Knows no client: each module of `clew.adapters.clients` reads and writes its own words. Whatever fails is for the caller to journal;
the session goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clew.adapters import clients
from clew.adapters.clients import DEFAULT, Answer
from clew.adapters.places import Places, journal
from clew.sessions import statusline
from clew.sessions.context import DaemonContext
from clew.sessions.live import LiveSession, LiveSessions
from clew.sessions.policy import SessionPolicy
from clew.settings import Settings, workspace_of


class HookHandlers:
    """What answers the hooks of all clients of one daemon. Safe with threads."""

    def __init__(self, context: DaemonContext) -> None:
        self.context = context
        self.sessions = LiveSessions(context.settings.home / "run" / "sessions")
        self.policy = SessionPolicy(context, self.sessions, lambda live, root: clients.client(live.client).transcripts_of(root))
        self._handlers: dict[str, Mapping[str, Callable[[dict[str, Any], LiveSession], Answer]]] = {}

    def hook(self, event: str, payload: dict[str, Any], *, client: str = DEFAULT, client_pid: int | None = None) -> Answer:
        """Answer an event of a client; {} where there is nothing to say, and to events that are not known. Raises UsageError."""
        if client not in self._handlers:
            self._handlers[client] = clients.client(client).handlers(self.policy)
        answer = self._handlers[client].get(event)
        if answer is None or not clients.client(client).session_in(payload).get("name"):
            return {}
        live = self._live(payload, client, client_pid)
        said = answer(payload, live)
        self.sessions.keep(live)
        return said

    def undelivered(self, event: str, payload: dict[str, Any], answer: Answer, *, client: str = DEFAULT) -> None:
        """Take note that an answer has reached nobody."""
        live = self._live(payload, client)
        clients.client(client).undelivered(self.policy, event, answer, live)
        self.sessions.keep(live)

    def statusline(self, payload: dict[str, Any], *, client: str = DEFAULT) -> str:
        """Return the client's status line, and remember what the client says of its window."""
        live = self._live(payload, client)
        live.window = clients.client(client).window_in(payload) or live.window
        self.sessions.keep(live)
        return statusline.line(live, self.policy.trouble(live))

    def status(self, path: str) -> dict[str, Any]:
        """Return the sessions of the repository that holds `path`, of all for "", the latest first."""
        root = workspace_of(Path(path))[1] if path else None
        here = [live for live in self.sessions.all() if root is None or (live.cwd and workspace_of(Path(live.cwd))[1] == root)]
        trouble = self.context.trouble()
        return {"sessions": [statusline.as_json(live, trouble) for live in here], "trouble": trouble}

    def _live(self, payload: dict[str, Any], client: str, client_pid: int | None = None) -> LiveSession:
        said = clients.client(client).session_in(payload)
        return self.sessions.of(
            said.get("name", ""), cwd=said.get("cwd", ""), transcript=said.get("transcript", ""), client=client, client_pid=client_pid
        )


def daemon_context(settings: Settings) -> DaemonContext:
    """Return the context of a daemon that keeps its journal in its data folder."""
    return DaemonContext(settings, partial(journal, Places(settings.home)))
