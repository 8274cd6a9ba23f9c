"""Remember what was measured of models on this machine: a file's hash, its speed and its memory.

One JSON file in the data folder, written anew as a whole. What cannot be read counts as unknown: it is measured again.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

from clew.errors import BadModelFile
from clew.files import replace_file

FILE_NAME = "models.json"
_BLOCK = 1 << 20


class Measured(msgspec.Struct, frozen=True):
    """What a model did on this machine; 0 where it was not measured."""

    prefill_tokens_per_s: float = 0.0
    generate_tokens_per_s: float = 0.0
    memory_mb: int = 0


class _Hashed(msgspec.Struct, frozen=True):
    size: int
    mtime_ns: int
    sha256: str


class _Known(msgspec.Struct):
    files: dict[str, _Hashed] = {}
    models: dict[str, Measured] = {}


class KnownModels:
    """What is known of models, in the file `models.json` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def hash_of(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes; read once while its size and time stay the same. Raises BadModelFile."""
        whole = path.resolve()
        try:
            state = whole.stat()
            known = self._read()
            found = known.files.get(str(whole))
            if found is not None and (found.size, found.mtime_ns) == (state.st_size, state.st_mtime_ns):
                return found.sha256
            digest = hashlib.sha256()
            with whole.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise BadModelFile(str(path), (error.strerror or str(error)).lower()) from None
        known.files[str(whole)] = _Hashed(state.st_size, state.st_mtime_ns, digest.hexdigest())
        self._write(known)
        return digest.hexdigest()

    def measured(self, name: str) -> Measured:
        """Return what was measured of a model, by the name that its client has."""
        return self._read().models.get(name, Measured())

    def remember(self, name: str, measured: Measured) -> None:
        """Store what was measured of a model."""
        known = self._read()
        known.models[name] = measured
        self._write(known)

    def _read(self) -> _Known:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Known)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _Known()

    def _write(self, known: _Known) -> None:
        """Write the file; a disk that is full or read-only costs a measurement and nothing else."""
        with suppress(OSError):
            replace_file(self._path, msgspec.json.format(msgspec.json.encode(known)))
