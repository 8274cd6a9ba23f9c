"""Parse a transcript's bytes into observations, a block of whole lines at a time.

Reads plain, xz and gzip files or pieces of bytes, from the start or from where an earlier reading ended. A broken line is
counted with its number and reason, and reading goes on. A last line without its line break is read if it parses, and left
for the next time if it does not. Memory is one block, or one line where a line is longer than that.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from clew.errors import NotReadable
from clew.records import Observation, ObservationKind
from clew.text.secrets import mask_lines
from clew.transcript.dialects import DIALECTS, LineParser, TranscriptOrigin, find_dialect
from clew.transcript.matching import CallMatcher

BLOCK_BYTES = 1 << 20  # 256 kB to 4 MB read equally fast; memory is a few times this
LINE_BYTES_MAX = 256 << 20  # guess: 8 times the longest result that a client is known to write
EXPANSION_MAX, EXPANSION_FREE_BYTES = 400, 64 << 20  # of a compressed file: real ones 5 to 40 to 1; blanks 7,000 to 1
BROKEN_MAX = 100  # broken lines listed one by one; more are only counted
_HEAD_STEP_BYTES = 16 << 10  # what stands before damage is given in steps of this
_DAMAGE = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
TORN_BYTES_MAX = 4 << 20  # of a line whose records are looked for one by one; guess
RECORD_STARTS_MAX = 64  # places in a torn line at which a record is looked for: each costs a reading of what follows; guess
_RECORD_START = re.compile(r'\{ ?"(?:type|parentUuid|timestamp|uuid|sessionId|isSidechain)"')
_DECODER = json.JSONDecoder()
# Lines, and bytes, without a known record before a file counts as no transcript.
UNRECOGNISED_LINES_MAX, UNRECOGNISED_BYTES_MAX = 2000, 8 << 20


class ResumePoint(msgspec.Struct):
    """Where reading a transcript ended, and all that the next reading needs; stored as JSON.

    offset        bytes consumed, of the uncompressed stream.
    line          0-based number of the next line.
    is_mid_line   the last line was consumed without its line break, which may still come.
    is_skipping   inside a line that is too long to be parsed.
    dialect       name of the dialect, "" while no record has shown it.
    memory        the dialect's parser state. calls  the call matcher's state.
    broken        (1-based line, reason) of the first broken lines; broken_count of all.
    unplaced      lines before the dialect was known.
    """

    offset: int = 0
    line: int = 0
    is_mid_line: bool = False
    is_skipping: bool = False
    dialect: str = ""
    memory: msgspec.Raw = msgspec.Raw(b"null")
    calls: msgspec.Raw = msgspec.Raw(b"[{},{}]")
    broken: list[tuple[int, str]] = msgspec.field(default_factory=list[tuple[int, str]])
    broken_count: int = 0
    unplaced: int = 0


@dataclass(frozen=True, slots=True)
class ObservationBatch:
    """Consecutive lines of a transcript, credentials masked, with the observations that they hold.

    raw         the lines as they may be stored.
    first_line  0-based; `lines` counts line ends and a last open line.
    read        the same lines as the file holds them; only their length and their hash may be stored.
    """

    raw: bytes
    first_line: int
    lines: int
    observations: list[Observation]
    read: bytes

    @property
    def client_observations(self) -> list[Observation]:
        """The observations that the client itself wrote: all but those of kind UNANSWERED, which the matcher adds."""
        return [seen for seen in self.observations if seen.kind is not ObservationKind.UNANSWERED]


class TranscriptReader:
    """Reads one transcript once, in batches; `resume_point` says how a later reader continues from there."""

    def __init__(
        self,
        source: Path | Iterable[bytes],
        *,
        origin: TranscriptOrigin | None = None,
        resume_point: ResumePoint | None = None,
        line_bytes_max: int = LINE_BYTES_MAX,
    ) -> None:
        self._source = source
        self._line_bytes_max = line_bytes_max
        self._origin = origin or TranscriptOrigin()
        self._carry = msgspec.structs.replace(resume_point, broken=list(resume_point.broken)) if resume_point else ResumePoint()
        self._parser: LineParser | None = None
        self._matcher = CallMatcher(bytes(resume_point.calls) if resume_point else b"")
        if resume_point and resume_point.dialect:
            dialect = next(dialect for dialect in DIALECTS if dialect.name == resume_point.dialect)
            self._parser = dialect.create_parser(self._origin, bytes(resume_point.memory))
        self.is_cut = False  # bytes follow that are no whole line yet

    @property
    def client(self) -> str:
        """Name of the dialect; "" until a record has shown it."""
        return self._carry.dialect

    @property
    def session(self) -> str:
        """The session's id; "" until a record has named it."""
        return self._parser.session if self._parser else self._origin.session

    @property
    def unknown_types(self) -> dict[str, int]:
        """Record types that the dialect does not know, with the number of records of each."""
        return self._parser.unknown_types if self._parser else {}

    @property
    def is_unrecognisable(self) -> bool:
        """Whether so many lines have been read without a known client's record that the file counts as no transcript."""
        return self._parser is None and self._carry.unplaced + self._carry.broken_count >= UNRECOGNISED_LINES_MAX

    def resume_point(self) -> ResumePoint:
        """Return where this reader stands, for a later reader."""
        memory = self._parser.dump_state() if self._parser else b"null"
        calls = msgspec.Raw(self._matcher.dump_state())
        return msgspec.structs.replace(self._carry, memory=msgspec.Raw(memory), calls=calls, broken=list(self._carry.broken))

    def read_batches(self) -> Iterator[ObservationBatch]:
        """Yield the rest of the transcript in batches. Raises NotReadable for a file that cannot be opened."""
        with closing(open_transcript(self._source)) if isinstance(self._source, Path) else nullcontext() as stream:
            if stream is not None:
                stream.seek(self._carry.offset)
                pieces: Iterator[bytes] = _aligned(stream, self._carry.offset)
            else:
                pieces = (piece for piece in cast("Iterable[bytes]", self._source) if piece)
            yield from self._blocks(pieces)

    def read_observations(self) -> Iterator[Observation]:
        """Yield the client's observations in the rest of the transcript. Raises NotReadable for a file that cannot be opened."""
        for batch in self.read_batches():
            yield from batch.client_observations

    def _blocks(self, pieces: Iterator[bytes]) -> Iterator[ObservationBatch]:
        held: list[bytes] = []
        held_bytes = 0
        while True:
            try:
                piece = next(pieces, b"")
            except _DAMAGE as problem:
                # The report names it; what was decompressed before is whole and is kept.
                self._break(self._carry.line, f"compressed data ends or is damaged: {problem}")
                piece = b""
            if not piece:
                break
            if self._carry.is_skipping:
                end = piece.find(b"\n") + 1
                yield self._skipped(piece[: end or len(piece)], is_end=end > 0)
                piece = piece[end:] if end else b""
            end = piece.rfind(b"\n") + 1
            if end:
                yield self._lines(b"".join([*held, piece[:end]]))
                held, held_bytes = [], 0
            if end < len(piece):
                held.append(piece[end:])
                held_bytes += len(piece) - end
            line_bytes_max = self._line_bytes_max if self._parser else min(self._line_bytes_max, UNRECOGNISED_BYTES_MAX)
            if held_bytes > line_bytes_max:
                self._break(self._carry.line, f"longer than {line_bytes_max:,} bytes")
                self._carry.is_skipping = True
                for part in held:
                    yield self._skipped(part, is_end=False)
                held, held_bytes = [], 0
        if held:
            rest = b"".join(held)
            if batch := self._rest(rest):
                yield batch
            else:
                self.is_cut = True

    def _skipped(self, part: bytes, *, is_end: bool) -> ObservationBatch:
        carry = self._carry
        carry.offset += len(part)
        batch = ObservationBatch(mask_lines(part), carry.line, int(is_end), [], part)
        carry.line += is_end
        carry.is_skipping = not is_end
        return batch

    def _lines(self, raw: bytes) -> ObservationBatch:
        carry, read = self._carry, raw
        raw = mask_lines(raw)
        first = carry.line
        found: list[Observation] = []
        lines = raw.split(b"\n")
        lines.pop()
        if carry.is_mid_line:
            carry.is_mid_line = False
            if not lines[0].strip():  # the line break of a line that was consumed without it
                lines.pop(0)
        is_clean = _is_utf8(raw)
        for line in lines:
            self._line(line, found, is_clean=is_clean)
            carry.line += 1
        carry.offset += len(read)
        return ObservationBatch(raw, first, carry.line - first, found, read)

    def _line(self, line: bytes, found: list[Observation], *, is_clean: bool) -> None:
        carry = self._carry
        if carry.line == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line or line.isspace():
            return
        if not is_clean and not _is_utf8(line):
            self._break(carry.line, "not UTF-8")
            return
        try:
            found.extend(self._parse(line))
        except msgspec.DecodeError as problem:
            if not self._recovered(line, found):
                self._break(carry.line, str(problem))
        except RecursionError:
            self._break(carry.line, "nested too deeply")

    def _recovered(self, line: bytes, found: list[Observation]) -> bool:
        """Read the whole records of a line that is no plain JSON; False where something else stands on it."""
        pieces, is_rest = split_torn_line(line)
        for piece in pieces:
            try:
                found.extend(self._parse(_mended(piece)))
            except (ValueError, msgspec.DecodeError, RecursionError):
                is_rest = True
        return not is_rest

    def _parse(self, line: bytes) -> list[Observation]:
        if self._parser is None:
            record = msgspec.json.decode(line)
            if not isinstance(record, dict):
                raise msgspec.DecodeError("not a JSON object")
            dialect = find_dialect(cast("Mapping[str, object]", record))
            if dialect is None:
                self._carry.unplaced += 1
                return []
            self._carry.dialect = dialect.name
            self._parser = dialect.create_parser(self._origin)
        return [joined for seen in self._parser.parse(line, self._carry.line) for joined in self._matcher.match(seen)]

    def _rest(self, rest: bytes) -> ObservationBatch | None:
        """The last line without its line break: consumed if it is a whole record."""
        carry, read = self._carry, rest
        rest = mask_lines(rest)
        if carry.is_mid_line and rest.isspace():
            return None
        text = rest.removeprefix(b"\xef\xbb\xbf") if carry.line == 0 else rest
        found: list[Observation] = []
        if _is_utf8(text):
            try:
                record = json.loads(text) if not text.isspace() else None
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                self._line(rest, found, is_clean=True)
                first = carry.line
                carry.line += 1
                carry.offset += len(read)
                carry.is_mid_line = True
                return ObservationBatch(rest, first, 1, found, read)
        return None

    def _break(self, line: int, reason: str) -> None:
        self._carry.broken_count += 1
        if len(self._carry.broken) < BROKEN_MAX:
            self._carry.broken.append((line + 1, reason[:200]))


def _aligned(stream: BinaryIO, offset: int) -> Iterator[bytes]:
    """Blocks that end at multiples of BLOCK_BYTES, so that a reading that goes on cuts where one in a single pass does."""
    size = BLOCK_BYTES - offset % BLOCK_BYTES
    while piece := stream.read(size):
        yield piece
        size = BLOCK_BYTES


def open_transcript(path: Path) -> BinaryIO:
    """Open a transcript for reading bytes, decompressing `.xz` and `.gz`. Raises NotReadable for a missing or non-regular file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for, and cannot be read from its beginning again
            raise NotReadable(str(path), "is no regular file")
        stream = path.open("rb")
    except OSError as problem:
        raise NotReadable(str(path), problem.strerror or str(problem)) from problem
    unpack = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix)
    return cast("BinaryIO", io.BufferedReader(_Unpacked(stream, cast("BinaryIO", unpack(stream))))) if unpack else stream


class _Unpacked(io.RawIOBase):
    """The bytes of a compressed file. Reading raises EOFError where they become too many for its size."""

    def __init__(self, packed: BinaryIO, whole: BinaryIO) -> None:
        self._packed, self._whole = packed, whole

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._whole.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        data = self._whole.read(len(buffer))
        read = self._whole.tell()
        if read > EXPANSION_FREE_BYTES and read > EXPANSION_MAX * self._packed.tell():
            raise EOFError(f"it expands to more than {EXPANSION_MAX} times its size")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._whole.close()
        self._packed.close()
        super().close()


def read_first_bytes(path: Path, size: int) -> bytes:
    """Return the first `size` bytes of a transcript, fewer when it is damaged. Raises NotReadable when none can be read."""
    head: list[bytes] = []
    left = size
    with open_transcript(path) as stream:
        try:
            while left > 0 and (piece := stream.read(min(left, _HEAD_STEP_BYTES))):
                head.append(piece)
                left -= len(piece)
        except (OSError, *_DAMAGE) as problem:
            if not head:
                raise NotReadable(str(path), f"cannot be read: {problem}") from problem
    return b"".join(head)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def split_torn_line(line: bytes) -> tuple[list[bytes], bool]:
    """Return the whole records on a line that two writes or a crash have torn, and whether anything else stands on it.

    A record is taken where it begins at a line's start, behind NUL bytes or behind another whole record, or where it ends the line; an
    object inside a fragment is not, as a tool may have printed it. NUL bytes and white space are nothing.
    """
    found: list[bytes] = []
    if len(line) > TORN_BYTES_MAX:
        return [], True
    is_rest = False
    for run in line.split(b"\0"):
        text = run.decode("utf-8", "replace").strip()
        at = 0
        while at < len(text):
            end = _end_of_record(text, at)
            if end:
                found.append(text[at:end].encode())
                at = end + len(text[end:]) - len(text[end:].lstrip())
                continue
            is_rest = True
            starts = [start for start in _starts_of_objects(text, at + 1) if _end_of_record(text, start) == len(text)]
            found += [text[start:].encode() for start in starts[:1]]
            break
    return found, is_rest


def _starts_of_objects(text: str, start: int) -> list[int]:
    """Places where a record may begin, at most RECORD_STARTS_MAX."""
    return [found.start() for found in islice(_RECORD_START.finditer(text, start), RECORD_STARTS_MAX)]


def _end_of_record(text: str, start: int) -> int:
    """The end of the record that begins here, 0 where none does."""
    try:
        record, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return 0
    return end if isinstance(record, dict) and ("type" in record or "payload" in record) else 0


def _mended(line: bytes) -> bytes:
    """JSON that the standard library accepts and msgspec does not (half a surrogate pair, NaN), in a form that both accept.

    Raises ValueError for what is no JSON object.
    """
    record: object = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    return json.dumps(_whole(cast("object", record)), ensure_ascii=False, allow_nan=False).encode()


def _whole(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, list):
        return [_whole(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {cast("str", _whole(key)): _whole(item) for key, item in cast("dict[str, object]", value).items()}
    return value
