"""BM25F: score documents and files by weighted terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.store.documents import Documents, Floats, SearchScope
from clew.store.shard import IndexShard, expand_ranges
from clew.text.postings import FIELD_COUNT, TextField, hash_term

# A term in more records finds none where a rarer one does: it ranks what those find, and says nothing of files. So a question costs
# no more among more records than these; a term that more hold is a tenth of a million, and rarer ones weigh five times as much.
FINDING_RECORDS_MAX = 50_000


@dataclass(frozen=True, slots=True)
class WordScores:
    """Scores (n,) by document and (len(paths),) by file, and the terms used: (term, idf, documents that hold it)."""

    by_document: Floats
    by_path: Floats
    used: tuple[tuple[str, float, tuple[NDArray[np.int32], ...]], ...]

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
class _Piece:
    """Postings of a term in one shard: documents, ascending, fields, counts. `docs` are numbers of the whole table."""

    shard: IndexShard
    offset: int
    docs: NDArray[np.int32]
    fields: NDArray[np.uint8]
    counts: NDArray[np.uint8]

    def where(self, mask: NDArray[np.bool_]) -> _Piece:
        """Return the postings of the documents in a mask."""
        keep = mask[self.docs]
        if keep.all():
            return self
        rows = np.flatnonzero(keep)
        return _Piece(self.shard, self.offset, self.docs[rows], self.fields[rows], self.counts[rows])

    def without(self, docs: NDArray[np.int64]) -> _Piece:
        """Return the postings of other documents than these, which ascend."""
        wanted = docs.astype(self.docs.dtype)
        low, high = np.searchsorted(self.docs, wanted, "left"), np.searchsorted(self.docs, wanted, "right")
        if (low == high).all():
            return self
        rows = np.delete(np.arange(len(self.docs)), expand_ranges(low, high)[0])
        return _Piece(self.shard, self.offset, self.docs[rows], self.fields[rows], self.counts[rows])

    def count(self) -> int:
        """Return the number of documents."""
        return int(np.count_nonzero(self.docs[1:] != self.docs[:-1])) + 1


@dataclass(frozen=True, slots=True)
class _Term:
    """A term, how many documents hold it, and its postings."""

    term: str
    df: int
    idf: float
    pieces: list[_Piece]


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
    found = {known.term: known for known in _known(documents, asked, searched, prefix)}
    lists = [_counting(each, found, searched, terms_max) for each in asked]
    scores = [np.zeros(documents.size, np.float32) for _ in asked]
    by_path = [np.zeros(len(documents.paths), np.float32) for _ in asked]
    owners: dict[str, list[tuple[int, float]]] = {}
    for at, counting in enumerate(lists):
        for term, weight in counting:
            owners.setdefault(term, []).append((at, weight))
    finding = _select_finding(lists, found)
    is_found = None
    if len(finding) < len(owners):
        is_found = np.zeros(documents.size, np.bool_)
        for term in finding:
            for piece in found[term].pieces:
                is_found[piece.docs] = True
    path_mean = max(float(searched.path_words.sum()) / max(searched.files, 1), 1e-9)
    path_norm = (1.0 / (1.0 - b[-1] + b[-1] * searched.path_words / path_mean)).astype(np.float32)
    for term, owned in owners.items():
        known = found[term]
        pieces = known.pieces if is_found is None or term in finding else [piece.where(is_found) for piece in known.pieces]
        with_paths = [(at, weight) for at, weight in owned if asked[at].with_paths and term in finding]
        by_file = np.zeros(len(documents.paths), np.float64)
        for piece in pieces:
            if not len(piece.docs):
                continue
            fields, docs = piece.fields, piece.docs.astype(np.int64)
            raw = weights[fields] * piece.counts
            words = piece.shard["lengths"].reshape(-1)[(docs - piece.offset) * FIELD_COUNT + fields]
            norm = (1.0 - b[fields] + b[fields] * words / searched.mean[fields]).astype(np.float32)
            first = np.flatnonzero(np.concatenate([[True], docs[1:] != docs[:-1]]))  # the rows of one document stand together
            mass = np.add.reduceat(raw / norm, first)
            gain, heads = mass / (np.float32(k1) + mass), docs[first]
            for at, weight in owned:
                scores[at][heads] += np.float32(known.idf * weight) * gain
            if with_paths:
                by_file += np.bincount(documents.path_codes[docs], raw, len(documents.paths))
        if with_paths:
            holders = np.flatnonzero(by_file)
            mass = by_file[holders].astype(np.float32) * path_norm[holders]
            for at, weight in with_paths:
                by_path[at][holders] += np.float32(compute_idf(len(holders), searched.files) * weight) * (mass / (np.float32(k1) + mass))
    return [
        WordScores(
            scores[at],
            by_path[at],
            tuple((term, found[term].idf, tuple(piece.docs for piece in found[term].pieces)) for term, _ in counting),
        )
        for at, counting in enumerate(lists)
    ]


def _select_finding(lists: Sequence[Sequence[tuple[str, float]]], found: Mapping[str, _Term]) -> frozenset[str]:
    """Return the terms that find records: those that are rare enough, and of a list without any its rarest one."""
    finding: set[str] = set()
    for counting in lists:
        rare = [term for term, _ in counting if found[term].df <= FINDING_RECORDS_MAX]
        finding.update(rare or sorted((term for term, _ in counting), key=lambda term: (found[term].df, term))[:1])
    return frozenset(finding)


def find_documents_with(documents: Documents, term: str, mask: NDArray[np.bool_], prefix: str) -> tuple[NDArray[np.int64], Floats]:
    """Return the documents in the mask whose body holds a term, ascending, and the term's occurrences in each (255 at most).

    prefix  the mask holds documents of sources alone whose name begins so.
    """
    found = _postings(documents, hash_term(term), prefix)
    docs = np.concatenate([np.empty(0, np.int32), *(piece.docs[piece.fields == TextField.BODY] for piece in found)]).astype(np.int64)
    counts = np.concatenate([np.empty(0, np.uint8), *(piece.counts[piece.fields == TextField.BODY] for piece in found)])
    keep = mask[docs]
    return docs[keep], counts[keep].astype(np.float32)


def _known(documents: Documents, asked: Sequence[TermList], searched: SearchScope, prefix: str) -> list[_Term]:
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
        pieces = _postings(documents, hash_term(term), prefix)
        df = sum(piece.count() for piece in pieces)
        if 0 < df <= share_max * searched.count:
            found.append(_Term(term, df, compute_idf(df, searched.count), pieces))
    return found


def find_holders(documents: Documents, term: str, limit: int) -> list[int]:
    """Return at most `limit` live documents that hold a search term in any field, ascending."""
    found = _postings(documents, hash_term(term), "")
    return [int(doc) for piece in found for doc in np.unique(piece.docs[: limit * FIELD_COUNT])][:limit]


def _rows_of(documents: Documents, key: int) -> int:
    spans = (shard.find_rows("term", key) for shard in documents.shards)
    return sum(span.stop - span.start for span in spans)


def _postings(documents: Documents, key: int, prefix: str) -> list[_Piece]:
    """Return the postings of a term's hash in the live documents of the sources whose name begins with `prefix`, no piece empty."""
    found: list[_Piece] = []
    for shard, offset in zip(documents.shards, documents.offsets, strict=True):
        rows = shard.find_rows("term", key)
        scope = shard.find_scope(prefix)
        docs: NDArray[np.int32] = shard["term_docs"][rows]
        low, high = np.searchsorted(docs, np.array([scope.start, scope.stop], docs.dtype)).tolist()
        if low == high:
            continue
        fields, counts = (shard[name][rows][low:high] for name in ("term_fields", "term_counts"))
        piece = _Piece(shard, offset, docs[low:high] + np.int32(offset) if offset else docs[low:high], fields, counts)
        piece = piece.without(documents.dead)
        if len(piece.docs):
            found.append(piece)
    return found


def _counting(asked: TermList, found: Mapping[str, _Term], searched: SearchScope, terms_max: int) -> list[tuple[str, float]]:
    """The terms of a list that count, heaviest first; ties by term."""
    kept = [(term, weight) for term, weight in asked.terms if term in found and found[term].df <= asked.share_max * searched.count]
    return sorted(kept, key=lambda pair: (-found[pair[0]].idf * pair[1], pair[0]))[:terms_max]


def compute_idf(holders: int, count: int) -> float:
    """Return the inverse document frequency of a term that `holders` of `count` documents hold."""
    return float(np.log(1.0 + (count - holders + 0.5) / (holders + 0.5)))
