"""Small transcripts, written by hand: one builder per client."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SESSION = "11111111-2222-4333-8444-555555555555"
FOLDER = "/home/dev/shop"


class ClaudeScript:
    """Writes a Claude Code transcript record by record."""

    def __init__(self, session: str = SESSION) -> None:
        self.session = session
        self.records: list[bytes] = []
        self.calls = 0

    def add(self, kind: str, **fields: Any) -> str:
        number = len(self.records)
        uuid = fields.pop("uuid", f"00000000-0000-4000-8000-{number:012d}")
        record: dict[str, Any] = {
            "parentUuid": None, "isSidechain": False, "cwd": FOLDER, "sessionId": self.session, "version": "2.1.100", "gitBranch": "main",
            "type": kind, "uuid": uuid, "timestamp": f"2026-03-01T10:{number // 60 % 60:02d}:{number % 60:02d}.250Z",
        }  # fmt: skip
        record.update(fields)
        self.raw(record)
        return str(uuid)

    def raw(self, record: object) -> None:
        self.records.append(record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode())

    def prompt(self, text: object, **fields: Any) -> str:
        return self.add("user", message={"role": "user", "content": text}, **fields)

    def say(self, *blocks: dict[str, Any], message_id: str = "", usage: dict[str, int] | None = None, **fields: Any) -> str:
        message: dict[str, Any] = {"role": "assistant", "model": "claude-opus-4-6", "content": list(blocks)}
        if message_id:
            message["id"] = message_id
        if usage:
            message["usage"] = usage
        return self.add("assistant", message=message, **fields)

    def tell(self, text: str, **fields: Any) -> str:
        return self.say({"type": "text", "text": text}, **fields)

    def call(self, tool: str, **inputs: Any) -> str:
        self.calls += 1
        call_id = f"toolu_{self.calls:04d}"
        self.say({"type": "tool_use", "id": call_id, "name": tool, "input": inputs})
        return call_id

    def answer(self, call_id: str, content: object, *, is_error: bool | None = None, told: object = None, **fields: Any) -> str:
        block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id, "content": content}
        if is_error is not None:
            block["is_error"] = is_error
        if told is not None:
            fields["toolUseResult"] = told
        return self.add("user", message={"role": "user", "content": [block]}, **fields)

    def refuse(self, call_id: str, words: str = "") -> str:
        """The user does not allow a call, and says why."""
        text = "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the new_string "
        text += f"was NOT written to the file). To tell you how to proceed, the user said:\n{words}" if words else "was NOT written)."
        return self.answer(call_id, text, is_error=True, told="User rejected tool use")

    def read(self, path: str, lines: list[str], start: int = 1, total: int | None = None, behind: str = "") -> str:
        """A Read of `lines`, which stand in the file from line `start` on; `behind` them the client's own words."""
        text = "\n".join(f"{number:6}→{line}" for number, line in enumerate(lines, start)) + behind
        told = {
            "type": "text",
            "file": {
                "filePath": path, "content": "\n".join(lines), "numLines": len(lines), "startLine": start,
                "totalLines": total if total is not None else start + len(lines) - 1,
            },
        }  # fmt: skip
        return self.answer(self.call("Read", file_path=path), text, told=told)

    def run(self, command: str, output: str, exit_code: int = 0, **fields: Any) -> str:
        call_id = self.call("Bash", command=command)
        if exit_code:
            told = f"Error: Exit code {exit_code}\n{output}"
            return self.answer(call_id, f"Exit code {exit_code}\n{output}", is_error=True, told=told, **fields)
        about = {"stdout": output, "stderr": "", "interrupted": False, "isImage": False}
        return self.answer(call_id, output, is_error=False, told=about, **fields)

    def edit(self, path: str, old: str, new: str, at: int) -> str:
        """An Edit that replaces the lines of `old`, which begin at line `at`, with those of `new`."""
        removed, added = old.split("\n"), new.split("\n")
        marks = [" before", *(f"-{line}" for line in removed), *(f"+{line}" for line in added), " after"]
        hunk = {"oldStart": at - 1, "oldLines": len(removed) + 2, "newStart": at - 1, "newLines": len(added) + 2, "lines": marks}
        told = {"filePath": path, "oldString": old, "newString": new, "originalFile": "…" * 50, "structuredPatch": [hunk]}
        call_id = self.call("Edit", file_path=path, old_string=old, new_string=new)
        return self.answer(call_id, f"The file {path} has been updated.", told=told)

    def bytes(self) -> bytes:
        return b"".join(record + b"\n" for record in self.records)

    def save(self, folder: Path, name: str = "") -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (name or f"{self.session}.jsonl")
        path.write_bytes(self.bytes())
        return path


class CodexScript:
    """Writes a Codex rollout line by line, in envelopes or, as older releases did, bare."""

    def __init__(self, *, is_bare: bool = False) -> None:
        self.is_bare = is_bare
        self.records: list[bytes] = []
        self.calls = 0
        head = {"id": SESSION, "timestamp": "2026-03-01T10:00:00.000Z", "cwd": FOLDER, "cli_version": "0.118.0", "git": {"branch": "main"}}
        if is_bare:
            self.raw({**head, "instructions": "Be brief."})
        else:
            self.line("session_meta", head)

    def raw(self, record: object) -> None:
        self.records.append(json.dumps(record).encode())

    def line(self, kind: str, payload: dict[str, Any]) -> None:
        self.raw({"timestamp": f"2026-03-01T10:00:{len(self.records) % 60:02d}.000Z", "type": kind, "payload": payload})

    def item(self, **payload: Any) -> None:
        if self.is_bare:
            self.raw(payload)
        else:
            self.line("response_item", payload)

    def event(self, **payload: Any) -> None:
        self.line("event_msg", payload)

    def said(self, role: str, text: str) -> None:
        self.item(type="message", role=role, content=[{"type": "output_text" if role == "assistant" else "input_text", "text": text}])

    def call(self, name: str, **arguments: Any) -> str:
        self.calls += 1
        call_id = f"call_{self.calls}"
        self.item(type="function_call", name=name, arguments=json.dumps(arguments), call_id=call_id)
        return call_id

    def output(self, call_id: str, output: object, kind: str = "function_call_output") -> None:
        self.item(type=kind, call_id=call_id, output=output)

    def bytes(self) -> bytes:
        return b"".join(record + b"\n" for record in self.records)

    def save(self, folder: Path, name: str = f"rollout-2026-03-01T10-00-00-{SESSION}.jsonl") -> Path:
        path = folder / name
        path.write_bytes(self.bytes())
        return path


@pytest.fixture
def claude() -> ClaudeScript:
    return ClaudeScript()


@pytest.fixture(scope="session")
def another_claude() -> type[ClaudeScript]:
    """For tests that write many transcripts."""
    return ClaudeScript


@pytest.fixture
def codex() -> CodexScript:
    return CodexScript()


@pytest.fixture
def old_codex() -> CodexScript:
    return CodexScript(is_bare=True)


@pytest.fixture(scope="session")
def busy_session() -> bytes:
    """A session with a bit of everything, to be cut anywhere."""
    script = ClaudeScript()
    script.raw({"type": "summary", "summary": "Prices", "leafUuid": "x"})
    script.prompt("Fix the rounding in prices.py. Never use floats for money.")
    script.say({"type": "thinking", "thinking": "Let me look at it first."}, message_id="m1", usage={"output_tokens": 5})
    script.read(f"{FOLDER}/prices.py", ["def price(x):", "    return round(x, 2)", "", "RATE = 1.19"])
    one, two = script.call("Bash", command="pytest -q"), script.call("Grep", pattern="round", path=FOLDER)
    script.answer(two, "prices.py:2:    return round(x, 2)", told={"mode": "content", "numFiles": 1})
    script.answer(one, "Exit code 1\nE   assert 1.2 == 1.19\n1 failed in 0.10s", is_error=True, told="Error: Exit code 1")
    script.raw(b'{"type":"user","message":{"ro')
    script.raw({"type": "from-the-future", "sessionId": SESSION})
    script.edit(f"{FOLDER}/prices.py", "    return round(x, 2)", "    return Decimal(x)", 2)
    script.run("pytest -q", "1 passed in 0.10s")
    script.read(f"{FOLDER}/prices.py", ["def price(x):", "    return Decimal(x)", "", "RATE = 1.19"])
    script.raw(b"")
    script.tell("I'll keep `Decimal` rather than integers of cents because the API hands out decimals. Ünïcödé 🚀 too.")
    script.add(
        "system", subtype="compact_boundary", content="Conversation compacted", compactMetadata={"trigger": "auto", "preTokens": 168483}
    )
    script.prompt("This session is being continued…", isCompactSummary=True)
    script.call("Bash", command="sleep 1000")
    script.prompt("thanks")
    return script.bytes()
