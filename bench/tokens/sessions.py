"""Command: `python -m bench.tokens.sessions --sessions DIR --work DIR`. Snippets of real sessions for an outside check.

Takes messages, tool calls and tool results from Claude Code's transcripts, a few of each session drawn by a seed, and writes
`snippets.jsonl`; `train/tokens/reference.py` counts them, `python -m bench.tokens --outside DIR` measures. Only numbers come
out: nothing of a session is fitted or committed.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PER_SESSION = 8
CHARACTERS = (80, 30_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there is no session."""
    parser = argparse.ArgumentParser(prog="python -m bench.tokens.sessions", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder with .jsonl.xz transcripts at any depth")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for snippets.jsonl")
    given = parser.parse_args(arguments)
    paths = sorted(given.sessions.glob("*/cc_*.jsonl.xz"))
    if not paths:
        print(f"error: {given.sessions}: no session\nhint: sessions are named <project>/cc_*.jsonl.xz", file=sys.stderr)
        return 2
    given.work.mkdir(parents=True, exist_ok=True)
    low, high = CHARACTERS
    with (given.work / "snippets.jsonl").open("w", encoding="utf-8") as out:
        for path in paths:
            found = [row for row in texts_of(path) if len(row[1]) >= low]
            for kind, text in random.Random(path.name).sample(found, min(PER_SESSION, len(found))):
                out.write(json.dumps({"split": "outside", "project": path.parent.name, "kind": kind, "text": text[:high]}) + "\n")
    return 0


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) of everything in one transcript that stood in the model's window."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            message: dict[str, Any] = json.loads(line).get("message") or {}
            content = message.get("content")
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
            for block in blocks:
                if block.get("type") == "text":
                    yield f"{message['role']} text", block["text"]
                elif block.get("type") == "tool_use":
                    yield "tool call", json.dumps(block["input"], ensure_ascii=False)
                elif block.get("type") == "tool_result":
                    inner = block.get("content") or ""
                    yield "tool result", inner if isinstance(inner, str) else "\n".join(part.get("text", "") for part in inner)


if __name__ == "__main__":
    sys.exit(main())
