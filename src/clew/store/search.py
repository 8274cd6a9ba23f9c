"""Search: compute the score of each search channel for the documents that match a query.

Several cheap channels over one table: words by field, of the whole question, of its first line and of its quoted code; words
of whole files; names; quoted paths and stack frames; commits that mention the question's words; vectors. Each is scaled to its
own best. The caller weights the channels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.records import MatchKind, MatchReason
from clew.store.absence import Absence, find_absence
from clew.store.bm25 import TermList, WordScores, find_holders, score_words
from clew.store.documents import Documents, Floats, Numbers, SearchScope
from clew.store.name_resolution import Names
from clew.store.quoted import Places, find_places
from clew.text.postings import Role
from clew.text.words import split_word

Terms: TypeAlias = tuple[tuple[str, float], ...]

CODE, SESSIONS, HISTORY = "file:", "session:", "history:"
# Guesses in the order that the field's ablations give (coverage first); bench/localization keeps them honest.
FIELD_WEIGHTS = np.array([4.0, 2.0, 2.0, 1.5, 1.0], np.float32)  # name, path, signature, docstring, body
FIELD_B = np.array([0.3, 0.3, 0.4, 0.5, 0.6], np.float32)
K1 = 1.6
TERM_SHARE_MAX = 0.12  # a term in more than 12 % of the records ranks nothing and costs most of the time
TERM_RECORDS_FREE = 400  # guess: a term in fewer records is scored whatever its share, or a small repository would have no terms
SHORT_TERMS = 24  # a question of at most so many terms loses none of them
TERMS_MAX = 80  # the heaviest terms of a long question
LINE_VALUE = 1.5  # of a quoted line or a stack frame, against 1 for a quoted path
FRAME_FILE_VALUE = 0.25  # of other records in a file that a stack trace leads to
TOP_RECORDS = 5  # records of a file that are added up
TOP_RECORDS_AMONG = 3000  # of the best by words: what stands behind them adds nothing
TOP_TEST_SHARE = 0.35  # a test speaks for its file so much less than the code
OTHER_CASE_SHARE = 0.6  # of a symbol that is named as a plain word of the question but in another case; guess
WHOLE_STEM = 0.99  # of a file's own name: all of it is spelled
COMMITS = 30  # the best commits that are read for the files that they changed
PROSE_HOLDERS_MAX = 24  # documents that hold a name which only documents hold: what more hold is a word; guess
RESCORED = 400  # documents whose cosine is computed; guess, a few times what a packet shows of one channel


@dataclass(frozen=True, slots=True)
class Query:
    """What a search looks for.

    words    weighted terms of the question; `title` of its first line, `code` of what it quotes.
    names    (name, weight that a document of this name gets, reason): names that the question spells out.
    task     weighted terms of the work around the question, and `task_names` the names: these are looked for in code alone.
    frames   (path, line, function) in stack traces.
    text     of the question, in which paths of the repository are looked for.
    alone    names that the question is about: it is said of them if they are nowhere.
    touched  (path, how it was last used: "read", "edit", …, weight) of files worked on lately.
    spelled  plain words of the first line, as typed: a symbol may have such a name.
    vector   the question's embedding by the model of `Snapshot.model`; None: nothing is searched by embedding.
    """

    words: Terms
    title: Terms = ()
    code: Terms = ()
    names: tuple[tuple[str, float, MatchKind], ...] = ()
    frames: tuple[tuple[str, int, str], ...] = ()
    touched: tuple[tuple[str, str, float], ...] = ()
    spelled: tuple[str, ...] = ()
    vector: Floats | None = None
    text: str = ""
    alone: tuple[str, ...] = ()
    task: Terms = ()
    task_names: tuple[tuple[str, float, MatchKind], ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelScores:
    """Documents (n,) that a search channel (words, names, …) found, ascending, and the scores (n,) of each: 0, or up to 1 for its best.

    words  scores of the terms used, by which `matching_terms` finds the terms that a document holds.
    """

    docs: Numbers
    channels: dict[str, Floats]
    words: WordScores


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Scores in code and in sessions, the reasons by document (strongest first), and the files whose commits match the question.

    places   what the question quotes, in order: these lead whatever else matches.
    absence  names and words of the question that are nowhere, and how much of it the best record holds.
    """

    code: ChannelScores
    sessions: ChannelScores
    reasons: dict[int, list[MatchReason]]
    committed: frozenset[int]
    places: Places = field(default_factory=Places)
    absence: Absence = field(default_factory=Absence)

    @property
    def is_named(self) -> bool:
        """Whether a record bears a name that the question spells out."""
        return any(reason.kind is MatchKind.NAMED for reasons in self.reasons.values() for reason in reasons)

    def matching_terms(self, docs: list[int], limit: int) -> list[list[str]]:
        """Return for each of `docs` the terms that it holds, of the question and of the work around it, rarest first, at most `limit`."""
        code, sessions = self.code.words.matching(docs, limit), self.sessions.words.matching(docs, limit)
        return [mine + theirs for mine, theirs in zip(code, sessions, strict=True)]


@dataclass(slots=True)
class _Channel:
    """A channel that is added up by document, and the reasons that it leaves."""

    values: dict[int, np.float32] = field(default_factory=dict[int, np.float32])
    reasons: list[tuple[int, MatchReason]] = field(default_factory=list[tuple[int, MatchReason]])

    def add(self, docs: Numbers, mass: float, reason: MatchReason) -> None:
        for doc in docs.tolist():
            self.values[doc] = self.values.get(doc, np.float32(0)) + np.float32(mass)
            self.reasons.append((doc, reason))


def search(documents: Documents, names: Names, query: Query, allows: Callable[[str], bool]) -> SearchResult:
    """Return the scores of the search channels (words, names, paths, …) for code and for sessions.

    allows  called before each channel that may be skipped ("files", "names", "paths", "history"), so that a deadline can skip it.
    """
    named, placed, traced = _Channel(), _Channel(), _Channel()
    is_code, is_session = documents.search_scope(CODE), documents.search_scope(SESSIONS)
    if not is_code.count and not is_session.count:
        return SearchResult(_no_hits(), _no_hits(), {}, frozenset())
    code_words = session_words = _no_words()
    committed: frozenset[int] = frozenset()
    places = Places()
    can_place = bool(is_code.count) and allows("paths")
    if can_place and query.text:
        places = find_places(documents, names, query.text, query.frames)
    if allows("names"):
        _by_names(names, query.names, named)
    asked = dict(named.values)
    if is_code.count:
        code_words, title, quoted = _words(documents, query, CODE)
        word = _scaled(code_words.by_document)
        of_files: dict[str, Floats] = {}
        if allows("files"):
            of_files = {"title_file": _scaled(title.by_path), "top5_sum": _scaled(_top_sums(documents, word))}
            of_files |= _by_path_words(documents, query)
        if query.task_names and allows("names"):
            _by_names(names, query.task_names, named)
        spelled = _by_spelling(documents, names, query)
        if can_place:
            _by_paths(documents, query, places, placed, traced)
        near = _near(documents, query, CODE)
        docs = _select(is_code, [word, near], [named.values, placed.values, traced.values])
        codes, parent = documents.path_codes[docs], documents.parent[docs]
        values = {"word": word[docs], "title": _scaled(title.by_document)[docs], "code": _scaled(quoted.by_document)[docs]}
        values["parent"] = np.where(parent >= 0, word[np.maximum(parent, 0)], np.float32(0))
        values |= {name: by_path[codes] for name, by_path in of_files.items()}
        for name, found in (("name", named.values), ("spelled", spelled), ("path", placed.values), ("frame", traced.values)):
            values[name] = _spread(found, docs)
        if near is not None:
            values["vector"] = near[docs]
        if allows("history"):
            by_path = _by_commits(documents, names, query)
            committed = frozenset(np.flatnonzero(by_path).tolist())
            values["history"] = by_path[codes]
        values["lines"] = documents.log_lines[docs]
        for name, marks in (("is_file", parent < 0), ("is_test", documents.is_test[docs]), ("is_prose", documents.is_prose[docs])):
            values[name] = marks.astype(np.float32)
        values["is_prose"][np.isin(docs, _meant_prose(documents, query))] = 0.0
        role = documents.role[docs]
        for each in (Role.DEMO, Role.BENCHMARK, Role.DECLARATION, Role.GENERATED):
            values[f"is_{each.name.lower()}"] = (role == each).astype(np.float32)
        code = ChannelScores(docs, values, code_words)
    else:
        code = _no_hits()
    if is_session.count:
        [session_words] = _scored(documents, [query.words], SESSIONS)
        near = _near(documents, query, SESSIONS)
        docs = _select(is_session, [session_words.by_document, near], [asked])
        raw = {"word": session_words.by_document[docs], "name": _spread(asked, docs)}
        sessions = ChannelScores(docs, raw if near is None else raw | {"vector": near[docs]}, session_words)
    else:
        sessions = _no_hits()
    reasons: dict[int, list[MatchReason]] = {}
    for place in places.places:
        for doc in place.docs.tolist():
            reasons.setdefault(doc, []).append(place.reason)
    for channel in (traced, placed, named):
        for doc, reason in channel.reasons:
            reasons.setdefault(doc, []).append(reason)
    absence = find_absence(documents, names, query.alone, query.words, (code_words, session_words))
    return SearchResult(code, sessions, reasons, committed, places, absence)


def _select(scope: SearchScope, scores: Sequence[Floats | None], single: Sequence[Mapping[int, np.float32]]) -> Numbers:
    """Return the documents of a scope that some scores (n,), or some values by document, are above 0 for; ascending."""
    spoken = np.zeros(len(scope.mask), np.bool_)
    for found in scores:
        if found is not None:
            spoken |= found > 0
    for values in single:
        spoken[[doc for doc, value in values.items() if value > 0]] = True
    return np.flatnonzero(spoken & scope.mask).astype(np.int32)


def _spread(found: Mapping[int, np.float32], docs: Numbers) -> Floats:
    """Return the values of each of `docs`, which ascend: 0 where nothing was found."""
    out = np.zeros(len(docs), np.float32)
    for doc, value in found.items():
        at = int(np.searchsorted(docs, np.int32(doc)))
        if at < len(docs) and docs[at] == doc:
            out[at] = value
    return out


def compute_similarity(documents: Documents, query: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Return the cosine of `query` (dims,) with the nearest documents, (n,) float32; 0 for all others and where there is no vector.

    mask  (n,) the documents among which the nearest are looked for.
    Cost  one pass over the sign bits (dims / 8 bytes a document), then RESCORED cosines.
    """
    scores = np.zeros(documents.size, np.float32)
    norm = float(np.linalg.norm(query)) or 1.0
    signs = np.packbits(query > 0)
    for shard, offset in zip(documents.shards, documents.offsets, strict=True):
        if shard.header.model != documents.model or not shard.header.dims or len(query) != shard.header.dims:
            continue
        known = np.flatnonzero(mask[offset : offset + shard.size] & (shard["scales"] > 0))
        apart = np.bitwise_count(shard.sign_bits[known] ^ signs).sum(axis=1, dtype=np.int32)
        if len(known) > RESCORED:
            # Whatever is as near as the last one stays, so that numbering decides nothing.
            known = known[apart <= np.partition(apart, RESCORED - 1)[RESCORED - 1]]
        rows = shard["vectors"][known].astype(np.float32)
        lengths = np.maximum(np.linalg.norm(rows, axis=1), 1e-9)
        scores[offset + known] = (rows * (query / norm)).sum(axis=1) / lengths
    return scores


def _no_words() -> WordScores:
    return WordScores(np.empty(0, np.float32), np.empty(0, np.float32), ())


def _no_hits() -> ChannelScores:
    return ChannelScores(np.empty(0, np.int32), {}, _no_words())


def _words(documents: Documents, query: Query, prefix: str) -> tuple[WordScores, WordScores, WordScores]:
    """The scores of the whole question, of its first line with files, and of what it quotes."""
    whole, title, code = _scored(documents, [query.words + query.task, query.title, query.code], prefix)
    return whole, title, code


def _scored(documents: Documents, lists: list[Terms], prefix: str) -> list[WordScores]:
    count = max(documents.search_scope(prefix).count, 1)
    asked = [
        TermList(terms, max(TERM_SHARE_MAX, TERM_RECORDS_FREE / count) if len(terms) > SHORT_TERMS else 1.0, with_paths=at == 1)
        for at, terms in enumerate(lists)
    ]
    return score_words(documents, asked, FIELD_WEIGHTS, prefix=prefix, b=FIELD_B, k1=K1, terms_max=TERMS_MAX)


def _scaled(values: Floats) -> Floats:
    best = float(values.max(initial=0.0))
    return values / np.float32(best) if best > 0 else values


def _top_sums(documents: Documents, word: Floats) -> Floats:
    """(paths,) the best records of each file, added up."""
    docs = np.flatnonzero(word > 0)
    value: Floats = word[docs] * np.where(documents.is_test[docs], np.float32(TOP_TEST_SHARE), np.float32(1))
    if len(docs) > TOP_RECORDS_AMONG:
        floor = np.partition(value, len(value) - TOP_RECORDS_AMONG)[len(value) - TOP_RECORDS_AMONG]
        is_best = value >= max(float(floor), 1e-9)
        docs, value = docs[is_best], value[is_best]
    codes: NDArray[np.int32] = documents.path_codes[docs]
    order = np.lexsort((-value, codes))
    value, codes = value[order], codes[order]
    best = np.arange(len(codes)) - np.searchsorted(codes, codes, "left") < TOP_RECORDS
    return np.bincount(codes[best], value[best], len(documents.paths)).astype(np.float32)


def _near(documents: Documents, query: Query, prefix: str) -> Floats | None:
    if query.vector is None:
        return None
    return _scaled(np.maximum(compute_similarity(documents, query.vector, documents.search_scope(prefix).mask), np.float32(0)))


def _by_names(names: Names, wanted: Sequence[tuple[str, float, MatchKind]], channel: _Channel) -> None:
    seen = {reason.values[0] for _, reason in channel.reasons}
    for name, weight, why in wanted:
        docs, bearer = names.bearers(name)
        if len(docs) and bearer not in seen:
            seen.add(bearer)
            channel.add(docs, weight / len(docs) ** 0.5, MatchReason(why, (bearer,)))


def _by_spelling(documents: Documents, names: Names, query: Query) -> dict[int, np.float32]:
    """Symbols whose whole name is a plain word of the question: as typed, or in another case."""
    found: dict[int, np.float32] = {}
    for word in query.spelled:
        for spelling in dict.fromkeys((word, word.capitalize(), word.lower())):
            docs, _ = names.bearers(spelling)
            value = np.float32((1.0 if spelling == word else OTHER_CASE_SHARE) / max(len(docs), 1) ** 0.5)
            for doc in docs[documents.parent[docs] >= 0].tolist():
                found[doc] = max(found.get(doc, np.float32(0)), value)
    return found


def _meant_prose(documents: Documents, query: Query) -> Numbers:
    """Return the documents and settings that hold a name which a short question is about, and which no code holds."""
    found: list[int] = []
    for name in query.alone:
        holders = find_holders(documents, split_word(name)[-1], PROSE_HOLDERS_MAX + 1) if split_word(name) else []
        if len(holders) <= PROSE_HOLDERS_MAX and documents.is_prose[np.array(holders, np.int64)].all():
            found += holders
    return np.array(found, np.int32)


def _by_path_words(documents: Documents, query: Query) -> dict[str, Floats]:
    """(paths,) by channel: the share of a file's own name that the first line spells, whether it is all of it, and its folders' words."""
    terms = [term for term, _ in query.title]
    count = len(documents.paths)
    stems, folders, lengths = (
        np.zeros((len(terms), count), np.float32),
        np.zeros((len(terms), count), np.float32),
        np.ones(count, np.float32),
    )
    for at, shard in enumerate(documents.shards):
        hits = shard.path_words.find(terms)
        codes = (
            np.arange(len(hits.lengths)) if at == 0 else np.array([documents.path_numbers[path] for path in shard.header.paths], np.int64)
        )
        stems[:, codes], folders[:, codes], lengths[codes] = hits.stems, hits.folders, hits.lengths
    is_live = documents.search_scope(CODE).path_words > 0
    files = int(is_live.sum())
    stem = np.where(is_live, np.minimum(stems.sum(axis=0) / lengths, np.float32(1)), np.float32(0))
    folders *= is_live
    holders = np.count_nonzero(folders, axis=1)
    rarity = np.log(1.0 + (files - holders + 0.5) / (holders + 0.5)).astype(np.float32) * np.array([weight for _, weight in query.title])
    folder = (folders * rarity[:, None].astype(np.float32)).sum(axis=0)
    return {"stem": stem, "stem_whole": (stem >= WHOLE_STEM).astype(np.float32), "folder": _scaled(folder)}


def _by_paths(documents: Documents, query: Query, places: Places, placed: _Channel, traced: _Channel) -> None:
    for code, line, is_frame in dict.fromkeys((code, quote.line, quote.is_frame) for quote in places.quotes for code in quote.codes):
        docs, own = documents.docs_of_path(code), documents.docs_of_file(code)
        first = documents.start_line[own]
        at_line = own[(first <= line) & (line < first + documents.lines[own])]
        placed.add(docs, 1.0, MatchReason(MatchKind.PATH, (documents.paths[code],)))
        if line:
            placed.add(at_line[-1:], LINE_VALUE, MatchReason(MatchKind.LINE, (line,)))
        if is_frame:
            hit = at_line[documents.parent[at_line] >= 0][-1:]
            traced.add(hit, LINE_VALUE, MatchReason(MatchKind.FRAME, (line,)))
            traced.add(np.setdiff1d(docs, hit), FRAME_FILE_VALUE, MatchReason(MatchKind.FRAME_FILE))
    for path, how, weight in query.touched:
        code = documents.path_numbers.get(path)
        if code is not None:
            placed.add(documents.docs_of_path(code), weight, MatchReason(MatchKind.TOUCHED, (how,)))


def _by_commits(documents: Documents, names: Names, query: Query) -> Floats:
    """(paths,) what the commits that speak of the question changed."""
    out = np.zeros(len(documents.paths), np.float32)
    count = documents.search_scope(HISTORY).count
    if not count:
        return out
    asked = [TermList(query.words, max(0.1, 20 / count))]
    flat = np.ones(len(FIELD_B), np.float32)
    [found] = score_words(documents, asked, flat, prefix=HISTORY, b=FIELD_B, k1=K1, terms_max=TERMS_MAX)
    scores = found.by_document
    docs = np.flatnonzero(scores > 0).astype(np.int32)
    if len(docs) > COMMITS:
        docs = docs[scores[docs] >= np.partition(scores[docs], -COMMITS)[-COMMITS]]
    order = sorted(docs.tolist(), key=lambda doc: (-float(scores[doc]), documents.id_of(doc)))[:COMMITS]
    if not order:
        return out
    links = names.outgoing(np.array(order, np.int32))
    codes = documents.path_codes[links.heads]
    files = documents.search_scope(CODE).mask[links.heads] & (documents.parent[links.heads] < 0)
    pairs = sorted({(int(tail), int(code)) for tail, code in zip(links.tails[files].tolist(), codes[files].tolist(), strict=True)})
    changed = Counter(tail for tail, _ in pairs)
    for tail, code in pairs:
        out[code] += scores[tail] / np.float32(changed[tail] ** 0.5)
    return _scaled(out)
