"""Packs: store many originals in one frame, those that came with a transcript, and what is seldom read.

Lines of a transcript, the outputs that were taken from them and versions of one file repeat each other, so together they take about half
of what they take one by one. Reading one decompresses its pack, about a millisecond. Nothing of it changes what a reader sees.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import zstandard

from clew.records import Blob, Resolution, Tier
from clew.store import originals
from clew.store.originals import Compression, OriginalCompressor, digest_of
from clew.store.ports import CondenseResult
from clew.store.tables.codec import compute_seal, decode_text, encode_text, find_blob_digests, pack_texts, unpack_texts
from clew.store.tables.connection import Connection

PACK_BYTES = 1 << 20  # of originals in one pack: 8 sessions took 2.19 MB one by one; 1.62 in packs of 256 kB, 1.21 of 1 MB, 1.00 of 4 MB
_LINES, _TEXTS = 1, 2
FILLED_BYTES = {_LINES: 2 << 20, _TEXTS: 128 << 10}
"""Bytes of originals at which a pack is full. Originals of 25 sessions, 12.6 MB one by one, take 8.8 so; with lines in packs of 1 MB 9.4,
with texts in packs of 512 kB 8.4. Both in packs of 1 MB take 8.7, and a question that reads 12 of them 20 ms more."""
BATCH_MIN = 2  # originals in a pack
MOVED_CHARS_MIN = 120  # of a full text that leaves its row; the reference to it takes about 50 bytes: guess
LEVEL = 12  # guess: level 19 takes 3 to 6 times as long for a tenth less; bench/forget


class Unpacker:
    """Reads originals as they are stored; of several in one pack it decompresses the pack once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: tuple[int, bytes] = (0, b"")

    def read(self, packing: int, data: bytes, pack: int = 0, start: int = 0, size: int = 0) -> bytes:
        """Return an original from a row of `originals.get`. Raises ValueError for one that is damaged."""
        if packing != Compression.PACKED:
            return originals.unpack(packing, data)
        if self._open[0] != pack:
            found = self._connection.fetch_one("packs.data", pack)
            if found is None:
                raise ValueError(f"pack {pack} is not stored")
            self._open = pack, originals.unpack(Compression.ZSTD, found[0])
        whole = self._open[1][start : start + size]
        if len(whole) != size:
            raise ValueError(f"it lies outside of pack {pack}")
        return whole


def has_room_for(blob: Blob) -> bool:
    """Return whether an original stands in a pack with others; a larger one stands alone."""
    return len(blob.data) < FILLED_BYTES[_LINES if blob.is_sequential else _TEXTS]


def add(connection: Connection, workspace: int, blobs: Sequence[Blob]) -> int:
    """Store new originals in the packs that the workspace is filling; return by how many bytes more is stored.

    Cost  about 4 ms for each MB of originals, and up to 10 ms to open and close the pack of lines, .5 ms that of texts.
    """
    groups = {_LINES: [blob for blob in blobs if blob.is_sequential], _TEXTS: [blob for blob in blobs if not blob.is_sequential]}
    return sum(_fill(connection, workspace, filling, group) for filling, group in groups.items() if group)


def _fill(connection: Connection, workspace: int, filling: int, blobs: Sequence[Blob]) -> int:
    """Add originals to the pack that is being filled with their like, and begin another one whenever it is full."""
    bytes_max = FILLED_BYTES[filling]
    weight = number = size = 0
    parts, members = list[bytes](), list[tuple[int, str, int, int]]()
    if last := connection.fetch_one("packs.filling", workspace, filling):
        number, size, frame = last
        parts, weight = [originals.unpack(Compression.ZSTD, frame)], -len(frame)
    for at, blob in enumerate(blobs, 1):
        parts.append(blob.data)
        members.append((workspace, blob.digest, len(blob.data), size))
        size += len(blob.data)
        if size >= bytes_max or at == len(blobs):
            frame = _compress(b"".join(parts), originals.LEVEL)
            stays_open = filling if size < bytes_max else 0
            if number:
                connection.execute("packs.refill", size, frame, stays_open, number)
            else:
                ((number,),) = connection.fetch_all("packs.add", workspace, size, frame, stays_open)
            connection.execute_many("packs.join", [(*member, number) for member in members])
            weight, number, size, parts, members = weight + len(frame), 0, 0, [], []
    return weight


def condense(connection: Connection, workspace: int, name: str, bytes_max: int) -> CondenseResult:
    """Shorten the rows of a source's archived records, and pack originals that no other record of it needs, until `bytes_max` are packed.

    Raises ValueError where an original could not be read back; undo the transaction then.
    """
    found = connection.fetch_one("sources.by_name", workspace, encode_text(name))
    if found is None:
        return CondenseResult()
    source: int = found[0]
    hot, seldom = set[str](), set[str]()
    texts = saved = 0
    for row, packed, is_live, is_indexed, tier in connection.fetch_all("packs.texts", workspace, source):
        is_seldom = tier == Tier.ARCHIVED or not (is_live or is_indexed)
        kept, added = (
            _shorten(connection, workspace, (source, row), packed, is_archived=tier == Tier.ARCHIVED) if is_seldom else (packed, 0)
        )
        texts, saved = texts + (kept != packed), saved + len(packed) - len(kept) - added
        (seldom if is_seldom else hot).update(find_blob_digests(kept))
    cold = [(digest, size) for digest, size in connection.fetch_all("packs.alone", workspace, source) if digest in seldom - hot]
    count = size = 0
    batch: list[str] = []
    batched = 0
    for digest, length in cold:
        batch.append(digest)
        batched += length
        if batched >= PACK_BYTES:
            saved += _write(connection, workspace, batch)
            count, size, batch, batched = count + len(batch), size + batched, [], 0
            if size >= bytes_max:
                break
    else:
        if len(batch) >= BATCH_MIN:
            saved += _write(connection, workspace, batch)
            count, size = count + len(batch), size + batched
    return CondenseResult(texts, count, saved, size)


def find_moved_texts(connection: Connection, workspace: int, source: int) -> set[str]:
    """Return digests of the originals that are the full text of an archived record; those that `condense` moved are among them."""
    found = set[str]()
    for _, packed, _, _, tier in connection.fetch_all("packs.texts", workspace, source):
        if tier == Tier.ARCHIVED and (whole := unpack_texts(packed)[-1]).blob and whole.start == 0 and not whole.start_line:
            found.add(whole.blob)
    return found


def drop_needless(connection: Connection, workspace: int, source: int, moved: Collection[str]) -> None:
    """Drop those of the originals `moved` that no record of the source needs any more, if no other source names them."""
    needed = set[str]()
    for _, packed, *_ in connection.fetch_all("packs.texts", workspace, source):
        needed |= find_blob_digests(packed)
    for digest in sorted(set(moved) - needed):
        connection.execute("originals.unname", workspace, source, digest)
        if connection.fetch_one("originals.sources", workspace, digest) is None:
            take_apart(connection, workspace, digest)
            for size, stored in connection.fetch_all("originals.delete", workspace, digest):
                connection.execute("workspaces.weigh", -size, -stored, workspace)


def _shorten(connection: Connection, workspace: int, at: tuple[int, int], packed: bytes, *, is_archived: bool) -> tuple[bytes, int]:
    """Move the full text of an archived record from its row into an original, and let go of what is derived from a version that has ended.

    at  the numbers of the source and of the row. Returns the texts that the row has then, and the bytes of originals that were added.
    """
    source, row = at
    added = 0
    *sealed, _, lineage, _ = connection.fetch_all("packs.sealed", row)[0]
    name = decode_text(sealed[9])
    before = unpack_texts(packed, name)
    texts = before if is_archived else tuple(text for text in before if text.resolution != Resolution.SIGNATURE or text == before[-1])
    whole = texts[-1]
    if is_archived and not whole.blob and len(whole.inline) >= MOVED_CHARS_MIN and (data := _encode(whole.inline)):
        digest = digest_of(data)
        if connection.fetch_one("tombstones.get", workspace, "original", digest) is None:
            if connection.fetch_one("originals.exists", workspace, digest) is None:
                packing, stored = OriginalCompressor().pack(data)
                connection.execute("originals.add", workspace, digest, len(data), int(packing), stored)
                connection.execute("workspaces.weigh", len(data), len(stored), workspace)
                added = len(stored)
            connection.execute("originals.name", workspace, source, digest)
            texts = (*texts[:-1], replace(whole, chars=len(data), inline="", blob=digest, start=0, end=len(data)))
    if texts == before:
        return packed, 0
    shorter = pack_texts(texts, name)
    connection.execute("packs.set_texts", shorter, compute_seal(*sealed, shorter, lineage), row)
    return shorter, added


def _encode(text: str) -> bytes:
    """Return a text as UTF-8; b"" for one that has none, which stays in its row."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""


def _compress(data: bytes, level: int) -> bytes:
    return zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=True).compress(data)


def _write(connection: Connection, workspace: int, batch: Sequence[str]) -> int:
    """Store the originals with these digests as one pack, and return by how many bytes less is stored."""
    unpack, parts, before = Unpacker(connection), list[bytes](), 0
    for digest in batch:
        ((_, *stored),) = connection.fetch_all("originals.get", workspace, digest)
        before += len(stored[1])
        parts.append(unpack.read(*stored))
    whole = b"".join(parts)
    frame = _compress(whole, LEVEL)
    ((number,),) = connection.fetch_all("packs.add", workspace, len(whole), frame, 0)
    start = 0
    for digest, data in zip(batch, parts, strict=True):
        connection.execute("packs.place", number, start, workspace, digest)
        start += len(data)
    for digest in batch:
        ((_, *stored),) = connection.fetch_all("originals.get", workspace, digest)
        if digest_of(unpack.read(*stored)) != digest:
            raise ValueError(f"original {digest} could not be read back from its pack")
    connection.execute("workspaces.weigh", 0, len(frame) - before, workspace)
    return before - len(frame)


def take_apart(connection: Connection, workspace: int, digest: str) -> None:
    """Store each original of the pack in which this one stands by itself again, and erase the pack; nothing where it stands in none."""
    if not connection.has_packs:
        return
    found = connection.fetch_one("packs.holding", workspace, digest)
    if found is None or not found[0]:
        return
    number: int = found[0]
    unpack, packer, weight = Unpacker(connection), OriginalCompressor(), 0
    for member, size, start in connection.fetch_all("packs.members", number):
        packing, data = packer.pack(unpack.read(Compression.PACKED, b"", number, start, size))
        connection.execute("packs.take_out", int(packing), data, workspace, member)
        weight += len(data)
    for (size,) in connection.fetch_all("packs.delete", number):
        weight -= size
    connection.execute("workspaces.weigh", 0, weight, workspace)
