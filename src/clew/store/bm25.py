"""BM25F: score documents and files by weighted terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.store.documents import Documents, Floats, SearchScope
from clew.text.postings import FIELD_COUNT, TextField, hash_term


@dataclass(frozen=True, slots=True)
class WordScores:
    """Scores (n,) by document and (len(paths),) by file, and the terms used: (term, idf, documents that hold it)."""

    by_document: Floats
    by_path: Floats
    used: tuple[tuple[str, float, tuple[NDArray[np.int64], ...]], ...]

    def matching(self, docs: Sequence[int], limit: int) -> list[list[str]]:
        """Return for each of `docs` the terms that it holds, rarest first, at most `limit`."""
        wanted = np.array(docs, np.int64)
        order = np.argsort(wanted, kind="stable")
        found: list[list[tuple[float, str]]] = [[] for _ in docs]
        for term, idf, pieces in self.used:
            for piece in pieces:
                at = np.minimum(np.searchsorted(piece, wanted[order]), len(piece) - 1)
                for position in order[piece[at] == wanted[order]].tolist():
                    found[int(position)].append((-idf, term))
        return [[term for _, term in sorted(rows)[:limit]] for rows in found]


@dataclass(frozen=True, slots=True)
class TermList:
    """Weighted terms that are scored together.

    terms       (term, weight ≥ 0), as `clew.text.words.extract_terms` makes them.
    share_max   terms that stand in a larger share of the documents are left out.
    with_paths  files are scored as well.
    """

    terms: tuple[tuple[str, float], ...]
    share_max: float = 1.0
    with_paths: bool = False


@dataclass(frozen=True, slots=True)
class _Term:
    """A term, how many documents hold it, and its postings per shard: documents, fields, counts, where each document begins."""

    term: str
    df: int
    idf: float
    pieces: list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]]


def score_words(
    documents: Documents, asked: Sequence[TermList], weights: Floats, *, prefix: str, b: Floats, k1: float, terms_max: int = 1 << 16
) -> list[WordScores]:
    """Return BM25F scores of every document, and of every file where asked for, for each of several lists of terms.

    asked      lists of terms; a term that is in several is looked up once.
    weights    (FIELDS,) factor of an occurrence in each field.
    prefix     only sources whose name begins so are searched; all statistics are theirs.
    b          (FIELDS,) length normalisation per field, 0 to 1; k1 > 0 saturates the weighted count.
    terms_max  of each list, the terms of most weight × idf are used.
    Returns    scores by document and by path; 0 for what has no term or is not searched.
    Source     Robertson, Zaragoza 2009, eq. 3.15 to 3.17; a file's counts are the sums of its documents'.
    """
    searched = documents.search_scope(prefix)
    lengths, codes = documents.column("lengths"), documents.path_codes
    path_mean = max(float(searched.path_words.sum()) / max(searched.files, 1), 1e-9)
    path_norm = (1.0 / (1.0 - b[-1] + b[-1] * searched.path_words / path_mean)).astype(np.float32)
    found = {known.term: known for known in _known(documents, asked, searched)}
    lists = [_counting(each, found, searched, terms_max) for each in asked]
    scores = [np.zeros(documents.size, np.float32) for _ in asked]
    by_path = [np.zeros(len(documents.paths), np.float32) for _ in asked]
    owners: dict[str, list[tuple[int, float]]] = {}
    for at, counting in enumerate(lists):
        for term, weight in counting:
            owners.setdefault(term, []).append((at, weight))
    for term, owned in owners.items():
        known = found[term]
        with_paths = [(at, weight) for at, weight in owned if asked[at].with_paths]
        by_file = np.zeros(len(documents.paths), np.float64)
        for docs, fields, counts, first in known.pieces:
            raw = weights[fields] * counts
            norm = (1.0 - b[fields] + b[fields] * lengths[docs, fields] / searched.mean[fields]).astype(np.float32)
            mass = np.add.reduceat(raw / norm, first)
            gain, heads = mass / (np.float32(k1) + mass), docs[first]
            for at, weight in owned:
                scores[at][heads] += np.float32(known.idf * weight) * gain
            if with_paths:
                by_file += np.bincount(codes[docs], raw, len(documents.paths))
        if with_paths:
            holders = np.flatnonzero(by_file)
            mass = by_file[holders].astype(np.float32) * path_norm[holders]
            for at, weight in with_paths:
                by_path[at][holders] += np.float32(compute_idf(len(holders), searched.files) * weight) * (mass / (np.float32(k1) + mass))
    return [
        WordScores(
            scores[at],
            by_path[at],
            tuple((term, found[term].idf, tuple(docs[first] for docs, _, _, first in found[term].pieces)) for term, _ in counting),
        )
        for at, counting in enumerate(lists)
    ]


def find_documents_with(documents: Documents, term: str, mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats]:
    """Return the documents in the mask whose body holds a term, ascending, and the term's occurrences in each (255 at most)."""
    found = _postings(documents, hash_term(term), mask)
    docs = np.concatenate([np.empty(0, np.int64), *(docs[fields == TextField.BODY] for docs, fields, _ in found)])
    counts = [counts[fields == TextField.BODY].astype(np.float32) for _, fields, counts in found]
    return docs, np.concatenate([np.empty(0, np.float32), *counts])


def _known(documents: Documents, asked: Sequence[TermList], searched: SearchScope) -> list[_Term]:
    """The postings of every term that some list may count."""
    shares: dict[str, float] = {}
    for each in asked:
        for term, _ in each.terms:
            shares[term] = max(shares.get(term, 0.0), each.share_max)
    found: list[_Term] = []
    for term, share_max in shares.items():
        # A document holds a term in at most FIELDS rows: with more rows than these, too many live documents hold it.
        rows_max = FIELD_COUNT * (share_max * searched.count) + FIELD_COUNT * (documents.size - searched.count)
        if _rows_of(documents, hash_term(term)) > rows_max:
            continue
        pieces = [(docs, fields, counts, _firsts(docs)) for docs, fields, counts in _postings(documents, hash_term(term), searched.mask)]
        df = sum(len(first) for *_, first in pieces)
        if 0 < df <= share_max * searched.count:
            found.append(_Term(term, df, compute_idf(df, searched.count), pieces))
    return found


def find_holders(documents: Documents, term: str, limit: int) -> list[int]:
    """Return at most `limit` live documents that hold a search term in any field, ascending."""
    found = _postings(documents, hash_term(term), documents.alive)
    return [int(doc) for docs, _, _ in found for doc in np.unique(docs[: limit * FIELD_COUNT])][:limit]


def _rows_of(documents: Documents, key: int) -> int:
    spans = (shard.find_rows("term", key) for shard in documents.shards)
    return sum(span.stop - span.start for span in spans)


def _postings(
    documents: Documents, key: int, mask: NDArray[np.bool_]
) -> list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]]:
    found: list[tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]] = []
    for shard, offset in zip(documents.shards, documents.offsets, strict=True):
        rows = shard.find_rows("term", key)
        if rows.start == rows.stop:
            continue
        docs = shard["term_docs"][rows].astype(np.int64)
        docs += offset
        keep = mask[docs]
        if keep.all():
            found.append((docs, shard["term_fields"][rows], shard["term_counts"][rows]))
        elif keep.any():
            found.append((docs[keep], shard["term_fields"][rows][keep], shard["term_counts"][rows][keep]))
    return found


def _firsts(docs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions at which a new document begins; the rows of one document stand together."""
    return np.flatnonzero(np.concatenate([[True], docs[1:] != docs[:-1]]))


def _counting(asked: TermList, found: Mapping[str, _Term], searched: SearchScope, terms_max: int) -> list[tuple[str, float]]:
    """The terms of a list that count, heaviest first; ties by term."""
    kept = [(term, weight) for term, weight in asked.terms if term in found and found[term].df <= asked.share_max * searched.count]
    return sorted(kept, key=lambda pair: (-found[pair[0]].idf * pair[1], pair[0]))[:terms_max]


def compute_idf(holders: int, count: int) -> float:
    """Return the inverse document frequency of a term that `holders` of `count` documents hold."""
    return float(np.log(1.0 + (count - holders + 0.5) / (holders + 0.5)))
