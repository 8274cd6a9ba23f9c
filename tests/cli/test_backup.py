"""A backup is made while the daemon works, and restored in one step; what was purged since stays purged, in every file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import zstandard
from calling import Call

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start
from clew.store.sqlite import SqliteStore
from clew.store.sqlite.repair import find_damage
from tests.store.conformance import make_delta

SECRET = "the halyard of the moon is plaited"


@pytest.fixture
def filled(clew: Call, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    clew("index", repository)
    clew("remember", "the mast is stepped on the keel")
    return repository


def test_a_backup_brings_back_what_was_stored_and_keeps_what_came_since(clew: Call, filled: Path, home: Path, tmp_path: Path) -> None:
    file = tmp_path / "monday.db"
    assert clew("backup", file).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    clew("remember", "the anchor is weighed at dawn")
    before = file.read_bytes()

    done = clew("restore", file, "--json").json

    assert "keel" in clew("retrieve", "where is the mast stepped?").text
    assert "weighed at dawn" not in clew("retrieve", "when is the anchor weighed?").text
    (aside,) = map(Path, done["set_aside"])
    assert aside.name.startswith("clew.db.replaced-")
    assert file.read_bytes() == before
    assert clew("restore", aside).code == 0
    assert "weighed at dawn" in clew("retrieve", "when is the anchor weighed?").text
    assert [path.name for path in home.iterdir() if "restoring" in path.name] == []


def test_what_was_purged_since_the_backup_is_not_restored(clew: Call, filled: Path, home: Path, tmp_path: Path) -> None:
    handle = clew("remember", SECRET, "--json").json["handle"]
    clew("backup", tmp_path / "monday.db")
    clew("purge", handle, "--reason", "too much said", "--yes")

    done = clew("restore", tmp_path / "monday.db", "--json").json

    assert done["purged"] == 1
    assert clew("unfold", handle).code == 4
    held = [path for path in home.rglob("*") if path.is_file() and "replaced" not in path.name and SECRET.encode() in path.read_bytes()]
    assert held == []
    assert "too much said" in (home / "clew.db.purged").read_text()


def test_a_session_that_was_purged_as_a_whole_is_not_restored(tmp_path: Path) -> None:
    from clew.lifecycle.exchange import purge_again

    store = SqliteStore(tmp_path / "clew.db")
    store.open_workspace("one", "/one")
    store.apply("one", [make_delta("session:s", [("turn", SECRET)], note=SECRET)])
    rows = list(store.export_rows(["one"]))
    store.purge_source("one", "session:s", "all of it", 5)
    older = SqliteStore(tmp_path / "older.db")
    older.import_rows(rows)

    assert purge_again(older, store.list_tombstones()) == 1

    assert SECRET not in repr(list(older.export_rows(["one"])))
    assert sorted(map(repr, older.list_tombstones())) == sorted(map(repr, store.list_tombstones()))


def test_a_backup_of_a_store_that_is_written_meanwhile_is_whole(tmp_path: Path, clew: Call, home: Path) -> None:
    store = SqliteStore(home / "clew.db")
    store.open_workspace("one", "/one")
    is_done = threading.Event()

    def write() -> None:
        for number in range(400):
            store.apply("one", [make_delta(f"file:{number}", [(f"{number}:{each}", f"body {number} {each} " * 90) for each in range(4)])])
        is_done.set()

    writer = threading.Thread(target=write)
    writer.start()
    made = 0
    while not is_done.is_set() or not made:
        assert clew("backup", tmp_path / f"{made}.db").code == 0
        made += 1
    writer.join()

    for number in range(made):
        assert find_damage(tmp_path / f"{number}.db") == []
        copy = SqliteStore(tmp_path / f"{number}.db")
        assert sum(place.records for place in copy.workspaces()) % 4 == 0  # each call of `apply` is there whole, or not at all
        copy.close()


def test_a_running_daemon_is_backed_up_and_goes_on_with_what_is_restored(clew: Call, filled: Path, home: Path, tmp_path: Path) -> None:
    paths = DaemonPaths(home)
    start.ensure_daemon(paths)
    try:
        assert clew("backup", tmp_path / "monday.db").code == 0
        assert start.find_running_daemon(paths) is not None
        assert clew("restore", tmp_path / "monday.db").code == 0
        assert start.find_running_daemon(paths) is not None
    finally:
        start.stop_daemon(paths)


def test_what_cannot_be_backed_up_or_restored_is_said_and_nothing_changes(clew: Call, filled: Path, home: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.db"
    clew("backup", good)
    (tmp_path / "text.db").write_text("no database\n" * 100)
    (tmp_path / "cut.db").write_bytes(good.read_bytes()[:9000])
    flipped = bytearray(good.read_bytes())
    for at in range(5000, len(flipped), 900):
        flipped[at] ^= 0x55
    (tmp_path / "flipped.db").write_bytes(flipped)
    before = clew("retrieve", "where is the mast stepped?").text

    for words in (
        ("restore", "text.db"),
        ("restore", "cut.db"),
        ("restore", "flipped.db"),
        ("restore", "absent.db"),
        ("backup", "good.db"),
    ):
        done = clew(words[0], tmp_path / words[1])
        assert (done.code in {1, 3}, done.out, "hint: " in done.err) == (True, b"", True), words
    assert clew("backup", home / "clew.db", "--force").code == 1
    assert len(clew("retrieve", "where is the mast stepped?").text) == len(before)
    assert [path.name for path in [*home.iterdir(), *tmp_path.iterdir()] if "replaced" in path.name or path.name.startswith(".")] == []


def test_a_purge_names_the_backups_and_exports_that_hold_what_it_erased_and_erases_it_there(
    clew: Call, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that clew wrote: changed, moved and unreadable ones are named too; one of after the purge is not."""
    monkeypatch.chdir(repository)
    clew("index", repository)
    handle = clew("remember", "the halyard of the moon is plaited", "--json").json["handle"]
    clew("remember", "the keel is of oak")
    names = ("a.db", "moved.db", "broken.db", "a.clew", "gone.clew", "other.clew")
    for name in names:
        assert clew("backup" if name.endswith(".db") else "export", tmp_path / name).code == 0
    (tmp_path / "moved.db").rename(tmp_path / "elsewhere.db")
    (tmp_path / "gone.clew").unlink()
    (tmp_path / "broken.db").write_bytes((tmp_path / "broken.db").read_bytes()[:9000])
    (tmp_path / "other.clew").write_bytes(b"SQLite format 3\0 of somebody else")

    said = clew("purge", handle, "--reason", "held a secret", "--yes", "--json").json
    clew("backup", tmp_path / "after.db")

    told = {Path(each["file"]).name: (each["held"], bool(each["why"])) for each in said["copies"]}
    gone = (0, True)
    assert told == {"a.db": (1, False), "a.clew": (1, False), "moved.db": gone, "gone.clew": gone, "broken.db": gone, "other.clew": gone}
    held = [name for name in ("a.db", "a.clew") if b"halyard of the moon" in text_of(tmp_path / name)]
    assert held == ["a.db", "a.clew"]

    erased = clew("purge", "--copies", "--yes", "--json").json["copies"]
    assert {Path(each["file"]).name: each["erased"] for each in erased if not each["why"]} == {"a.db": 1, "a.clew": 1}
    for name in ("a.db", "a.clew", "after.db"):
        assert b"halyard of the moon" not in text_of(tmp_path / name)
        assert name == "after.db" or b"keel is of oak" in text_of(tmp_path / name)
    assert all(each["why"] for each in clew("purge", "--copies", "--yes", "--json").json["copies"])
    assert clew("restore", tmp_path / "a.db").code == clew("import", tmp_path / "a.clew").code == 0
    assert "keel is of oak" in clew("retrieve", "what is the keel of?").text
    assert "halyard of the moon" not in clew("retrieve", "which halyard?").text
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def text_of(path: Path) -> bytes:
    """The bytes of a backup, or the lines of an export."""
    data = path.read_bytes()
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".clew" else data


def test_purge_needs_something_to_erase_and_a_reason_for_it(clew: Call, repository: Path) -> None:
    clew("index", repository)
    assert clew("purge", "--yes", "--repo", repository).code == 2
    assert clew("purge", "zzzzzzzz", "--yes", "--repo", repository).code == 2
    assert "no backup or export" in clew("purge", "--copies", "--yes", "--repo", repository).text
