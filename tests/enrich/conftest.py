"""A model's server, and a session that is long enough to be compressed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import Server, served

SESSION = "22222222-3333-4444-8555-666666666666"


@pytest.fixture
def server() -> Iterator[Server]:
    with served() as running:
        yield running


def line(uuid: str, kind: str, content: object, cwd: str = "/w") -> str:
    common = {"type": kind, "uuid": uuid, "sessionId": SESSION, "cwd": cwd, "timestamp": "2026-01-01T00:00:00Z", "version": "2.1.0"}
    return json.dumps({**common, "message": {"role": kind, "content": content}})


def turn(number: int, prompt: str, command: str, output: str, said: str, cwd: str = "/w") -> list[str]:
    call = {"type": "tool_use", "id": f"t{number}", "name": "Bash", "input": {"command": command}}
    result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": output, "is_error": False}
    return [
        line(f"u{number}", "user", prompt, cwd),
        line(f"a{number}", "assistant", [call], cwd),
        line(f"r{number}", "user", [result], cwd),
        line(f"b{number}", "assistant", [{"type": "text", "text": said}], cwd),
    ]


def log(number: int, lines: int = 60) -> str:
    return "\n".join(f"2026-01-01 worker_{number} step {at}: moved ledger row {number * 1000 + at} to shard_{at % 7}" for at in range(lines))


def session_of(folder: Path, turns: int, *, extra: str = "") -> Path:
    """A transcript of so many turns, each of about 2,500 tokens; `extra` stands in the output of the second."""
    lines: list[str] = []
    for number in range(turns):
        output = log(number) + (f"\n{extra}" if extra and number == 1 else "")
        lines += turn(
            number, f"Move ledger {number} to its shard.", f"python move_rows.py --ledger {number}", output,
            f"Ledger {number} is moved; `shard_{number}` was slow because its index was cold.",
        )  # fmt: skip
    path = folder / f"{SESSION}.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path
