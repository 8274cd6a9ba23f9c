"""Let a self-hosted model begin a session with the state of its prompt's prefix, in place of evaluating it again.

Only where the upstream is a llama.cpp server on this machine that keeps its slots' states in clew's folder; never for a hosted API.
What fails is told in the journal, and the request goes out as it came: the server evaluates it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from clew.enrich.models.known import KnownModels
from clew.enrich.models.llama_server import LlamaServer, is_local
from clew.enrich.models.prefix import PreparedState, prepare_request
from clew.enrich.models.states import FOLDER, ModelStates
from clew.errors import ModelError, StateNotKept
from clew.sessions.context import DaemonContext

REFUSED_S = 600.0  # a server that cannot is asked again after so long
PATHS = frozenset({"/v1/messages", "/v1/chat/completions"})


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Message(msgspec.Struct):
    role: str
    content: str | list[_Block] | None = None


class _FirstRequest(msgspec.Struct, omit_defaults=True):
    """What a prompt is made of, in either dialect. A body of another form is nobody's first request."""

    messages: list[_Message]
    system: str | list[_Block] | None = None
    tools: list[dict[str, Any]] | None = None


class PrefixStates:
    """The states that the gateway restores and stores, at a session's first request. Thread-safe: one at a time is prepared."""

    def __init__(self, context: DaemonContext) -> None:
        self._context, self._lock = context, threading.Lock()
        self._refused_until: dict[str, float] = {}

    def is_for(self, upstream: str, path: str) -> bool:
        """Return whether requests of this path may be prepared: to this machine, once there is a folder for states. Asks nobody."""
        return (
            path in PATHS
            and self._context.settings.model_states_mb > 0
            and is_local(upstream)
            and (self._context.settings.data_dir / FOLDER).is_dir()
            and self._refused_until.get(upstream, 0.0) < time.monotonic()
        )

    def prepare(self, upstream: str, body: bytes, *, key: str) -> PreparedState | None:
        """Let the server hold the state of the request's prefix; None where nothing is done. Raises nothing that a server can cause.

        Cost  a few ms where the state is stored; else the server evaluates the prefix, as it would have done anyway, and for the first
              state of a model twice more, as a check.
        """
        settings = self._context.settings
        states = ModelStates(settings.data_dir, settings.model_states_mb * 10**6)
        with self._lock:
            try:
                request = msgspec.to_builtins(msgspec.json.decode(body, type=_FirstRequest))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            try:
                server = LlamaServer(upstream, key=key, timeout_s=max(1, settings.model_timeout_s), wait=lambda _: None)
                props = server.props()
            except ModelError:  # no llama.cpp server, or none that answers now
                self._refused_until[upstream] = time.monotonic() + REFUSED_S
                return None
            try:
                return prepare_request(server, props, states, KnownModels(settings.data_dir), request)
            except StateNotKept as error:
                if not error.is_lasting:
                    return None
                failure = error
            except (ModelError, OSError) as error:
                failure = error
            self._refused_until[upstream] = time.monotonic() + REFUSED_S
            self._context.record_error("gateway", str(failure).partition("\n")[0])
            return None


def find_key(headers: Mapping[bytes, bytes]) -> str:
    """Return the key that the client sends to its server, "" for none."""
    return (headers.get(b"x-api-key", b"") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")).decode("latin-1").strip()
