"""Pair the functions of a repository's core with those that may change with them, though nothing links them.

The core are the functions whose candidates are likeliest to change with them, tests left out: a quarter of the functions, chosen
so, holds .60 of the later pairs that all of them hold; the quarter that many use and that seldom changes holds .38, and one drawn at
random .31 (bench/LOG.md). Where there are more than FUNCTIONS_MAX, the much used and seldom changed ones are compared. Each function of
the core gets the first candidates of `clew.enrich.function_pairs` as edges with their fitted chance, keyed by the content of both
functions, so an edge ends when either is edited. Pure over a Snapshot: proposes Deltas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec
import numpy as np

from clew.codebase.facts import FUNCTION_KINDS
from clew.enrich.edge_producer import read_table
from clew.enrich.function_pairs import FITTED_WEIGHTS, PAIRS_PER_FUNCTION, FunctionText, find_candidates
from clew.enrich.history import COMMIT_FILES_MAX, HISTORY_SOURCE, decode_commits
from clew.enrich.producers.commits import CO_CHANGE_SOURCE
from clew.records import Delta, Edge, EdgeKind, Record, SourceState
from clew.store.ports import Snapshot

PRODUCER = "alike/1"  # name and version of this producer in its Deltas
ALIKE_SOURCE = "alike:"  # the source that remembers what the edges were made from; those of a file are `alike:<path>`
JUDGE_KIND = "judge"  # of the jobs in which a model judges them
CHANCE_MIN = 0.002  # of a pair: so 1.1 % change together later in place of .6, and .201 of the later pairs are held in place of .233
FUNCTIONS_MAX = 5000  # that are compared, those of the core first; some 10 s of one core


class CoreCounts(msgspec.Struct, frozen=True):
    """How many functions a repository has without its tests, how many of them are its core, and how many pairs that makes."""

    functions: int = 0
    core: int = 0
    pairs: int = 0


@dataclass(frozen=True, slots=True)
class CoreFunction:
    """A function of the core, its text, and its (candidate, text, chance), likeliest first."""

    record: Record
    text: str
    others: tuple[tuple[Record, str, float], ...]

    @property
    def key(self) -> str:
        """Names the function in its repository, whatever its text."""
        return self.record.subject.partition(":")[2]


@dataclass(frozen=True, slots=True)
class CorePlan:
    """The core of a repository. `digest` is of all that it was made from."""

    digest: str
    counts: CoreCounts
    functions: tuple[CoreFunction, ...]


def compute_plan_digest(snapshot: Snapshot, core_max: int, model: str) -> str:
    """Return the digest of all that a plan is made from, and of the model that it is queued for. Cost  a few milliseconds."""
    files = snapshot.source_states("file:")
    history = snapshot.states_of_sources([HISTORY_SOURCE, CO_CHANGE_SOURCE])
    parts = [PRODUCER, str(core_max), model, *(f"{state.source} {state.digest}" for state in (*files, *history.values()))]
    return blake2b("\n".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def plan_core(snapshot: Snapshot, core_max: int, model: str = "") -> CorePlan:
    """Pair the functions, at most FUNCTIONS_MAX, and choose the core, at most `core_max` of them.

    Cost  about 1.5 s for 1,000 functions.
    """
    documents = snapshot.documents
    digest = compute_plan_digest(snapshot, core_max, model)
    mask = documents.search_scope("file:").mask & ~documents.is_test.whole
    docs = np.array([doc for doc in np.flatnonzero(mask).tolist() if documents.kind_of(doc) in FUNCTION_KINDS], np.int32)
    commits = [list(one.files) for one in decode_commits(snapshot.source_states(HISTORY_SOURCE)) if 0 < len(one.files) <= COMMIT_FILES_MAX]
    order = _order(snapshot, docs, commits)
    docs = docs[order][:FUNCTIONS_MAX]
    records = {record.id: record for record in snapshot.records(documents.ids_of(docs.tolist()))}
    chosen: dict[tuple[str, str], tuple[int, Record]] = {}
    for doc in docs.tolist():
        record = records[documents.id_of(doc)]
        chosen.setdefault((record.path, record.name), (doc, record))  # of overloads the first
    texts = _texts(snapshot, [record for _, record in chosen.values()])
    functions = [FunctionText(record.path, record.name, text) for (_, record), text in zip(chosen.values(), texts, strict=True)]
    numbers = {doc: at for at, (doc, _) in enumerate(chosen.values())}
    together = {(path, one.path) for path, ones in read_table(snapshot.source_state(CO_CHANGE_SOURCE)).items() for one in ones}
    found = find_candidates(functions, linked=_links(snapshot, numbers), together=sorted(together), commits=commits)
    chances = FITTED_WEIGHTS.chances(found.rows)
    by_function: dict[int, list[tuple[float, int]]] = {}
    for (one, other), chance in zip(found.pairs.tolist(), chances.tolist(), strict=True):
        if chance >= CHANCE_MIN:
            by_function.setdefault(one, []).append((-chance, other))
    held = [record for _, record in chosen.values()]
    first = {at: [(other, -less) for less, other in sorted(rows)[:PAIRS_PER_FUNCTION]] for at, rows in by_function.items()}
    by_worth = sorted(first, key=lambda at: (-sum(chance for _, chance in first[at]), at))[:core_max]
    core = tuple(CoreFunction(held[at], texts[at], tuple((held[one], texts[one], chance) for one, chance in first[at])) for at in by_worth)
    counts = CoreCounts(len(order), len(core), sum(len(each.others) for each in core))
    return CorePlan(digest, counts, core)


def find_alike_changes(plan: CorePlan, known: Mapping[str, str]) -> Iterator[Delta]:
    """Yield a Delta for each file whose edges differ from what is stored, and one that remembers the plan.

    known  digests of the stored sources of this producer by their names, ALIKE_SOURCE left out.
    """
    by_file: dict[str, list[Edge]] = {}
    for each in plan.functions:
        for other, _, chance in each.others:
            edge = Edge(EdgeKind.ALIKE, each.record.id, other.id, round(chance, 4), each.record.digest, other.digest, PRODUCER)
            by_file.setdefault(each.record.path, []).append(edge)
    for path, edges in sorted(by_file.items()):
        source = ALIKE_SOURCE + path
        told = "\n".join(f"{edge.tail} {edge.head} {edge.weight}" for edge in edges)
        digest = blake2b(told.encode(), digest_size=16).hexdigest()
        if known.get(source) != digest:
            yield Delta(PRODUCER, source, is_whole=True, edges=tuple(edges), state=SourceState(source, digest, len(edges)))
    for source in sorted(known.keys() - {ALIKE_SOURCE + path for path in by_file}):
        yield Delta(PRODUCER, source, is_whole=True, state=None)
    note = msgspec.json.encode(plan.counts).decode()
    yield Delta(PRODUCER, ALIKE_SOURCE, is_whole=False, state=SourceState(ALIKE_SOURCE, plan.digest, plan.counts.core, note=note))


def read_core_counts(state: SourceState | None) -> CoreCounts:
    """Decode the counts that the state of ALIKE_SOURCE holds; all zero for None."""
    return msgspec.json.decode(state.note, type=CoreCounts) if state is not None and state.note else CoreCounts()


def _order(snapshot: Snapshot, docs: np.ndarray, commits: Sequence[Sequence[str]]) -> np.ndarray:
    """Return the order of functions: many uses by other files and few commits of the own file first; ties by number."""
    documents = snapshot.documents
    codes = documents.path_codes[docs]
    churn = np.zeros(len(documents.paths))
    for files in commits:
        for path in files:
            if (code := documents.path_numbers.get(path)) is not None:
                churn[code] += 1
    uses = np.zeros(documents.size)
    links = snapshot.names.incoming(docs.astype(np.int32))
    outside = documents.path_codes[links.tails] != documents.path_codes[links.heads]
    np.add.at(uses, links.heads[outside], 1.0)
    stable = np.log1p(uses[docs]) - np.log1p(churn[codes])
    return np.lexsort((docs, -stable))


def _links(snapshot: Snapshot, numbers: Mapping[int, int]) -> list[tuple[int, int]]:
    edges = snapshot.names.outgoing(np.array(sorted(numbers), np.int32))
    pairs = zip(edges.tails.tolist(), edges.heads.tolist(), strict=True)
    return sorted({(numbers[a], numbers[b]) for a, b in pairs if a in numbers and b in numbers and a != b})


def _texts(snapshot: Snapshot, records: Sequence[Record]) -> list[str]:
    originals = snapshot.originals({record.full_text.blob for record in records})
    found: list[str] = []
    for record in records:
        full = record.full_text
        found.append(originals[full.blob][full.start : full.end].decode("utf-8", "replace"))
    return found
