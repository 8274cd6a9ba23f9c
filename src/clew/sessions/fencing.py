"""Fencing: text leaves for a model through here, and what is not the user's word or clew's is fenced.

The marks hold digits made of the session's id and a key that this installation alone has, so no file can know them, and the same
text in the same session is the same bytes: at every turn, after a resume, in another process. `clew.records.render_fenced` does the rest.
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
    """Return the text that a model is given.

    home     the data folder, whose key is made now if there is none.
    session  id of the session that will read it; where none is known, a name that stays the same for its repository.
    """
    return render_fenced(spans, derive_nonce(_key(home), session))


@cache
def _key(home: Path) -> bytes:
    """The key of an installation. Where none can be kept (a full or read-only disk), one for this process alone: a fence holds as well."""
    path = home / "run" / KEY_FILE
    for _ in range(2):  # whoever loses the race to make it reads the winner's
        found = _read_key(path)
        if found:
            return found
        with suppress(OSError):
            _write_key(path, secrets.token_bytes(_KEY_BYTES))
    return _read_key(path) or secrets.token_bytes(_KEY_BYTES)


def _read_key(path: Path) -> bytes:
    """The key in a file that is its owner's alone, and ours; b"" for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # there is none, or it is no file: another one is made
        return b""
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
            return b""
        data = stream.read(_KEY_BYTES + 1)
    return data if len(data) == _KEY_BYTES else b""


def _write_key(path: Path, key: bytes) -> None:
    """Write a key that is whole or absent. A file that stands there already is kept if it is a key, else replaced."""
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
