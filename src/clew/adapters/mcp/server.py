"""Serve the tools over MCP by the official SDK, inside the daemon.

Imported at the first request, because the SDK takes about a second to import. Stateless, with plain JSON answers: headers tell which
session asks, so no client has to hold a connection. A tool returns text only: given structured content as well, a client's model would
read that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool
from starlette.types import Receive, Scope, Send

from clew import __version__
from clew.adapters.clients import parse_path
from clew.adapters.hooks import HookHandlers
from clew.adapters.mcp.tools import SERVER_INSTRUCTIONS, TOOL_DEFINITIONS, TOOL_HANDLERS, ToolRequest, format_error
from clew.codebase import TREE_SOURCE
from clew.errors import ClewError, UsageError
from clew.records import TaskState
from clew.sessions.context import DaemonContext
from clew.sessions.fencing import render_for_model
from clew.usecases.inputs import get_source_state
from clew.usecases.places import find_code


class McpApp:
    """ASGI application of the MCP server. It starts with its first request and ends with the daemon."""

    def __init__(self, context: DaemonContext, hooks: HookHandlers) -> None:
        self.context, self.hooks = context, hooks
        server: Server[Any] = Server(
            "clew", version=__version__, instructions=SERVER_INSTRUCTIONS, on_list_tools=self._list, on_call_tool=self._call
        )
        # The daemon's guard has looked at token, Host and Origin already, and over the Unix socket any Host is right.
        unguarded = TransportSecuritySettings(enable_dns_rebinding_protection=False)
        self.manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True, security_settings=unguarded)
        self._running: asyncio.Task[None] | None = None
        self._is_up = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        await self._is_up.wait()
        await self.manager.handle_request(scope, receive, send)

    async def _run(self) -> None:
        async with self.manager.run():
            self._is_up.set()
            with contextlib.suppress(asyncio.CancelledError):  # the daemon stops
                await asyncio.Event().wait()

    async def _list(self, context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:  # noqa: ARG002  the SDK's signature
        return ListToolsResult(tools=[Tool.model_validate(tool) for tool in TOOL_DEFINITIONS])

    async def _call(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        headers: Mapping[str, str] = context.request.headers if context.request is not None else {}
        pid = headers.get("x-clew-client-pid", "")
        client = int(pid) if pid.isdecimal() else 0
        try:
            text = await asyncio.to_thread(self._answer, params.name, params.arguments or {}, headers.get("x-clew-cwd", ""), client)
        except ClewError as error:
            self.context.record_damage(error)
            return CallToolResult(content=[TextContent(type="text", text=format_error(error))], is_error=True)
        except Exception as error:  # noqa: BLE001 - the agent sees that it failed, the journal why
            self.context.record_error(f"mcp {params.name}", error)
            said = f"clew could not answer: {type(error).__name__}. Go on without it; `clew doctor` tells the user more."
            return CallToolResult(content=[TextContent(type="text", text=said)], is_error=True)
        return CallToolResult(content=[TextContent(type="text", text=text)])

    def _answer(self, name: str, arguments: dict[str, Any], cwd: str, client_pid: int) -> str:
        if name not in TOOL_HANDLERS:
            raise UsageError(f"there is no tool {name}\nhint: one of {', '.join(TOOL_HANDLERS)}")
        named = arguments.get("repo") or cwd
        folder = parse_path(named)
        if not folder or not Path(folder).is_dir():
            found = f"{str(named)[:200]} is no folder on this machine" if named else "it is not known which repository is meant"
            raise UsageError(f"{found}\nhint: give the absolute path of the repository as `repo`")
        here = Path(folder)
        engine = self.context.get_engine()
        key, root = find_code(engine.store, here)
        if get_source_state(engine.store, key, TREE_SOURCE) is None:
            self.context.schedule_index(root)
        # The protocol names no session. The one that its client is in reads the answer; failing that, whoever works in this repository.
        session, settings = self.hooks.sessions.find_session_id(client_pid), self.context.settings
        live = self.hooks.sessions.find(session)
        read_task = partial(self.hooks.policy.read_task, live) if live else TaskState
        spans = TOOL_HANDLERS[name](ToolRequest(engine, here, settings.tokenizer, session, read_task), arguments)
        return render_for_model(spans, home=settings.data_dir, session=session or key)
