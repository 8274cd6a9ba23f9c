"""Command: `python -m bench.speed.ingestion --sessions DIR --reference CHECKOUT`. Ingestion here as a ratio to an earlier checkout.

Both read the same plain transcripts in turn, each into an empty home, so that a busy machine hits both. A ratio is processor time there
by processor time here, of the command and all its processes: 1 is as fast, .7 takes 1.4 times as long.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.doors import environment, ingest_command
from bench.ingest.__main__ import PACKAGES
from bench.machine import REPOSITORY, provenance, write_result
from bench.memory import watch

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 1 when an ingestion failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.ingestion", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder of plain transcripts")
    parser.add_argument("--reference", type=Path, required=True, metavar="CHECKOUT", help="checkout of the earlier commit")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    spent: dict[str, list[float]] = {"then": [], "now": []}
    for number in range(ROUNDS):
        for who, checkout in [("then", given.reference), ("now", REPOSITORY)][:: 1 if number % 2 else -1]:
            seconds = _ingest(given.sessions, checkout)
            if seconds is None:
                return 1
            spent[who].append(seconds)
    ratios = [then / now for then, now in zip(spent["then"], spent["now"], strict=True)]
    source = provenance(("python", "-m", "bench.speed.ingestion", "--reference", given.reference.name), PACKAGES)
    figures = {
        "raw_mb": round(sum(file.stat().st_size for file in given.sessions.rglob("*.jsonl")) / 1e6, 1),
        "then_s": [round(each, 2) for each in spent["then"]],
        "now_s": [round(each, 2) for each in spent["now"]],
        "ratio": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
    }
    write_result(
        given.results / f"ingestion-{source.name}.json", {"name": f"ingestion-{source.name}", **source.as_json(), "figures": figures}
    )
    print(*(f"{name} {value}" for name, value in figures.items()), sep="\n")
    return 0


def _ingest(sessions: Path, checkout: Path) -> float | None:
    """Processor time of one ingestion into an empty home; None where it failed."""
    with tempfile.TemporaryDirectory(prefix="clew-bench-") as home:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        watched = watch(ingest_command(sessions), environment=environment(Path(home)) | {"PYTHONPATH": str(checkout.absolute() / "src")})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if watched.code:
        print(watched.said[-2000:], file=sys.stderr)
        return None
    return after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
