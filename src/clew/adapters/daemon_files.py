"""Files in the data folder by which the daemon and its callers find each other: socket, lock, address, certificate, problem journal.

All lie in `run/`, which only its owner may enter. The loopback port and the gateway's key are created once and stay, because the client's
configuration names them; the token is renewed at each start. Standard library only: scripts that must start fast import this.
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
from clew.files import replace_file

SOCKET_PATH_BYTES_MAX = 100  # bytes; Linux takes 107 and macOS 103, both with a closing zero
SHORT_SOCKET_ROOT = "/tmp"
JOURNAL_BYTES_MAX = 256 * 1024  # of the journal before it is turned over, once: guess


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """Paths of the files that the daemon of one data folder runs by.

    home  the data folder (CLEW_HOME).
    """

    home: Path

    @property
    def run_dir(self) -> Path:
        """Folder of the daemon's runtime files (socket, lock, certificate, …) in the data folder; mode 0700."""
        return self.home / "run"

    @property
    def socket(self) -> Path:
        """Path of the daemon's Unix socket, under /tmp where the data folder's path is too long for a socket address.

        Not under TMPDIR: the client and its tools set their own, and caller and daemon must compute the same path.
        """
        inside = self.run_dir / "serve.sock"
        if len(os.fsencode(inside)) <= SOCKET_PATH_BYTES_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home.absolute())).hexdigest()[:16]
        return Path(SHORT_SOCKET_ROOT) / f"clew-{os.getuid()}-{digest}" / "serve.sock"

    @property
    def lock(self) -> Path:
        """Lock file, locked by the supervisor while it runs so that one data folder has one daemon."""
        return self.run_dir / "serve.lock"

    @property
    def state(self) -> Path:
        """JSON file with the pids, version and start time of the daemon that runs; deleted when it stops in order."""
        return self.run_dir / "serve.json"

    @property
    def address(self) -> Path:
        """JSON file with the loopback port, the gateway's key and the current token."""
        return self.run_dir / "address.json"

    @property
    def certificate(self) -> Path:
        """Public TLS certificate by which loopback callers verify the daemon."""
        return self.run_dir / "loopback.crt"

    @property
    def private_key(self) -> Path:
        """Private key of `certificate`."""
        return self.run_dir / "loopback.key"

    @property
    def trust_bundle(self) -> Path:
        """Certificates that a client of the gateway is told to trust: `certificate` and those it trusted before."""
        return self.run_dir / "trusted.crt"

    @property
    def other_certificates(self) -> Path:
        """Copy of the certificates that the client trusted before clew was installed."""
        return self.run_dir / "others.crt"

    @property
    def fault(self) -> Path:
        """File that tells hook scripts not to ask the daemon for a while; written by a script that timed out, deleted by the daemon once
        it answers. Lies beside the socket, like `journal`.
        """
        return self.socket.parent / "fault"

    @property
    def journal(self) -> Path:
        """Problem journal for `clew doctor`: one JSON object a line, newest last. Lies beside the socket, the one path
        hook scripts know.
        """
        return self.socket.parent / "problems.jsonl"

    @property
    def log(self) -> Path:
        """Log file with the standard output and error of the daemon."""
        return self.run_dir / "serve.log"

    @property
    def page_opener(self) -> Path:
        """HTML file that `clew page` has the browser open: it sends the one-time code, so that no address holds it."""
        return self.run_dir / "page.html"

    def make_dirs(self) -> None:
        """Create the folders with mode 0700. Raises NotReadable where that fails, or one belongs to another user."""
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
    """Loopback port of the daemon and the secrets its callers must send, each 64 hexadecimal digits.

    token    bearer token of the daemon that runs; "" before the first start.
    gateway  key in the URL path of the gateway, which the client's settings name.
    """

    port: int
    token: str
    gateway: str


def ensure_address(paths: DaemonPaths) -> DaemonAddress:
    """Return the daemon's loopback address; create port and key where there are none. Raises NotReadable where the file
    cannot be written.
    """
    found = read_address(paths)
    if found is not None and found.gateway:
        return found
    return _write_address(paths, DaemonAddress(found.port if found else _free_port(), found.token if found else "", secrets.token_hex(32)))


def rotate_token(paths: DaemonPaths) -> DaemonAddress:
    """Store and return the address with a new random token, as each daemon start needs. Raises NotReadable as `ensure_address` does."""
    return _write_address(paths, replace(ensure_address(paths), token=secrets.token_hex(32)))


def read_address(paths: DaemonPaths) -> DaemonAddress | None:
    """Return the stored loopback address; None where there is none or its file is invalid."""
    try:
        value = json.loads(paths.address.read_text("utf-8"))
        return DaemonAddress(int(value["port"]), str(value["token"]), str(value.get("gateway") or ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):  # whoever needs one makes it anew
        return None


def _write_address(paths: DaemonPaths, address: DaemonAddress) -> DaemonAddress:
    paths.make_dirs()
    try:
        replace_file(paths.address, (json.dumps(asdict(address)) + "\n").encode())
    except OSError as error:
        raise NotReadable(str(paths.address), error.strerror or str(error)) from error
    return address


def read_state(paths: DaemonPaths) -> dict[str, Any] | None:
    """Return the JSON object that the daemon stored at its start (pid, worker, version, started); None without one or
    where it is invalid.
    """
    try:
        value = json.loads(paths.state.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def record_problem(paths: DaemonPaths, source: str, message: str, kind: str = "") -> None:
    """Append a problem to the journal that `clew doctor` reads. Never raises.

    source  where it arose, such as "gateway" or "hook/Stop".
    kind    which of `journal.mends` in `findings.toml` mends it; "" for none of them.
    A journal that cannot be written (full disk, missing folder) loses the line; `clew doctor` finds that cause by itself.
    """
    line = json.dumps({"at": int(time.time()), "where": source, "what": message[:2000], "kind": kind}) + "\n"
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
    """Yield the journal's entries (`at`, `where`, `what`, `kind`), oldest first. Lines that are no JSON object are skipped."""
    for file in (paths.journal.with_suffix(".old.jsonl"), paths.journal):
        try:
            lines = file.read_text("utf-8", errors="replace").splitlines()
        except OSError:  # no journal, no problems
            continue
        for line in lines:
            with suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield cast("dict[str, Any]", entry)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
