"""Fencing: mark, in text for a model, everything that is neither the user's nor clew's own wording as quoted data.

The fence marks hold a nonce derived from the session's id and a secret key of this installation. So no quoted file can forge them,
and the same text in the same session gives the same bytes: at every turn, after a resume, in another process.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from clew.records import Span, derive_nonce, render_fenced

_KEY_BYTES = 32
KEY_FILE = "fence.key"


def render_for_model(spans: Iterable[Span], *, home: Path, session: str) -> str:
    """Return the text of `spans` for a model, with fences around spans whose author is neither the user nor clew.

    home     the data folder; its fence key is created if it has none.
    session  id of the session that will read it, or another name that stays the same, such as the workspace's key.
    """
    return render_fenced(spans, derive_nonce(_key(home), session))


@cache
def _key(home: Path) -> bytes:
    """Return the key of an installation. Where none can be stored (a full or read-only disk), one for this process alone."""
    path = home / "run" / KEY_FILE
    for _ in range(2):  # a process that loses the race to create it reads the winner's
        found = _read_key(path)
        if found:
            return found
        with suppress(OSError):
            _write_key(path, secrets.token_bytes(_KEY_BYTES))
    return _read_key(path) or secrets.token_bytes(_KEY_BYTES)


def _read_key(path: Path) -> bytes:
    """Return the key in a regular file that we own and nobody else can read; b"" for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # there is none, or it is no file: another one is made
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
            return b""
        data = stream.read(_KEY_BYTES + 1)
    return data if len(data) == _KEY_BYTES else b""


def _write_key(path: Path, key: bytes) -> None:
    """Write the key atomically. An existing file is kept if it holds a key, and replaced otherwise."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(key)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            if not _read_key(path):
                beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
