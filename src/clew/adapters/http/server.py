"""Server: an HTTP server of the daemon's processes, which routes can stop and which may be one of several in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp

from clew.adapters.http.guard import OwnerOnlyProtocol

if TYPE_CHECKING:
    import socket

# A request of a long conversation makes thousands of objects at once: by the usual thresholds each would have the heap looked through.
GC_THRESHOLDS = (50_000, 20, 20)


class DaemonServer(uvicorn.Server):
    """HTTP server that routes can stop, and that stops when idle.

    is_idle  it stopped for idleness while clients still run.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_idle = False

    def stop(self) -> None:
        """Shut down after the requests in progress have been answered."""
        self.should_exit = True


def make_config(app: ASGIApp, **more: Any) -> uvicorn.Config:
    """Return the configuration of a server of `app`, without logs of requests."""
    return uvicorn.Config(
        app, loop="none", http=OwnerOnlyProtocol, ws="none", lifespan="off", access_log=False, log_level="warning", server_header=False,
        date_header=False, timeout_keep_alive=75, timeout_graceful_shutdown=5, **more,
    )  # fmt: skip


async def serve_without_signals(server: DaemonServer, listening: socket.socket) -> None:
    """Serve until `server.stop`, without signal handlers, which belong to the process's first server, if to any."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listening])
    await server.main_loop()
    await server.shutdown(sockets=[listening])
