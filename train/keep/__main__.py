"""Command: `python -m train.keep --sessions FOLDER`. Writes `clew/compaction/keep_weights.npz` and the folds for the benchmark.

The nets are fitted once to all sessions, for the release, and FOLDS times without a fifth of them: `bench.hindsight` judges a
session only by nets that never saw it. A session's fold follows from its id alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.hindsight.folds import FOLDS, FOLDS_FILE, fold_of
from clew.compaction import keep
from clew.compaction.keep import ScoringNetwork
from clew.compaction.lines import LINE_FEATURES
from clew.compaction.names import NAME_FEATURES, Floats
from train.keep.cuts import Cut, cuts_of
from train.keep.net import fit

NEGATIVES = 0.1  # share of the lines and names that nobody needed which are fitted to; each counts for ten
SEED = 20_261_126


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m train.keep", description=__doc__)
    parser.add_argument("--sessions", type=Path, required=True, help="folder of transcripts")
    given = parser.parse_args(arguments)
    cuts: list[Cut] = []
    for cut in cuts_of(given.sessions):
        cuts.append(cut)
        print(f"{len(cuts)} cuts, {cut.session} at {cut.at}", file=sys.stderr, flush=True)
    cuts.sort(key=lambda cut: (cut.session, cut.at))
    held: dict[str, np.ndarray] = {}
    for fold in range(FOLDS):
        for name, part in _fitted([cut for cut in cuts if fold_of(cut.session) != fold]).items():
            held[f"{fold}.{name}"] = part
    FOLDS_FILE.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(FOLDS_FILE, **held)
    np.savez_compressed(keep.WEIGHTS, **_fitted(cuts))
    return 0


def _fitted(cuts: Sequence[Cut]) -> dict[str, np.ndarray]:
    nets = {
        "lines": _fit([(cut.lines, cut.edited) for cut in cuts]),
        "names": _fit([(cut.names, cut.used) for cut in cuts]),
    }
    held: dict[str, np.ndarray] = {"lines.names": np.array(LINE_FEATURES), "names.names": np.array(NAME_FEATURES)}
    for what, net in nets.items():
        for part in keep.PARTS:
            held[f"{what}.{part}"] = getattr(net, part).astype(np.float32)
    return held


def _fit(parts: Sequence[tuple[Floats, Floats]]) -> ScoringNetwork:
    """Fit to all that was needed and a share of the rest; what one cut needs weighs by the root of how much it is."""
    random = np.random.default_rng(SEED)
    features: list[Floats] = []
    targets: list[Floats] = []
    weights: list[Floats] = []
    for rows, target in parts:
        kept = (target > 0) | (random.random(len(target)) < NEGATIVES)
        features.append(rows[kept].astype(np.float32))
        targets.append(target[kept])
        needed = max(float(target.sum()), 1.0)
        weights.append(np.where(target[kept] > 0, 10 / 3 / np.sqrt(needed), 1 / NEGATIVES).astype(np.float32))
    return fit(np.concatenate(features), np.concatenate(targets), np.concatenate(weights))


if __name__ == "__main__":
    sys.exit(main())
