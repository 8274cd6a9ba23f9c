"""Fit: weights whose sum over a text is its token count, for each family.

Reads `snippets.jsonl` and `counts.npz`; writes `token_weights.bin` and `token_weights.json` beside `clew.text.tokens`.
Non-negative least squares on the relative error, in three steps, each drawn towards the one before where the text says
little: 8 x 8 coarse groups, 64 x 64 classes, 64 x 64 classes in 4 contexts. Only the training split is read.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np
import scipy.optimize
import scipy.sparse
from classes import CLASSES, CONTEXTS, WEIGHTS, class_of, coarse_of, context_of, positions
from numpy.typing import NDArray

TARGET = Path(__file__).parents[2] / "src" / "clew" / "text"
FAMILIES = ("claude-4.7", "claude-3", "o200k")
STEP = 1 / 512  # weights are stored in this unit: sums of them are exact, and rounding costs below .1 % of a count
WEIGHT_MAX = 6.0  # tokens a byte; nothing fitted comes near
SMALL = 8.0  # tokens added to the divisor, so that a snippet of ten tokens does not weigh as if it were exact
RIDGE = 1e-6  # best or as good as its tenfold and its tenth on the held-out projects, in all three families
ROUNDS = 150

Weights = NDArray[np.float64]


def main() -> None:
    """Fit every family and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder that holds snippets.jsonl and counts.npz")
    options = parser.parse_args()
    with (options.work / "snippets.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    used = np.array([row["split"] == "train" for row in rows])
    uses = usage([row["text"] for row, one in zip(rows, used, strict=True) if one])
    counts = np.load(options.work / "counts.npz")
    fitted = {family: fit(uses, counts[family][used].astype(np.float64)) for family in FAMILIES}
    stored = np.stack([np.round(fitted[family] / STEP) for family in FAMILIES]).astype("<u2")
    tables = class_of().tobytes() + context_of().tobytes() + stored.tobytes()
    (TARGET / "token_weights.bin").write_bytes(zlib.compress(tables, 9))
    about = {
        "families": list(FAMILIES),
        "per_token": int(1 / STEP),
        "made_with": {name: metadata.version(name) for name in ("numpy", "scipy")},
        "snippets": int(used.sum()),
        "tokens": {family: int(counts[family][used].sum()) for family in FAMILIES},
    }
    path = TARGET / "token_weights.json"
    stated = json.loads(path.read_text(encoding="utf-8")).get("error", {}) if path.exists() else {}
    path.write_text(json.dumps({**about, "error": stated}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{int(used.sum())} snippets; now state the error: python -m bench.tokens --state\n")


def usage(texts: list[str]) -> scipy.sparse.csr_matrix:
    """(snippets, WEIGHTS): how often each snippet uses each weight."""
    columns: list[NDArray[np.int64]] = []
    values: list[Weights] = []
    ends = [0]
    for text in texts:
        column, value = np.unique(positions(text.encode()), return_counts=True)
        columns.append(column)
        values.append(value.astype(np.float64))
        ends.append(ends[-1] + len(column))
    return scipy.sparse.csr_matrix((np.concatenate(values), np.concatenate(columns), np.array(ends)), shape=(len(texts), WEIGHTS))


def fit(uses: scipy.sparse.csr_matrix, tokens: Weights) -> Weights:
    """(WEIGHTS,) non-negative weights of one family, from coarse to fine."""
    kind, _, before = np.unravel_index(np.arange(WEIGHTS), (CLASSES, CONTEXTS, CLASSES))
    group = np.zeros(CLASSES, np.int64)
    group[class_of()] = coarse_of()
    prior = np.full(WEIGHTS, tokens.sum() / uses.sum())
    for shared, ridge in ((group[kind] * 8 + group[before], 0.0), (kind * CLASSES + before, RIDGE), (np.arange(WEIGHTS), RIDGE)):
        pool = scipy.sparse.csr_matrix((np.ones(WEIGHTS), (np.arange(WEIGHTS), shared)))
        start = np.zeros(pool.shape[1])
        start[shared] = prior  # the pools nest, so all that share a place say the same
        prior = solve(uses @ pool, tokens, start, ridge)[shared]
    # Weights that no valid text uses keep the value of their group; after a newline only context 0 exists.
    table = prior.reshape(CLASSES, CONTEXTS, CLASSES)
    table[:, :, 0] = table[:, :1, 0]
    return table.ravel()


def solve(uses: scipy.sparse.csr_matrix, tokens: Weights, start: Weights, ridge: float) -> Weights:
    """Minimise the mean squared relative error plus `ridge` times the squared distance from `start`, weights >= 0."""
    scale = 1 / (tokens + SMALL)
    rows = scipy.sparse.diags(scale) @ uses
    columns, wanted = rows.T.tocsr(), tokens * scale

    def loss(weights: Weights) -> tuple[float, Weights]:
        miss, away = rows @ weights - wanted, weights - start
        value = miss @ miss / len(tokens) + ridge * (away @ away)
        return float(value), 2 * (columns @ miss) / len(tokens) + 2 * ridge * away

    done = scipy.optimize.minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, WEIGHT_MAX)] * len(start), options={"maxiter": ROUNDS, "maxfun": 2 * ROUNDS}
    )
    return np.asarray(done.x)


if __name__ == "__main__":
    main()
