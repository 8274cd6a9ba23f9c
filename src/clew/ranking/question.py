"""Question: the words, search terms, and quoted paths, names and stack frames of a question, parsed once.

Made from a text, with what the agent that asks is working on; ranking, recall and explanations read them from here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.records import MatchKind, TaskState
from clew.store.search import Query
from clew.task.clues import Clues, find_clues, is_code_like
from clew.task.question import build_question_state
from clew.text.embed import Embedder
from clew.text.words import extract_words, split_word

Terms: TypeAlias = tuple[tuple[str, float], ...]

TITLE_WEIGHT = 1.6  # words of the first line
STATE_WEIGHT = 0.35  # what the task state's identifiers and files count beside the question's own
TOUCHED_MAX = 12  # files of the working set that are looked at, the last ones
WHOLE_NAME_GAIN = 3.0  # of the term of a whole name, against those of its parts, where a question is that name; guess
NAMES_MAX = 4  # names that an answer says are nowhere; guess
SPELLED_MAX = 24  # plain words of the first line that may be names
SHORT_CHARS = 200  # guess: what a person types in one line
# A question that is one name, as somebody looks a symbol up: `Cart.add`, `store::open()`, `operator+`.
_LONE_NAME = re.compile(r"[`'\"]?(operator\s?(?:\(\)|\[\]|[^\w\s()`'\"]{1,3})|[\w$]+(?:(?:\.|::|#|->)[\w$]+){0,8})(?:\(\))?[`'\"]?[?!.]?")
_TICKS = re.compile(r"`([^`\n]+)`")
_JOINTS = re.compile(r"::|#|->")
_IN_PATH = re.compile(r"[^\s\"'`<>|/\\]{1,200}[/\\][^\s\"'`<>|]{1,400}")

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


@dataclass(frozen=True)
class Question:
    """A question, and what the agent that asks it is working on.

    state  made from the question alone; `clues` are the paths, names and stack frames that its text mentions.
    task   the agent's task state; an empty one where there is no session. Its names and files are searched for beside a short question:
           the text of an issue says by itself what it is about.
    """

    state: TaskState
    clues: Clues
    task: TaskState = field(default_factory=TaskState)

    @staticmethod
    def of(asked: str, task: TaskState | None = None) -> Question:
        """Parse a text, asked by an agent that works on `task`."""
        found = find_clues(asked)
        return Question(build_question_state(asked, found), found, task or TaskState())

    @property
    def text(self) -> str:
        """Return the question's text unchanged."""
        return self.state.question

    @cached_property
    def title_words(self) -> list[str]:
        """The words of the question's first line, in order, with their case kept."""
        return extract_words(self._parts[0])

    @cached_property
    def rest_words(self) -> list[str]:
        """The words of all lines of the question but the first, in order, with their case kept."""
        return extract_words(self._parts[1])

    @cached_property
    def words(self) -> list[str]:
        """All words of the question, in order, with their case kept."""
        return [*self.title_words, *self.rest_words]

    @cached_property
    def word_set(self) -> frozenset[str]:
        """Return its distinct words in lower case."""
        return frozenset(word.lower() for word in self.words)

    @cached_property
    def terms(self) -> Terms:
        """Return weighted search terms of the question as (term, weight), heaviest first.

        A term weighs 1 + ln(occurrences), more in the first line.
        """
        weights: Counter[str] = Counter()
        for word, times in Counter(self.rest_words).items():
            for term in () if word.lower() in STOP_WORDS else split_word(word):
                weights[term] += times
        terms = {term: 1.0 + log(times) for term, times in weights.items()}
        for word in self.title_words:
            for term in () if word.lower() in STOP_WORDS else split_word(word):
                terms[term] = terms.get(term, 0.5) + (TITLE_WEIGHT - 0.5 if term not in weights else TITLE_WEIGHT - 1.0)
        terms |= {term: WHOLE_NAME_GAIN * terms[term] for term in self._whole_names if term in terms}
        for term in _terms_of_names(self.state.recent_identifiers):
            terms.setdefault(term, STATE_WEIGHT)
        return tuple(sorted(terms.items(), key=lambda pair: (-pair[1], pair[0])))

    @cached_property
    def task_terms(self) -> Terms:
        """Return weighted search terms of what the agent is working on, without those of the question, in order of the alphabet."""
        own = {term for term, _ in self.terms}
        return tuple((term, STATE_WEIGHT) for term in sorted({*_terms_of_names(self._task_names)} - own))

    @property
    def _task_names(self) -> tuple[str, ...]:
        return self.task.recent_identifiers if self.is_short else ()

    @cached_property
    def word_of_term(self) -> dict[str, str]:
        """Return a map from search term to the word of the question that it was made from."""
        found: dict[str, str] = {}
        for word in self.words:
            for term in split_word(word):
                if term not in found or len(word) < len(found[term]):
                    found[term] = word
        return found

    @property
    def is_short(self) -> bool:
        """Return whether the question is at most SHORT_CHARS long, as one typed in a line is."""
        return len(self.text) <= SHORT_CHARS and "\n" not in self.text.strip()

    @cached_property
    def lone_names(self) -> tuple[str, ...]:
        """Return the names that a short question is about, a few at most: what looks like code, or the question's only word.

        None for the text of an issue, which names much that is not in the repository.
        """
        if not self.is_short:
            return ()
        only = (self._only_word,) if self._only_word else ()
        known = {part for path, _ in self.clues.paths for part in extract_words(path)}
        known.update(word for line in self.clues.errors for word in extract_words(line))  # an error's class is mostly a library's
        known.update(word for frame in self.clues.frames for word in extract_words(frame.function))
        known.update(word for path in _IN_PATH.findall(self.text) for word in extract_words(path))
        named = dict.fromkeys((*self.clues.dotted, *self.clues.identifiers, *only))
        return tuple(name for name in named if known.isdisjoint(extract_words(name)))[:NAMES_MAX]

    @cached_property
    def only_name(self) -> str:
        """Return the name that is the whole question, its parts joined by dots; "" for a plain word, and for more than a name."""
        found = _LONE_NAME.fullmatch(self.text.strip()) if self.is_short else None
        name = _JOINTS.sub(".", found[1].replace(" ", "")) if found else ""
        return name if is_code_like(name.rpartition(".")[2]) or "." in name.strip(".") or name.startswith("operator") else ""

    @property
    def asks_for_tests(self) -> bool:
        """Return whether a short question is about tests themselves, so that tests are not ranked below the code that they check.

        False for the text of an issue: it mentions failing tests, and what is wanted is the code that they check.
        """
        return self.is_short and bool(self.word_set & TEST_WORDS)

    @property
    def asks_for_prose(self) -> bool:
        """Return whether the question is about documents or configuration, so that those are not ranked below code."""
        title = self._parts[0]
        words = self.title_words if len(title) <= SHORT_CHARS else extract_words(title[:SHORT_CHARS])
        found = {word.lower() for word in words}
        return bool(found & PROSE_WORDS) or (self.is_short and bool(found & CONFIGURATION_WORDS))

    def query(self, vector: NDArray[np.float32] | None = None) -> Query:
        """Return the store's search query for the question; `vector` (dims,) is its embedding, None to search without vectors."""
        rest = self._parts[1]
        quoted = _TICKS.findall(rest) if "`" in rest else []
        own = (*self.clues.dotted, *self.clues.identifiers, *self.clues.quoted)
        recent, files = self.state.recent_identifiers, self.task.working_set[-TOUCHED_MAX:] if self.is_short else ()
        touched = [(each.path, each.last, STATE_WEIGHT) for each in files if each.last != "mention"]
        return Query(
            self.terms,
            tuple((term, WHOLE_NAME_GAIN * weight if term in self._whole_names else weight) for term, weight in _plain(self.title_words)),
            _plain(extract_words(" ".join((*quoted, *self.clues.errors[-2:])))),
            (*((name, 1.0, MatchKind.NAMED) for name in own), *((name, STATE_WEIGHT, MatchKind.RECENTLY_NAMED) for name in recent)),
            tuple((frame.path, frame.line, frame.function) for frame in self.clues.frames),
            tuple(touched),
            tuple(dict.fromkeys(word for word in self.title_words if len(word) > 2 and word.lower() not in STOP_WORDS))[:SPELLED_MAX],
            vector,
            self.text,
            self.lone_names,
            self.task_terms,
            tuple((name, STATE_WEIGHT, MatchKind.RECENTLY_NAMED) for name in self._task_names),
        )

    def vector(self, embedder: Embedder) -> NDArray[np.float32]:
        """Return the question's embedding (dims,) float32 by a local model, computed once."""
        found = self._vectors.get(embedder.name)
        if found is None:
            found = self._vectors[embedder.name] = embedder.embed([self.text])[0]
        return found

    @cached_property
    def _vectors(self) -> dict[str, NDArray[np.float32]]:
        return {}

    @cached_property
    def _only_word(self) -> str:
        """The question's only word or name, as `max-retries` is one; "" where there are more."""
        if len(self.words) == 1:
            return self.words[0]
        whole = [word for word in self.words if "-" in word]
        return whole[0] if len(whole) == 1 and whole[0].count("-") + 2 == len(self.words) else ""

    @cached_property
    def _whole_names(self) -> frozenset[str]:
        """The term of the whole of a question's only word, where that word is a name of several parts."""
        return frozenset(split_word(self._only_word)[-1:]) if self.is_short else frozenset()

    @cached_property
    def _parts(self) -> tuple[str, str]:
        title, _, rest = self.text.strip().partition("\n")
        return title, rest


def _terms_of_names(names: Iterable[str]) -> Iterator[str]:
    return (term for name in names for word in extract_words(name) for term in split_word(word))


def _plain(words: list[str]) -> Terms:
    """Weighted search terms of a piece of a question, in order of the alphabet: 1 + ln(times) each."""
    times = Counter(term for word in words if word.lower() not in STOP_WORDS for term in split_word(word))
    return tuple((term, 1.0 + log(count)) for term, count in sorted(times.items()))
