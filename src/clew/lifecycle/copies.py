"""Copies: the list of backups and exports that clew wrote, so that a purge can say which of them still hold what it erased.

One line of JSON a copy, in `copies.jsonl` of the data folder, added when the copy is whole. A copy that somebody made otherwise, or moved,
is not known.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

LIST_NAME = "copies.jsonl"


class Copy(msgspec.Struct, frozen=True):
    """A file that was written.

    path  the bytes of its path as Latin-1, because JSON holds text alone; kind  "backup" or "export".
    """

    path: str
    kind: str
    made_ns: int

    @property
    def file(self) -> Path:
        """Where it was written."""
        return Path(os.fsdecode(self.path.encode("latin-1")))


def note_copy(data_dir: Path, file: Path, kind: str, made_ns: int) -> None:
    """Add a copy that was written to the list, in place of an earlier one at its path. Raises OSError."""
    written = Copy(os.fsencode(os.path.realpath(file)).decode("latin-1"), kind, made_ns)
    _write(data_dir, [*(copy for copy in list_copies(data_dir) if copy.path != written.path), written])


def list_copies(data_dir: Path) -> list[Copy]:
    """Return the copies that were written, in the order of their paths; a line that cannot be read is passed over."""
    found: list[Copy] = []
    with suppress(FileNotFoundError):
        for line in (data_dir / LIST_NAME).read_bytes().splitlines():
            with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                copy = msgspec.json.decode(line, type=Copy)
                copy.path.encode("latin-1")
                found.append(copy)
    return sorted(found, key=lambda copy: copy.path)


def _write(data_dir: Path, copies: Sequence[Copy]) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = data_dir / f".{LIST_NAME}.{os.getpid()}"
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as stream:
            stream.writelines(msgspec.json.encode(copy) + b"\n" for copy in copies)
        part.replace(data_dir / LIST_NAME)
    finally:
        part.unlink(missing_ok=True)
