"""Hostile input: texts, JSON values, request bodies and files that no well-meaning caller sends."""

from __future__ import annotations

import gzip
import lzma
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from zlib import crc32

from clew.samples import TIES

T = TypeVar("T")
DEEP = b"[" * 100_000
TEXTS = (
    "",
    "../../../etc/passwd",
    "/etc/passwd",
    "/" + "n" * 5000,
    "x" * 20_000,
    "9" * 40,
    "-1",
    "%s{0}'; DROP TABLE records; --",
    "\x1b[31m\u202e",
)
"""Texts for any field."""
NUL = "a\0b"  # which no program can be given as an argument
NO_TEXT = "\udcff\udcfe"  # an argument that is not UTF-8
VALUES = (None, True, 0, -1, 1e308, 10**30, [], [1, [2], None], {}, {"a": {"b": [1]}}, *TEXTS, NUL)
"""Values of any JSON type."""
BODIES = (
    b"", b"{", b"null", b"[1]", b'"x"', b"\xff\xfe", b"\0" * 100, DEEP, b'{"a":' * 100_000, b'{"session_id":1e999}', b"\xef\xbb\xbf{}",
    b'{"session_id":"s1","prompt":"\\ud800"}',
)  # fmt: skip
"""Bodies of a request that should be a JSON object."""
CLAIMED_BYTES = 200 << 20


def every_second(values: Sequence[T], door: str) -> Sequence[T]:
    """Return half of the values, the first or the second of each two by a door's name: doors are many, so each value comes to some."""
    return values[crc32(door.encode()) % 2 :: 2]


def make_files(folder: Path) -> dict[str, Path]:
    """Make hostile files below `folder` and return them by what is wrong with them; some end like a transcript."""
    folder.mkdir()
    good = TIES.read_bytes()
    wrong = b'{"type":[1],"message":7,"uuid":{},"sessionId":[]}\nnull\n3\n"x"\n{"type":"user","message":{"role":1,"content":{"a":1}},'
    contents = {
        "empty": b"",
        "cut": good[:777],
        "not utf-8": b"\xff\xfe\x80" * 400,
        "nul": b"\0" * 4000,
        "deep": DEEP + b"\n" + b'{"a":' * 100_000 + b"\n",
        "wrong types": wrong + b'"sessionId":"s","uuid":"u","cwd":3,"timestamp":1e400}\n',
        "cut.gz": gzip.compress(good)[:500],
        "no gzip.gz": b"this is none",
        "bomb.gz": gzip.compress(bytes(CLAIMED_BYTES >> 4), 9),
        "cut.xz": lzma.compress(good)[:500],
        "bomb.xz": lzma.compress(b"\n" * (CLAIMED_BYTES >> 4), preset=1),
    }
    made: dict[str, Path] = {}
    for name, data in contents.items():
        stem, dot, suffix = name.partition(".")
        made[name] = folder / f"{stem}.jsonl{dot}{suffix}"
        made[name].write_bytes(data)
    made["claimed"] = folder / "claimed.jsonl"
    made["claimed"].touch()
    os.truncate(made["claimed"], CLAIMED_BYTES)
    made["folder"] = folder / "folder.jsonl"
    made["folder"].mkdir()
    for name, target in (("loop", "loop.jsonl"), ("dangling", "/nowhere/at/all"), ("linked", "/etc/passwd")):
        made[name] = folder / f"{name}.jsonl"
        made[name].symlink_to(target)
    made["pipe"] = folder / "pipe.jsonl"
    os.mkfifo(made["pipe"])
    made["device"] = Path("/dev/zero")
    made["below a file"] = made["empty"] / "x"
    made["long name"] = folder / ("n" * 300)
    return made
