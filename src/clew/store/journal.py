"""Journal: what each writer stored, in order, as a chain of hashes over content hashes.

Each write of a source adds one entry: when, the digest of the source's content, and the ids of the records that came with it. An id is a
hash of its record's content, so a purge leaves the chain as it is: it erases the content, and the id stays in the tombstone. Every database
is a writer of its own; an export carries the chains of all writers. From the entries of a file one reads which content it had at a time.

An entry also names the records whose status the write set, each id behind a sign: `-` ended, `~` in doubt, `+` true again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

from clew.records import Supersession
from clew.store.rows import JournalRow
from clew.store.rules import DOUBTED, ENDED, REVIVED

_SIGNS = (ENDED, DOUBTED, REVIVED)


def compute_link(before: str, entry: JournalRow) -> str:
    """Return the hash of an entry and of the link before it ("" for the first): blake2b-128 in hex."""
    words = (before, entry.writer, str(entry.seq), str(entry.at_ns), entry.digest, *entry.ids)
    state = blake2b(digest_size=16)
    for word in words:
        data = word.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(4, "big"))
        state.update(data)
    return state.hexdigest()


def name_change(supersession: Supersession) -> str:
    """Return what an entry holds of a supersession: the id of the old record behind the sign of its new status."""
    sign = REVIVED if supersession.is_undone else DOUBTED if supersession.is_doubt else ENDED
    return sign + supersession.old


def list_stored(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids among those of an entry that came with it."""
    return tuple(each for each in ids if not each.startswith(_SIGNS))


def list_changed(ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return (sign, id) of the records among those of an entry whose status it set."""
    return [(each[0], each[1:]) for each in ids if each.startswith(_SIGNS)]


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
