"""Judge: which entries of a packet say what the files on disk do not say? Knows nothing of how the packet came to be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from pathlib import Path

from clew.records import Packet, PacketEntry
from clew.records.wording import describe_reason

CAUSES = ("gone", "lines", "symbol", "memory")
HEADER_LINES = 3  # C writes `struct`, and the name below it
MARKS = ("changed since", "no longer")  # what a memory of a file must carry once the file is another


def stale(packet: Packet, tree: Path, touched: Collection[str]) -> Counter[str]:
    """Return the number of stale entries of a packet, by cause.

    gone    its file is not there.
    lines   its text is not what stands in the file at its lines, or a file has another number of lines than it says.
    symbol  it only names a symbol, and the header that begins at its line does not.
    memory  it is an entry of a session that speaks of a file which a commit since has touched, and does not say so.
    """
    found: Counter[str] = Counter()
    files: dict[str, list[str] | None] = {}
    for entry in packet.entries:
        if entry.session:
            is_marked = any(mark in word for word in (*map(describe_reason, entry.why), entry.text) for mark in MARKS)
            found["memory"] += bool(entry.path in touched and not is_marked)
            continue
        if entry.path not in files:
            path = tree / entry.path
            files[entry.path] = path.read_bytes().decode("utf-8", "replace").split("\n") if path.is_file() else None
        cause = _cause(entry, files[entry.path])
        if cause:
            found[cause] += 1
    return found


def _cause(entry: PacketEntry, lines: list[str] | None) -> str:
    if lines is None:
        return "gone"
    if not entry.start:
        return ""
    head, _, body = entry.text.partition("\n")
    there = "\n".join(lines[entry.start - 1 : entry.end])
    if entry.resolution.label in {"folded", "full"} and head.startswith("--- "):
        return "" if body.rstrip("\n") == there.rstrip("\n") else "lines"
    said = head.partition("] ")[2]
    if counted := re.fullmatch(r"the file, (\d+) lines", said):
        count = len(lines) - (not lines[-1])
        return "" if int(counted[1]) in {count, len(lines)} else "lines"
    if entry.resolution.label == "name":
        last = re.split(r"\W+", entry.name.strip())[-1]
        near = "\n".join(lines[entry.start - 1 : entry.start - 1 + HEADER_LINES])
        return "" if last in near or entry.name == entry.path else "symbol"
    text = entry.text.partition("] ")[2]
    return "" if text.strip() == there.strip() else "lines"
