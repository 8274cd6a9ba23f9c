"""Parse the files of a repository into records: bytes and earlier file states go in, proposed store changes (Deltas) come out."""

from __future__ import annotations

import os

from xxhash import xxh3_64_intdigest

TREE_SOURCE = "tree:"  # the source that remembers the set of paths; its presence says that a workspace was indexed


def compute_stamp(status: os.stat_result) -> int:
    """Return a number, never 0, that differs, all but surely, once the file of this status may hold other bytes; it fits a 64-bit column.

    The time of change alone is not enough: a file may be renamed over another that is as old and as long, and tools set
    times back. As git does, the inode and the time of the status change count too.
    """
    return xxh3_64_intdigest(f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}".encode()) >> 1 | 1


ENCODING = "encoding"
"""Key in a record's lineage: what its file was decoded from, where that was not UTF-8."""
