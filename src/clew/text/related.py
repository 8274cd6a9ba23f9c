"""Related: search terms that mean nearly the same, from a table that this package ships.

Made by `train.related` from a small sentence model's own vocabulary: general English, nothing of any benchmark. A question that
says `doctor` finds who spoke of a physician; the term itself always counts more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

import zstandard

from clew.errors import NotReadable

TABLE = Path(__file__).with_name("related.bin")
_MAGIC = b"clewrel1"


def related(term: str) -> tuple[tuple[str, float], ...]:
    """Terms near a search term, nearest first, each with its cosine; none for a term that the table does not know.

    Raises NotReadable where the table is missing or damaged.
    """
    return _related(term) if term.isascii() and term.isalpha() else ()


@lru_cache(maxsize=1 << 12)
def _related(term: str) -> tuple[tuple[str, float], ...]:
    data = _table()
    start = data.find(f"\n{term} ".encode())
    if start < 0:
        return ()
    line = data[start + len(term) + 2 : data.index(b"\n", start + 1)].decode("ascii")
    pairs = (pair.partition(":") for pair in line.split(","))
    return tuple((other, int(hundredths) / 100) for other, _, hundredths in pairs)


@cache
def _table() -> bytes:
    try:
        data = TABLE.read_bytes()
        if data[:8] != _MAGIC:
            raise ValueError("not a table of related words, or one of another version")
        return zstandard.ZstdDecompressor().decompress(data[8:])
    except (OSError, ValueError, zstandard.ZstdError) as problem:
        raise NotReadable(str(TABLE), f"is no table: {problem}", "install clew again") from problem


def pack(table: Mapping[str, Sequence[tuple[str, float]]]) -> bytes:
    """The bytes that `related` reads: a line for each term, in order of the alphabet."""
    lines = [f"{term} {','.join(f'{other}:{round(cosine * 100)}' for other, cosine in near)}\n" for term, near in sorted(table.items())]
    return _MAGIC + zstandard.ZstdCompressor(level=19).compress(("\n" + "".join(lines)).encode("ascii"))
