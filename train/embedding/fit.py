"""Fit: a row per term, such that the rows of a docstring's terms add up to near those of the code that it describes.

Reads `pairs.npz` and `terms.txt`; writes `static.bin` and `static.json` beside `clew.text.embed`. Only the training split is
read. A text is the sum of its terms' rows, each times 1 + log of how often the term stands there, brought to length 1. The
loss is symmetric cross-entropy within a batch (InfoNCE): a question must find its own answer among those of the batch, of
which CHUNK lie in one project, and the other way round. Adam, with one second moment per row. One core, numpy and scipy.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from time import monotonic

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from clew.text.embed import TableEmbedder, pack_table
from clew.text.postings import hash_term

TARGET = Path(__file__).parents[2] / "src" / "clew" / "text"
BATCH = 2048
CHUNK = 64  # items of one project that stand in a batch together: hard negatives for nothing
SCALE = 20.0  # one over the temperature
SEED = 20261125

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The items of `pairs.npz`; a part is its flat numbers and where each item's end. Numbers are rows, −1 for unknown terms."""

    project: Ints
    path: Ints
    kind: Ints
    group: Ints
    parts: dict[str, tuple[NDArray[np.int32], Ints]]
    projects: list[str]
    groups: list[str]
    split: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.project)

    def spans(self, part: str, items: Ints, most: Ints | None = None) -> tuple[Ints, NDArray[np.int32]]:
        """(position in `items`, row) of every term of a part, in order; of each item at most so many."""
        flat, ends = self.parts[part]
        starts, sizes = ends[items], ends[items + 1] - ends[items]
        if most is not None:
            sizes = np.minimum(sizes, most)
        owner = np.repeat(np.arange(len(items)), sizes)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return owner, flat[np.repeat(starts, sizes) + within]


def read(work: Path) -> tuple[Pairs, NDArray[np.int32], list[str]]:
    """The pairs with term numbers as they were written, in how many projects each term stands, and the terms."""
    found = np.load(work / "pairs.npz")
    parts = {part: (found[part], found[f"{part}_ends"]) for part in ("name", "header", "body", "doc")}
    columns = [found[name].astype(np.int64) for name in ("project", "path", "kind", "group")]
    pairs = Pairs(*columns, parts, found["projects"].tolist(), found["groups"].tolist(), found["split"])
    return pairs, found["term_projects"], (work / "terms.txt").read_text(encoding="utf-8", errors="surrogatepass").split("\n")


def vocabulary(pairs: Pairs, size: int, terms: int) -> NDArray[np.int32]:
    """(terms,) the row of each term, −1 for none: the `size` terms that stand in most training projects, then most often."""
    train = pairs.split[pairs.project] == "train"
    projects, times = np.zeros(terms, np.int64), np.zeros(terms, np.int64)
    for flat, ends in pairs.parts.values():
        owner = np.repeat(pairs.project, np.diff(ends))
        used = np.repeat(train, np.diff(ends))
        keys = np.unique(owner[used] * terms + flat[used])
        # A project counts once a part: terms of several parts come first among equals.
        projects += np.bincount(keys % terms, minlength=terms)
        times += np.bincount(flat[used], minlength=terms)
    order = np.lexsort((np.arange(terms), -times, -projects))[:size]
    order = order[projects[order] > 1]
    rows = np.full(terms, -1, np.int32)
    rows[order] = np.arange(len(order), dtype=np.int32)
    return rows


def with_rows(pairs: Pairs, rows: NDArray[np.int32]) -> Pairs:
    """The same pairs in rows of a vocabulary."""
    parts = {part: (rows[flat], ends) for part, (flat, ends) in pairs.parts.items()}
    return Pairs(pairs.project, pairs.path, pairs.kind, pairs.group, parts, pairs.projects, pairs.groups, pairs.split)


def matrix(owner: Ints, rows: NDArray[np.int32], shape: tuple[int, int]) -> scipy.sparse.csr_matrix:
    """(texts, terms) 1 + log of the times that each known term stands in each text."""
    known = rows >= 0
    keys, times = np.unique(owner[known] * shape[1] + rows[known], return_counts=True)
    indptr = np.searchsorted(keys, np.arange(shape[0] + 1) * shape[1])
    data = (1 + np.log(times)).astype(np.float32)
    return scipy.sparse.csr_matrix((data, (keys % shape[1]).astype(np.int32), indptr.astype(np.int32)), shape)


def answers(pairs: Pairs, items: Ints, size: int, *, nameless: NDArray[np.bool_] | None = None) -> scipy.sparse.csr_matrix:
    """Name, header and body of items; those that are `nameless` keep no term of their name."""
    found = [pairs.spans(part, items) for part in ("name", "header", "body")]
    owner, rows = np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])
    if nameless is not None:
        keys = np.unique(found[0][0] * size + found[0][1])
        drop = nameless[owner] & np.isin(owner * size + rows, keys)
        owner, rows = owner[~drop], rows[~drop]
    return matrix(owner, rows, (len(items), size))


def questions(pairs: Pairs, items: Ints, size: int, rng: np.random.Generator) -> tuple[scipy.sparse.csr_matrix, NDArray[np.bool_]]:
    """What a person might ask for each item, and which answers must hide their names.

    An item with a docstring is asked for by all of it, or by its first 8 to 24 terms; half of them without the terms of the item's
    name. A quarter gets the docstring or the name of another item of the same file on top, as an issue speaks of more than one thing.
    An item without one is asked for by its name, which its answer then lacks.
    """
    n = len(items)
    has_doc = np.diff(pairs.parts["doc"][1])[items] > 0
    most = np.where(rng.random(n) < 0.5, 1000, rng.integers(8, 25, n))
    owner, rows = pairs.spans("doc", items, most)
    name_owner, name_rows = pairs.spans("name", items)
    name_keys = np.unique(name_owner * size + name_rows)
    plain = rng.random(n) < 0.5
    drop = plain[owner] & np.isin(owner * size + rows, name_keys)
    drop |= rng.random(len(rows)) < 0.1
    parts = [(owner[~drop], rows[~drop])]
    named = ~has_doc[name_owner]
    parts.append((name_owner[named], name_rows[named]))
    # A neighbour in the batch is of the same project, often of the same file.
    other = np.minimum(np.arange(n) + 1, n - 1)
    mixed = has_doc & (rng.random(n) < 0.25) & (pairs.project[items] == pairs.project[items[other]])
    which = np.flatnonzero(mixed)
    other_owner, other_rows = pairs.spans("doc", items[other[which]], np.full(len(which), 40))
    parts.append((which[other_owner], other_rows))
    owner, rows = np.concatenate([one[0] for one in parts]), np.concatenate([one[1] for one in parts])
    return matrix(owner, rows, (n, size)), ~has_doc


def order(pairs: Pairs, items: Ints, rng: np.random.Generator) -> Ints:
    """The items of one epoch: chunks of one project, shuffled."""
    shuffled = items[rng.permutation(len(items))]
    grouped = shuffled[np.argsort(pairs.project[shuffled], kind="stable")]
    chunks = [grouped[at : at + CHUNK] for at in range(0, len(grouped), CHUNK)]
    return np.concatenate([chunks[at] for at in rng.permutation(len(chunks))])


def unit(rows: Floats) -> tuple[Floats, Floats]:
    """Rows of length 1, and the lengths; a row of zeros stays."""
    lengths = np.maximum(np.sqrt((rows * rows).sum(axis=1, keepdims=True)), np.float32(1e-6))
    return rows / lengths, lengths


class Fit:
    """The table and the state of its optimiser."""

    def __init__(self, table: Floats, rate: float) -> None:
        self.table, self.rate = table, rate
        self.first, self.second = np.zeros_like(table), np.zeros((len(table), 1), np.float32)
        self.steps = np.zeros((len(table), 1), np.float32)

    def step(self, asked: scipy.sparse.csr_matrix, told: scipy.sparse.csr_matrix, rate: float) -> float:
        """One batch; returns its loss."""
        used = np.unique(np.concatenate([asked.indices, told.indices]))
        place = np.zeros(len(self.table), np.int32)
        place[used] = np.arange(len(used), dtype=np.int32)
        shape = (asked.shape[0], len(used))
        left = scipy.sparse.csr_matrix((asked.data, place[asked.indices], asked.indptr), shape)
        right = scipy.sparse.csr_matrix((told.data, place[told.indices], told.indptr), shape)
        table = self.table[used]
        q, q_lengths = unit(left @ table)
        d, d_lengths = unit(right @ table)
        scores = (q @ d.T) * np.float32(SCALE)
        n = len(q)
        along = np.exp(scores - scores.max(axis=1, keepdims=True))
        along /= along.sum(axis=1, keepdims=True)
        down = np.exp(scores - scores.max(axis=0, keepdims=True))
        down /= down.sum(axis=0, keepdims=True)
        at = np.arange(n)
        loss = -float(np.log(np.maximum(along[at, at], 1e-12)).mean() + np.log(np.maximum(down[at, at], 1e-12)).mean()) / 2
        along += down
        along[at, at] -= 2
        along *= np.float32(SCALE / (2 * n))
        dq, dd = along @ d, along.T @ q
        dq = (dq - (dq * q).sum(axis=1, keepdims=True) * q) / q_lengths
        dd = (dd - (dd * d).sum(axis=1, keepdims=True) * d) / d_lengths
        self._descend(used, left.T.tocsr() @ dq + right.T.tocsr() @ dd, rate)
        return loss

    def _descend(self, used: Ints, slope: Floats, rate: float) -> None:
        # Adam on the rows that the batch touched, with one second moment a row: a tenth of the memory traffic of the full one.
        first = self.first[used] * np.float32(0.9) + slope * np.float32(0.1)
        second = self.second[used] * np.float32(0.99) + np.square(slope).mean(axis=1, keepdims=True) * np.float32(0.01)
        steps = self.steps[used] + 1
        self.first[used], self.second[used], self.steps[used] = first, second, steps
        first = first / (1 - np.float32(0.9) ** steps)
        second = second / (1 - np.float32(0.99) ** steps)
        self.table[used] -= np.float32(rate) * first / (np.sqrt(second) + np.float32(1e-8))


def start(pairs: Pairs, size: int, dims: int, rng: np.random.Generator) -> Floats:
    """(size, dims) random directions, as long as a term is rare: log of the share of answers that hold it."""
    items = np.flatnonzero(pairs.split[pairs.project] == "train")
    held = answers(pairs, items, size)
    share = np.bincount(held.indices, minlength=size) / len(items)
    weight = np.log(1 / np.maximum(share, 1 / len(items))).astype(np.float32)
    return rng.standard_normal((size, dims), dtype=np.float32) * (weight / weight.mean() / np.sqrt(dims))[:, None].astype(np.float32)


def train(pairs: Pairs, size: int, dims: int, *, epochs: float, rate: float, items: Ints) -> Floats:
    """(size, dims) the table after so many epochs over `items`."""
    rng = np.random.default_rng(SEED)
    fit = Fit(start(pairs, size, dims, rng), rate)
    total = int(epochs * len(items) / BATCH)
    began, done, losses = monotonic(), 0, []
    while done < total:
        run = order(pairs, items, rng)
        for at in range(0, len(run) - BATCH + 1, BATCH):
            batch = run[at : at + BATCH]
            asked, nameless = questions(pairs, batch, size, rng)
            told = answers(pairs, batch, size, nameless=nameless)
            losses.append(fit.step(asked, told, rate * min(1.0, (done + 1) / 20) * (1 - done / total)))
            done += 1
            if done % 25 == 0 or done == total:
                print(f"{done:5}/{total} loss {np.mean(losses[-25:]):.4f}  {monotonic() - began:5.0f} s", flush=True)
            if done >= total:
                return fit.table
    return fit.table


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder that holds pairs.npz and terms.txt")
    parser.add_argument("--size", type=int, default=29_800, help="terms; with 256 dims 8 MB")
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--epochs", type=float, default=6.0)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--sample", type=float, default=1.0, help="share of the items, for trials")
    parser.add_argument("--out", type=Path, default=TARGET, help="folder for static.bin and static.json")
    options = parser.parse_args()
    raw, _, terms = read(options.work)
    rows = vocabulary(raw, options.size, len(terms))
    pairs, size = with_rows(raw, rows), int(rows.max()) + 1
    items = np.flatnonzero(pairs.split[pairs.project] == "train")
    if options.sample < 1:
        items = items[np.random.default_rng(SEED).random(len(items)) < options.sample]
    began = monotonic()
    table = train(pairs, size, options.dims, epochs=options.epochs, rate=options.rate, items=items)
    hashes = np.zeros(size, np.uint64)
    for term, row in zip(terms, rows.tolist(), strict=True):
        if row >= 0:
            hashes[row] = hash_term(term)
    options.out.mkdir(parents=True, exist_ok=True)
    data = pack_table(hashes, table)
    (options.out / "static.bin").write_bytes(data)
    np.save(options.work / "table.npy", table)
    about = {
        "name": TableEmbedder(data).name,
        "blake2b": blake2b(data, digest_size=16).hexdigest(),
        "bytes": len(data),
        "terms": size,
        "dims": options.dims,
        "packages": len(np.unique(pairs.project[items])),
        "items": len(items),
        "documented": int((np.diff(pairs.parts["doc"][1])[items] > 0).sum()),
        "epochs": options.epochs,
        "made_with": {"numpy": np.__version__, "scipy": scipy.__version__},
    }
    (options.out / "static.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{json.dumps(about)}\n{monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
