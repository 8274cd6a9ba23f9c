"""Pages: read the rows of a damaged SQLite file page by page, without its schema and trees.

SQLite finds rows through the schema and the inner pages of each tree, and gives up on a table where one of them is damaged. Here
every page is read by itself: the first byte of a leaf says what it is, and its rows hold their own types. Pages and rows that cannot be
read are passed over and counted. Pages that SQLite has freed are zeroes (`connections` sets secure_delete), so nothing that was
deleted comes back.

Source: "Database File Format", https://sqlite.org/fileformat2.html, sections 1.3 to 1.6 and 2.1.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

CellValue: TypeAlias = int | float | str | bytes | None
"""One value of a row."""
TableRow: TypeAlias = tuple[int | None, tuple[CellValue, ...]]
"""A row's number (rowid) and values. The number is None in an index, and in a table without row numbers."""

PAGE_BYTES = 4096  # of every database that clew creates
_PAYLOAD_BYTES_MAX = 1 << 30  # SQLite's own limit of a row
_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 0x02, 0x05, 0x0A, 0x0D
_VALUE_BYTES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}  # by a value's type; texts and bytes have types from 12 on
_LOCAL_BYTES_MIN = (PAGE_BYTES - 12) * 32 // 255 - 23
_UNREADABLE = (ValueError, LookupError, struct.error)


@dataclass(slots=True)
class DatabasePages:
    """The pages of an open database file, and after `iterate_rows` their number and the numbers of damaged ones.

    damaged  pages of no valid kind that are not empty, and pages with a row that cannot be read.
    """

    descriptor: int
    count: int = 0
    damaged: set[int] = field(default_factory=set[int])
    _suspects: set[int] = field(default_factory=set[int])
    _continued: set[int] = field(default_factory=set[int])

    def iterate_rows(self) -> Iterator[TableRow]:
        """Yield the rows of tables and indexes from every page, in file order. Cost: about 10 µs a row and 20 µs a page."""
        self.count = -(-os.fstat(self.descriptor).st_size // PAGE_BYTES)
        for number in range(1, self.count + 1):
            yield from self._rows_of(number)
        self.damaged |= self._suspects - self._continued - self._free_lists()

    def _free_lists(self) -> set[int]:
        """Return the pages that list free ones, as a chain from the file's head, as far as it can be followed."""
        found, number = set[int](), int.from_bytes(self._page(1)[32:36], "big")
        while 1 < number <= self.count and number not in found:
            found.add(number)
            number = int.from_bytes(self._page(number)[:4], "big")
        return found

    def _rows_of(self, number: int) -> Iterator[TableRow]:
        page = self._page(number)
        at = 100 if number == 1 else 0
        kind = page[at] if len(page) > at else -1
        if kind not in (_INTERIOR_INDEX, _LEAF_INDEX, _LEAF_TABLE):
            if kind != _INTERIOR_TABLE and (number == 1 or any(page)):
                self._suspects.add(number)  # unless another page goes on here
            return
        is_inner = kind == _INTERIOR_INDEX
        cells = int.from_bytes(page[at + 3 : at + 5], "big")
        first = at + (12 if is_inner else 8)
        if first + 2 * cells > len(page):
            self.damaged.add(number)
            return
        for place in range(first, first + 2 * cells, 2):
            start = int.from_bytes(page[place : place + 2], "big") + (4 if is_inner else 0)
            try:
                yield self._row(page, start, has_rowid=kind == _LEAF_TABLE)
            except _UNREADABLE:
                self.damaged.add(number)

    def _row(self, page: bytes, start: int, *, has_rowid: bool) -> TableRow:
        size, at = _varint(page, start)
        rowid: int | None = None
        if has_rowid:
            rowid, at = _varint(page, at)
            rowid -= (1 << 64) if rowid >= 1 << 63 else 0
        if size > min(_PAYLOAD_BYTES_MAX, self.count * PAGE_BYTES):
            raise ValueError
        local = _local_bytes(size, is_table=has_rowid)
        payload = page[at : at + local]
        if local < size:
            payload += self._rest(int.from_bytes(page[at + local : at + local + 4], "big"), size - local)
        if len(payload) < size:
            raise ValueError
        return rowid, _values(payload)

    def _rest(self, number: int, size: int) -> bytes:
        """Return the rest of a row from the chain of overflow pages that begins at page `number`. Raises ValueError."""
        rest = bytearray()
        chain: list[int] = []
        while len(rest) < size:
            page = self._page(number) if 0 < number <= self.count else b""
            if len(page) < min(size - len(rest) + 4, PAGE_BYTES) or len(chain) > self.count:
                raise ValueError
            chain.append(number)
            rest += page[4 : 4 + size - len(rest)]
            number = int.from_bytes(page[:4], "big")
        self._continued.update(chain)
        return bytes(rest)

    def _page(self, number: int) -> bytes:
        return os.pread(self.descriptor, PAGE_BYTES, (number - 1) * PAGE_BYTES)


def _local_bytes(size: int, *, is_table: bool) -> int:
    """Return how many bytes of a row of `size` bytes are on its own page, not on overflow pages."""
    most = PAGE_BYTES - 35 if is_table else (PAGE_BYTES - 12) * 64 // 255 - 23
    if size <= most:
        return size
    here = _LOCAL_BYTES_MIN + (size - _LOCAL_BYTES_MIN) % (PAGE_BYTES - 4)
    return here if here <= most else _LOCAL_BYTES_MIN


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(8):
        byte = data[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | data[at + 8], at + 9


def _values(payload: bytes) -> tuple[CellValue, ...]:
    head, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < head:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[CellValue] = []
    at = head
    for kind in kinds:
        size = (kind - 12) // 2 if kind >= 12 else _VALUE_BYTES[kind]
        values.append(_value(kind, payload[at : at + size]))
        at += size
    if at != len(payload):
        raise ValueError
    return tuple(values)


def _value(kind: int, data: bytes) -> CellValue:
    if kind >= 12:
        return data.decode() if kind % 2 else data
    if kind == 7:
        return struct.unpack(">d", data)[0]
    if kind in (8, 9):
        return kind - 8
    return int.from_bytes(data, "big", signed=True) if kind else None
