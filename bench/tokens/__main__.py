"""Command: `python -m bench.tokens --work DIR`. Measures the error of the shipped token weights, and their speed.

Reads `snippets.jsonl`, `counts.npz` and `counted_by.json` as `train/tokens` writes them, uses the held-out projects only, and
counts through `clew.text.tokens`, rounding included. `--state` writes the error beside the weights.
Characters / 4 stands beside the estimate as the usual guess.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.machine import SOURCE, provenance, write_result
from clew.text import tokens

RESULTS = Path(__file__).parent / "results"
STATED = SOURCE / "text" / "token_weights.json"
FITTED = tuple(family for family in tokens.TOKENIZER_FAMILIES if family != "chars4")
SIZES = ((0, 300), (300, 1_000), (1_000, 5_000), (5_000, 1_000_000))  # bytes
ROUNDS = 7

Counts = NDArray[np.int64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.tokens", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder that train/tokens worked in")
    parser.add_argument("--outside", type=Path, metavar="DIR", help="a second such folder, all of whose snippets are measured apart")
    parser.add_argument("--state", action="store_true", help="write the error beside the weights")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the result")
    given = parser.parse_args(arguments)
    snippets, counts = load(given.work)
    figures = errors(snippets, counts)
    if given.state:
        state(figures)
    if given.outside:
        figures["outside"] = errors(*load(given.outside, split=None))
    figures["speed"] = speed([snippet["text"] for snippet in snippets])
    command = ("python", "-m", "bench.tokens", "--work", given.work.name, *(("--outside", given.outside.name) if given.outside else ()))
    source = provenance(command, ("numpy",))
    counted_by: dict[str, str] = json.loads((given.work / "counted_by.json").read_text(encoding="utf-8"))
    result: dict[str, object] = {"name": source.name, **source.as_json(), "counted_by": counted_by, "figures": figures}
    write_result(given.results / f"{source.name}.json", result)
    print(table(figures))
    return 0


def load(work: Path, split: str | None = "held-out") -> tuple[list[dict[str, str]], dict[str, Counts]]:
    """Return the snippets of one split (None: of all) and their reference counts by family."""
    with (work / "snippets.jsonl").open(encoding="utf-8") as lines:
        rows: list[dict[str, str]] = [json.loads(line) for line in lines]
    used = [at for at, row in enumerate(rows) if split is None or row["split"] == split]
    counts = np.load(work / "counts.npz")
    return [rows[at] for at in used], {family: counts[family][used].astype(np.int64) for family in FITTED}


def errors(snippets: Sequence[Mapping[str, str]], counts: Mapping[str, Counts]) -> dict[str, Any]:
    """Return each family's error over all snippets, by size and by kind, with the error of characters / 4."""
    texts = [snippet["text"] for snippet in snippets]
    sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts])
    kinds = np.array([snippet["kind"] for snippet in snippets])
    groups = {f"{low}-{high} B": (sizes >= low) & (sizes < high) for low, high in SIZES}
    groups |= {kind: kinds == kind for kind in sorted(set(kinds.tolist()))}
    guess = np.array(tokens.make_counter("chars4").count_many(texts))
    figures: dict[str, Any] = {"snippets": len(texts), "bytes": int(sizes.sum())}
    for family in FITTED:
        estimate = np.array(tokens.make_counter(family).count_many(texts))
        figures[family] = {
            "all": spread(estimate, counts[family]),
            "chars4": spread(guess, counts[family]),
            "groups": {name: spread(estimate[mask], counts[family][mask]) for name, mask in groups.items() if mask.any()},
        }
    return figures


def spread(estimate: Counts, reference: Counts) -> dict[str, float]:
    """Return n, median and 90th percentile of the absolute relative error, median signed error, and error of the sum."""
    error = estimate / np.maximum(reference, 1) - 1
    return {
        "n": len(error),
        "median": round(float(np.median(abs(error))), 4),
        "p90": round(float(np.quantile(abs(error), 0.9)), 4),
        "bias": round(float(np.median(error)), 4),
        "sum": round(float(estimate.sum() / reference.sum() - 1), 4),
    }


def state(figures: Mapping[str, Any]) -> None:
    """Write the errors over all held-out snippets into the file that ships with the weights."""
    stated = json.loads(STATED.read_text(encoding="utf-8"))
    stated["error"] = {family: {name: figures[family]["all"][name] for name in ("median", "p90", "bias")} for family in FITTED}
    STATED.write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")


def speed(texts: Sequence[str]) -> dict[str, float]:
    """Return medians of ROUNDS: 200 snippets of 300 characters at once and one by one, and a large text."""
    counter = tokens.make_counter(tokens.NEWEST_FAMILY)
    short = ["".join(texts)[at * 997 :][:300] for at in range(200)]
    large = "".join(texts)[:8_000_000]
    timed: dict[str, list[float]] = {"many_200_ms": [], "single_200_ms": [], "large_mb_per_s": []}
    for _ in range(ROUNDS):
        start = time.perf_counter()
        counter.count_many(short)
        middle = time.perf_counter()
        for text in short:
            counter.count(text)
        late = time.perf_counter()
        counter.count(large)
        end = time.perf_counter()
        timed["many_200_ms"].append(1e3 * (middle - start))
        timed["single_200_ms"].append(1e3 * (late - middle))
        timed["large_mb_per_s"].append(len(large.encode()) / 1e6 / (end - late))
    return {name: round(float(np.median(values)), 3) for name, values in timed.items()}


def table(figures: Mapping[str, Any]) -> str:
    """Return the errors in percent, one line for each family, then for each kind, then the speed."""
    lines = [f"{'%':<24}" + "".join(f"{family:^26}" for family in FITTED), " " * 24 + "  median    p90   bias    " * len(FITTED)]
    parts = [("", figures)] + ([("outside ", figures["outside"])] if "outside" in figures else [])
    for prefix, part in parts:
        rows = {"all": [part[family]["all"] for family in FITTED], "characters / 4": [part[family]["chars4"] for family in FITTED]}
        rows |= {name: [part[family]["groups"][name] for family in FITTED] for name in part[FITTED[0]]["groups"]}
        for name, row in rows.items():
            cells = "".join(f"{100 * one['median']:8.1f}{100 * one['p90']:7.1f}{100 * one['bias']:7.1f}    " for one in row)
            lines.append(f"{prefix + name:<24}{cells}{row[0]['n']:>6}")
    return "\n".join([*lines, *(f"{name:<24}{value:>10}" for name, value in figures["speed"].items())])


if __name__ == "__main__":
    sys.exit(main())
