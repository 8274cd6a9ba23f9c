"""Seeds: which records a question points at, before anything is known of how records hang together.

Several cheap channels are read, each in its own unit, scaled to its own best, and added: words (BM25F over
fields), whole files by words, names that the question spells out, paths and stack frames that it quotes, and
vectors where a model is installed. Every channel that speaks for a record leaves its reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.records import TaskState
from clew.retrieval.deadline import Deadline
from clew.store.index import NAME_BEARERS_MAX, Index, Lexical
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
FILE_WEIGHT = 0.55  # of the file's own score, against its best symbol's
NAME_WEIGHT = 0.9
PATH_WEIGHT = 0.8
FRAME_WEIGHT = 1.2
VECTOR_WEIGHT = 0.5
TEST_SHARE = 0.35  # what a test keeps of its score unless the question speaks of tests
PROSE_SHARE = 0.5  # what a document or a configuration file keeps, likewise
STATE_WEIGHT = 0.35  # what the task state's identifiers and files count beside the question's own


@dataclass(slots=True)
class Seeds:
    """Weights (n,) float32 ≥ 0 of all documents, for some of them the reasons, strongest first, and which words matched."""

    weights: Floats
    reasons: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    lexical: list[Lexical] = field(default_factory=list[Lexical])

    def add(self, docs: NDArray[np.int32], mass: float | Floats, reason: str) -> None:
        """Give documents more weight, and say why."""
        self.weights[docs] += mass
        for doc in docs.tolist():
            self.reasons.setdefault(doc, []).append(reason)


def seed(
    index: Index, state: TaskState, *, prefix: str, deadline: Deadline, found: Clues | None = None, embedder: Embedder | None = None
) -> Seeds:
    """Return the seeds of `state` among the sources whose name begins with `prefix`.

    found    the clues of its question, when they have been read already.
    Returns  weights of which the best is about 1 to 3; 0 means that no channel speaks for it.
    """
    among = index.among(prefix)
    seeds = Seeds(np.zeros(index.size, np.float32))
    if not among.count:
        return seeds
    found = found or clues(state.question)
    _by_words(index, state, seeds, prefix=prefix, deadline=deadline)
    if deadline.allows("names"):
        _by_names(index, found, state, seeds)
    if prefix.startswith("file:") and deadline.allows("paths"):
        _by_paths(index, found, state, seeds)
    if embedder is not None and index.model == embedder.name and deadline.allows("vector"):
        similarity = index.similarity(embedder.embed([state.question])[0], embedder.name, prefix=prefix)
        best = float(similarity.max(initial=0.0))
        if best > 0:
            seeds.weights += np.float32(VECTOR_WEIGHT / best) * np.maximum(similarity, 0)
    seeds.weights[~among.mask] = 0.0
    if prefix.startswith("file:"):
        if not asks_for_tests(state.question):
            seeds.weights[index.is_test] *= np.float32(TEST_SHARE)
        if not asks_for_prose(state.question):
            seeds.weights[index.is_prose] *= np.float32(PROSE_SHARE)
    return seeds


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


def _by_words(index: Index, state: TaskState, seeds: Seeds, *, prefix: str, deadline: Deadline) -> None:
    terms = question_terms(state)
    share_max = max(TERM_SHARE_MAX, TERM_RECORDS_FREE / max(index.among(prefix).count, 1)) if len(terms) >= 6 else 1.0
    found = index.lexical(terms, FIELD_WEIGHTS, prefix=prefix, b=FIELD_B, k1=K1, share_max=share_max, terms_max=TERMS_MAX)
    seeds.lexical.append(found)
    best = float(found.by_document.max(initial=0.0))
    if best > 0:
        seeds.weights += found.by_document / np.float32(best)
    best_file = float(found.by_path.max(initial=0.0))
    if best_file > 0 and prefix.startswith("file:") and deadline.allows("files"):
        # A file's own words carry a symbol only as far as the symbol has a word of the question itself, or is the file's head.
        share = found.by_path / np.float32(best_file)
        seeds.weights += np.float32(FILE_WEIGHT) * share[index.path_codes] * (0.35 + 0.65 * np.minimum(1.0, seeds.weights * 2.0))


def _by_names(index: Index, found: Clues, state: TaskState, seeds: Seeds) -> None:
    own = [*found.dotted, *found.identifiers, *found.quoted]
    seen: set[str] = set()
    for names, weight in ((own, NAME_WEIGHT), (state.recent_identifiers, NAME_WEIGHT * STATE_WEIGHT)):
        for name in names:
            for docs, bearer in _bearers(index, name):
                if bearer in seen:
                    continue
                seen.add(bearer)
                seeds.add(
                    docs,
                    weight / len(docs) ** 0.5,
                    f"named in the question: {bearer}" if weight == NAME_WEIGHT else f"recently named: {bearer}",
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


def _by_paths(index: Index, found: Clues, state: TaskState, seeds: Seeds) -> None:
    codes = index.path_codes
    for frame in found.frames:
        for code in paths_like(index, frame.path):
            docs = np.flatnonzero((codes == code) & index.alive).astype(np.int32)
            first, lines = index.start_line[docs], index.lines[docs]
            hit = docs[(first <= frame.line) & (frame.line < first + lines) & (index.parent[docs] >= 0)]
            seeds.add(hit[-1:], FRAME_WEIGHT, f"in the stack trace, line {frame.line}")
            seeds.add(np.setdiff1d(docs, hit[-1:]), PATH_WEIGHT * 0.25, "its file is in the stack trace")
    for path, line in found.paths:
        for code in paths_like(index, path):
            docs = np.flatnonzero((codes == code) & index.alive).astype(np.int32)
            seeds.add(docs, PATH_WEIGHT, f"its path is quoted: {path}")
            if line:
                first, lines = index.start_line[docs], index.lines[docs]
                seeds.add(docs[(first <= line) & (line < first + lines)][-1:], FRAME_WEIGHT, f"line {line} is quoted")
    for touched in state.working_set[-12:]:
        code = index.path_numbers.get(touched.path)
        if code is not None and touched.last != "mention":  # what the question itself mentions was read above
            docs = np.flatnonzero((codes == code) & index.alive & (seeds.weights > 0)).astype(np.int32)
            seeds.add(docs, PATH_WEIGHT * STATE_WEIGHT, f"its file was just touched ({touched.last})")


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
