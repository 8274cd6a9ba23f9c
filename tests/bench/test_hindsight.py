"""The hindsight benchmark judges given cuts by given labels beside its own, and keeps no word of a session."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.hindsight import labels
from bench.hindsight.__main__ import main
from clew.evaluation.cases import find_cases
from clew.evaluation.needs import NeededEdit, Needs
from tests.evaluation.conftest import work


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One session of 30 looks before a compaction, and the labels that somebody else computed of it."""
    folder = tmp_path / "data"
    path = work(with_summary=True).save(folder / "owner__repo", "cc_one.jsonl")
    [case] = find_cases(path)
    edit = next(each.call_id for each in case.after if each.tool == "Edit")
    rows = {
        "file": "owner__repo/cc_one.jsonl",
        "cut_record_index": case.line,
        "needed_seen": [{"path": "src/ledger.py"}, {"path": "src/clock.py"}],
        "edits_after": [
            {"path": "src/ledger.py", "tool_use_id": edit, "evidence_uuid": "a record"},
            {"path": "src/new.py", "tool_use_id": "another", "evidence_uuid": None},
        ],
    }
    (tmp_path / "tasks.jsonl").write_text(json.dumps(rows) + "\n")
    return folder


def result_of(folder: Path) -> dict[str, object]:
    [path] = folder.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def test_given_labels_stand_beside_ours_and_the_agreement_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--data", str(data), "--tasks", str(tmp_path / "tasks.jsonl"), "--results", str(tmp_path / "results"), "--shares", "0.1"])

    assert code == 0
    said = capsys.readouterr().out
    assert "files 1 by both, 1 by ours alone, 1 by the given ones alone" in said
    assert "edited lines 1 by both, 0 by ours alone, 0 by the given ones alone" in said
    assert re.search(r"^\| oracle \| 100\.0", said, re.MULTILINE)
    assert "The size of the client's own summary: 1 cuts of 1 sessions" in said


def test_a_result_holds_figures_and_no_word_of_a_session(data: Path, tmp_path: Path) -> None:
    main(["--data", str(data), "--results", str(tmp_path / "results"), "--arms", "clew,recency", "--shares", "0.1"])

    result = result_of(tmp_path / "results")
    text = json.dumps(result)

    assert {"machine", "commit", "command", "summary", "rows"} <= set(result)
    assert all(word not in text for word in ("ledger", "opening_balance", "XTAX", "Settle"))


def test_a_table_is_printed_again_from_its_result(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(data), "--results", str(tmp_path / "results"), "--arms", "clew,recency", "--shares", "0.1"])
    capsys.readouterr()
    [path] = (tmp_path / "results").glob("*.json")

    main(["--table", str(path)])

    assert capsys.readouterr().out.strip() == path.with_suffix(".md").read_text(encoding="utf-8").strip()


def test_a_session_that_is_not_there_is_named_in_the_result(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "owner__repo" / "cc_one.jsonl").unlink()

    main(["--data", str(data), "--tasks", str(tmp_path / "tasks.jsonl"), "--dry"])

    assert "Not read: " in capsys.readouterr().out


def test_an_arm_that_nobody_knows_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--arms", "nonsense"]) == 2
    assert "there are clew, summary" in capsys.readouterr().err


def test_labels_that_agree_in_part_are_counted_by_who_has_them() -> None:
    ours = Needs(files=("a", "b"), edits=(NeededEdit("a", ("one line of a", "two lines of a")),))
    given = Needs(files=("b", "c"), edits=(NeededEdit("a", ("two lines of a",)),))

    counts = labels.agreement(ours, given)

    assert (counts["files both"], counts["files ours"], counts["files given"]) == (1, 1, 1)
    assert (counts["edited lines both"], counts["edited lines ours"], counts["edited lines given"]) == (1, 1, 0)
