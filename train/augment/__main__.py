"""Fit the model of additions to prompts to rows that `python -m bench.prompts --save FILE` collected, and write its weights.

    python -m train.augment --rows FILE …

How it does on sessions and projects that it never saw is what `bench.prompts` prints.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from bench.prompts.rows import load
from clew.augment.evidence import FEATURES
from clew.augment.model import WEIGHTS
from clew.compaction.keep import PARTS
from train.augment.fit import fit


def main() -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, nargs="+", required=True)
    rows = load(parser.parse_args().rows)
    model = fit(
        np.array([numbers for row in rows for numbers in row.numbers], np.float32),
        np.array([path in row.needed for row in rows for path in row.paths], np.float32),
    )
    parts = {part: getattr(model.network, part) for part in PARTS}
    np.savez_compressed(WEIGHTS, names=np.array(FEATURES), threshold=np.float32(model.threshold), **parts)
    print(f"{len(rows)} prompts, {sum(len(row.paths) for row in rows)} candidates; {WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
