"""A damaged database has a way out: it is set aside as it is, what its pages hold is recovered, the rest is read anew."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest
from calling import SOURCE, Call

from clew.adapters.daemon_files import DaemonPaths
from clew.adapters.http import start
from clew.samples import TIES

PAGE = 4096
NOTES = [f"note {number}: the mast number {number} is stepped on the keel" for number in range(12)]
SECRET = "the halyard of the moon is plaited"
SESSION = "5e551011-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Kept:
    """A data folder with notes, an index, a session and something that was purged, and its database's bytes before the damage."""

    database: Path
    repository: Path
    transcript: Path
    tables: dict[str, set[int]]
    purged: str
    question: str

    def damaged(self, change: Callable[[bytearray, Kept], bytes]) -> bytes:
        data = change(bytearray(self.database.read_bytes()), self)
        self.database.write_bytes(data)
        return data


def pages_of(database: Path) -> dict[str, set[int]]:
    """The pages of each table and index, by its name."""
    connection = apsw.Connection(str(database))
    found: dict[str, set[int]] = {}
    for name, number in connection.execute("SELECT name, pageno FROM dbstat"):
        found.setdefault(name, set()).add(number)
    connection.close()
    return found


@pytest.fixture
def kept(clew: Call, home: Path, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    monkeypatch.chdir(repository)
    folder = tmp_path / "user" / ".claude" / "projects" / re.sub("[^a-zA-Z0-9]", "-", str(repository))
    folder.mkdir(parents=True)
    transcript = folder / f"{SESSION}.jsonl"
    shutil.copy(TIES, transcript)
    for number in range(40):
        (repository / "src" / f"block{number}.py").write_text(f"def reeve_{number}(line):\n    return [line] * {number}\n" * 12)
    clew("index", repository)
    clew("ingest", "--repo", repository)
    for note in NOTES:
        assert clew("remember", note, "--repo", repository).code == 0
    handle = clew("remember", SECRET, "--repo", repository, "--json").json["handle"]
    assert clew("purge", handle, "--reason", "not ours", "--yes", "--repo", repository).code == 0
    prompt = next(json.loads(line) for line in transcript.read_text().splitlines() if json.loads(line).get("type") == "user")
    question = str(prompt["message"]["content"])[:200]
    found = clew("retrieve", question, "--repo", repository, "--json", "--budget", "20000").json["entries"]
    purged = next(entry for entry in found if entry["layer"] != "fact")
    assert clew("purge", purged["handle"], "--reason", "nor this", "--yes", "--repo", repository).code == 0
    database = home / "clew.db"
    return Kept(database, repository, transcript, pages_of(database), purged["handle"], question)


def notes_pages(kept: Kept) -> set[int]:
    """The pages of the table of records that hold notes."""
    data = kept.database.read_bytes()
    return {page for page in kept.tables["records"] if b"is stepped on the keel" in data[(page - 1) * PAGE : page * PAGE]}


def overwritten(names: tuple[str, ...], filling: Callable[[int], bytes], share: float = 1.0) -> Callable[[bytearray, Kept], bytes]:
    """Overwrite pages of these tables and indexes, but none that holds a note."""

    def change(data: bytearray, kept: Kept) -> bytes:
        spared = notes_pages(kept) | {1}
        pages = sorted(set().union(*(kept.tables[name] for name in names)) - spared)
        for page in random.Random(7).sample(pages, max(1, int(len(pages) * share))):
            data[(page - 1) * PAGE : page * PAGE] = filling(PAGE)
        return bytes(data)

    return change


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def head_lost(data: bytearray, kept: Kept) -> bytes:
    data[:100] = noise(100)
    return bytes(data)


def schema_lost(data: bytearray, kept: Kept) -> bytes:
    data[:PAGE] = bytes(PAGE)
    return bytes(data)


def name_lost(data: bytearray, kept: Kept) -> bytes:
    data[60:72] = noise(12)
    data[-PAGE // 2 :] = bytes(PAGE // 2)
    return bytes(data)


def cut_off(data: bytearray, kept: Kept) -> bytes:
    return bytes(data[: max(notes_pages(kept)) * PAGE + 1000])


TREES = ("records", "sources", "segments", "originals", "edges", "records_by_id", "records_by_source", "sources_by_name")
DAMAGES: dict[str, Callable[[bytearray, Kept], bytes]] = {
    "a third of the pages are zeroes": overwritten(TREES, bytes, 0.34),
    "a third of the pages are noise": overwritten(TREES, noise, 0.34),
    "the table of sources is noise": overwritten(("sources",), noise),
    "the table of workspaces is noise": overwritten(("workspaces",), noise),
    "workspaces and their index are noise": overwritten(("workspaces", "sqlite_autoindex_workspaces_1"), noise),
    "postings are zeroes": overwritten(("segments",), bytes),
    "tombstones are zeroes": overwritten(("tombstones",), bytes),
    "the header is noise": head_lost,
    "the schema is zeroes": schema_lost,
    "the header's name is noise": name_lost,
    "the file is cut off": cut_off,
}  # fmt: skip


def handles(clew: Call, kept: Kept) -> set[str]:
    """What the question finds that found what was purged, before that was purged."""
    found = clew("retrieve", kept.question, "--repo", kept.repository, "--json", "--budget", "20000").json
    return {entry["handle"] for entry in found["entries"]}


def set_aside(kept: Kept) -> list[Path]:
    return sorted(kept.database.parent.glob("clew.db.damaged-*"))


@pytest.mark.parametrize("name", DAMAGES)
def test_what_the_pages_hold_survives_and_the_rest_is_read_anew(clew: Call, kept: Kept, name: str) -> None:
    before = kept.damaged(DAMAGES[name])
    called = clew("repair", "--json")

    assert called.code == 0, called.err
    told = called.json
    assert not told["is_well"]
    [aside] = set_aside(kept)
    assert told["set_aside"] == [str(aside)]
    assert aside.read_bytes() == before
    assert "is well" in clew("repair").text
    packet = clew("retrieve", "the mast is stepped on the keel", "--repo", kept.repository, "--budget", "20000").text
    assert [note for note in NOTES if note not in packet] == []
    assert told["recovered"]["records"]["notes"] == len(NOTES)
    status = clew("status", "--repo", kept.repository, "--json").json
    assert (status["files"], status["sessions"] > 0) == (43, True)
    assert "reeve_39" in clew("retrieve", "reeve_39", "--repo", kept.repository, "--budget", "4000").text
    assert kept.purged not in handles(clew, kept)
    assert SECRET.encode() not in kept.database.read_bytes()


def test_a_database_that_is_well_is_left_alone(clew: Call, kept: Kept) -> None:
    before = kept.database.read_bytes()

    assert "is well: nothing was done" in clew("repair").text
    assert clew("repair", "--json").json["is_well"]
    assert kept.database.read_bytes() == before
    assert set_aside(kept) == []


def test_where_nothing_is_stored_nothing_is_repaired(clew: Call, home: Path) -> None:
    assert "nothing is stored yet" in clew("repair").text
    assert not home.exists()


def test_a_dry_run_says_what_could_be_recovered_and_changes_nothing(clew: Call, kept: Kept) -> None:
    before = kept.damaged(DAMAGES["a third of the pages are noise"])
    called = clew("repair", "--dry-run")

    assert f"could be recovered: records: {len(NOTES)} of notes" in called.text
    assert kept.database.read_bytes() == before
    assert {path.name for path in kept.database.parent.iterdir() if not path.name.endswith(("-wal", "-shm"))} <= {
        "clew.db", "clew.db.snapshots", "clew.db.purged",
    }  # fmt: skip


@pytest.mark.parametrize("place", ["an original", "the words of a record"])
def test_damage_that_sqlite_does_not_see_is_found_by_digest(clew: Call, kept: Kept, place: str) -> None:
    """A few bytes in the middle of a row are no damage to the tree."""

    def change(data: bytearray, kept: Kept) -> bytes:
        name, size = ("originals", 12) if place == "an original" else ("segments", 12)
        page = next(page for page in sorted(kept.tables[name]) if data[(page - 1) * PAGE] in (0, 13))
        at = page * PAGE - 400
        data[at : at + size] = bytes(byte ^ 0x55 for byte in data[at : at + size])
        return bytes(data)

    kept.damaged(change)
    told = clew("repair", "--json").json

    assert not told["is_well"]
    assert sum(told["unsound"].values()) == 1
    assert clew("repair", "--json").json["is_well"]


def test_where_what_was_purged_is_no_longer_known_nothing_is_read_anew(clew: Call, kept: Kept) -> None:
    """Neither the database nor the list beside it says any more what must not come back."""
    kept.database.with_name("clew.db.purged").unlink()
    kept.damaged(DAMAGES["tombstones are zeroes"])
    [place] = clew("repair", "--json").json["workspaces"]

    assert "something was purged from it" in place["why"]
    assert (place["files"], place["sessions"]) == (0, 0)
    assert kept.purged not in handles(clew, kept)
    assert NOTES[0] in clew("retrieve", NOTES[0], "--repo", kept.repository, "--budget", "20000").text


def test_what_was_lost_is_said(clew: Call, kept: Kept) -> None:
    """The pages of the notes themselves, and of a session whose transcript is gone."""
    before = {turn["handle"] for turn in clew("recall", NOTES[0], "--repo", kept.repository, "--json").json["turns"]}
    kept.transcript.unlink()
    lost = notes_pages(kept)

    def change(data: bytearray, kept: Kept) -> bytes:
        for page in lost:
            data[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
        return bytes(data)

    kept.damaged(change)
    called = clew("repair")

    assert re.search(r"lost for good, at least: \d+ of notes", called.text)
    assert SESSION in called.text
    assert "no transcript is left" in called.text
    [named] = re.findall(r"^  session:remembered/notes: (.*)$", called.text, re.MULTILINE)
    assert before & set(named.split(", "))


def test_what_stands_only_in_the_log_is_recovered_too(clew: Call, kept: Kept) -> None:
    """As after a crash: what was written last has not reached the file, whose pages are damaged."""
    script = (
        "import os, sys; from pathlib import Path; import clew; from clew.usecases.write import NewNote; e = clew.open();"
        "e.write(Path(sys.argv[1]), [NewNote('the last note, of the bilge pump')]); os._exit(0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    subprocess.run([sys.executable, "-c", script, str(kept.repository)], check=True, env=environment)
    log = kept.database.with_name("clew.db-wal")
    held = log.read_bytes()
    assert held
    kept.damaged(DAMAGES["the header is noise"])
    log.write_bytes(held)

    told = clew("repair", "--json").json

    assert told["log"] == ""
    assert [Path(path).name.rpartition("-")[2] for path in told["set_aside"]][1:] == ["wal", "shm"]
    assert Path(told["set_aside"][1]).read_bytes() == held
    assert "the bilge pump" in clew("retrieve", "bilge pump", "--repo", kept.repository, "--budget", "20000").text


def test_verify_names_what_is_damaged_and_repair_mends_it(clew: Call, kept: Kept) -> None:
    assert clew("verify", "--json").json["is_well"]
    connection = apsw.Connection(str(kept.database))
    connection.execute("DELETE FROM originals WHERE row = (SELECT max(row) FROM originals)")
    connection.execute("UPDATE records SET name = 'other' WHERE row = 9")
    connection.close()
    kept.database.with_name("clew.db.purged").write_text("cut o")

    said = clew("verify")
    assert said.code == 1
    assert "its content does not have its check" in said.text
    assert "its original is not stored" in said.text
    assert "to do: `clew repair`" in said.text
    clew("repair")

    assert clew("verify", "--json").json["is_well"]


def test_nothing_is_done_while_another_process_has_it_open(clew: Call, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.store.sqlite.repair._WAIT_S", 0.2)
    script = "import apsw, sys; c = apsw.Connection(sys.argv[1]); c.execute('BEGIN IMMEDIATE'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script, str(kept.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"open\n"
        before = kept.damaged(DAMAGES["tombstones are zeroes"])
        called = clew("repair")
        other.stdin.close()

    assert called.code == 3
    assert "still locked by another writer" in called.err
    assert kept.database.read_bytes() == before
    assert set_aside(kept) == []


def test_a_daemon_that_runs_is_stopped_and_started_again(process: Call, kept: Kept) -> None:
    paths = DaemonPaths(kept.database.parent)
    process("serve", "--detach")
    try:
        old = start.find_running_daemon(paths)
        kept.damaged(DAMAGES["tombstones are zeroes"])
        called = process("repair")
        now = start.find_running_daemon(paths)

        assert called.code == 0, called.err
        assert old is not None
        assert now is not None
        assert now.health is not None
        assert now.pid != old.pid
    finally:
        process("serve", "--stop")


def test_another_programs_database_is_not_repaired(clew: Call, home: Path) -> None:
    home.mkdir()
    connection = apsw.Connection(str(home / "clew.db"))
    connection.execute("CREATE TABLE photos (id INTEGER PRIMARY KEY)")
    connection.close()
    called = clew("repair")

    assert called.code == 3
    assert "another program" in called.err
    assert "clew repair" not in called.err


def test_a_purge_says_that_a_database_was_set_aside(clew: Call, kept: Kept) -> None:
    kept.damaged(DAMAGES["postings are zeroes"])
    clew("repair")
    handle = clew("remember", "of no use", "--repo", kept.repository, "--json").json["handle"]
    called = clew("purge", handle, "--reason", "of no use", "--yes", "--repo", kept.repository)

    assert called.code == 3
    assert set_aside(kept)[0].name in called.err


@pytest.mark.parametrize("words", [("status",), ("retrieve", "rope", "--budget", "100"), ("remember", "x")])
def test_whoever_meets_the_damage_is_told_of_the_way_out(clew: Call, kept: Kept, words: tuple[str, ...]) -> None:
    """Also where it shows only in the middle of a question."""
    kept.damaged(overwritten(("records_by_id", "records_by_subject", "records_by_source", "sources_by_name", "segments"), noise))
    called = clew(*words, "--repo", kept.repository)

    assert called.code == 3, called.err
    assert "`clew repair`" in called.err
    assert "backup" not in called.err
