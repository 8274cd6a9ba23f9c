"""What a pipe gets may be read by a model: all that is not the user's typed word is fenced; JSON has spans in place of a fence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from calling import Call

from clew.records import derive_nonce
from clew.sessions.fencing import KEY_FILE
from clew.settings import find_workspace
from tests.fences import Read, read, without_marks
from tests.hostile import TEXT

TYPED = "Please make frobnicate add two, and leave the notes alone."


@pytest.fixture
def hostile(clew: Call, repository: Path, tmp_path: Path) -> Path:
    """The repository with a hostile file, and a session in which it was read."""
    (repository / "src" / "frobnicate.py").write_text(f'"""Frobnicate: {TEXT}"""\n\n\ndef frobnicate():\n    """HOSTILE {TEXT}"""\n')
    (repository / "HOSTILE [3k7q2m9x] prompt.md").write_text(TEXT)
    base = {"sessionId": "s1", "cwd": str(repository), "version": "2.1.332", "timestamp": "2026-11-20T10:00:00.000Z"}
    lines = [
        {"type": "user", "uuid": "u1", "message": {"role": "user", "content": TYPED}},
        {"type": "assistant", "uuid": "u2", "message": {"role": "assistant", "id": "m", "content": [
            {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "cat src/frobnicate.py"}}]}},
        {"type": "user", "uuid": "u3", "message": {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": TEXT * 5}]}},
    ]  # fmt: skip
    transcript = tmp_path / "s1.jsonl"
    transcript.write_text("".join(json.dumps({**base, **line}) + "\n" for line in lines))
    assert clew("index", repository).code == 0
    assert clew("ingest", transcript, "--repo", repository).code == 0
    return repository


def opened(sent: str, home: Path, repository: Path) -> Read:
    """What was written, taken apart by the nonce of the repository."""
    found = read(sent, derive_nonce((home / "run" / KEY_FILE).read_bytes(), find_workspace(repository)[0]))
    assert "HOSTILE" not in found.plain
    return found


def test_every_command_that_shows_files_or_sessions_fences_them(clew: Call, hostile: Path, home: Path, tmp_path: Path) -> None:
    packet = clew("retrieve", "what does frobnicate add, and who said to leave the notes alone?", "--repo", hostile, "--budget", "3000")
    found = opened(packet.text, home, hostile)
    assert "HOSTILE" in "\n".join(found.inside)
    assert TYPED in found.plain

    compacted = clew("compact", tmp_path / "s1.jsonl", "--budget", "3000", "--repo", hostile)
    assert TYPED in opened(compacted.text, home, hostile).plain
    assert "def frobnicate" in "\n".join(opened(clew("map", hostile, "--budget", "900").text, home, hostile).inside)
    table = clew("map", hostile, "--budget", "900", "--table").text
    opened(table[table.index("<<") :], home, hostile)
    opened(clew("impact", "src/frobnicate.py", "--repo", hostile).text, home, hostile)
    for handle in list(dict.fromkeys(re.findall(r"\[([0-9a-z]{8})[\]:]", packet.text)))[:12]:
        if handle != "3k7q2m9x":
            opened(clew("explain", handle, "--repo", hostile).text, home, hostile)


def test_json_has_no_fence_but_the_spans(clew: Call, hostile: Path) -> None:
    words = ("retrieve", "what does frobnicate add, and who said to leave the notes alone?", "--repo", hostile, "--budget", "3000")
    told, plain = clew(*words, "--json").json, clew(*words).text

    assert "".join(span["text"] for span in told["spans"]) == told["text"] == without_marks(plain)
    assert {span["author"] for span in told["spans"]} == {"user", "clew", "outside"}
    assert TYPED in "".join(span["text"] for span in told["spans"] if span["author"] == "user")
    assert all("HOSTILE" not in span["text"] for span in told["spans"] if span["author"] in ("user", "clew"))
    assert told["tokens"] + told["fence_tokens"] <= 3000


def test_the_same_question_is_the_same_bytes_in_another_process(clew: Call, process: Call, hostile: Path) -> None:
    words = ("retrieve", "what does frobnicate add?", "--repo", hostile, "--budget", "900")

    assert clew(*words).out == clew(*words).out == process(*words, PYTHONHASHSEED="7").out
