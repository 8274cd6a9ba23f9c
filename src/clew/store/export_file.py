"""Export files: rows of a store as JSON lines, compressed with zstd; docs/export.md describes the format.

A file is written and read as a stream. A reader trusts nothing: neither sizes nor names nor order, and no name in it is ever a path.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, BinaryIO, cast

import msgspec
import zstandard

from clew.errors import InvalidExport
from clew.store.rows import (
    EdgeRow,
    HeldOriginal,
    JournalRow,
    OriginalRow,
    PostingsRow,
    RecordRow,
    SourceRow,
    StoredRow,
    TombstoneRow,
    WorkspaceRow,
)

FORMAT = 2  # the first had no journal
LINE_BYTES_MAX = 384 << 20  # an original of 256 MB, the longest line of a transcript that is read, in base64
EXPANSION_MAX, EXPANSION_FREE_BYTES = 400, 64 << 20  # real stores: 5 to 30 to 1; zeros: 20,000 to 1
_CHUNK_BYTES = 1 << 18
_WINDOW_BYTES_MAX = 1 << 23  # of zstd's window: what level 3 takes, four times

_NAMES: dict[type[Any], str] = {
    WorkspaceRow: "workspace", SourceRow: "source", HeldOriginal: "holds", OriginalRow: "original", RecordRow: "record",
    PostingsRow: "postings", EdgeRow: "edge", TombstoneRow: "tombstone", JournalRow: "journal",
}  # fmt: skip
_TYPES = {name: kind for kind, name in _NAMES.items()}


def write_export(file: BinaryIO, rows: Iterable[StoredRow], *, release: str, made_ns: int) -> int:
    """Write rows to a file that is open for writing, and return how many there were. Raises OSError, and what `rows` raises."""
    digest, count = blake2b(digest_size=32), 0
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    with compressor.stream_writer(file, closefd=False) as stream:

        def write(value: dict[str, Any]) -> None:
            line = json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"
            digest.update(line)
            stream.write(line)

        write({"clew": {"format": FORMAT, "release": release, "made_ns": made_ns}})
        for row in rows:
            write({_NAMES[type(row)]: _to_json(row)})
            count += 1
        write({"end": {"rows": count, "blake2b": digest.hexdigest()}})
    return count


def read_export(file: BinaryIO) -> Iterator[StoredRow]:
    """Yield the rows of an export. Raises InvalidExport where it is damaged, cut, of a newer format or expands without end, and OSError."""
    digest, count, is_ended = blake2b(digest_size=32), -1, False
    for line in _read_lines(file):
        if is_ended:
            raise InvalidExport("something stands behind its end")
        name, value = _parse(line)
        if count < 0:
            _check_head(name, value)
        elif name == "end":
            if value != {"rows": count, "blake2b": digest.hexdigest()}:
                raise InvalidExport("its end does not match what stands before it")
            is_ended = True
        else:
            yield _from_json(name, value)
        digest.update(line)
        count += 1
    if not is_ended:
        raise InvalidExport("it is cut off")


def _read_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a compressed file. Memory: the longest line, which may have LINE_BYTES_MAX."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    read, waiting, size = 0, list[bytes](), 0
    with decompressor.stream_reader(file, closefd=False, read_across_frames=False) as stream:
        while True:
            try:
                chunk = stream.read(_CHUNK_BYTES)
            except zstandard.ZstdError as error:
                raise InvalidExport(f"it is damaged, or no export ({error})") from error
            if not chunk:
                break
            read += len(chunk)
            if read > EXPANSION_FREE_BYTES and read > EXPANSION_MAX * file.tell():
                raise InvalidExport(f"it expands to more than {EXPANSION_MAX} times its size", "nothing that clew exports does")
            *whole, rest = chunk.split(b"\n")
            for part in whole:
                yield b"".join((*waiting, part, b"\n"))
                waiting, size = [], 0
            waiting.append(rest)
            size += len(rest)
            if size > LINE_BYTES_MAX:
                raise InvalidExport("a line of it is too long")
    if size:
        raise InvalidExport("it is cut off")


def _parse(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        ((name, value),) = json.loads(line).items()
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidExport(f"a line of it is no row ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise InvalidExport("a line of it is no row")
    return str(name), cast("dict[str, Any]", value)


def _check_head(name: str, value: dict[str, Any]) -> None:
    found = value.get("format")
    if name != "clew" or not isinstance(found, int):
        raise InvalidExport("it is no export of clew", "`clew export` makes one")
    if found > FORMAT:
        raise InvalidExport(f"its format is {found}, and {FORMAT} is the newest that this release knows", "upgrade clew")


def _to_json(value: Any) -> Any:
    """Return a row as JSON's types; what has its default value is left out."""
    if isinstance(value, OriginalRow | PostingsRow):
        head: dict[str, Any] = {"digest": value.digest} if isinstance(value, OriginalRow) else {"source": value.source, "part": value.part}
        try:
            return {**head, "text": value.data.decode()}
        except UnicodeDecodeError:
            return {**head, "base64": base64.b64encode(value.data).decode()}
    if isinstance(value, tuple):
        return [_to_json(each) for each in cast("tuple[Any, ...]", value)]
    fields_of = _fields(cast("type[Any]", type(value)))
    if fields_of is None:
        return value
    shown: dict[str, Any] = {}
    for name, default in fields_of:
        held = getattr(value, name)
        if default is MISSING or held != default:
            shown[name] = _to_json(held)
    return shown


@cache
def _fields(kind: type[Any]) -> list[tuple[str, Any]] | None:
    return [(field.name, field.default) for field in fields(kind)] if is_dataclass(kind) else None


def _from_json(name: str, value: dict[str, Any]) -> StoredRow:
    kind = _TYPES.get(name)
    if kind is None:
        raise InvalidExport(f"it has a row of the unknown kind {name!r}", "upgrade clew")
    try:
        if kind in (OriginalRow, PostingsRow):
            held = {key: each for key, each in value.items() if key not in ("text", "base64")}
            text = value.get("text")
            held["data"] = text.encode() if isinstance(text, str) else base64.b64decode(value["base64"], validate=True)
            return msgspec.convert(held, kind)
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, binascii.Error, UnicodeError, KeyError, TypeError, ValueError) as error:
        raise InvalidExport(f"a {name} in it is malformed ({error})") from error
