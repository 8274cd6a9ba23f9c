"""Command: `python -m bench.conformal --data SESSIONS`. Calibrates a level on all projects but one, and judges it on that one.

Each session's rates are made with networks that were fitted without it (`bench.hindsight.folds`), and kept in the work folder: a run
that was stopped goes on. The unit of calibration is the cut. Intervals draw sessions, then cuts; the exact bound is of the means of
sessions, which are independent.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.conformal.bounds import lower_bound
from bench.hindsight.folds import fold_of, nets_without
from bench.machine import REPOSITORY, provenance, write_result
from clew.compaction.keep import compute_utility
from clew.compaction.level import compute_loss, find_threshold, rate_lines
from clew.evaluation.cases import EvaluationCase, find_case_lines, find_cases
from clew.evaluation.intervals import estimate
from clew.evaluation.keeping import find_lines, rate_needs
from clew.evaluation.needs import find_needs
from clew.text.tokens import TokenCounter, make_counter
from clew.transcript.session_files import find_sessions

RESULTS = Path(__file__).parent / "results"
WORK = REPOSITORY / "build" / "bench" / "conformal"
PACKAGES = ("msgspec", "numpy")
LEVELS = (0.8, 0.9, 0.95, 0.98)
STEPS = 64  # thresholds at which the size of a cut's lines is kept
TABLE_HEAD = (
    "| level | judged on | cuts, sessions | kept, mean of cuts [95 %] | of sessions | exact bound | size, share of the history | tokens |\n"
    "|---|---|---|---|---|---|---|---|"
)


class CutRow(msgspec.Struct):
    """One cut: rates of what was used later, and tokens of the lines at each of `thresholds`, of all rare names, of what was used."""

    project: str
    session: str
    line: int
    rates: list[float]
    thresholds: list[float]
    tokens: list[float]
    history_tokens: int
    hoard_tokens: float
    oracle_tokens: float

    def tokens_at(self, threshold: float) -> float:
        """Return the tokens of the lines that reach a threshold, of the next lower one that was kept."""
        at = int(np.searchsorted(-np.array(self.thresholds), -threshold))
        return self.tokens[min(at, len(self.tokens) - 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 for input that cannot be used."""
    given = _parser().parse_args(arguments)
    if given.data is None or not given.data.is_dir():
        print("error: --data is needed, a folder of transcripts; or CLEW_BENCH_SESSIONS", file=sys.stderr)
        return 2
    source = provenance(("python", "-m", "bench.conformal", "--every", str(given.every)), PACKAGES)
    rows = list(_measure(given.data, given.work, given.seconds, given.every))
    rows = [row for row in rows if row.rates]
    result: dict[str, Any] = {"name": source.name, **source.as_json(), "cuts": len(rows), "levels": summarise(rows)}
    print(table(result))
    if not given.dry:
        RESULTS.mkdir(exist_ok=True)
        write_result(RESULTS / f"{source.name}.json", result)
    return 0


def summarise(rows: Sequence[CutRow]) -> list[dict[str, Any]]:
    """Return for each level what is kept of each project by a threshold from the others, and at which size."""
    projects = sorted({row.project for row in rows})
    found: list[dict[str, Any]] = []
    for level in LEVELS:
        judged: list[tuple[CutRow, float]] = []
        for project in projects:
            threshold = find_threshold([row.rates for row in rows if row.project != project], level)
            here = [(row, threshold) for row in rows if row.project == project] if threshold is not None else []
            found.append({"level": level, "project": project, "threshold": threshold, **_judge(here)})
            judged += here
        found.append({"level": level, "project": "all", **_judge(judged)})
    return found


def _judge(pairs: Sequence[tuple[CutRow, float]]) -> dict[str, Any]:
    if not pairs:
        return {"cuts": 0}
    kept = [1 - compute_loss(row.rates, threshold) for row, threshold in pairs]
    sessions = sorted({row.session for row, _ in pairs})
    means = [float(np.mean([share for share, (row, _) in zip(kept, pairs, strict=True) if row.session == name])) for name in sessions]
    bootstrap = estimate(kept, [row.session for row, _ in pairs])
    tokens = [row.tokens_at(threshold) for row, threshold in pairs]
    share = [size / row.history_tokens for size, (row, _) in zip(tokens, pairs, strict=True)]
    return {
        "cuts": len(pairs), "sessions": len(sessions), "kept": float(np.mean(kept)), "kept_of_sessions": float(np.mean(means)),
        "bootstrap": [bootstrap.low, bootstrap.high], "lower_bound": lower_bound(means), "share": float(np.mean(share)),
        "share_quantiles": [float(value) for value in np.quantile(share, [0.1, 0.5, 0.9])], "tokens": float(np.median(tokens)),
        "all_lines_share": float(np.mean([row.tokens[-1] / row.history_tokens for row, _ in pairs])),
        "hoard_share": float(np.mean([row.hoard_tokens / row.history_tokens for row, _ in pairs])),
        "oracle_share": float(np.mean([row.oracle_tokens / row.history_tokens for row, _ in pairs])),
    }  # fmt: skip


def table(result: dict[str, Any]) -> str:
    """Return a result as Markdown."""
    lines = [TABLE_HEAD]
    for row in result["levels"]:
        if not row["cuts"]:
            lines.append(f"| {row['level']:.0%} | {row['project']} | no threshold from the others | | | | | |")
            continue
        (low, middle, high), of = row["share_quantiles"], row["bootstrap"]
        lines.append(
            f"| {row['level']:.0%} | {row['project']} | {row['cuts']}, {row['sessions']} | {row['kept']:.3f} [{of[0]:.3f}, {of[1]:.3f}] | "
            f"{row['kept_of_sessions']:.3f} | "
            f"{row['lower_bound']:.3f} | {row['share']:.3f} ({low:.2f}, {middle:.2f}, {high:.2f}) | {row['tokens']:,.0f} |"
        )
    whole = result["levels"][-1]
    if whole["cuts"]:
        lines.append(
            f"\nBeside it, as shares of the history: all lines, each once, {whole['all_lines_share']:.3f}; a list of all rare names "
            f"{whole['hoard_share']:.3f}; only what was used {whole['oracle_share']:.3f}."
        )
    return "\n".join(lines)


def _measure(data: Path, work: Path, seconds: float, every: int) -> Iterator[CutRow]:
    """Yield the rows of every `every`-th session, measured or known, until the time is spent."""
    ends, counter = time.monotonic() + seconds, make_counter("claude")
    work.mkdir(parents=True, exist_ok=True)
    for session in [each for each in find_sessions(data) if each.client and not each.agent][::every]:
        path = work / f"{session.path.parent.name}.{session.id}.json"
        if not path.is_file():
            if time.monotonic() >= ends:
                print("the time is spent; run again to go on", file=sys.stderr)
                return
            cuts = [_row(session.path.parent.name, case, counter) for case in find_cases(session.path, find_case_lines(session.path))]
            path.write_bytes(msgspec.json.encode(cuts))
        yield from msgspec.json.decode(path.read_bytes(), type=list[CutRow])


def _row(project: str, case: EvaluationCase, counter: TokenCounter) -> CutRow:
    nets = nets_without(fold_of(case.session))
    found = find_lines(case)
    rates = rate_needs(case, nets, found)
    by_line = rate_lines(found, compute_utility(found, nets))
    tokens = np.array(counter.count_unrounded_many([line + "\n" for line in found.stripped]))
    order = np.argsort(-by_line, kind="stable")
    total = np.cumsum(tokens[order])
    steps = np.unique(np.linspace(0, len(order) - 1, STEPS).astype(int)) if len(order) else np.empty(0, int)
    wanted = find_needs(case)
    needed = dict.fromkeys(
        [*(line for edit in wanted.edits for line in edit.lines), *(term.evidence[0] for term in wanted.terms if term.evidence)]
    )
    history = sum(counter.count_unrounded_many([piece.text for piece in case.pieces]))
    return CutRow(
        project, case.session, case.line, rates, by_line[order][steps].tolist(), total[steps].round(1).tolist(), max(1, round(history)),
        round(sum(counter.count_unrounded_many([f"{name}, " for name in found.names.texts])), 1),
        round(sum(counter.count_unrounded_many([f"{line}\n" for line in needed])), 1),
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    known = os.environ.get("CLEW_BENCH_SESSIONS")
    parser = argparse.ArgumentParser(prog="python -m bench.conformal", description="Is a level kept on projects it never saw?")
    parser.add_argument("--data", type=Path, default=Path(known) if known else None, help="folder of transcripts, at any depth")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each Nth session only [1]")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further session after so many [no limit]")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of rates that are kept")
    parser.add_argument("--dry", action="store_true", help="write no result")
    return parser


if __name__ == "__main__":
    sys.exit(main())
