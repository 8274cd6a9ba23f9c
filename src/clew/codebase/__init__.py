"""What is in these bytes? `parse` → `remember`: bytes and previous fingerprints in, Delta out."""

from __future__ import annotations

import os

from xxhash import xxh3_64_intdigest

TREE_SOURCE = "tree:"  # the source that remembers the set of paths; its presence says that a workspace was indexed


def compute_stamp(status: os.stat_result) -> int:
    """Return a number that differs, all but surely, once a path may hold other bytes; never 0, and it fits a database column.

    The time of change alone does not tell: a file may be renamed over another that is as old and as long, and tools set
    times back. As git does, the inode and the time of the status are asked too.
    """
    return xxh3_64_intdigest(f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}".encode()) >> 1 | 1
