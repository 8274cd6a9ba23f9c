"""The cost benchmark prices a session as one would by hand, and keeps no word of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cost.__main__ import main
from tests.bench.billed import Script

RUN = (
    "".join(f"tests/test_ledger.py::test_entry_{number:03} PASSED [ {number // 10}%]\n" for number in range(900))
    + "==== 900 passed in 3.10s ====\n"
)
LATER = 4  # requests after the one that first held the output


def result_of(folder: Path) -> dict[str, object]:
    [path] = folder.glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture
def script() -> Script:
    """A long test run, read by five requests."""
    script = Script()
    script.prompt("Settle the ledger.")
    script.use("Bash", RUN, command="pytest -v")
    for _ in range(LATER + 1):
        script.say()
    return script


def test_a_session_is_priced_as_by_hand(script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "owner__repo").mkdir()
    (tmp_path / "owner__repo" / "cc_one.jsonl").write_bytes(b"\n".join(script.lines))

    assert main(["--sessions", str(tmp_path), "--results", str(tmp_path / "results")]) == 0

    result = result_of(tmp_path / "results")
    [row] = result["rows"]
    append = row["arms"]["append"]
    assert row["billed_units"] == row["nothing_units"] == round(script.units + 5 * 50 * script.replies)
    assert append["shrunk_tokens"] > 0.8 * len(RUN) // 3
    assert row["nothing_units"] - append["units"] == pytest.approx(append["shrunk_tokens"] * (1.25 + LATER * 0.1), abs=1)
    assert (row["repository"], row["calls"], append["unfolds"]) == ("owner__repo", 1, 0)
    assert result["figures"]["all"]["arms"]["append"]["dearer"] == 0
    assert "test_entry" not in json.dumps(result)
    assert "all: 1 sessions" in capsys.readouterr().out


def test_a_folder_without_bills_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "one.jsonl").write_text("{}\n")

    assert main(["--sessions", str(tmp_path), "--results", str(tmp_path / "results")]) == 2
    assert "no session with bills" in capsys.readouterr().err
