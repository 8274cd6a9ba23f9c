"""Files: replace a file as a whole. Standard library only: scripts that must start fast import this."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


def replace_file(path: Path, data: bytes, *, is_durable: bool = False) -> None:
    """Write a file as a whole, mode 0600: a reader finds the old one or the new one, and after a kill one of them.

    is_durable  wait until the disk holds it.
    Makes its folder, mode 0700. Raises OSError, and then leaves nothing beside it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(data)
            if is_durable:
                stream.flush()
                os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
