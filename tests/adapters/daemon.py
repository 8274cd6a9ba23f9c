"""A daemon of a test's own: a data folder, a repository, and how to ask."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from clew.adapters.daemon_files import DaemonPaths, ensure_address
from clew.adapters.http import certificate, start


def repository(folder: Path, files: dict[str, str] | None = None) -> Path:
    folder.mkdir(parents=True)
    for name, text in (files or {"calc.py": "def add_one(x):\n    return x + 1\n"}).items():
        (folder / name).write_text(text)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "start"]):
        subprocess.run([*git, *words], cwd=folder, check=True, env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}, capture_output=True)
    return folder


def over_socket(paths: DaemonPaths, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """Status and body of an answer over the Unix socket."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as over:
        over.settimeout(10)
        over.connect(str(paths.socket))
        over.sendall(f"{method} {path} HTTP/1.0\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
        parts: list[bytes] = []
        while part := over.recv(65536):
            parts.append(part)
    head, _, answer = b"".join(parts).partition(b"\r\n\r\n")
    return int(head.split()[1]), answer


def over_loopback(paths: DaemonPaths, path: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b"") -> int:
    """Status of an answer over loopback."""
    connection = HTTPSConnection("127.0.0.1", ensure_address(paths).port, timeout=10, context=certificate.create_client_context(paths))
    try:
        connection.request(method, path, headers=headers or {}, body=body)
        return connection.getresponse().status
    finally:
        connection.close()


def bearer(paths: DaemonPaths, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {ensure_address(paths).token}", **more}


def until(is_so: Any, within_s: float = 10.0) -> bool:
    """Wait for what no event tells of: another process's doing."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(0.02)
    return bool(is_so())


def pids(paths: DaemonPaths) -> dict[str, int]:
    found = start.find_running_daemon(paths)
    assert found is not None
    return {"pid": found.pid, "worker": found.worker_pid}
