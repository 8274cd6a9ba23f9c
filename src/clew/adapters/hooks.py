"""Pass hook events of any client to the session policy, and its decisions back as the client's answers.

Knows no client: modules of `clew.adapters.clients` parse payloads and build answers. Errors rise to the HTTP app, which records them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clew.adapters import clients
from clew.adapters.clients import DEFAULT_CLIENT, HookAnswer, parse_path
from clew.adapters.daemon_files import DaemonPaths, record_problem
from clew.sessions import statusline
from clew.sessions.context import DaemonContext
from clew.sessions.live import LiveSession, LiveSessions
from clew.sessions.policy import SessionPolicy
from clew.settings import Settings, find_workspace


class HookHandlers:
    """Handlers for the hook events and status lines of every client of one daemon. Thread-safe."""

    def __init__(self, context: DaemonContext) -> None:
        self.context = context
        self.sessions = LiveSessions(context.settings.data_dir / "run" / "sessions")
        self.policy = SessionPolicy(context, self.sessions, lambda live, root: clients.load_client(live.client).find_transcript_dir(root))
        self._handlers: dict[str, Mapping[str, Callable[[dict[str, Any], LiveSession], HookAnswer]]] = {}

    def handle_event(
        self, event: str, payload: dict[str, Any], *, client: str = DEFAULT_CLIENT, client_pid: int | None = None
    ) -> HookAnswer:
        """Return the answer to a client's hook event; {} for unknown events, payloads without a session, and nothing to say.

        client_pid  process of the client, where its hook script sent it.
        Raises UsageError for an unknown client.
        """
        if client not in self._handlers:
            self._handlers[client] = clients.load_client(client).build_handlers(self.policy)
        handler = self._handlers[client].get(event)
        if handler is None or not clients.load_client(client).parse_session(payload).get("name"):
            return {}
        live = self._live(payload, client, client_pid)
        result = handler(payload, live)
        self.sessions.save(live)
        return result

    def record_undelivered(self, event: str, payload: dict[str, Any], answer: HookAnswer, *, client: str = DEFAULT_CLIENT) -> None:
        """Tell the session policy that an answer arrived too late or its reader had gone, so that it can be sent again."""
        live = self._live(payload, client)
        clients.load_client(client).record_undelivered(self.policy, event, answer, live)
        self.sessions.save(live)

    def format_statusline(self, payload: dict[str, Any], *, client: str = DEFAULT_CLIENT) -> str:
        """Return the text for the client's status line, and store the window usage that the payload reports."""
        live = self._live(payload, client)
        live.window = clients.load_client(client).parse_window_usage(payload) or live.window
        self.sessions.save(live)
        return statusline.format_status_line(live, self.policy.find_problem(live))

    def describe_sessions(self, path: str) -> dict[str, Any]:
        """Return {"sessions", "trouble"} for `clew status`: live sessions, latest first, and what keeps them from being stored.

        path  a path in the repository whose sessions are listed; "" lists all.
        """
        root = find_workspace(Path(path))[1] if (path := parse_path(path)) else None
        here = [live for live in self.sessions.list_recent() if root is None or (live.cwd and find_workspace(Path(live.cwd))[1] == root)]
        trouble = self.context.find_problem()
        return {"sessions": [statusline.session_to_json(live, trouble) for live in here], "trouble": trouble}

    def describe_state(self, path: str, session: str, as_of: str = "") -> dict[str, Any]:
        """Return the state of a session of the repository at `path` as the JSON of `clew state`, by default of the latest; {} for none.

        as_of  a date, a time, a commit or a branch; "" for now.
        """
        if not (path := parse_path(path)):
            return {}
        engine = self.context.get_engine()
        when = engine.find_as_of(Path(path), as_of) if as_of else None
        known = session or str(clients.find_latest_transcript(find_workspace(Path(path))[1], when.at_ns if when else 0) or "")
        return engine.describe_state(Path(path), known, as_of=when) if known else {}

    def _live(self, payload: dict[str, Any], client: str, client_pid: int | None = None) -> LiveSession:
        session = clients.load_client(client).parse_session(payload)
        return self.sessions.update(
            session.get("name", ""),
            cwd=session.get("cwd", ""),
            transcript=session.get("transcript", ""),
            client=client,
            client_pid=client_pid,
        )


def create_daemon_context(settings: Settings) -> DaemonContext:
    """Return a DaemonContext that records its problems in the journal of the settings' data folder."""
    return DaemonContext(settings, partial(record_problem, DaemonPaths(settings.data_dir)))
