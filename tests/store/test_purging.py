"""What was purged stands in no file of ours any more, not in the database and not beside it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest
from numpy.typing import NDArray

from clew.errors import PurgeUnfinished
from clew.records import Blob, Edge, EdgeKind, Record, RecordText, Resolution, SourceState, make_id
from clew.store.originals import Compression, OriginalCompressor, digest_of
from clew.store.sqlite import MIGRATIONS, Migration
from clew.store.tables.indexing import WorkspaceCounters
from clew.text.postings import NameUse, Role, SearchDocument, drop_from_postings, pack_postings, unpack_postings
from tests.looking import look
from tests.store.conformance import make_delta
from tests.store.with_index_files import SqliteStore

MARKER = b"correct-horse-battery-staple"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "clew.db")
    store.open_workspace("w", "/w")
    yield store
    store.close()


def files_with(folder: Path, needle: bytes) -> list[str]:
    """Names of the files below `folder` whose raw bytes hold the needle."""
    return sorted(file.name for file in folder.rglob("*") if file.is_file() and needle in file.read_bytes())


def secret_record(source: str, number: int, version: int) -> tuple[Record, Blob, SearchDocument]:
    """A record whose every text names the marker, in an original that zstd cannot shrink, so that its bytes stay readable."""
    marker = MARKER.decode()
    data = os.urandom(300) + MARKER + os.urandom(3000 * (number % 3))
    (record,) = make_delta(source, [(f"symbol:{marker}{number}", f"{number}")]).records
    texts = (
        RecordText(Resolution.NAME, 30, f"{marker} {version}"),
        RecordText(Resolution.SIGNATURE, 0, marker * (number % 200)),
        RecordText(Resolution.FULL, len(data), blob=digest_of(data), end=len(data)),
    )
    record = replace(record, texts=texts, name=marker, path=f"{marker}/{number}.py", digest=digest_of(data), seq=version)
    document = SearchDocument(record.id, record.layer, record.kind, record.path, (marker, record.path, "", "", marker), (record.subject,))
    return record, Blob(digest_of(data), data), document


def write_secrets(store: SqliteStore, source: str, version: int, count: int = 60) -> list[str]:
    made = [secret_record(source, number, version) for number in range(count)]
    records = tuple(record for record, _, _ in made)
    edges = tuple(Edge(EdgeKind.MENTIONS, record.id, records[0].id, 0.5, by=MARKER.decode()) for record in records)
    blobs = tuple(blob for _, blob, _ in made)
    state = SourceState(source, note=MARKER.decode())
    store.apply("w", [make_delta(f"file:between{version}", [(f"b{number}", f"{version} {number} " * 90) for number in range(40)])])
    segment = pack_postings([document for _, _, document in made])
    store.apply("w", [replace(make_delta(source, []), records=records, edges=edges, blobs=blobs, segment=segment, state=state)])
    return [record.id for record in records]


def test_no_byte_of_a_purged_source_is_left_in_any_file(store: SqliteStore, tmp_path: Path) -> None:
    """Old versions, rows that moved between pages, the log, the snapshot and a backup of an earlier schema included."""
    source = f"file:{MARKER.decode()}.py"
    for version in range(3):
        write_secrets(store, source, version)
        assert store.refresh("w").is_written or version
    store.close()
    second = Migration(len(MIGRATIONS) + 1, "second", "For the test.", "ALTER TABLE records ADD COLUMN mood TEXT NOT NULL DEFAULT ''")
    reopened = SqliteStore(tmp_path / "clew.db", steps=[*MIGRATIONS, second])
    write_secrets(reopened, source, 3)
    assert files_with(tmp_path, MARKER) == ["clew.db", "clew.db-wal", f"clew.db.bak-{len(MIGRATIONS)}"]
    assert list(tmp_path.rglob("*.idx")) != []  # compressed, so it goes as a whole

    purge = reopened.purge_source("w", source, "a password", 1)

    assert purge.records == 60
    assert purge.blobs == 240
    assert files_with(tmp_path, MARKER) == []
    assert list(tmp_path.rglob("*.idx")) == []
    assert look(reopened, "w").documents.count == 40 * 4
    reopened.refresh("w")
    reopened.close()
    assert files_with(tmp_path, MARKER) == []
    with contextlib.closing(apsw.Connection(str(tmp_path / "clew.db"))) as connection:
        assert connection.pragma("integrity_check") == "ok"


def test_no_byte_of_a_purged_record_is_left_in_any_file(store: SqliteStore, tmp_path: Path) -> None:
    """Only some records of the source are purged; the others stay, with their originals, edges and postings."""
    plain = make_delta("file:a", [("s", "harmless"), ("t", "too")])
    secret, blob, document = secret_record("file:a", 7, 0)
    documents = [SearchDocument(record.id, record.layer, record.kind, "a.py", (record.name, "", "", "", "")) for record in plain.records]
    edges = (
        Edge(EdgeKind.CONTAINS, secret.id, plain.records[0].id, 1.0),
        Edge(EdgeKind.CONTAINS, plain.records[1].id, plain.records[0].id, 1.0),
    )
    delta = replace(
        plain,
        records=(*plain.records, secret),
        blobs=(*plain.blobs, blob),
        edges=edges,
        segment=pack_postings([*documents, document]),
    )
    store.apply("w", [delta])
    store.refresh("w")
    assert files_with(tmp_path, MARKER) == ["clew.db-wal"]
    assert list(tmp_path.rglob("*.idx")) != []

    purge = store.purge("w", [secret.id], "a password", 1)

    assert list(tmp_path.rglob("*.idx")) == []
    assert (purge.records, purge.blobs, purge.size) == (1, 1, len(blob.data))
    assert files_with(tmp_path, MARKER) == []
    assert files_with(tmp_path, blob.data[:64]) == []
    assert look(store, "w").edges([plain.records[0].id]) == [edges[1]]
    assert look(store, "w").documents.count == 2
    with store._reading() as connection:
        assert connection.raw.execute("SELECT count(*) FROM edges").fetchone() == (1,)


def test_no_packed_byte_of_a_purged_original_is_left(store: SqliteStore, tmp_path: Path) -> None:
    """An original that was compressed is looked for as it was stored."""
    delta = make_delta("file:a", [("s", "".join(f"line {number}: {number**3}\n" for number in range(3000)))])
    packing, packed = OriginalCompressor().pack(delta.blobs[0].data)
    assert packing is Compression.ZSTD
    store.apply("w", [delta])
    assert files_with(tmp_path, packed[1000:1040]) == ["clew.db-wal"]

    store.purge("w", [delta.records[0].id], "", 1)

    assert files_with(tmp_path, packed[1000:1040]) == []


def test_a_reader_that_holds_the_old_state_delays_the_end_of_a_purge(store: SqliteStore, tmp_path: Path) -> None:
    """The records are gone at once; the call says that bytes may remain, and a second call ends it."""
    store.busy_timeout_s = 0.2
    connection = store._write_connection
    assert connection is not None
    connection.raw.set_busy_timeout(200)
    write_secrets(store, "file:a", 0, count=3)
    reader = apsw.Connection(str(tmp_path / "clew.db"))
    reader.execute("BEGIN")
    assert next(reader.execute("SELECT count(*) FROM records"))
    with pytest.raises(PurgeUnfinished, match="another process still reads"):
        store.purge_source("w", "file:a", "", 1)
    assert look(store, "w").records_of_sources("file:a") == []
    reader.close()

    assert store.purge_source("w", "file:a", "", 1).records == 0

    assert files_with(tmp_path, MARKER) == []


def test_an_index_that_was_built_before_a_purge_is_not_written_after_it(store: SqliteStore, tmp_path: Path) -> None:
    """Another process writes its snapshot while the purge happens: it is thrown away."""
    write_secrets(store, "file:a", 0, count=3)
    with contextlib.closing(SqliteStore(tmp_path / "clew.db")) as other:
        with other._reading() as connection:
            number, generation, purges = connection.fetch_all("workspaces.by_key", "w")[0]
            space = WorkspaceCounters("w", number, generation, purges)
            _, fresh = other._indexes.write_if_due(connection, space)
        assert fresh is not None
        assert files_with(tmp_path, MARKER) != []

        store.purge_source("w", "file:a", "", 1)

        assert files_with(tmp_path, MARKER) == []
        assert not fresh.exists()
        assert not other.refresh("w").reason
        assert files_with(tmp_path, MARKER) == []


class LengthEmbedder:
    """A model of four dimensions that knows nothing but how long a text is."""

    name = "length"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[len(text), 1, len(text) % 7, -1] for text in texts], np.float32).reshape(-1, 4)


def test_postings_without_some_records_equal_those_that_never_had_them() -> None:
    """Words, names, uses, containers and vectors are those of the records that stay."""
    ids = [make_id("p", str(number)) for number in range(6)]
    documents = [
        SearchDocument(
            ids[number], "fact", "function", f"{number}.py", (f"name{number}", "path", "", f"doc {number}", "shared words " * number),
            (f"name{number}",), ((f"name{(number + 1) % 6}", NameUse.CALL, number + 1, 0),), parent=number - 1, role=Role(number % 2 == 0),
            start_line=number, lines=10 * number,
        )
        for number in range(6)
    ]  # fmt: skip
    packed = pack_postings(documents, [("other.py", 0.5)], LengthEmbedder())
    kept = [0, 2, 3, 5]
    parents = {0: -1, 2: -1, 3: 1, 5: -1}

    found = unpack_postings(drop_from_postings(packed, {ids[1], ids[4], "nobody"}))

    wanted = unpack_postings(
        pack_postings([replace(documents[number], parent=parents[number]) for number in kept], [("other.py", 0.5)], LengthEmbedder())
    )
    assert found.dims == 4
    for name in found.__slots__:
        assert np.array_equal(getattr(found, name), getattr(wanted, name)), name
    assert drop_from_postings(packed, {"nobody"}) is packed
    assert drop_from_postings(packed, set(ids)) == b""
