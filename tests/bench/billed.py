"""A Claude Code transcript with bills that can be added up by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.cost.arms import ARMS
from clew.evaluation.repricing import Repriced, reprice

BEGAN = datetime(2026, 3, 1, 10, tzinfo=UTC)
HEAD = 20_000  # tokens of the client's instructions
MODULE = "".join(f"{number:6}→def total_{number}(rows): return sum(rows[{number}:])\n" for number in range(1, 401))


class Script:
    """Writes a Claude Code transcript in which every reply is one request, billed as the provider would with `ttl` "5m" or "1h".

    Windows grow by a token for three characters.
    """

    def __init__(self, ttl: str = "5m") -> None:
        self.lines: list[bytes] = []
        self.seconds = 0
        self.ttl = ttl
        self.size = HEAD
        self.cached = 0
        self.cached_until = -1
        self.replies = self.calls = 0
        self.units = 0.0

    def record(self, kind: str, **fields: Any) -> None:
        at = (BEGAN + timedelta(seconds=self.seconds)).isoformat()
        head = {"type": kind, "uuid": f"u{len(self.lines)}", "sessionId": "s", "cwd": "/w", "isSidechain": False, "timestamp": at}
        self.lines.append(json.dumps({**head, **fields}).encode())

    def prompt(self, text: str) -> None:
        self.record("user", message={"role": "user", "content": text})
        self.size += len(text) // 3

    def reply(self, *blocks: dict[str, Any], pause_s: int = 10) -> None:
        """One request and its answer, in a record for each block, as the client writes them."""
        self.seconds += pause_s
        self.replies += 1
        read = self.cached if self.seconds <= self.cached_until else 0
        written = self.size - read
        kept = {
            "ephemeral_1h_input_tokens": written if self.ttl == "1h" else 0,
            "ephemeral_5m_input_tokens": written if self.ttl == "5m" else 0,
        }
        usage = {
            "input_tokens": 0,
            "output_tokens": 50,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "cache_creation": kept,
        }
        for block in blocks:
            message = {"role": "assistant", "id": f"m{self.replies}", "model": "claude-opus-4-6", "usage": usage, "content": [block]}
            self.record("assistant", message=message)
            self.size += len(json.dumps(block)) // 3
        self.units += read * 0.1 + written * (2.0 if self.ttl == "1h" else 1.25)
        self.cached, self.cached_until = read + written, self.seconds + (3600 if self.ttl == "1h" else 300)

    def use(self, tool: str, output: str, *, told: object = None, pause_s: int = 10, **inputs: Any) -> None:
        self.calls += 1
        self.reply({"type": "tool_use", "id": f"c{self.calls}", "name": tool, "input": inputs}, pause_s=pause_s)
        result = {"type": "tool_result", "tool_use_id": f"c{self.calls}", "content": output}
        more = {} if told is None else {"toolUseResult": told}
        self.record("user", message={"role": "user", "content": [result]}, **more)
        self.size += len(output) // 3

    def read(self, path: str, text: str = MODULE, *, pause_s: int = 10) -> None:
        lines = text.count("\n")
        told = {"type": "text", "file": {"filePath": path, "content": "", "numLines": lines, "startLine": 1, "totalLines": lines}}
        self.use("Read", text, told=told, pause_s=pause_s, file_path=path)

    def say(self, text: str = "Done.", pause_s: int = 10) -> None:
        self.reply({"type": "text", "text": text}, pause_s=pause_s)

    def compact(self, summary: str) -> None:
        self.record("system", subtype="compact_boundary", content="Conversation compacted")
        self.record("user", isCompactSummary=True, message={"role": "user", "content": summary})
        self.size, self.cached = HEAD + len(summary) // 3, 0

    def priced(self, arms: Iterable[str] = ARMS, **more: Any) -> Repriced:
        told = reprice(self.lines, arms={arm: ARMS[arm] for arm in arms}, **more)
        assert told is not None
        return told
