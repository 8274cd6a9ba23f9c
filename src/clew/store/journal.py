"""Journal: what each writer stored, in order, as a chain of hashes over content hashes.

Each write of a source adds one entry: when, the digest of the source's content, and the ids of the records that came with it. An id is a
hash of its record's content, so a purge leaves the chain as it is: it erases the content, and the id stays in the tombstone. Every database
is a writer of its own; an export carries the chains of all writers. From the entries of a file one reads which content it had at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from clew.store.rows import JournalRow


def compute_link(before: str, entry: JournalRow) -> str:
    """Return the hash of an entry and of the link before it ("" for the first): blake2b-128 in hex."""
    words = (before, entry.writer, str(entry.seq), str(entry.at_ns), entry.digest, *entry.ids)
    state = blake2b(digest_size=16)
    for word in words:
        data = word.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(4, "big"))
        state.update(data)
    return state.hexdigest()


def make_entry(head: tuple[int, str], writer: str, at_ns: int, source: str, digest: str, ids: Sequence[str]) -> JournalRow:
    """Return the entry that follows `head`, the number and link of the one before."""
    seq, before = head
    entry = JournalRow(writer, seq + 1, at_ns, source, digest, tuple(ids), "")
    return JournalRow(writer, seq + 1, at_ns, source, digest, tuple(ids), compute_link(before, entry))


def find_broken_link(entries: Iterable[JournalRow], head: tuple[int, str] | None) -> str:
    """Return in words what is wrong with the entries of one writer, in their order: the first broken link; "" for nothing.

    head  the number and link of the last entry, as they are noted apart from it; None where nothing is noted.
    """
    last = (0, "")
    for entry in entries:
        if entry.seq != last[0] + 1:
            return f"link {last[0] + 1} is missing" if entry.seq > last[0] else f"link {entry.seq} stands twice"
        if entry.link != compute_link(last[1], entry):
            return f"link {entry.seq} does not follow from what stands in it and before it"
        last = (entry.seq, entry.link)
    if head is None:
        return "its last link is not noted"
    return "" if head == last else f"it ends with link {last[0]}, and link {head[0]} was the last"
