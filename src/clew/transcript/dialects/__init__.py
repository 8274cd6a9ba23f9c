"""Which client wrote this transcript? One module per dialect, all behind the two protocols below."""

from __future__ import annotations

from clew.transcript.dialects.claude_code import ClaudeCode
from clew.transcript.dialects.codex import Codex
from clew.transcript.dialects.dialect import Dialect, LineParser

DIALECTS: tuple[Dialect, ...] = (ClaudeCode(), Codex())

__all__ = ["DIALECTS", "Dialect", "LineParser"]
