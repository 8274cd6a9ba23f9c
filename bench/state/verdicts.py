"""Verdicts: clew's judgement of each labelled run of a check, against the reader's."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from pathlib import Path

from bench.state.marks import HERE
from clew.records import ObservationKind
from clew.task.commands import analyse_command
from clew.task.outcomes import judge_check
from clew.transcript.parse import TranscriptReader, open_transcript
from clew.transcript.session_files import build_origin, find_session_files


def judged(data: Path) -> list[tuple[str, str, str]]:
    """Return (project, label, clew's verdict) of each labelled run whose session is under `data`."""
    wanted: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for line in (HERE / "verdicts.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        wanted[row["project"], row["file"]][row["line"]] = row["verdict"]
    found: list[tuple[str, str, str]] = []
    for (project, file), labels in sorted(wanted.items()):
        path = data / project / file
        if path.is_file():
            found += [(project, labels[line], value) for line, value in _verdicts(path) if line in labels]
    return found


def _verdicts(path: Path) -> list[tuple[int, str]]:
    with open_transcript(path) as stream:
        lines = stream.readlines()
    found: list[tuple[int, str]] = []
    for each in TranscriptReader(lines, origin=build_origin(find_session_files(path))).read_observations():
        if each.kind is ObservationKind.RESULT and each.call and each.call.result and each.call.command:
            command = analyse_command(each.call.command)
            if command.checks:
                found.append((each.record_index, judge_check(command, each.call.result).value))
    return found


def figures(rows: list[tuple[str, str, str]]) -> dict[str, float | int]:
    """Return counts and shares: false passes among all, and right decisions where evidence stands.

    false_passed_upper is the upper 95 % bound (Clopper-Pearson) of the share of runs that are called passed and did not pass.
    """
    false = sum(value == "passed" != label for _, label, value in rows)
    decidable = [(label, value) for _, label, value in rows if label != "not seen"]
    right = sum(label == value for label, value in decidable)
    return {
        "checks": len(rows),
        "false_passed": false,
        "false_failed": sum(value == "failed" != label for _, label, value in rows),
        "false_passed_upper": round(upper_bound(false, len(rows)), 4),
        "decidable": len(decidable),
        "decided_rightly": round(right / len(decidable), 4) if decidable else 0.0,
    }


def upper_bound(hits: int, of: int, confidence: float = 0.95) -> float:
    """Return the one-sided upper bound of a share of which `hits` of `of` were seen (Clopper, Pearson 1934)."""
    low, high = hits / of if of else 1.0, 1.0
    while high - low > 1e-6:
        share = (low + high) / 2
        below = sum(math.comb(of, n) * share**n * (1 - share) ** (of - n) for n in range(hits + 1))
        low, high = (share, high) if below > 1 - confidence else (low, share)
    return high


def confusion(rows: list[tuple[str, str, str]]) -> dict[str, int]:
    """Return how often each label met each verdict."""
    return dict(sorted(Counter(f"{label} -> {value}" for _, label, value in rows).items()))
