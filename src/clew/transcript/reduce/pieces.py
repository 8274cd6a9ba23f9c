"""Split very long lines into pieces, so that an output of one line is shortened like one of many.

JSON in one line falls into its records, a statement into its tuples, markup into its elements, words into words. The pieces of a
line, joined, are the line. Decides nothing about what is shown.
"""

from __future__ import annotations

import re
from collections import Counter

from clew.transcript.reduce.lines import OutputLines

LONG_LINE_CHARS = 2000  # a longer line is no line that somebody reads; guess
PIECES_MIN = 16  # fewer pieces show no sort that one of them could differ from
PIECE_SHARE_MAX = 0.4  # of a line that one piece may be; guess
CHUNK_CHARS = 160  # of a line that nothing separates: of a hash, of encoded bytes

_RECORDS = re.compile(r"(?<=[}\]]), ?(?=[{\[])")
_TUPLES = re.compile(r"(?<=\)), ?(?=\()")
_SEPARATORS = tuple(
    re.compile(pattern)
    for pattern in (
        r"; ?(?=\S)",  # statements
        r", ?",
        r"(?<!:)[:|](?!:)",
        r"\s",
    )
)
_TAG = re.compile(r"<(\w[\w:.-]{0,60})[\s>/]")


def split_long_lines(
    lines: OutputLines, chars: int = LONG_LINE_CHARS, *, needs_records: bool = False
) -> tuple[OutputLines, list[tuple[int, int]]] | None:
    """Return the text with long lines split into pieces, and the start and end of each piece in it; None where long lines are few.

    The ends exclude the text's own line breaks. Cost: linear.

    chars          a longer line, and than LONG_LINE_CHARS, is split.
    needs_records  None also where the longest line holds no records, tuples or elements.
    """
    long = [at for at, size in enumerate(lines.sizes) if size > max(chars, LONG_LINE_CHARS) and "\r" not in lines.raw[at]]
    if 2 * sum(lines.sizes[at] for at in long) <= len(lines.text):
        return None
    if needs_records and not _records(max((lines.raw[at] for at in long), key=len)):
        return None
    are_long = set(long)
    texts: list[str] = []
    places: list[tuple[int, int]] = []
    for at, line in enumerate(lines.raw):
        start = lines.starts[at]
        for piece in _pieces(line) if at in are_long else (line,):
            texts.append(piece)
            places.append((start, start + len(piece)))
            start += len(piece)
    return OutputLines("\n".join(texts)), places


def _pieces(line: str) -> list[str]:
    if pieces := _records(line):
        return pieces
    for separator in _SEPARATORS:
        if pieces := _split(line, separator):
            return pieces
    return [line[start : start + CHUNK_CHARS] for start in range(0, len(line), CHUNK_CHARS)]


def _records(line: str) -> list[str]:
    return _elements(line) or _split(line, _RECORDS) or _split(line, _TUPLES)


def _split(line: str, separator: re.Pattern[str]) -> list[str]:
    """The pieces behind each separator; [] where they are few, or one is most of the line."""
    ends = [found.end() for found in separator.finditer(line)]
    pieces = [line[start:end] for start, end in zip((0, *ends), (*ends, len(line)), strict=True) if end > start]
    return pieces if len(pieces) >= PIECES_MIN and max(map(len, pieces)) <= PIECE_SHARE_MAX * len(line) else []


def _elements(line: str) -> list[str]:
    """Markup by the element that occurs most often, the outermost of several; [] for other text."""
    if not line.lstrip().startswith("<"):
        return []
    times = Counter(_TAG.findall(line))
    most = max(times.values(), default=0)
    if most < PIECES_MIN:
        return []
    name = next(name for name, count in times.items() if count == most)
    starts = [found.start() for found in _TAG.finditer(line) if found[1] == name]
    return [line[start:end] for start, end in zip((0, *starts), (*starts, len(line)), strict=True) if end > start]
