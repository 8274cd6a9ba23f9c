"""Evaluate: does a docstring find its function, in projects that were never trained on?

Reads `pairs.npz`, `terms.txt` and the shipped weights; writes `results/<name>.json`. Questions are docstrings of held-out
functions and types, answers all held-out functions and types with a docstring, without it, by language group and mixed. Arms:
random, BM25 over the same terms, the table in float32 where `table.npy` is there, the table as shipped in int8, and fusions
of BM25 with it: reciprocal ranks, and sums of scores divided by their best. Ranks count ties against the arm.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import fit
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from clew.text.embed import TableEmbedder
from clew.text.postings import hash_term

HERE = Path(__file__).parent
QUESTIONS_MAX = 500  # per group, drawn with a fixed seed
ANSWERS_MAX = 10_000
K1, B = 1.2, 0.75
RRF = 60

Floats = NDArray[np.float32]


def bm25(asked: scipy.sparse.csr_matrix, told: scipy.sparse.csr_matrix) -> Floats:
    """(questions, answers) scores; both hold counts."""
    n = told.shape[0]
    lengths = np.asarray(told.sum(axis=1)).ravel()
    idf = np.log(1 + (n - (df := np.bincount(told.indices, minlength=told.shape[1])) + 0.5) / (df + 0.5))
    owner = np.repeat(np.arange(n), np.diff(told.indptr))
    data = told.data * (K1 + 1) / (told.data + K1 * (1 - B + B * lengths[owner] / lengths.mean())) * idf[told.indices]
    weighted = scipy.sparse.csr_matrix((data.astype(np.float32), told.indices, told.indptr), told.shape)
    once = scipy.sparse.csr_matrix((np.ones_like(asked.data), asked.indices, asked.indptr), asked.shape)
    return (once @ weighted.T).toarray()


def counts(pairs: fit.Pairs, items: fit.Ints, parts: tuple[str, ...], size: int) -> scipy.sparse.csr_matrix:
    """(items, terms) how often each term stands in these parts of each item."""
    found = [pairs.spans(part, items) for part in parts]
    owner, rows = np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])
    known = rows >= 0
    made = scipy.sparse.coo_matrix((np.ones(int(known.sum()), np.float32), (owner[known], rows[known])), (len(items), size)).tocsr()
    made.sum_duplicates()
    return made


def vectors(held: scipy.sparse.csr_matrix, table: Floats) -> Floats:
    """Texts as `TableEmbedder.embed` makes them."""
    logged = scipy.sparse.csr_matrix((1 + np.log(held.data), held.indices, held.indptr), held.shape)
    return fit.unit(logged @ table)[0]


def ranks(scores: Floats, gold: fit.Ints) -> fit.Ints:
    """The rank of each question's own answer, 1 is best."""
    own = scores[np.arange(len(gold)), gold][:, None]
    return (scores >= own).sum(axis=1)


def by_rank(scores: Floats) -> Floats:
    """1 / (RRF + rank) of every answer, for each question."""
    places = np.empty(scores.shape, np.float32)
    np.put_along_axis(places, np.argsort(-scores, axis=1, kind="stable"), np.arange(1, scores.shape[1] + 1, dtype=np.float32)[None, :], 1)
    return np.float32(1) / (RRF + places)


def told_as(found: fit.Ints) -> dict[str, float]:
    """R@1, R@10 and MRR."""
    return {
        "R@1": round(float((found == 1).mean()), 4),
        "R@10": round(float((found <= 10).mean()), 4),
        "MRR": round(float((1 / found).mean()), 4),
    }


def main() -> None:
    """Measure every group and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=fit.TARGET / "static.bin")
    parser.add_argument("--name", default="held-out", help="of the file of results")
    parser.add_argument("--first-sentence", action="store_true", help="ask with the first 12 terms only")
    options = parser.parse_args()
    raw, _, terms = fit.read(options.work)
    shipped = TableEmbedder(options.weights.read_bytes())
    row_of = shipped.row_of
    rows = np.array([row_of.get(hash_term(term), -1) for term in terms], np.int32)
    pairs = fit.with_rows(raw, rows)
    tables = {"int8": shipped.table()}
    if (options.work / "table.npy").exists():
        full = np.load(options.work / "table.npy")
        if full.shape == tables["int8"].shape:
            own = fit.vocabulary(raw, len(full), len(terms))
            place = np.zeros(len(full), np.int64)
            place[own[own >= 0]] = rows[own >= 0]
            tables["float32"] = np.empty_like(full)
            tables["float32"][place] = full
    rng = np.random.default_rng(fit.SEED)
    has_doc = np.diff(raw.parts["doc"][1]) > 0
    held = (raw.split[raw.project] == "held-out") & has_doc & (raw.kind < 2)
    groups = {group: np.flatnonzero(held & (raw.group == at)) for at, group in enumerate(raw.groups)} | {"mixed": np.flatnonzero(held)}
    results: dict[str, object] = {}
    for group, everything in groups.items():
        items = np.sort(rng.permutation(everything)[:ANSWERS_MAX])
        if len(items) < 500:
            continue
        gold = np.sort(rng.permutation(len(items))[:QUESTIONS_MAX])
        arms: dict[str, list[fit.Ints]] = {}
        told_raw, told = (
            counts(raw, items, ("name", "header", "body"), len(terms)),
            counts(pairs, items, ("name", "header", "body"), shipped.terms),
        )
        told_vectors = {name: vectors(told, table) for name, table in tables.items()}
        for at in range(0, len(gold), 500):
            some = gold[at : at + 500]
            asked_raw, asked = asked_by(raw, items[some], len(terms), options), asked_by(pairs, items[some], shipped.terms, options)
            words = bm25(asked_raw, told_raw)
            found = {"random": ranks(rng.random(words.shape, dtype=np.float32), some), "bm25": ranks(words, some)}
            for name, table in tables.items():
                near = vectors(asked, table) @ told_vectors[name].T
                found[f"static {name}"] = ranks(near, some)
                if name == "int8":
                    found["rrf"] = ranks(by_rank(words) + by_rank(near), some)
                    best = words / np.maximum(words.max(axis=1, keepdims=True), 1e-9)
                    near = np.maximum(near, 0) / np.maximum(near.max(axis=1, keepdims=True), 1e-9)
                    for share in (0.25, 0.5, 1.0):
                        found[f"bm25 + {share:g} static"] = ranks(best + np.float32(share) * near, some)
            for name, one in found.items():
                arms.setdefault(name, []).append(one)
        row = {name: told_as(np.concatenate(found)) for name, found in sorted(arms.items())}
        known = [float((pairs.spans(part, items)[1] >= 0).mean()) for part in ("doc", "body")]
        results[group] = {"questions": len(gold), "answers": len(items), "known": {"doc": known[0], "body": known[1]}, "arms": row}
        print(f"{group}: {len(gold)} questions, {len(items)} answers, known {known[0]:.3f} {known[1]:.3f}")
        for name, figures in row.items():
            print(f"  {name:20} " + "  ".join(f"{key} {value:.3f}" for key, value in figures.items()), flush=True)
    about = {"weights": shipped.name, "terms": shipped.terms, "dims": shipped.dims, "bytes": options.weights.stat().st_size}
    about["projects"] = sorted({raw.projects[at] for at in np.unique(raw.project[held])})
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{options.name}.json").write_text(json.dumps({**about, "groups": results}, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{shipped.name}\n")


def asked_by(pairs: fit.Pairs, items: fit.Ints, size: int, options: argparse.Namespace) -> scipy.sparse.csr_matrix:
    """The docstrings of items, whole or their first 12 terms."""
    most = np.full(len(items), 12 if options.first_sentence else 1000)
    owner, rows = pairs.spans("doc", items, most)
    known = rows >= 0
    made = scipy.sparse.coo_matrix((np.ones(int(known.sum()), np.float32), (owner[known], rows[known])), (len(items), size)).tocsr()
    made.sum_duplicates()
    return made


if __name__ == "__main__":
    main()
