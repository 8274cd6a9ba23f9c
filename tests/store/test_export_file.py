"""An export file is the same rows after writing and reading; a damaged or hostile one is refused, and nothing of it is stored."""

from __future__ import annotations

import io
import json
import os
import random
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest
import zstandard

from clew.errors import InvalidExport
from clew.records import Blob, RecordText, Resolution
from clew.store import export_file
from clew.store.export_file import read_export, write_export
from clew.store.originals import digest_of
from clew.store.rows import StoredRow
from tests.store.conformance import make_delta
from tests.store.with_index_files import SqliteStore


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """A store with two workspaces, names that are no valid text, and an original that is no text."""
    store = SqliteStore(tmp_path / "clew.db")
    data = os.urandom(5000)
    delta = make_delta("file:zw\udceei.py", [("one", "the harbour"), ("two", "the mast")], note="\ud83d")
    whole = RecordText(Resolution.FULL, len(data), blob=digest_of(data), end=len(data))
    records = (replace(delta.records[0], texts=(whole,), lineage=(("branch", "ma\udce9in"),)), *delta.records[1:])
    for key in ("one", "two"):
        store.open_workspace(key, f"/zw\udceei/{key}")
        store.apply(key, [replace(delta, records=records, blobs=(*delta.blobs, Blob(digest_of(data), data)))])
    return store


def exported(rows: list[StoredRow]) -> bytes:
    file = io.BytesIO()
    write_export(file, rows, release="0", made_ns=5)
    return file.getvalue()


def lines_of(data: bytes) -> list[bytes]:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data).splitlines()


def packed(lines: list[bytes], *, is_signed: bool = True) -> bytes:
    """Pack lines as an export, with an end that fits them."""
    front = b"".join(line + b"\n" for line in lines)
    end = {"end": {"rows": len(lines) - 1, "blake2b": blake2b(front, digest_size=32).hexdigest()}}
    return zstandard.ZstdCompressor(write_checksum=True).compress(front + (json.dumps(end).encode() + b"\n" if is_signed else b""))


def refused(store: SqliteStore, data: bytes) -> str:
    """Import bytes that are no sound export, and return why they were refused; nothing may be stored of them."""
    before = list(map(repr, store.export_rows(["one", "two"])))
    with pytest.raises(InvalidExport) as error:
        store.import_rows(read_export(io.BytesIO(data)))
    assert list(map(repr, store.export_rows(["one", "two"]))) == before
    assert len(store.roots()) == 2
    return error.value.reason


def test_what_was_written_is_read_again_to_the_last_bit(store: SqliteStore, tmp_path: Path) -> None:
    rows = list(store.export_rows(["one", "two"]))
    other = SqliteStore(tmp_path / "other.db")

    assert list(read_export(io.BytesIO(exported(rows)))) == rows
    other.import_rows(read_export(io.BytesIO(exported(rows))))
    assert list(other.export_rows(["one", "two"])) == rows
    assert [replace(each, stored_bytes=0, generation=0) for each in other.workspaces()] == [
        replace(each, stored_bytes=0, generation=0) for each in store.workspaces()
    ]


def test_any_program_can_read_it(store: SqliteStore) -> None:
    lines = [json.loads(line) for line in lines_of(exported(list(store.export_rows(["one"]))))]

    assert list(lines[0]) == ["clew"]
    assert [line["original"]["text"] for line in lines if "text" in line.get("original", ())] == ["the harbour", "the mast"]
    assert lines[-1]["end"]["rows"] == len(lines) - 2


@pytest.mark.parametrize("seed", range(5))
def test_a_flipped_byte_or_a_cut_anywhere_is_noticed(store: SqliteStore, seed: int) -> None:
    data = exported(list(store.export_rows(["one", "two"])))
    chance = random.Random(seed)
    for _ in range(8):
        at = chance.randrange(len(data))
        refused(store, data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
        refused(store, data[:at])


def test_a_newer_format_is_refused_by_its_number(store: SqliteStore) -> None:
    head, *rest = lines_of(exported(list(store.export_rows(["one"]))))

    assert "its format is 3" in refused(store, packed([head.replace(b'"format":2', b'"format":3'), *rest[:-1]]))
    assert "unknown kind 'later'" in refused(store, packed([head, b'{"later":{}}']))


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000, b"{}", b"[]", b"null", b'{"source":[]}', b'{"source":{}}', b'{"source":{"name":1}}', b"\xff",
        b'{"edge":{"source":"x"}}',
        b'{"original":{"digest":"x","base64":"*"}}', b'{"original":{"digest":"x"}}', b'{"workspace":{"key":"../../x","root":"/"},"x":{}}',
        b'{"source":{"name":"x","state":{"source":"x","size":' + b"9" * 30 + b"}}}", b'{"workspace":{"key":"","root":"/"}}',
        b'{"source":{"name":"x","state":{"source":"y"}}}', b'{"holds":{"source":"nowhere","digest":"x"}}',
    ],
)  # fmt: skip
def test_a_malformed_row_is_refused(store: SqliteStore, line: bytes) -> None:
    head, *_ = lines_of(exported(list(store.export_rows(["one"]))))

    refused(store, packed([head, b'{"workspace":{"key":"new","root":"/new"}}', line]))


def test_a_bomb_is_refused_before_it_is_unpacked(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_file, "EXPANSION_FREE_BYTES", 1 << 20)
    head, *_ = lines_of(exported(list(store.export_rows(["one"]))))

    assert "expands" in refused(store, packed([head, *[b'{"workspace":{"key":"new","root":"' + b"/" * 2000 + b'"}}'] * 9_000]))
    assert "expands" in refused(store, packed([head, b" " * (40 << 20)]))
    monkeypatch.setattr(export_file, "LINE_BYTES_MAX", 1 << 19)
    assert "too long" in refused(store, packed([head, b" " * (1 << 20)]))


def test_postings_that_point_out_of_their_tables_are_refused(store: SqliteStore) -> None:
    """They would be read past their end when a question is asked, or fill the memory."""
    rows = list(store.export_rows(["one"]))
    words = next(row for row in rows if type(row).__name__ == "PostingsRow")
    raw = bytearray(zstandard.ZstdDecompressor().decompress(words.data[8:]))
    for at in range(len(raw) // 3, len(raw), 7):
        changed = bytes(raw[:at] + b"\xff\xff\xff\x7f" + raw[at + 4 :])
        for data in (changed, raw[: -len(raw) // 2] + b"\0" * 4):
            bad = replace(words, data=words.data[:8] + zstandard.ZstdCompressor().compress(bytes(data)))
            again = [replace(row, key="new") if type(row).__name__ == "WorkspaceRow" else bad if row is words else row for row in rows]
            try:
                store.import_rows(again)
            except InvalidExport:
                continue
            with store.snapshot("local", "new") as snapshot:  # a count or a weight of something that is there
                assert snapshot.documents.size == 2
            break


def test_a_name_in_an_export_is_never_a_path(store: SqliteStore, tmp_path: Path) -> None:
    rows = list(store.export_rows(["one"]))
    elsewhere = [replace(row, key="../../escaped", root="../..") if type(row).__name__ == "WorkspaceRow" else row for row in rows]
    before = set(tmp_path.parent.glob("*"))

    store.import_rows(elsewhere)
    store.refresh("../../escaped")

    assert {path for path in tmp_path.parent.glob("*") if not path.name.endswith("current")} <= before
    assert sorted(path.name for path in tmp_path.glob("*")) == ["clew.db", "clew.db-shm", "clew.db-wal", "clew.db.snapshots"]
