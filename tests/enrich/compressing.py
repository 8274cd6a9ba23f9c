"""A session that is long enough to be compressed, and what the tests of it call."""

from __future__ import annotations

import json
from pathlib import Path

from clew.compaction.compressed import CompressedPart, compressed_source, decode_parts
from clew.engine import Engine
from clew.enrich.compress import CompressionReport
from clew.enrich.models import Model
from clew.records import Packet, Record
from clew.settings import find_workspace
from tests.enrich.model_server import pieces_of
from tests.looking import look

SESSION = "22222222-3333-4444-8555-666666666666"


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
    return "\n".join(
        f"2026-01-01 worker_{number} step {at}: moved ledger row {number * 1000 + at} to shard_{at % 7}" for at in range(lines)
    )


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


def compress(engine: Engine, repo: Path, session: Path | str, model: Model, *, dry_run: bool = False) -> CompressionReport:
    return engine.compress(repo, [str(session)], model, tokenizer="claude", chunk_tokens=6000, dry_run=dry_run)


def texts(engine: Engine, repo: Path) -> list[Record]:
    """The records that hold what a model made of the session."""
    return look(engine.store, find_workspace(repo)[0]).records_of_sources(compressed_source(SESSION))


def parts(engine: Engine, repo: Path) -> list[CompressedPart]:
    """What the model kept and said of the session, in order."""
    return [part for record in texts(engine, repo) for part in decode_parts(engine.unfold(repo, record.id).data)]


def said(engine: Engine, repo: Path) -> list[str]:
    """The model's sentences."""
    return [part.said for part in parts(engine, repo) if part.said]


def compact(engine: Engine, repo: Path, budget_tokens: int, at: str | None = None) -> Packet:
    return engine.compact(SESSION, at=at, budget_tokens=budget_tokens, tokenizer="claude", path=repo)


def merged(text: str) -> str:
    """One sentence for each turn, which is about all its lines."""
    turns: list[list[tuple[int, str]]] = []
    for kind, lines in pieces_of(text):
        if kind == "prompt" or not turns:
            turns.append([])
        turns[-1] += lines
    return "\n".join(f"drop L{lines[0][0]}-L{lines[-1][0]}: {lines[-1][1].strip()}" for lines in turns)
