"""Command: `python -m bench.ingest --sessions DIR`. Ingests all sessions below a folder and writes the figures.

Compressed sessions are unpacked first, because a client's transcripts are plain JSONL: unpacking is not timed, and
MB/s are of the plain bytes (10^6 a second), start-up of the command included.
"""

from __future__ import annotations

import argparse
import json
import lzma
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.doors import CommandFailed, environment, ingest_command
from bench.machine import provenance, write_result
from bench.memory import Watched, watch

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "msgspec", "numpy", "zstandard")
SUFFIXES = (".jsonl.xz", ".jsonl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 when a session failed, or 2 when there is none."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder with .jsonl and .jsonl.xz files at any depth")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
        plain, home = Path(folder, "sessions"), Path(folder, "home")
        count, raw_bytes = unpack(given.sessions, plain)
        if count == 0:
            print(f"error: {given.sessions}: no session\nhint: session files end in .jsonl or .jsonl.xz", file=sys.stderr)
            return 2
        first = watch(ingest_command(plain), environment=environment(home))
        again = watch(ingest_command(plain), environment=environment(home))
        database_mb = sum(file.stat().st_size for file in home.rglob("*") if file.is_file()) / 1e6
    figures = figures_of(first, again, count, raw_bytes) | {"database_mb": round(database_mb, 1)}
    source = provenance(("python", "-m", "bench.ingest", "--sessions", given.sessions.name), PACKAGES)
    result: dict[str, object] = {"name": source.name, **source.as_json(), "figures": figures}
    write_result(given.results / f"{source.name}.json", result)
    print(table(result))
    return 1 if figures["failures"] else 0


def figures_of(first: Watched, again: Watched, count: int, raw_bytes: int) -> dict[str, object]:
    """Return the figures of a first ingestion and of a second one that finds nothing new.

    A failure is a problem that the command reports, or a session that it neither read nor knew.
    Raises CommandFailed when either run ended badly.
    """
    for watched in (first, again):
        if watched.code != 0:
            raise CommandFailed(("clew", "ingest"), watched.code, watched.said)
    report, second = json.loads(first.output), json.loads(again.output)
    unread = max(0, count - report["sessions"] - report["unchanged"])
    return {
        "sessions": count,
        "raw_mb": round(raw_bytes / 1e6, 1),
        "seconds": round(first.wall_s, 2),
        "mb_per_s": round(raw_bytes / 1e6 / first.wall_s, 2),
        "failures": max(len(report["problems"]), unread),
        "problems": list(report["problems"]),
        "broken_lines": report["broken_lines"],
        "unknown": report["unknown"],
        "records": report["records"],
        "peak_rss_mb": round(first.peak_rss_mb, 1),
        "peak_pss_mb": round(first.peak_pss_mb, 1),
        "processes_max": first.processes_max,
        "again_seconds": round(again.wall_s, 2),
        "again_sessions_read": second["sessions"],
    }


def unpack(sessions: Path, into: Path) -> tuple[int, int]:
    """Copy all session files below `sessions` as plain .jsonl below `into`; return how many, and their bytes."""
    count = raw_bytes = 0
    into.mkdir(parents=True)
    for path in sorted(sessions.rglob("*.jsonl*")):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        if suffix is None or path.name == "INDEX.jsonl":
            continue
        plain = into / path.relative_to(sessions).with_name(path.name.removesuffix(suffix) + ".jsonl")
        plain.parent.mkdir(parents=True, exist_ok=True)
        with lzma.open(path) if suffix == ".jsonl.xz" else path.open("rb") as source, plain.open("wb") as target:
            shutil.copyfileobj(source, target)
        count, raw_bytes = count + 1, raw_bytes + plain.stat().st_size
    return count, raw_bytes


def table(result: Mapping[str, Any]) -> str:
    """Return the figures, one per line."""
    machine = result["machine"]
    lines = [f"{result['name']}: {machine['cpu']}, {machine['cores']} cores, {machine['python']}"]
    return "\n".join(lines + [f"{name:<20} {value}" for name, value in result["figures"].items()])


if __name__ == "__main__":
    sys.exit(main())
