"""Command: `python -m bench.tokens.usage --sessions DIR`. Do corrections by real usage make counts better?

Each project's sessions are split in half by a seed, many times. One half gives the pairs that a workspace would have kept,
the other is measured: |estimate · correction − real| / real, of each stretch and of each session's sum, without a correction,
with one taken at any rate, and with one taken as `clew.transcript.usage.fitted` decides. Only numbers come out.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clew.text.tokens import corrected, counter
from clew.transcript.follow import observe
from clew.transcript.usage import PAIRS_MAX, SESSION_PAIRS_MAX, Pairs, fitted, pairs

SPLITS = 100
SESSIONS_MIN = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 when there is no session."""
    parser = argparse.ArgumentParser(prog="python -m bench.tokens.usage", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, metavar="DIR", help="folder of <project>/cc_*.jsonl.xz")
    given = parser.parse_args(arguments)
    found = read(given.sessions)
    if not found:
        print(f"error: {given.sessions}: no session\nhint: sessions are named <project>/cc_*.jsonl.xz", file=sys.stderr)
        return 2
    for (project, family), sessions in sorted(found.items()):
        ratios = np.array([real / estimated for session in sessions for estimated, real in session])
        low, median, high = np.quantile(ratios, (0.1, 0.5, 0.9))
        scatter = np.median(np.abs(ratios - median)) / median
        print(f"{project} {family}: {len(sessions)} sessions, {len(ratios)} pairs")
        print(f"  real / estimated: median {median:.3f}, scatter {scatter:.3f}, p10 to p90 {low:.3f} to {high:.3f}")
        if len(sessions) >= SESSIONS_MIN:
            print(held_out(sessions, family))
    return 0


def read(folder: Path) -> dict[tuple[str, str], list[Pairs]]:
    """The pairs of each session that has any, by (project, family), in the order of their files' names."""
    found: dict[tuple[str, str], list[Pairs]] = {}
    for path in sorted(folder.glob("*/cc_*.jsonl.xz")):
        for family, seen in pairs(observe(path)).items():
            found.setdefault((path.parent.name, family), []).append(seen)
    return found


def held_out(sessions: Sequence[Pairs], family: str) -> str:
    """Errors in percent on the half that was not learned from, means over all splits."""
    plain = counter(family)
    errors: list[list[float]] = []
    adopted = 0
    for seed in range(SPLITS):
        drawn = random.Random(seed).sample(sessions, len(sessions))
        learned = [pair for session in drawn[: len(drawn) // 2] for pair in session[-SESSION_PAIRS_MAX:]][-PAIRS_MAX:]
        measured = drawn[len(drawn) // 2 :]
        stretches = np.array([pair for session in measured for pair in session])
        sums = np.array([np.sum(session, axis=0) for session in measured])
        factors = (1.0, corrected(plain, learned).correction, fitted(plain, learned).correction)
        adopted += factors[2] != 1.0
        errors.append([100 * float(np.median(np.abs(of[:, 0] * c / of[:, 1] - 1))) for of in (stretches, sums) for c in factors])
    mean = np.mean(errors, axis=0)
    lines = [f"  {'median error, %':<18}{'without':>9}{'always':>9}{'fitted':>9}   adopted in {adopted} of {SPLITS} splits"]
    for name, at in (("a stretch", 0), ("a session's sum", 3)):
        lines.append(f"  {name:<18}" + "".join(f"{value:9.2f}" for value in mean[at : at + 3]))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
