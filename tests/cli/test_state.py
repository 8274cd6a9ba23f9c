"""`clew state`: every claim names the record that it rests on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Call
from tests.transcript.conftest import ClaudeScript

FOLDER = "/home/ada/shop"


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    claude = ClaudeScript()
    claude.prompt("Fix the tax of the cart. Never touch the migrations.")
    call = claude.call("Edit", file_path=f"{FOLDER}/cart.py", old_string="a", new_string="b")
    claude.answer(call, "The file has been updated.", told={"filePath": f"{FOLDER}/cart.py", "structuredPatch": []})
    claude.answer(claude.call("Bash", command="pytest -q 2>&1 | tail -3"), "1 failed, 3 passed in 0.1s", told={"stdout": "", "stderr": ""})
    claude.tell("One test still fails.")
    path = tmp_path / "5f0c1d2e-0000-4000-8000-000000000000.jsonl"
    path.write_bytes(claude.bytes())
    return path


def state(clew: Call, transcript: Path, repository: Path, *more: str) -> dict[str, Any]:
    called = clew("state", transcript, "--repo", repository, "--json", *more)
    assert called.code == 0
    return called.json


def test_each_claim_names_a_line_that_holds_it(clew: Call, transcript: Path, repository: Path) -> None:
    found = state(clew, transcript, repository)
    lines = [json.loads(line) for line in transcript.read_text().splitlines()]

    assert found["schema_version"] == 1
    assert found["request"]["text"] == "Fix the tax of the cart. Never touch the migrations."
    assert found["request"]["trust"] == "user"
    [check] = found["checks"]
    assert (check["verdict"], check["evidence"], check["is_stale"]) == ("failed", "1 failed, 3 passed in 0.1s", False)
    [file] = found["files"]
    assert (file["path"].rpartition("/")[2], file["state"]) == ("cart.py", "edited")
    claims = [found["request"], *found["constraints"], *found["checks"], *found["files"], *found["errors"], *found["said"]]
    assert [lines[claim["line"]]["uuid"] for claim in claims] == [claim["uuid"] for claim in claims]


def test_the_state_before_a_record_is_that_of_the_shorter_transcript(
    clew: Call, transcript: Path, repository: Path, tmp_path: Path
) -> None:
    lines = transcript.read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines) + 1):
        short = tmp_path / str(count) / transcript.name
        short.parent.mkdir()
        short.write_bytes(b"".join(lines[:count]))

        assert state(clew, transcript, repository, "--at", str(count)) == state(clew, short, repository)


def test_an_ingested_session_has_handles_that_explain_takes(clew: Call, transcript: Path, repository: Path) -> None:
    clew("ingest", transcript, "--repo", repository)

    request = clew("state", "5f0c1d2e", "--repo", repository, "--json").json["request"]

    assert request["text"] in clew("unfold", request["handle"], "--repo", repository).text
    assert clew("explain", request["handle"], "--repo", repository).code == 0


def test_without_a_session_the_latest_here_is_meant_and_none_is_a_usage_error(clew: Call, repository: Path) -> None:
    called = clew("state", "--repo", repository)
    assert called.code == 2
    assert "no session was named" in called.err


def test_an_unknown_record_says_so(clew: Call, transcript: Path, repository: Path) -> None:
    assert clew("state", transcript, "--at", "no-such-record", "--repo", repository).code in (2, 4)
