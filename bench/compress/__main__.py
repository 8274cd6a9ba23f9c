"""Command: `python -m bench.compress --sessions DIR`. What can be measured of compression without a model.

For each session: into how many parts it is cut, how long that takes, how much is masked. And of the judge of answers: lines
that were copied from the session must be kept; the same lines with one name in them altered by one letter should be
dropped. What counts as a name here is any word with a digit, an inner capital, or one of `_ . / -` inside: not what the
judge itself looks for. Half of the altered names are of a line's first such word, half of any. No model is asked, so nothing
is said of how good a model's texts are.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import clew
from bench.ingest.__main__ import SUFFIXES
from bench.machine import provenance, write_result
from clew.enrich.answer_check import check_answer
from clew.enrich.models import DisabledModel, ModelAnswer, ModelRequest
from clew.enrich.prompt import SYSTEM_PROMPT
from clew.settings import Settings
from clew.text.tokens import make_counter
from clew.transcript.session_files import find_session_files

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("msgspec", "numpy")
CHUNK_TOKENS = 6000
PIECE = re.compile(r"^<<[0-9a-f]{12} piece \[([0-9a-z]{8})\][^\n]*>>\n(.*?)(?=^<<[0-9a-f]{12} )", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"(?=[\w./-]{4,})[\w./-]*(?:\d|[a-z][A-Z]|\w[_./-]\w)[\w./-]*")
LINE_CHARS = (12, 300)


@dataclass(slots=True)
class Counts:
    """Of all sessions."""

    sessions: int = 0
    parts: int = 0
    tokens: int = 0
    masked: int = 0
    plan_s: float = 0.0
    plan_s_max: float = 0.0
    copied: int = 0
    copied_dropped: int = 0
    altered: int = 0
    altered_dropped: int = 0


class Copying:
    """A compressor that answers with one whole line of each piece, copied, and keeps what it was asked."""

    name, place = "copying", "this process"

    def __init__(self, draw: random.Random, counts: Counts) -> None:
        self._draw, self._counts = draw, counts

    def complete(self, request: ModelRequest) -> ModelAnswer:
        """Answer, and try the judge on altered lines of the same answer."""
        rows: list[tuple[str, str]] = []
        pieces: dict[str, str] = dict(PIECE.findall(request.text))
        for handle, text in pieces.items():
            lines = [line.strip() for line in text.splitlines() if LINE_CHARS[0] <= len(line.strip()) <= LINE_CHARS[1]]
            lines = [line for line in lines if "[" not in line]
            if lines:
                rows.append((self._draw.choice(lines), handle))
        whole = "\n".join(pieces.values())
        tokens = 1e9  # the length is not what is tried here
        for line, handle in rows:
            self._counts.copied += 1
            kept = check_answer(
                f"- {line} [{handle}]", is_cut=False, pieces=pieces, sent=request.text, tokens=tokens, counter=make_counter("claude")
            )
            self._counts.copied_dropped += not kept.lines
            changed = self._altered(line, whole)
            if changed:
                self._counts.altered += 1
                kept = check_answer(
                    f"- {changed} [{handle}]", is_cut=False, pieces=pieces, sent=request.text, tokens=tokens, counter=make_counter("claude")
                )
                self._counts.altered_dropped += kept.invented
        return ModelAnswer("\n".join(f"- {line} [{handle}]" for line, handle in rows[:8]))

    def _altered(self, line: str, whole: str) -> str:
        """The line with one letter or digit of one name changed, so that the name stands nowhere; "" where it has no name."""
        found = list(NAME.finditer(line))
        if not found:
            return ""
        name = found[0] if self._draw.random() < 0.5 else self._draw.choice(found)
        places = [at for at in range(name.start(), name.end()) if line[at].isascii() and line[at].isalnum()]
        for _ in range(8):
            at = self._draw.choice(places) if places else -1
            if at < 0:
                return ""
            alphabet = "0123456789" if line[at].isdigit() else "abcdefghijklmnopqrstuvwxyz"
            changed = line[:at] + self._draw.choice(alphabet) + line[at + 1 :]
            if changed[name.start() : name.end()] not in whole:
                return changed
        return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there is no session."""
    parser = argparse.ArgumentParser(prog="python -m bench.compress", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder with .jsonl and .jsonl.xz files at any depth")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth session only, by name")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    found = sorted(file for file in given.sessions.rglob("*") if file.name.endswith(SUFFIXES))[:: given.every]
    files = [file for file in found if find_session_files(file).client]
    if not files:
        print(f"error: {given.sessions}: no session\nhint: session files end in .jsonl or .jsonl.xz", file=sys.stderr)
        return 2
    counts = Counts()
    for file in files:
        _measure(file, counts)
    source = provenance(("python", "-m", "bench.compress", "--sessions", given.sessions.name, "--every", str(given.every)), PACKAGES)
    figures = {
        "sessions": counts.sessions,
        "parts": counts.parts,
        "tokens": counts.tokens,
        "masked": counts.masked,
        "plan_s": round(counts.plan_s, 2),
        "plan_s_max": round(counts.plan_s_max, 2),
        "copied": counts.copied,
        "copied_kept": round(1 - counts.copied_dropped / max(counts.copied, 1), 4),
        "altered": counts.altered,
        "altered_dropped": round(counts.altered_dropped / max(counts.altered, 1), 4),
    }
    write_result(given.results / f"{source.name}.json", {"name": source.name, **source.as_json(), "figures": figures})
    print("\n".join(f"{name:16} {value}" for name, value in figures.items()))
    return 0


def _measure(file: Path, counts: Counts) -> None:
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        repo = Path(folder, "repo")
        (repo / ".git").mkdir(parents=True)
        engine = clew.open(settings=Settings(Path(folder, "home"), jobs=1), is_in_memory=True)
        engine.ingest([file], repo=repo)
        session = find_session_files(file).id
        started = time.perf_counter()
        told = engine.compress(repo, [session], DisabledModel(), tokenizer="claude", chunk_tokens=CHUNK_TOKENS, dry_run=True)
        seconds = time.perf_counter() - started
        counts.sessions += 1
        counts.parts += told.parts
        counts.tokens += told.tokens_sent - told.parts * make_counter("claude").count(SYSTEM_PROMPT)
        counts.masked += told.masked
        counts.plan_s += seconds
        counts.plan_s_max = max(counts.plan_s_max, seconds)
        copying = Copying(random.Random(0), counts)
        engine.compress(repo, [session], copying, tokenizer="claude", chunk_tokens=CHUNK_TOKENS)


if __name__ == "__main__":
    sys.exit(main())
