"""Year: recorded sessions ten times over, each copy with dates of its own and other words, as one year's use of one repository.

A copy's long words get letters of its own, so that no text of one copy is a text of another: nothing is saved because copies are alike.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

COPIES, STEP_DAYS = 10, 36.5
BEGIN = datetime(2025, 1, 6, 9, tzinfo=UTC)
_LONG_WORD = re.compile(r"\b([a-z]{6,})\b")
_NAMESPACE = UUID(int=7)


def list_sessions(data: Path, count: int, bytes_max: int) -> list[Path]:
    """Return `count` recorded sessions of Claude Code, of at most `bytes_max` compressed bytes each: always the same ones."""
    folders = sorted(path for path in (data / "sessions").iterdir() if path.is_dir())
    found = [sorted(path for path in folder.glob("cc_*.jsonl.xz") if 20_000 < path.stat().st_size <= bytes_max) for folder in folders]
    ordered = [one for rank in range(max(map(len, found), default=0)) for each in found for one in each[rank : rank + 1]]
    return ordered[:count]


def write_copy(source: Path, folder: Path, copy: int, at: int) -> Path:
    """Write copy number `copy` of a session, which begins `at` days after the copies of its round begin, and return its file."""
    with lzma.open(source, "rt", encoding="utf-8") as packed:
        lines = [json.loads(line) for line in packed]
    times = [_time(line["timestamp"]) for line in lines if isinstance(line, dict) and isinstance(line.get("timestamp"), str)]
    shift = BEGIN + timedelta(days=copy * STEP_DAYS + at) - min(times)
    session = str(uuid5(_NAMESPACE, f"{source.name} {copy}"))
    target = folder / f"{session}.jsonl"
    with target.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(_changed(line, "", copy, shift, session)) + "\n" for line in lines)
    return target


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _changed(value: Any, key: str, copy: int, shift: timedelta, session: str) -> Any:
    if isinstance(value, dict):
        return {name: _changed(each, name, copy, shift, session) for name, each in value.items()}
    if isinstance(value, list):
        return [_changed(each, key, copy, shift, session) for each in value]
    if not isinstance(value, str) or not value:
        return value
    if key == "timestamp":
        return (_time(value) + shift).isoformat()
    if key == "sessionId":
        return session
    if key in ("uuid", "parentUuid", "leafUuid", "messageId"):
        return str(uuid5(_NAMESPACE, f"{value} {copy}"))
    mark = "abcdefghij"[copy] * 2
    return _LONG_WORD.sub(rf"\1{mark}", value) if " " in value and len(value) > 60 else value


def make_questions(texts: Sequence[str], words_max: int = 8) -> list[str]:
    """Return a question for each text: its words that fewest of the others have."""
    words = [set(re.findall(r"[A-Za-z_]{4,24}", text)) for text in texts]
    among: dict[str, int] = {}
    for each in words:
        for word in each:
            among[word] = among.get(word, 0) + 1
    return [" ".join(sorted(each, key=lambda word: (among[word], word))[:words_max]) for each in words]
