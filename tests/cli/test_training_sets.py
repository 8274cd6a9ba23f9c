"""A purge reaches what was written to fit models: the rows of the purged session leave every registered set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Call

from clew.lifecycle.training_sets import TrainingSet, register
from clew.samples import TIES

SESSION = "c1e3a57e-0d5f-4b6a-9a2e-7f4d2b8c6e10"
QUESTION = "How is a bowline tied, and why are ties never broken by document number?"
ROWS = [{"session": SESSION, "text": "Hoist the sail"}, {"session": "another", "text": "Lower it"}, {"session": SESSION, "text": "Reef"}]


@pytest.fixture
def filled(clew: Call, repository: Path) -> Path:
    """The repository, with the sample session ingested."""
    assert clew("index", repository).code == 0
    assert clew("ingest", TIES, "--repo", repository).code == 0
    return repository


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A registered set with an array of rows and with rows by line."""
    made = tmp_path / "set"
    made.mkdir()
    register(home, made, TrainingSet(("rows.json", "rows.jsonl", "not-there.jsonl")))
    (made / "rows.json").write_text(json.dumps(ROWS), "utf-8")
    (made / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return made


def test_a_purged_session_leaves_every_training_set(clew: Call, filled: Path, folder: Path) -> None:
    purged = clew("purge", "--session", SESSION, "--reason", "not mine", "--yes", "--repo", filled, "--json")

    assert purged.json["training_rows"] == 4
    assert [row["text"] for row in json.loads((folder / "rows.json").read_text("utf-8"))] == ["Lower it"]
    assert [json.loads(line)["text"] for line in (folder / "rows.jsonl").read_text("utf-8").splitlines()] == ["Lower it"]
    assert json.loads((folder / "set.json").read_text("utf-8"))["dropped"] == 4


def test_a_purged_record_takes_all_rows_of_its_session(clew: Call, filled: Path, folder: Path) -> None:
    entries = clew("retrieve", QUESTION, "--repo", filled, "--json").json["entries"]
    own = next(entry["handle"] for entry in entries if entry.get("session") == SESSION)
    said = clew("purge", own, "--reason", "a secret", "--yes", "--repo", filled)

    assert "and 4 rows of training sets" in said.text
    assert "Hoist" not in (folder / "rows.jsonl").read_text("utf-8")


def test_a_set_that_was_moved_away_hinders_nothing_and_one_that_cannot_be_read_is_named(clew: Call, filled: Path, folder: Path) -> None:
    (folder / "rows.jsonl").write_text("no rows\n", "utf-8")
    refused = clew("purge", "--session", SESSION, "--reason", "not mine", "--yes", "--repo", filled)
    assert refused.code == 1
    assert "rows.jsonl" in refused.err

    folder.rename(folder.with_name("gone"))
    assert clew("purge", "--session", SESSION, "--reason", "not mine", "--yes", "--repo", filled).code == 4  # it was erased before
