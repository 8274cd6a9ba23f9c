"""Absence: which names and words of a question are nowhere in a workspace, and how much of the question the best record holds."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from clew.store.bm25 import WordScores, compute_idf, find_holders
from clew.store.documents import Documents
from clew.store.name_resolution import Names
from clew.text.words import split_word

TERMS_MAX = 24  # of a question whose share is computed: a longer one always holds words that no code has
NEAR_CHARS_MAX = 40  # of a name whose spellings are tried: 2,200 of them, in about 3 ms
NEAR_MAX = 5
MENTIONS_MAX = 32  # documents in whose text a name is looked for that none defines or uses; guess
_LETTERS = string.ascii_letters + string.digits + "_"


@dataclass(frozen=True, slots=True)
class Absence:
    """What of a question is nowhere.

    names  of each name that no record defines or uses: the name, names that exist and differ from it by one letter or by case, and the
           documents (MENTIONS_MAX at most) that hold its stem, of which one may mention it all the same.
    terms  search terms of the question that no record holds.
    share  of the question's terms, weighed by rarity, that the record with most of them holds: 0 to 1, 1 where it was not computed.
    """

    names: tuple[tuple[str, tuple[str, ...], tuple[int, ...]], ...] = ()
    terms: tuple[str, ...] = ()
    share: float = 1.0


def find_absence(
    documents: Documents, names: Names, asked: Sequence[str], terms: Sequence[tuple[str, float]], words: Sequence[WordScores]
) -> Absence:
    """Return which of the names `asked` and of the weighted `terms` no live record holds.

    words  what scored the terms: in code, and in sessions.
    """
    if len(terms) > TERMS_MAX:
        return Absence()
    used = {term for found in words for term, _, _ in found.used}
    absent = tuple(term for term, _ in terms if term not in used and not find_holders(documents, term, 1))
    parts = dict.fromkeys(part for name in asked for part in name.split(".") if len(part) > 1)
    missing = [name for name in parts if split_word(name) and not len(names.defining(name)) and not names.is_used(name)]
    held = [tuple(find_holders(documents, split_word(name)[-1], MENTIONS_MAX)) for name in missing]
    return Absence(
        tuple((name, tuple(_spelled_nearly(names, name)), docs) for name, docs in zip(missing, held, strict=True)),
        absent,
        _share(documents, terms, words, absent) if absent else 1.0,
    )


def _share(documents: Documents, terms: Sequence[tuple[str, float]], words: Sequence[WordScores], absent: Sequence[str]) -> float:
    weights = dict(terms)
    unknown = sum(weights[term] for term in absent) * compute_idf(0, max(documents.count, 1))
    best = 0.0
    for found in words:
        held = np.zeros(documents.size, np.float32)
        mass = 0.0
        for term, idf, pieces in found.used:
            mass += idf * weights.get(term, 0.0)
            for docs in pieces:
                held[docs] += np.float32(idf * weights.get(term, 0.0))
        best = max(best, float(held.max(initial=0.0)) / (mass + unknown) if mass else 0.0)
    return best


def _spelled_nearly(names: Names, name: str) -> list[str]:
    """Return NEAR_MAX names that some record defines and that differ by case, or by one letter: left out, added, replaced, or exchanged."""
    if len(name) > NEAR_CHARS_MAX:
        return []
    spellings = dict.fromkeys((name.lower(), name.upper(), name[:1].swapcase() + name[1:], *_edits(name)))
    return names.select_defined([other for other in spellings if other != name and len(other) > 1])[:NEAR_MAX]


def _edits(name: str) -> Iterator[str]:
    splits = [(name[:at], name[at:]) for at in range(len(name) + 1)]
    yield from (head + tail[1:] for head, tail in splits if tail)
    yield from (head + tail[1] + tail[0] + tail[2:] for head, tail in splits if len(tail) > 1)
    yield from (head + letter + tail for head, tail in splits for letter in _LETTERS)
    yield from (head + letter + tail[1:] for head, tail in splits if tail for letter in _LETTERS)
