"""Places: the files by which the daemon and those who ask it find each other.

All of them lie in `run/` of the data folder, which only its owner may enter. The port of loopback and the key in the gateway's path are
made once and stay, because the client's own configuration names them; the token is another one with each start. Standard library alone:
what starts in a hurry reads this.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from clew.errors import NotReadable

SOCKET_PATH_BYTES_MAX = 100  # bytes; Linux takes 107 and macOS 103, both with a closing zero
SHORT_SOCKET_ROOT = "/tmp"
JOURNAL_BYTES_MAX = 256 * 1024  # of the journal before it is turned over, once: guess


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """Where the daemon of one data folder keeps what it runs by.

    home  the data folder, CLEW_HOME.
    """

    home: Path

    @property
    def run_dir(self) -> Path:
        """The folder of all the others; mode 0700."""
        return self.home / "run"

    @property
    def socket(self) -> Path:
        """The Unix socket. In /tmp, under a name of its own, where the data folder's path is too long for one.

        Not in TMPDIR: the client and its tools set another one, and whoever asks must find the same place as whoever serves.
        """
        inside = self.run_dir / "serve.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home.absolute())).hexdigest()[:16]
        return Path(SHORT_SOCKET_ROOT) / f"clew-{os.getuid()}-{digest}" / "serve.sock"

    @property
    def lock(self) -> Path:
        """Held, by whoever serves, for as long as it does."""
        return self.run_dir / "serve.lock"

    @property
    def state(self) -> Path:
        """Who serves: pids, version, since when. Taken away by a daemon that stops as it should."""
        return self.run_dir / "serve.json"

    @property
    def address(self) -> Path:
        """The port, the gateway's key, and the token of the daemon that runs."""
        return self.run_dir / "address.json"

    @property
    def certificate(self) -> Path:
        """By which whoever asks over loopback knows the daemon: the public half, for its clients."""
        return self.run_dir / "loopback.crt"

    @property
    def private_key(self) -> Path:
        """The secret half of `certificate`."""
        return self.run_dir / "loopback.key"

    @property
    def trust_bundle(self) -> Path:
        """What a client that asks through the gateway is to trust: `certificate`, and what it trusted before."""
        return self.run_dir / "trusted.crt"

    @property
    def other_certificates(self) -> Path:
        """What that client trusted before."""
        return self.run_dir / "others.crt"

    @property
    def fault(self) -> Path:
        """Made by a shim whose question was not answered in time, taken away by a daemon that answers. Beside the socket, as `problems`."""
        return self.socket.parent / "fault"

    @property
    def journal(self) -> Path:
        """The journal of what went wrong, one JSON object a line, the newest last. Beside the socket: a shim is told that alone."""
        return self.socket.parent / "problems.jsonl"

    @property
    def log(self) -> Path:
        """What the daemon said on its standard error."""
        return self.run_dir / "serve.log"

    def make_dirs(self) -> None:
        """Make the folders, for their owner alone. Raises NotReadable where that cannot be."""
        for folder in (self.run_dir, self.socket.parent):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                about = folder.lstat()
                if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
                    raise NotReadable(str(folder), "belongs to somebody else, or is no folder", "take it away, or move CLEW_HOME")
                if about.st_mode & 0o077:
                    folder.chmod(0o700)
            except OSError as error:
                raise NotReadable(str(folder), error.strerror or str(error), "the daemon keeps its socket there") from error


@dataclass(frozen=True, slots=True)
class DaemonAddress:
    """Where the daemon listens on loopback, and what whoever asks there has to show. Both are 64 hexadecimal digits.

    token    of one run of the daemon, "" where none has run.
    gateway  in the path of the gateway, which the client's settings name; it is sent to nobody who has not shown the certificate's key.
    """

    port: int
    token: str
    gateway: str


def ensure_address(paths: DaemonPaths) -> DaemonAddress:
    """Return the address of this data folder's daemon, made now if there is none. Raises NotReadable."""
    found = read_address(paths)
    if found is not None and found.gateway:
        return found
    return _write_address(paths, DaemonAddress(found.port if found else _free_port(), found.token if found else "", secrets.token_hex(32)))


def rotate_token(paths: DaemonPaths) -> DaemonAddress:
    """Return the address with a new token, for a daemon that starts. Raises NotReadable."""
    return _write_address(paths, replace(ensure_address(paths), token=secrets.token_hex(32)))


def read_address(paths: DaemonPaths) -> DaemonAddress | None:
    """Return the address, None where none was made or its file makes no sense."""
    try:
        value = json.loads(paths.address.read_text("utf-8"))
        return DaemonAddress(int(value["port"]), str(value["token"]), str(value.get("gateway") or ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # whoever needs one makes it anew
        return None


def _write_address(paths: DaemonPaths, address: DaemonAddress) -> DaemonAddress:
    paths.make_dirs()
    try:
        write_private_file(paths.address, (json.dumps(asdict(address)) + "\n").encode())
    except OSError as error:
        raise NotReadable(str(paths.address), error.strerror or str(error)) from error
    return address


def read_state(paths: DaemonPaths) -> dict[str, Any] | None:
    """Return what the daemon said of itself when it started, None where none runs or the file makes no sense."""
    try:
        value = json.loads(paths.state.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def record_problem(paths: DaemonPaths, source: str, message: str) -> None:
    """Note a problem for `clew doctor`. Never raises: whoever reports a problem has one already.

    A journal that cannot be written (a full disk, a folder taken away) loses the line; `clew doctor` finds that cause by itself.
    """
    line = json.dumps({"at": int(time.time()), "where": source, "what": message[:2000]}) + "\n"
    with suppress(OSError):
        with suppress(FileNotFoundError):
            if paths.journal.stat().st_size > JOURNAL_BYTES_MAX:
                paths.journal.replace(paths.journal.with_suffix(".old.jsonl"))
        descriptor = os.open(paths.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read_problems(paths: DaemonPaths) -> Iterator[dict[str, Any]]:
    """Yield the journal, the oldest first. Lines that were cut by a full disk are passed over."""
    for file in (paths.journal.with_suffix(".old.jsonl"), paths.journal):
        try:
            lines = file.read_text("utf-8", errors="replace").splitlines()
        except OSError:  # no journal, no problems
            continue
        for line in lines:
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield cast("dict[str, Any]", entry)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_private_file(path: Path, data: bytes) -> None:
    """Write a file that is whole or absent, and its owner's alone. Raises OSError."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    temporary.replace(path)
