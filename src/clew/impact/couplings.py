"""Couplings: compute how strongly other files depend on a file, by kind of evidence.

Each kind gives other files a share between 0 and 1 and a reason. Counts of history and sessions come as stored edges,
everything else is joined from the documents. `impact` weights the kinds. Pure over a Snapshot.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

import numpy as np
from numpy.typing import NDArray

from clew.records import THOUGHT_KIND, EdgeKind, MatchKind, MatchReason, Record, make_id
from clew.store.documents import Documents
from clew.store.ports import Snapshot
from clew.task.clues import is_code_like
from clew.text.postings import NameUse, hash_term, make_literal_name

COUPLING_KINDS = (
    "co-change", "sessions", "tests", "imports", "calls", "inherits", "names", "literals", "name", "folder", "proposed",
    "alike", "semantic",
)  # fmt: skip
"""Every kind of coupling, in the order in which they are counted."""

FUNCTION_CHANCE_MEAN = 0.011  # of the edges between functions, on the repositories of bench/couplings: there the share is one half
SHARED_FILES_MAX = 6  # files with a name or literal; one in more files couples none of them; guess
_WORD = re.compile(r"[A-Za-z][a-z]*|[0-9]+")
_TEST_WORDS = frozenset({"test", "tests", "spec", "specs"})
_LITERAL = re.compile(rb"[\"'`]([^\s\"'`]{4,64})[\"'`]")
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")

DocumentNumbers = NDArray[np.int32]
"""(k,) int32: numbers of documents, which are records as the search index counts them."""
Coupling = tuple[float, MatchReason | None]
"""How strongly one file depends on another, 0 to 1, and the reason, or None for a reason that is not shown."""


@dataclass(frozen=True, slots=True)
class ImpactTarget:
    """A file, or some symbols in it, that is going to change; the start of an impact question.

    path_code  position of its path in `Snapshot.documents.paths`.
    docs       (k,) document numbers of its records.
    module     id of the whole file's record; `digest` hashes the file's bytes.
    """

    path: str
    path_code: int
    docs: DocumentNumbers
    module: str
    digest: str


def find_target(snapshot: Snapshot, path: str, symbol: str = "") -> ImpactTarget | None:
    """Return the indexed file at `path`, or a symbol of it with what that contains; None when the index has neither.

    symbol  a name, or a qualified name as packets print it; "" for the whole file.
    """
    state = snapshot.source_state(f"file:{path}")
    documents = snapshot.documents
    code = documents.path_numbers.get(path)
    if state is None or code is None:
        return None
    docs = documents.docs_of_file(code)
    if symbol:
        own = set(docs.tolist())
        named = {int(doc) for name in (f"symbol:{path}::{symbol}", symbol) for doc in snapshot.names.defining(name).tolist() if doc in own}
        kept = set(named)
        for doc in docs.tolist():  # parents stand before children
            if int(documents.parent[doc]) in kept:
                kept.add(doc)
        docs = np.array(sorted(kept), np.int32)
    return ImpactTarget(path, code, docs, make_id("code", f"file:{path}", state.digest), state.digest) if len(docs) else None


def compute_couplings(snapshot: Snapshot, target: ImpactTarget) -> dict[str, dict[str, Coupling]]:
    """Compute how strongly other files depend on the target: {kind of COUPLING_KINDS: {path of the other file: (share 0 to 1, reason)}}."""
    found: dict[str, dict[str, Coupling]] = {kind: {} for kind in COUPLING_KINDS}
    _by_edges(snapshot, target, found)
    _by_functions(snapshot, target, found)
    _by_imports(snapshot, target, found["imports"])
    _by_uses(snapshot, target, found)
    _by_shared_names(snapshot, target, found)
    _by_path(snapshot.documents, target, found)
    for shares in found.values():
        shares.pop(target.path, None)
        for path in [path for path, (share, _) in shares.items() if share <= 0]:
            del shares[path]
    return found


def _by_edges(snapshot: Snapshot, target: ImpactTarget, found: dict[str, dict[str, Coupling]]) -> None:
    documents = snapshot.documents
    edges = [edge for edge in snapshot.edges([target.module]) if edge.kind not in _OF_SESSIONS]
    others = {edge.head if edge.tail == target.module else edge.tail for edge in edges}
    paths = {documents.id_of(int(doc)): documents.path_of(doc) for doc in documents.docs_of(sorted(others)).tolist()}
    commits = _commits(snapshot, target, paths)
    for edge in edges:
        is_from = edge.tail == target.module
        path = paths.get(edge.head if is_from else edge.tail)
        if path is None:
            continue
        proposed = MatchReason(MatchKind.PROPOSED, (edge.kind,))
        kind, forth, back = _STORED.get(edge.kind, ("proposed", proposed, proposed))
        if edge.kind is EdgeKind.CO_CHANGES:
            if not is_from:  # how often the given file changes with the other says less of the other
                continue
            both, times = commits.get(path, 0), commits[""]
            reason = MatchReason(MatchKind.CHANGED_WITH, (both, times)) if both else MatchReason(MatchKind.RENAMED_SINCE)
        else:
            reason = forth if is_from else back
        _take(found[kind], path, edge.weight, reason)


def _by_functions(snapshot: Snapshot, target: ImpactTarget, found: dict[str, dict[str, Coupling]]) -> None:
    """Edges between functions: by words, and what a model thinks of them. Only those whose both ends are what they were."""
    if not snapshot.states_of_sources(["alike:"]):
        return
    documents = snapshot.documents
    own = set(documents.ids_of(target.docs.tolist()))
    edges = [edge for edge in snapshot.edges(own) if edge.kind in _OF_FUNCTIONS and not {edge.tail, edge.head} <= own]
    others = sorted({edge.head if edge.tail in own else edge.tail for edge in edges})
    docs = documents.docs_of(others)
    live = {documents.id_of(doc): documents.path_of(doc) for doc in docs[documents.alive[docs]].tolist()}
    records = {record.id: record for record in snapshot.records(sorted({end for edge in edges for end in (edge.tail, edge.head)}))}
    thoughts = _thoughts(snapshot, sorted({edge.tail for edge in edges if edge.kind == EdgeKind.SEMANTIC}))
    for edge in edges:
        mine, other = (edge.tail, edge.head) if edge.tail in own else (edge.head, edge.tail)
        if other not in live:
            continue
        share = edge.weight / (edge.weight + FUNCTION_CHANCE_MEAN)
        said = thoughts.get(edge.tail)
        if edge.kind == EdgeKind.ALIKE:
            reason = MatchReason(MatchKind.ALIKE, (records[mine].name, records[other].name))
        else:
            reason = MatchReason(MatchKind.THOUGHT, (said.name,)) if said is not None and records[edge.head].name in said.name else None
        _take(found[edge.kind], live[other], share, reason)


def _thoughts(snapshot: Snapshot, functions: list[str]) -> dict[str, Record]:
    """Return what a model said of functions by their ids: of each the thought that begins with it, and none in which it is a candidate."""
    edges = [edge for edge in snapshot.edges(functions) if edge.kind == EdgeKind.DERIVED_FROM and edge.head in functions]
    records = {record.id: record for record in snapshot.records([edge.tail for edge in edges]) if record.kind == THOUGHT_KIND}
    pairs = ((edge.head, records[edge.tail]) for edge in edges if edge.tail in records)
    return {head: thought for head, thought in pairs if thought.lineage and thought.lineage[0][1].endswith(f" {head}")}


_OF_FUNCTIONS = frozenset((EdgeKind.ALIKE, EdgeKind.SEMANTIC))
_EDITED_WITH = MatchReason(MatchKind.EDITED_WITH)
_STORED: dict[str, tuple[str, MatchReason | None, MatchReason | None]] = {  # (kind, reason from its tail to its head, and back)
    EdgeKind.CO_CHANGES: ("co-change", None, None),
    EdgeKind.TESTS: ("tests", MatchReason(MatchKind.TESTED_BY_TARGET), MatchReason(MatchKind.TESTS_TARGET)),
    EdgeKind.EDITED_TOGETHER: ("sessions", _EDITED_WITH, _EDITED_WITH),
}
_OF_SESSIONS = frozenset((EdgeKind.CONTAINS, EdgeKind.MENTIONS, EdgeKind.FIXES, EdgeKind.DERIVED_FROM, EdgeKind.ALIKE, EdgeKind.SEMANTIC))


def _commits(snapshot: Snapshot, target: ImpactTarget, paths: Mapping[str, str]) -> dict[str, int]:
    """How many commits changed the given file ("") and each of `paths` with it."""
    documents = snapshot.documents
    commits, _ = snapshot.names.changing(documents.docs_of([target.module]))
    mine = np.unique(commits)
    counts = {"": len(mine)}
    docs = documents.docs_of(sorted(paths))
    theirs, heads = snapshot.names.changing(docs)
    keep = np.isin(theirs, mine)
    pairs = np.unique(np.stack([theirs[keep], heads[keep]]), axis=1)
    known, times = np.unique(pairs[1], return_counts=True)
    for head, count in zip(known.tolist(), times.tolist(), strict=True):
        counts[documents.paths[int(documents.path_codes[head])]] = count
    return counts


def _by_imports(snapshot: Snapshot, target: ImpactTarget, found: dict[str, Coupling]) -> None:
    documents = snapshot.documents
    tails, heads, weights = snapshot.names.imports_of(np.array([target.path_code], np.int32))
    for tail, head, weight in zip(tails.tolist(), heads.tolist(), weights.tolist(), strict=True):
        other, kind = (head, MatchKind.IMPORTED_BY_TARGET) if tail == target.path_code else (tail, MatchKind.IMPORTS_TARGET)
        _take(found, documents.paths[int(other)], float(weight), MatchReason(kind))


def _by_uses(snapshot: Snapshot, target: ImpactTarget, found: dict[str, dict[str, Coupling]]) -> None:
    """Calls, references and bases between the files, either way: each file's links are added up and saturate."""
    documents = snapshot.documents
    out, back = snapshot.names.outgoing(target.docs), snapshot.names.incoming(target.docs)
    sums: dict[tuple[str, str], float] = {}
    best: dict[tuple[str, str], tuple[float, NameUse, bool]] = {}
    mask = documents.search_scope("file:").mask
    for links, is_out in ((out, True), (back, False)):
        others = links.heads if is_out else links.tails
        for other, use, weight in zip(others.tolist(), links.kinds.tolist(), links.weights.tolist(), strict=True):
            code = int(documents.path_codes[other])
            if code == target.path_code or not mask[other]:
                continue
            key = ("inherits" if use == NameUse.INHERIT else "calls", documents.paths[code])
            sums[key] = sums.get(key, 0.0) + weight
            if key not in best or weight > best[key][0]:
                best[key] = (weight, NameUse(use), is_out)
    for (kind, path), total in sums.items():
        _, use, is_out = best[kind, path]
        how = MatchReason(MatchKind.USED_BY_TARGET if is_out else MatchKind.USES_TARGET, (use.name.lower(),))
        _take(found[kind], path, total / (total + 1.0), how)


def _by_shared_names(snapshot: Snapshot, target: ImpactTarget, found: dict[str, dict[str, Coupling]]) -> None:
    """Names and string literals that stand here and in few other files."""
    documents = snapshot.documents
    keys, users, files = snapshot.names.sharing(target.docs, files_max=SHARED_FILES_MAX)
    if not len(keys):
        return
    text = _text_of(snapshot, target)
    literals = {hash_term(make_literal_name(word)): word for word in _words(_LITERAL, text)}
    names = {hash_term(word): word for word in _words(_NAME, text)}
    ending = target.path.rpartition(".")[2]
    sums: dict[tuple[str, str], float] = {}
    best: dict[tuple[str, str], tuple[float, str]] = {}
    seen: set[tuple[int, int]] = set()
    for key, user, count in zip(keys.tolist(), users.tolist(), files.tolist(), strict=True):
        code = int(documents.path_codes[user])
        if (key, code) in seen:
            continue
        seen.add((key, code))
        kind = "literals" if key in literals else "names"
        word = literals.get(key) or names.get(key, "")
        if kind == "names" and not is_code_like(word):  # `open`, `map` and `init` are names of everything, in every language
            if ending != documents.paths[code].rpartition(".")[2]:
                continue
            word = ""  # counts, and is nothing that a reader would call shared
        weight = 1.0 / (count - 1)
        at = (kind, documents.paths[code])
        sums[at] = sums.get(at, 0.0) + weight
        rank = (weight, word)
        if word and rank > best.get(at, (0.0, "")):
            best[at] = rank
    for at, total in sums.items():
        kind, path = at
        word = best.get(at, (0.0, ""))[1]
        shared = MatchKind.SHARED_LITERAL if kind == "literals" else MatchKind.SHARED_NAME
        _take(found[kind], path, total / (total + 2.0), MatchReason(shared, (word,)) if word else None)


def _text_of(snapshot: Snapshot, target: ImpactTarget) -> bytes:
    try:
        return snapshot.original(target.digest)
    except KeyError:  # only named, not read
        return b""


def _words(pattern: re.Pattern[bytes], text: bytes) -> Iterable[str]:
    return sorted({word.decode("ascii", "replace") for word in pattern.findall(text)})


def _by_path(documents: Documents, target: ImpactTarget, found: dict[str, dict[str, Coupling]]) -> None:
    """Files of a like name, and files of the same folder."""
    folder, _, name = target.path.rpartition("/")
    mine = _name_words(name)
    words = documents.search_scope("file:").path_words
    beside: list[str] = []
    for code in np.flatnonzero(words).tolist():
        path = documents.paths[code]
        if path == target.path:
            continue
        their_folder, _, their_name = path.rpartition("/")
        theirs = _name_words(their_name)
        if mine and theirs and (common := len(mine & theirs)):
            share = common / len(mine | theirs)
            if share >= 0.5:
                is_same = _bare_name(name) == _bare_name(their_name)
                _take(found["name"], path, share, MatchReason(MatchKind.SAME_NAME if is_same else MatchKind.LIKE_NAME))
        if their_folder == folder:
            beside.append(path)
    for path in beside:
        _take(found["folder"], path, 1.0 / (1.0 + log2(max(len(beside), 1)) / 4.0), MatchReason(MatchKind.SAME_FOLDER))


def _bare_name(name: str) -> str:
    """A file's name without its ending and without what joins its words, in lower case."""
    return "".join(filter(str.isalnum, (name.rpartition(".")[0] or name).lower()))


def _name_words(name: str) -> frozenset[str]:
    """The words of a file's name without its ending and without what marks a test."""
    stem = name.partition(".")[0] or name
    return frozenset(word.lower() for word in _WORD.findall(stem)) - _TEST_WORDS


def _take(found: dict[str, Coupling], path: str, share: float, reason: MatchReason | None) -> None:
    if path not in found or share > found[path][0]:
        found[path] = (min(share, 1.0), reason)
