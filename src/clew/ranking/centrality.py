"""Centrality: compute which files and symbols of a repository others depend on most.

A file matters that many others lean on, and one that brings many others together: personalised PageRank over the
uses between files, once along them and once against them. A symbol matters by the files that use it. Tests, documents
and others' uses by tests count little. Knows nothing of tokens, budgets or text. Never writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.store.ports import Snapshot

Doubles: TypeAlias = NDArray[np.float64]

CODE = "file:"
TYPES = frozenset(("class", "interface", "struct", "enum", "trait", "extension", "namespace"))
DAMPING = 0.5  # shorter walks than the usual 0.85: what is leaned on, not what that leans on in its turn; chosen by looking at five maps
ROUNDS = 16  # 0.5 ** 16 is below 0.01 % of what the first round moves
TEST_SHARE = 0.1  # of a test in where the walk begins, in what it is utility, and in what its uses count; guess
PROSE_SHARE = 0.1  # likewise of a document or a configuration file; guess
IMPORT_SHARE = 0.5  # what an import counts beside one used name; guess
GATHERING_SHARE = 0.7  # what bringing others together counts beside being leaned on; guess
GUESSED_SHARE = 0.1  # of its confidence: what a name counts that only prose mentions; guess
ENTRY_SHARE = 0.2  # what an entry point has beside that; guess
# File names under which the tool chains of these languages look for a program's or a package's beginning.
ENTRIES = frozenset((
    "__main__.py", "main.py", "app.py", "cli.py", "manage.py", "main.rs", "lib.rs", "main.go", "main.c", "main.cc", "main.cpp",
    "index.js", "index.ts", "main.js", "main.ts", "server.js", "server.ts", "Main.java", "Program.cs", "main.kt", "main.swift",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Centrality:
    """How central each file and symbol of a workspace is. P paths as in `Documents.paths`, n documents.

    files     (P,) 0 to 1, 0 for a path without code or text; is_entry (P,) where a program begins.
    users     (P,) number of other files outside the tests that use it; uses (P,) number of other files that it uses.
    symbols   (n,) confidence-weighted number of other files that use it.
    used_by   (n,) number of other files outside the tests that may mean it.
    """

    files: Doubles
    is_entry: NDArray[np.bool_]
    users: NDArray[np.int64]
    uses: NDArray[np.int64]
    symbols: Doubles
    used_by: NDArray[np.int64]


def compute_centrality(snapshot: Snapshot) -> Centrality:
    """Return the centrality of all code in a snapshot; the same for an updated index as for one built anew.

    Cost  `Names.across`, and 2 × ROUNDS passes over the pairs of files of which one uses the other.
    """
    documents, imports = snapshot.documents, snapshot.names.imports
    among, count, size = documents.search_scope(CODE), max(len(documents.paths), 1), max(documents.size, 1)
    # Files are numbered by their names, so that sums are made in the same order however the index came to be.
    order = np.array(sorted(range(len(documents.paths)), key=documents.paths.__getitem__), np.int64)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    codes = place[documents.path_codes.whole]
    files = np.flatnonzero(among.mask & (documents.parent.whole < 0))
    weight = np.zeros(len(order))
    weight[codes[files]] = np.where(documents.is_prose[files], PROSE_SHARE, np.where(documents.is_test[files], TEST_SHARE, 1.0))
    weight[among.path_words[order] <= 0] = 0.0  # only named, or empty
    is_code = weight == 1.0
    across = snapshot.names.across(CODE)
    given = np.where(across.is_sure, across.weights, GUESSED_SHARE * across.weights)
    users, heads = place[across.users], codes[across.heads]
    pairs, at = np.unique(users * count + heads, return_inverse=True)
    strength = np.sqrt(np.round(np.bincount(at, given, len(pairs)), 6))  # a file's tenth name says less than its first
    importing, imported, confidence = place[imports[0]], place[imports[1]], imports[2]
    tails, tops = np.concatenate([pairs // count, importing]), np.concatenate([pairs % count, imported])
    mass = np.concatenate([strength, IMPORT_SHARE * confidence.astype(np.float64)])
    keep = (weight[tails] > 0) & (weight[tops] > 0) & (tails != tops)
    tails, tops, mass = tails[keep], tops[keep], mass[keep]
    leaned = _scaled(_rank(tails, tops, mass, weight))
    # Whoever brings others together is looked for among code alone: a changelog names everything.
    among_code = is_code[tails] & is_code[tops]
    gathers = _scaled(_rank(tops[among_code], tails[among_code], mass[among_code], is_code.astype(np.float64)))
    is_entry = np.array([PurePosixPath(path).name in ENTRIES for path in sorted(documents.paths)], np.bool_) & is_code
    total = _scaled(weight * (np.sqrt(leaned) + GATHERING_SHARE * np.sqrt(gathers) + ENTRY_SHARE * is_entry))
    sure = is_code[users] & across.is_sure
    links = np.unique(
        np.concatenate([users[sure] * count + heads[sure], importing[is_code[importing]] * count + imported[is_code[importing]]])
    )
    links = links[links // count != links % count]
    uses = np.unique(users[sure] * size + across.heads[sure])
    symbols = np.zeros(documents.size)
    symbols += np.bincount(across.heads, given * weight[users], documents.size)
    return Centrality(
        files=np.round(total, 6)[place],
        is_entry=is_entry[place],
        users=np.bincount(links % count, minlength=len(order))[place],
        uses=np.bincount(links // count, minlength=len(order))[place],
        symbols=np.round(symbols, 6),
        used_by=np.bincount(uses % size, minlength=documents.size),
    )


def _rank(tails: NDArray[np.int64], heads: NDArray[np.int64], mass: Doubles, start: Doubles) -> Doubles:
    """Stationary weights of a walk along tails → heads that jumps back to `start`; what leads nowhere jumps as well."""
    total = float(start.sum())
    if not total:
        return start
    jump = start / total
    out = np.bincount(tails, mass, len(start))
    share = mass / out[tails]
    rank = jump
    for _ in range(ROUNDS):
        flow = np.bincount(heads, rank[tails] * share, len(start))
        rank = DAMPING * flow + (1.0 - DAMPING * float(flow.sum())) * jump
    return rank


def _scaled(values: Doubles) -> Doubles:
    best = float(values.max(initial=0.0))
    return values / best if best else values
