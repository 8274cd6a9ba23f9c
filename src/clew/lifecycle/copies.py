"""Copies: the list of backups and exports that clew wrote, so that a purge can say which of them still hold what it erased.

One line of JSON a copy, in `copies.jsonl` of the data folder, added when the copy is whole. A copy that somebody made otherwise, or moved,
is not known.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

LIST_NAME = "copies.jsonl"
_BLOCK_BYTES = 1 << 20


class Copy(msgspec.Struct, frozen=True):
    """A file that was written.

    path  the bytes of its path as Latin-1, because JSON holds text alone; kind  "backup" or "export"; digest  BLAKE2b of its bytes.
    """

    path: str
    kind: str
    made_ns: int
    digest: str

    @property
    def file(self) -> Path:
        """Where it was written."""
        return Path(os.fsdecode(self.path.encode("latin-1")))


def note_copy(data_dir: Path, file: Path, kind: str, made_ns: int) -> None:
    """Add a copy that was written to the list, in place of an earlier one at its path. Raises OSError."""
    whole = Path(os.path.realpath(file))
    _write(data_dir, [*(copy for copy in list_copies(data_dir) if copy.file != whole), _describe(whole, kind, made_ns)])


def list_copies(data_dir: Path) -> list[Copy]:
    """Return the copies that were written, in the order of their paths; a line that cannot be read is passed over."""
    found: list[Copy] = []
    with suppress(FileNotFoundError):
        for line in (data_dir / LIST_NAME).read_bytes().splitlines():
            with suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                found.append(msgspec.json.decode(line, type=Copy))
    return sorted(found, key=lambda copy: copy.path)


def is_as_written(copy: Copy) -> bool:
    """Return whether the file at a copy's path has the bytes that were written. Raises OSError."""
    return _digest(copy.file) == copy.digest


def _describe(file: Path, kind: str, made_ns: int) -> Copy:
    return Copy(os.fsencode(file).decode("latin-1"), kind, made_ns, _digest(file))


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=32)
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _write(data_dir: Path, copies: Sequence[Copy]) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = data_dir / f".{LIST_NAME}.{os.getpid()}"
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as stream:
            stream.writelines(msgspec.json.encode(copy) + b"\n" for copy in copies)
        part.replace(data_dir / LIST_NAME)
    finally:
        part.unlink(missing_ok=True)
