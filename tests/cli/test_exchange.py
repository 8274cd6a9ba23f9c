"""What is exported on one machine and imported on another answers as before, and holds nothing of what was purged."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard
from calling import SOURCE, Call

SECRET = "the halyard of the moon is plaited"


@pytest.fixture
def filled(clew: Call, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(repository)
    clew("index", repository)
    clew("remember", "the mast is stepped on the keel")
    clew("remember", SECRET)
    return repository


def handle_of(clew: Call, words: str) -> str:
    found = re.search(r"\[(\w+)\][^\n]*\n" + re.escape(words), clew("retrieve", words).text)
    assert found is not None
    return found[1]


def unfenced(text: str) -> str:
    return re.sub(r"<<\d{10} ", "<<", text)


def test_another_machine_answers_as_the_first_one(
    clew: Call, filled: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "harbour.clew"
    questions = ("where is the mast stepped?", "tie_bowline", "what is plaited?")
    before = [unfenced(clew("retrieve", question).text) for question in questions]

    assert clew("export", file).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "other"))
    added = clew("import", file, "--json").json
    again = clew("import", file, "--json").json

    assert [unfenced(clew("retrieve", question).text) for question in questions] == before
    assert added["records"] > 3
    assert (again["records"], again["sources"], again["originals"], again["differing"]) == (0, 0, 0, 0)


def test_a_repository_that_lies_elsewhere_takes_an_export(
    clew: Call, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "harbour.clew"
    clew("export", file)
    monkeypatch.setenv("CLEW_HOME", str(tmp_path / "other"))
    (tmp_path / "elsewhere").mkdir()

    assert clew("import", file, "--repo", tmp_path / "elsewhere").code == 0

    assert SECRET in clew("retrieve", "what is plaited?", "--repo", tmp_path / "elsewhere").text


def test_an_export_holds_nothing_of_what_was_purged(clew: Call, filled: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before.clew", tmp_path / "after.clew"
    clew("export", before)
    clew("purge", handle_of(clew, SECRET), "--reason", "too much said", "--yes")
    clew("export", after, "--all")

    held = [zstandard.ZstdDecompressor().decompressobj().decompress(file.read_bytes()) for file in (before, after)]
    assert [SECRET.encode() in each for each in held] == [True, False]
    assert clew("import", before).code == 0  # what was exported before the purge does not bring it back
    assert SECRET not in clew("retrieve", "what is plaited?").text


def test_a_file_that_cannot_be_imported_or_written_is_said_in_a_sentence(clew: Call, filled: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.clew").write_bytes(b"\0" * 100)
    (tmp_path / "nowhere").mkdir()
    for words in (
        ("import", tmp_path / "bad.clew"), ("import", tmp_path / "absent.clew"), ("import", tmp_path), ("import", "/dev/zero"),
        ("export", tmp_path / "bad.clew"), ("export", tmp_path / "absent" / "x.clew"),
        ("export", tmp_path / "y", "--repo", tmp_path / "nowhere"),
    ):  # fmt: skip
        done = clew(*words)
        assert (done.code, done.out, "hint: " in done.err) == (1, b"", True), words
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_killed_import_leaves_nothing_half(clew: Call, filled: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is killed in the middle of its rows, which come through a pipe; what comes then is a whole import."""
    file = tmp_path / "harbour.clew"
    clew("export", file)
    other = tmp_path / "other"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom clew.store.sqlite import SqliteStore\n"
        "from clew.store.export_file import read_export\n"
        "def slowly(rows):\n for at, row in enumerate(rows):\n  if at == 12: print('half', flush=True); time.sleep(60)\n  yield row\n"
        f"SqliteStore(Path({str(other / 'clew.db')!r})).import_rows(slowly(read_export(open({str(file)!r}, 'rb'))))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SOURCE)}, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    monkeypatch.setenv("CLEW_HOME", str(other))
    started = time.monotonic()
    assert clew("export", tmp_path / "half.clew", "--all").code == 1  # nothing is stored
    assert clew("import", file, "--json").json["kept"] == 0
    assert time.monotonic() - started < 30
