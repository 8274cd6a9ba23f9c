"""Index files: write a workspace's serialized search index to a file beside the database, and read it again.

A small index is compressed, a large one memory-mapped. Only a cache: a file that is missing, damaged, cut short, or of another database
is not used. It is replaced by renaming, so a process that has the old one mapped keeps it.
"""

from __future__ import annotations

import mmap
import os
import struct
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import zstandard
from xxhash import xxh3_64_intdigest

_MAGIC = b"clewsnp1"
_HEAD = struct.Struct("<8s16s16sQQQ")  # magic, database, workspace, generation, bytes of the body, checksum of the body
NO_INDEX_FILE = "no snapshot"
COMPRESSED_BYTES_MAX = 16 << 20  # a quarter of it is stored then, for 1 ms a MB when it is read
_ZSTD = zstandard.FRAME_HEADER
_BODY_AT = 128  # a multiple of 64, so that the arrays inside stay aligned


@dataclass(frozen=True, slots=True)
class MappedIndex:
    """An index file that was read: the generation of the workspace that it holds, and the serialized index."""

    generation: int
    data: memoryview


@dataclass(frozen=True, slots=True)
class IndexFile:
    """Names the index file of one workspace. `identity` are the 16 random bytes that name the database."""

    folder: Path
    identity: bytes
    workspace: str

    @property
    def workspace_digest(self) -> bytes:
        """16-byte digest of the workspace's key, which may not be usable as a file name itself."""
        return blake2b(self.workspace.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    @property
    def path(self) -> Path:
        """Path of the index file."""
        return self.folder / f"{self.workspace_digest.hex()}.idx"


def write_index(place: IndexFile, generation: int, data: bytes) -> Path:
    """Write a serialized index, mode 0600, to a temporary file for `install_index`, and return its path. Raises OSError."""
    place.folder.mkdir(mode=0o700, exist_ok=True)
    fresh = place.path.with_suffix(f".{os.getpid()}.part")
    fresh.unlink(missing_ok=True)
    if len(data) <= COMPRESSED_BYTES_MAX:
        data = zstandard.ZstdCompressor().compress(data)
    head = _HEAD.pack(_MAGIC, place.identity, place.workspace_digest, generation, len(data), xxh3_64_intdigest(data))
    head += xxh3_64_intdigest(head).to_bytes(8, "little")
    try:
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(head.ljust(_BODY_AT, b"\0"))
            file.write(data)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    return fresh


def install_index(place: IndexFile, fresh: Path) -> None:
    """Replace the index file by `fresh`, and delete temporary files that killed processes left. Raises OSError.

    Call it under the database's write lock. A second process that is about to do so finds its temporary file gone.
    """
    # No fsync: a file that a loss of power tore is found by its checksum and written again.
    fresh.replace(place.path)
    for left in _halves(place):
        left.unlink(missing_ok=True)


def map_index(place: IndexFile) -> MappedIndex | str:
    """Return the index of the index file, or in words why it cannot be used.

    Cost  one pass over the file for the checksum, about 0.1 ms a MB when the disk's cache holds it; 1 ms a MB to decompress a small one.
    """
    try:
        with place.path.open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        return NO_INDEX_FILE
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        return f"the snapshot cannot be read ({error})"
    if len(mapped) < _BODY_AT:
        return "the snapshot is cut short"
    head = bytes(mapped[: _HEAD.size])
    magic, identity, mark, generation, size, checksum = _HEAD.unpack(head)
    rest = xxh3_64_intdigest(head).to_bytes(8, "little").ljust(_BODY_AT - _HEAD.size, b"\0")
    if magic != _MAGIC or rest != bytes(mapped[_HEAD.size : _BODY_AT]):
        return "the snapshot's head is damaged, or of another version"
    if identity != place.identity or mark != place.workspace_digest:
        return "the snapshot is of another database"
    body = mapped[_BODY_AT:]
    if len(body) != size or xxh3_64_intdigest(body) != checksum:
        return "the snapshot is damaged"
    if bytes(body[:4]) == _ZSTD:
        body = memoryview(zstandard.ZstdDecompressor().decompress(body))
    return MappedIndex(generation, body)


def delete_index(place: IndexFile) -> None:
    """Delete the index file, and temporary ones of any process. Raises OSError."""
    for path in (place.path, *_halves(place)):
        path.unlink(missing_ok=True)


def _halves(place: IndexFile) -> list[Path]:
    return sorted(place.folder.glob(f"{place.path.stem}.*.part"))
