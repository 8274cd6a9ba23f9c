"""Verbatim: which records hold a message or a route of the question word for word?

The words of a message are everywhere; in this order they stand where it is raised. What a program fills in is no part of the
run that is looked for, so a part of the message is enough. Reads the text of a few records that hold most of its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clew.ranking.question import STOP_WORDS, Question
from clew.store.documents import Documents
from clew.store.ports import Snapshot
from clew.store.quoted_paths import find_routes
from clew.store.search import CODE
from clew.task.clues import is_code_like
from clew.text.words import split_word

Postings: TypeAlias = tuple[NDArray[np.int32], ...]
Terms: TypeAlias = Mapping[str, tuple[float, Postings]]

WORDS_MIN, TELLING_MIN = 4, 4  # of a run, and among them words that are no stop words; guess
SHARE_MIN = 0.5  # of a message's telling words that a run must hold, or TELLING_SURE of them; guess
TELLING_SURE = 5
READ_MAX, ROUTE_READ_MAX = 12, 48  # records that are read, those with most of the words; a route's are in many; guess
HOLDERS_MAX = 3  # records that hold the same run; a sentence that more hold is a licence or a habit
MESSAGES_MAX = 4
ROUTE_PARTS_MIN = 2

_WORD = re.compile(r"\w+")
_APART = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Held:
    """A record that holds a run of the question's words: its document, the line where the run begins, and the run."""

    doc: int
    line: int
    run: str


def find_verbatim(snapshot: Snapshot, question: Question, terms: Sequence[tuple[str, float, Postings]]) -> list[Held]:
    """Return the records of code that hold a route or the longest run of a message's words, HOLDERS_MAX at most, best first.

    terms  (term, idf, documents that hold it) of the question, as the search found them.
    Cost   one addition for each posting of the message's terms, then READ_MAX texts.
    """
    by_term = {term: (idf, pieces) for term, idf, pieces in terms}
    for route in find_routes(question.text) if question.is_short else ():
        if found := _find_holding_route(snapshot, route, by_term):
            return found
    for message in _messages(question):
        words = _WORD.findall(message)
        telling = sum(_tells(word) for word in words)
        if len(words) < WORDS_MIN or telling < TELLING_MIN:
            continue
        least = min(max(TELLING_MIN, SHARE_MIN * telling), TELLING_SURE)
        rows = [(_find_run(text, words), doc, start) for doc, start, text in _likeliest(snapshot, words, by_term, least=least)]
        best = max((told for (told, _, _), _, _ in rows), default=0)
        if best < least:
            continue
        found = _innermost(snapshot.documents, [Held(doc, start + line, run) for (told, line, run), doc, start in rows if told == best])
        if len(found) <= HOLDERS_MAX:
            return found
    return []


def _find_holding_route(snapshot: Snapshot, route: str, terms: Terms) -> list[Held]:
    """Return what bears the name that a route ends in, then the records outside of tests that hold most of the route."""
    words = [word for part in route.split("/") for word in _WORD.findall(part)]
    found = list[Held]()
    for doc, start, text in _likeliest(snapshot, words, terms, ROUTE_READ_MAX):
        line, run = _find_route(text, route)
        if run and not snapshot.documents.is_test[doc]:
            found.append(Held(doc, start + line, run))
    longest = max((len(each.run) for each in found), default=0)
    found = _innermost(snapshot.documents, [each for each in found if len(each.run) == longest])
    if not 0 < len(found) <= HOLDERS_MAX:
        return []
    last = route.rpartition("/")[2]
    bearing: list[int] = snapshot.names.defining(last).tolist() if is_code_like(last) else []
    return [*(Held(doc, 0, last) for doc in bearing if len(bearing) <= HOLDERS_MAX), *found]


def _messages(question: Question) -> list[str]:
    """The strings of a question that may stand in code as they are: the last line of an error, of a short one its quotes and itself.

    What ends in a question mark is asked: who repeats it word for word (a test, an example) does not answer it.
    """
    own = [] if question.text.rstrip().endswith(("?", "？")) else [question.text]
    said = [*question.clues.errors[-1:], *([*question.clues.quoted, *own] if question.is_short else ())]
    return [each for each in dict.fromkeys(said) if each.count(" ") >= WORDS_MIN - 1][:MESSAGES_MAX]


def _tells(word: str) -> bool:
    return len(word) > 1 and word.lower() not in STOP_WORDS


def _likeliest(
    snapshot: Snapshot, words: Sequence[str], terms: Terms, read_max: int = READ_MAX, *, least: float = 1
) -> Iterator[tuple[int, int, str]]:
    """Give (document, first line, text) of the `read_max` records of code that hold most of the words, weighed by rarity.

    least  how many different terms of the words a record must hold, or all of them.
    """
    documents = snapshot.documents
    held, count = np.zeros(documents.size, np.float32), np.zeros(documents.size, np.int16)
    sought = dict.fromkeys(term for word in words if _tells(word) for term in split_word(word))
    for term in sought:
        idf, pieces = terms.get(term, (0.0, ()))
        for docs in pieces:
            held[docs] += np.float32(idf)
            count[docs] += 1
    held[~documents.search_scope(CODE).mask | (count < min(least, len(sought)))] = 0
    docs = np.flatnonzero(held > 0)
    if len(docs) > read_max:
        docs = docs[held[docs] >= np.partition(held[docs], len(docs) - read_max)[len(docs) - read_max]]
    order = sorted(docs.tolist(), key=lambda doc: (-float(held[doc]), int(documents.lines[doc]), documents.id_of(doc)))
    if len(order) > read_max:  # of equals the shortest, as a message stands in few lines, and the longest, which list what there is
        order = [*order[: read_max - read_max // 3], *order[-(read_max // 3) :]]
    ids = documents.ids_of(order)
    records = snapshot.records(ids)
    texts = {record.id: record.full_text for record in records}
    originals = snapshot.originals({text.blob for text in texts.values() if text.blob})
    for doc, record_id in zip(order, ids, strict=True):
        text = texts.get(record_id)
        if text is not None and text.blob:
            yield doc, text.start_line, originals[text.blob][text.start : text.end].decode("utf-8", "replace")


def _find_route(text: str, route: str) -> tuple[int, str]:
    """Return (line, run) of the longest end of a route that a text holds as a whole, (0, "") for none; the line is 0-based."""
    parts = route.strip("/").split("/")
    for first in range(len(parts) - ROUTE_PARTS_MIN + 1):
        run = "/".join(parts[first:])
        if found := re.search(rf"(?<![\w/:.-])/?{re.escape(run)}(?![\w/:-])", text):
            return text.count("\n", 0, found.start()), run
    return 0, ""


def _find_run(text: str, words: Sequence[str]) -> tuple[int, int, str]:
    """Return (telling words, line, run) of the run of words that a text holds with most telling ones; the line is 0-based."""
    spread = " " + _APART.sub(" ", text).lower() + " "
    wanted = [_APART.sub(" ", word).strip().lower() for word in words]
    best, run = 0, list[str]()
    for first in range(len(wanted)):
        last = first
        while last < len(wanted) and f" {' '.join(wanted[first : last + 1])} " in spread:
            last += 1
        told = sum(map(_tells, wanted[first:last]))
        if last - first >= WORDS_MIN and told > best:
            best, run = told, list(words[first:last])
    if not run:
        return 0, 0, ""
    found = re.search(r"[\W_]+".join(re.escape(part) for word in run for part in _APART.split(word) if part), text, re.IGNORECASE)
    return best, text.count("\n", 0, found.start()) if found else 0, " ".join(run)


def _innermost(documents: Documents, found: Sequence[Held]) -> list[Held]:
    """The records of which none contains another, code before documents, in their order."""
    around = {int(documents.parent[each.doc]) for each in found}
    for _ in range(8):
        around |= {int(documents.parent[doc]) for doc in around if doc >= 0}
    kept = [each for each in found if each.doc not in around]
    return sorted(kept, key=lambda each: bool(documents.is_prose[each.doc] or documents.is_test[each.doc]))
