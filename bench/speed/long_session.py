"""Command: `python -m bench.speed.long_session --sessions DIR`. Measures a hand-off of sessions of 5, 20 and 50 MB and writes the figures.

The sessions are recorded ones of one project, one behind the other under fresh ids. Each is ingested, then its hand-off is made from the
file, as for a client's hook, five times: the median of the processor time, and of the time on the clock, which others at work lengthen.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import clew
from bench.machine import provenance, write_result
from clew.settings import Settings
from clew.transcript.parse import open_transcript

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "msgspec", "numpy", "zstandard")
SIZES_MB, REPEATS, BUDGET_TOKENS = (5, 20, 50), 5, 1_200
SESSION = b"11111111-2222-4333-8444-555555555555"
_UUID = re.compile(rb"\b([0-9a-f]{8})(?=-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_CALL = re.compile(rb"toolu_[A-Za-z0-9]{4}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there is no session."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.long_session", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder with sessions of Claude Code, cc_*.jsonl.xz")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    files = sorted(given.sessions.glob("cc_*.jsonl*"), key=lambda file: (-file.stat().st_size, file.name))[:16]
    if not files:
        print(f"error: {given.sessions}: no session\nhint: session files begin with cc_", file=sys.stderr)
        return 2
    figures = {f"{size} MB": measure(files, size) for size in SIZES_MB}
    source = provenance(("python", "-m", "bench.speed.long_session", "--sessions", given.sessions.name), PACKAGES)
    result: dict[str, object] = {"name": f"long-session-{source.name}", **source.as_json(), "figures": figures}
    write_result(given.results / f"long-session-{source.name}.json", result)
    for size, row in figures.items():
        print(size, *(f"{name} {value}" for name, value in row.items()), sep="  ")
    return 0


def measure(files: Sequence[Path], size_mb: int) -> Mapping[str, Any]:
    """Return the figures of a session of this size."""
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        transcript, repo, home = Path(folder, f"{SESSION.decode()}.jsonl"), Path(folder, "repo"), Path(folder, "home")
        Path(repo, ".git").mkdir(parents=True)
        with transcript.open("wb") as stream:
            for piece in pieces(files, size_mb * 1_000_000):
                stream.write(piece)
        with clew.open(settings=Settings(data_dir=home)) as engine:
            cpu = time.process_time()
            engine.ingest([transcript], repo=repo)
            ingest_s = time.process_time() - cpu
            spent: list[tuple[float, float]] = []
            for _ in range(REPEATS):
                cpu, clock = time.process_time(), time.perf_counter()
                engine.hand_off(str(transcript), budget_tokens=BUDGET_TOKENS, tokenizer="claude", path=repo)
                spent.append((time.process_time() - cpu, time.perf_counter() - clock))
        return {
            "ingest_cpu_s": round(ingest_s, 2),
            "hand_off_cpu_ms": round(1000 * statistics.median(cpu for cpu, _ in spent), 1),
            "hand_off_ms": round(1000 * statistics.median(clock for _, clock in spent), 1),
            "data_mb": round(sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) / 1e6, 1),
        }


def pieces(files: Sequence[Path], size: int) -> Iterator[bytes]:
    """Yield recorded sessions, the ids of each made anew, until there are `size` bytes."""
    total = round_number = 0
    while total < size:
        file = files[round_number % len(files)]
        with open_transcript(file) as stream:
            data = stream.read()
        key = round_number * 2_654_435_761 % 2**32
        data = _UUID.sub(lambda found, key=key: b"%08x" % (int(found[1], 16) ^ key), data)
        data = re.sub(rb'"sessionId":"[^"]*"', b'"sessionId":"%b"' % SESSION, data)
        data = _CALL.sub(lambda found, at=round_number: found[0][:6] + b"%04d" % at, data)
        yield data if data.endswith(b"\n") else data + b"\n"
        total, round_number = total + len(data), round_number + 1


if __name__ == "__main__":
    sys.exit(main())
