"""Seeds: which records a question points at, before anything is known of how records hang together.

Several cheap channels are read: words by field, of the whole question and of its parts; names that it spells out, paths
and stack frames that it quotes, commits that speak of it, and vectors where a model is installed. Each is scaled to its own
best, and `clew.ranking.weights` says what it counts. Every channel that speaks for a record leaves its reason.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.ranking.deadline import Deadline
from clew.ranking.weights import DEFAULT, Weights
from clew.records import TaskState
from clew.store.index import NAME_BEARERS_MAX, Asked, Index, Lexical
from clew.task.clues import Clues, clues
from clew.text.embed import Embedder
from clew.text.words import raw_words, split

Floats: TypeAlias = NDArray[np.float32]

# Guesses in the order that the field's ablations give (coverage first); bench/localization keeps them honest.
FIELD_WEIGHTS = np.array([4.0, 2.0, 2.0, 1.5, 1.0], np.float32)  # name, path, signature, docstring, body
FIELD_B = np.array([0.3, 0.3, 0.4, 0.5, 0.6], np.float32)
K1 = 1.6
TERM_SHARE_MAX = 0.12  # a term in more than 12 % of the records ranks nothing and costs most of the time
TERM_RECORDS_FREE = 400  # guess: a term in fewer records is scored whatever its share, or a small repository would have no terms
TERMS_MAX = 80  # the heaviest terms of a long question
TITLE_WEIGHT = 1.6  # words of the first line
STATE_WEIGHT = 0.35  # what the task state's identifiers and files count beside the question's own
LINE_VALUE = 1.5  # of a quoted line or a stack frame, against 1 for a quoted path
FRAME_FILE_VALUE = 0.25  # of other records in a file that a stack trace leads to
CROWD = 5  # records of a file that are added up
CROWD_RECORDS_MAX = 3000  # of the best by words: what stands behind them adds nothing
CROWD_TEST_SHARE = 0.35  # a test speaks for its file so much less than the code
COMMITS = 30  # the best commits that are read for the files that they changed
FULL_SHARE = 0.6  # of the sum of its terms' idf: what a text that holds all of a question scores, since counts saturate; guess
SESSION_NAME_WEIGHT = 0.9  # of a name that a session's record bears, against its words
SESSION_VECTOR_WEIGHT = 0.5  # likewise of its vector; guess


@dataclass(slots=True)
class Seeds:
    """Weights (n,) float32 in 0..1 of all documents, for some of them the reasons, strongest first, and which words matched.

    by_path   reasons that hold for all of a file, by the number of its path.
    channels  what each channel said, by its name in `Weights`, for those that fit them.
    """

    weights: Floats
    reasons: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    by_path: dict[int, str] = field(default_factory=dict[int, str])
    lexical: list[Lexical] = field(default_factory=list[Lexical])
    channels: dict[str, Floats] = field(default_factory=dict[str, Floats])

    def add(self, docs: NDArray[np.int32], mass: float | Floats, reason: str) -> None:
        """Give documents more weight, and say why."""
        self.weights[docs] += mass
        for doc in docs.tolist():
            self.reasons.setdefault(doc, []).append(reason)


def seed(
    index: Index,
    state: TaskState,
    *,
    prefix: str,
    deadline: Deadline,
    found: Clues | None = None,
    embedder: Embedder | None = None,
    weights: Weights = DEFAULT,
) -> Seeds:
    """Return the seeds of `state` among the sources whose name begins with `prefix`.

    found    the clues of its question, when they have been read already.
    weights  what the channels count; for code alone, sessions have words, names and vectors only.
    Returns  weights of which the best is 1 (of sessions: 1 holds all of the question); 0 means that no channel speaks for it.
    """
    if not index.among(prefix).count:
        return Seeds(np.zeros(index.size, np.float32))
    found = found or clues(state.question)
    if prefix.startswith("file:"):
        return _of_code(index, state, found, prefix, deadline, embedder, weights)
    return _of_sessions(index, state, found, prefix, deadline, embedder)


def _of_code(
    index: Index, state: TaskState, found: Clues, prefix: str, deadline: Deadline, embedder: Embedder | None, weights: Weights
) -> Seeds:
    among = index.among(prefix)
    names, places, frames = (Seeds(np.zeros(index.size, np.float32)) for _ in range(3))
    whole, title, code = _lexical(index, state, found, prefix)
    word = _scaled(whole.by_document)
    channels: dict[str, Floats] = {"word": word, "title": _scaled(title.by_document), "code": _scaled(code.by_document)}
    channels["parent"] = np.where(index.parent >= 0, word[np.maximum(index.parent, 0)], np.float32(0))
    if deadline.allows("files"):
        channels["title_file"] = _scaled(title.by_path)[index.path_codes]
        channels["crowd"] = _scaled(_crowd(index, word))[index.path_codes]
    if deadline.allows("names"):
        _by_names(index, found, state, names)
        channels["name"] = names.weights
    if deadline.allows("paths"):
        _by_paths(index, found, state, places, frames)
        channels["path"], channels["frame"] = places.weights, frames.weights
    spoken = np.zeros(index.size, np.float32)
    for values in (word, channels.get("name"), channels.get("path"), channels.get("frame")):
        if values is not None:
            spoken += values
    _by_vectors(index, state, prefix, deadline, embedder, channels)
    spoken += channels.get("vector", np.float32(0))
    told: dict[int, str] = {}
    if deadline.allows("history"):
        channels["history"] = _by_commits(index, state, told)[index.path_codes]
    channels["lines"] = np.log1p(index.lines.astype(np.float32))
    channels["is_file"] = (index.parent < 0).astype(np.float32)
    if not asks_for_tests(state.question):
        channels["is_test"] = index.is_test.astype(np.float32)
    if not asks_for_prose(state.question):
        channels["is_prose"] = index.is_prose.astype(np.float32)
    seeds = Seeds(np.zeros(index.size, np.float32), lexical=[whole], channels=channels)
    docs = np.flatnonzero(among.mask & (spoken > 0)).astype(np.int32)
    if len(docs):
        score = np.zeros(len(docs), np.float32)
        for name, values in channels.items():
            score += np.float32(getattr(weights, name)) * values[docs]
        seeds.weights[docs] = np.exp(score - score.max())
    for source in (frames, places, names):
        for doc, reasons in source.reasons.items():
            seeds.reasons.setdefault(doc, []).extend(reasons)
    seeds.by_path = told
    return seeds


def _of_sessions(index: Index, state: TaskState, found: Clues, prefix: str, deadline: Deadline, embedder: Embedder | None) -> Seeds:
    terms = question_terms(state)
    asked = [Asked(tuple(terms), _share_max(index, prefix, len(terms)))]
    [whole] = index.lexical_many(asked, FIELD_WEIGHTS, prefix=prefix, b=FIELD_B, k1=K1, terms_max=TERMS_MAX)
    seeds = Seeds(_covered(whole, terms), lexical=[whole])
    if deadline.allows("names"):
        names = Seeds(np.zeros(index.size, np.float32))
        _by_names(index, found, state, names)
        seeds.weights += np.float32(SESSION_NAME_WEIGHT) * names.weights
        seeds.reasons = names.reasons
    channels: dict[str, Floats] = {}
    _by_vectors(index, state, prefix, deadline, embedder, channels)
    if "vector" in channels:
        seeds.weights += np.float32(SESSION_VECTOR_WEIGHT) * channels["vector"]
    seeds.weights[~index.among(prefix).mask] = 0.0
    seeds.weights = np.minimum(seeds.weights, np.float32(1))
    return seeds


def _covered(found: Lexical, terms: list[tuple[str, float]]) -> Floats:
    """How much of the question each document holds, 0 to 1: a single word of a long question says little, however rare it is."""
    weights = dict(terms)
    known = sum(weights[term] for term, _, _ in found.used)
    if not known:
        return found.by_document
    bound = sum(weights[term] * idf for term, idf, _ in found.used) * sum(weights.values()) / known
    return np.minimum(found.by_document * np.float32(1 / (FULL_SHARE * bound)), np.float32(1))


_TICKS = re.compile(r"`([^`\n]+)`")


def _ticks(text: str) -> list[str]:
    """What stands in backticks."""
    return _TICKS.findall(text) if "`" in text else []


def _lexical(index: Index, state: TaskState, found: Clues, prefix: str) -> tuple[Lexical, Lexical, Lexical]:
    """The scores of the whole question, of its first line, and of its backticks and last errors."""
    title, _, rest = state.question.strip().partition("\n")
    lists = (question_terms(state), plain_terms(title), plain_terms(" ".join((*_ticks(rest), *found.errors[-2:]))))
    asked = [Asked(tuple(terms), _share_max(index, prefix, len(terms)), with_paths=at == 1) for at, terms in enumerate(lists)]
    whole, first, code = index.lexical_many(asked, FIELD_WEIGHTS, prefix=prefix, b=FIELD_B, k1=K1, terms_max=TERMS_MAX)
    return whole, first, code


def _share_max(index: Index, prefix: str, terms: int) -> float:
    return max(TERM_SHARE_MAX, TERM_RECORDS_FREE / max(index.among(prefix).count, 1)) if terms >= 6 else 1.0


def _scaled(values: Floats) -> Floats:
    best = float(values.max(initial=0.0))
    return values / np.float32(best) if best > 0 else values


def _crowd(index: Index, word: Floats) -> Floats:
    """(paths,) the best records of each file, added up."""
    value = word * np.where(index.is_test, np.float32(CROWD_TEST_SHARE), np.float32(1))
    docs = np.flatnonzero(value > 0)
    if len(docs) > CROWD_RECORDS_MAX:
        found = value[docs]
        floor = np.partition(found, len(found) - CROWD_RECORDS_MAX)[len(found) - CROWD_RECORDS_MAX]
        docs = docs[found >= max(float(floor), 1e-9)]
    codes = index.path_codes[docs]
    order = np.lexsort((-value[docs], codes))
    docs, codes = docs[order], codes[order]
    first = np.searchsorted(codes, codes, "left")
    best = np.arange(len(docs)) - first < CROWD
    return np.bincount(codes[best], value[docs[best]], len(index.paths)).astype(np.float32)


def _by_vectors(
    index: Index, state: TaskState, prefix: str, deadline: Deadline, embedder: Embedder | None, channels: dict[str, Floats]
) -> None:
    if embedder is None or index.model != embedder.name or not deadline.allows("vector"):
        return
    similarity = index.similarity(embedder.embed([state.question])[0], embedder.name, prefix=prefix)
    channels["vector"] = _scaled(np.maximum(similarity, np.float32(0)))


def _by_commits(index: Index, state: TaskState, told: dict[int, str]) -> Floats:
    """(paths,) what the commits that speak of the question changed; `told` gets the reason of each file's best commit."""
    out = np.zeros(len(index.paths), np.float32)
    if not index.among("history:").count:
        return out
    terms = question_terms(state)
    asked = [Asked(tuple(terms), max(0.1, 20 / index.among("history:").count))]
    [found] = index.lexical_many(asked, np.ones(len(FIELD_B), np.float32), prefix="history:", b=FIELD_B, k1=K1, terms_max=TERMS_MAX)
    floor = np.partition(found.by_document, -COMMITS)[-COMMITS] if len(found.by_document) > COMMITS else np.float32(0)
    docs = np.flatnonzero((found.by_document > 0) & (found.by_document >= floor)).astype(np.int32)
    order = sorted(docs.tolist(), key=lambda doc: (-float(found.by_document[doc]), index.id_of(doc)))[:COMMITS]
    if not order:
        return out
    links = index.outgoing(np.array(order, np.int32))
    codes = index.path_codes[links.heads]
    files = index.among("file:").mask[links.heads] & (index.parent[links.heads] < 0)
    pairs = sorted({(int(tail), int(code)) for tail, code in zip(links.tails[files].tolist(), codes[files].tolist(), strict=True)})
    changed = Counter(tail for tail, _ in pairs)
    for tail, code in pairs:
        out[code] += found.by_document[tail] / np.float32(changed[tail] ** 0.5)
        told.setdefault(code, "a commit that changed its file speaks of it")
    return _scaled(out)


# Words of a question that say nothing of what it is about; only those that code and prose both have in numbers.
STOP_WORDS = frozenset((
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before", "being", "but",
    "by", "can", "could", "did", "do", "does", "doing", "don", "for", "from", "get", "got", "had", "has", "have", "he", "her", "here",
    "him", "his", "how", "i", "if", "in", "into", "is", "isn", "it", "its", "just", "like", "me", "more", "my", "no", "not", "of", "on",
    "only", "or", "other", "our", "out", "please", "same", "seem", "seems", "she", "should", "so", "some", "such", "than", "that", "the",
    "their", "them", "then", "there", "these", "they", "this", "those", "to", "too", "up", "us", "use", "used", "using", "very", "was",
    "we", "were", "what", "when", "where", "which", "while", "who", "why", "will", "with", "would", "you", "your",
))  # fmt: skip


PROSE_WORDS = frozenset(
    ("readme", "changelog", "documentation", "docs", "licence", "license", "dockerfile", "makefile", "workflow", "workflows")
)
# In a short question these mean the files of that kind as well; in an issue's text they are everywhere.
CONFIGURATION_WORDS = frozenset((
    "configuration", "config", "configured", "settings", "toml", "yaml", "ini", "json", "markdown", "section", "chapter", "documented",
    "install", "installation", "ci",
))  # fmt: skip
TEST_WORDS = frozenset(("test", "tests", "testing", "tested", "unittest", "fixture", "fixtures", "testcase", "spec", "specs"))
SHORT_CHARS = 200  # guess: what a person types in one line


def question_terms(state: TaskState) -> list[tuple[str, float]]:
    """Weighted search terms of a question and its task state, heaviest first.

    A term weighs 1 + ln(times), more in the first line, less when only the task state speaks of it.
    """
    title, _, rest = state.question.strip().partition("\n")
    weights: Counter[str] = Counter()
    for word, times in Counter(raw_words(rest)).items():
        for term in () if word.lower() in STOP_WORDS else split(word):
            weights[term] += times
    terms = {term: 1.0 + log(times) for term, times in weights.items()}
    for word in raw_words(title):
        for term in () if word.lower() in STOP_WORDS else split(word):
            terms[term] = terms.get(term, 0.5) + (TITLE_WEIGHT - 0.5 if term not in weights else TITLE_WEIGHT - 1.0)
    for name in state.recent_identifiers:
        for term in (t for word in raw_words(name) for t in split(word)):
            terms.setdefault(term, STATE_WEIGHT)
    return sorted(terms.items(), key=lambda pair: (-pair[1], pair[0]))


def plain_terms(text: str) -> list[tuple[str, float]]:
    """Weighted search terms of a piece of a question, in order of the alphabet: 1 + ln(times) each."""
    times = Counter(term for word in raw_words(text) if word.lower() not in STOP_WORDS for term in split(word))
    return [(term, 1.0 + log(count)) for term, count in sorted(times.items())]


def words_of(question: str) -> dict[str, str]:
    """Search term → the word of the question that it stands for, as the question writes it."""
    said: dict[str, str] = {}
    for word in raw_words(question):
        for term in split(word):
            if term not in said or len(word) < len(said[term]):
                said[term] = word
    return said


def asks_for_tests(question: str) -> bool:
    """A short question is about tests themselves, so they are not put behind the code that they check.

    An issue's text is not: it speaks of tests that fail, and what is wanted is what they check.
    """
    return _is_short(question) and bool({word.lower() for word in raw_words(question)} & TEST_WORDS)


def asks_for_prose(question: str) -> bool:
    """The question is about documents or configuration, so they are not put behind the code."""
    words = {word.lower() for word in raw_words(question.strip().partition("\n")[0][:SHORT_CHARS])}
    return bool(words & PROSE_WORDS) or (_is_short(question) and bool(words & CONFIGURATION_WORDS))


def _is_short(question: str) -> bool:
    return len(question) <= SHORT_CHARS and "\n" not in question.strip()


def _by_names(index: Index, found: Clues, state: TaskState, seeds: Seeds) -> None:
    own = [*found.dotted, *found.identifiers, *found.quoted]
    seen: set[str] = set()
    for names, weight in ((own, 1.0), (state.recent_identifiers, STATE_WEIGHT)):
        for name in names:
            for docs, bearer in _bearers(index, name):
                if bearer in seen:
                    continue
                seen.add(bearer)
                seeds.add(
                    docs,
                    weight / len(docs) ** 0.5,
                    f"named in the question: {bearer}" if weight == 1.0 else f"recently named: {bearer}",
                )


def _bearers(index: Index, name: str) -> list[tuple[NDArray[np.int32], str]]:
    """Documents that bear a name, or the longest ending of a dotted name that anything bears."""
    parts = [part for part in name.replace("::", ".").replace("#", ".").split(".") if part]
    for start in range(len(parts)):
        tail = ".".join(parts[start:])
        if len(tail) < 3:
            break
        docs = index.defining(tail)
        if 0 < len(docs) <= NAME_BEARERS_MAX:
            return [(docs, tail)]
    return []


def _by_paths(index: Index, found: Clues, state: TaskState, places: Seeds, frames: Seeds) -> None:
    codes = index.path_codes
    for frame in found.frames:
        for code in paths_like(index, frame.path):
            docs = np.flatnonzero((codes == code) & index.alive).astype(np.int32)
            first, lines = index.start_line[docs], index.lines[docs]
            hit = docs[(first <= frame.line) & (frame.line < first + lines) & (index.parent[docs] >= 0)]
            frames.add(hit[-1:], LINE_VALUE, f"in the stack trace, line {frame.line}")
            frames.add(np.setdiff1d(docs, hit[-1:]), FRAME_FILE_VALUE, "its file is in the stack trace")
    for path, line in found.paths:
        for code in paths_like(index, path):
            docs = np.flatnonzero((codes == code) & index.alive).astype(np.int32)
            places.add(docs, 1.0, f"its path is quoted: {path}")
            if line:
                first, lines = index.start_line[docs], index.lines[docs]
                places.add(docs[(first <= line) & (line < first + lines)][-1:], LINE_VALUE, f"line {line} is quoted")
    for touched in state.working_set[-12:]:
        code = index.path_numbers.get(touched.path)
        if code is not None and touched.last != "mention":  # what the question itself mentions was read above
            docs = np.flatnonzero((codes == code) & index.alive).astype(np.int32)
            places.add(docs, STATE_WEIGHT, f"its file was just touched ({touched.last})")


def paths_like(index: Index, quoted: str) -> list[int]:
    """Numbers of the paths that end in the quoted one, or in the longest ending of it that any path has; at most 4, else none.

    `/usr/lib/python3/site-packages/requests/api.py` finds `requests/api.py`, or `src/requests/api.py`.
    """
    parts = [part for part in quoted.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    if not parts:
        return []
    candidates = [index.path_numbers[path] for path in index.paths_by_basename.get(parts[-1], ())]
    for start in range(len(parts)):
        ending = "/".join(parts[start:])
        matches = [code for code in candidates if index.paths[code] == ending or index.paths[code].endswith("/" + ending)]
        if matches:
            return matches if len(matches) <= 4 else []
    return []
