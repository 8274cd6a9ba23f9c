"""Split text and code into the terms that the search index holds.

Identifiers are split at underscores, at case changes and between letters and digits, stemmed, and kept
whole as well, so that `resolve_redirects` is found by "redirect" and, more strongly, by its own name.
Scripts that put no spaces between words become pairs of letters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

import Stemmer

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts that do not put spaces between words


class _Stems(Protocol):
    def stemWord(self, word: str, /) -> str: ...  # noqa: N802  PyStemmer's own name


# The library has no types. It needs no cache of its own: `split_word` caches what it returns.
_STEMMER: _Stems = Stemmer.Stemmer("english", 0)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
WORD_CHARS_MAX = 64  # longer runs are keys, hashes and encoded data: found by their first 64 characters


def extract_words(text: str) -> list[str]:
    """Return every identifier, number and run of other letters in a text, in order, unchanged."""
    return _WORD.findall(text)


def split_word(word: str) -> tuple[str, ...]:
    """Return the search terms of one word: its stemmed parts, then the whole word in lower case if it has several.
    `HTTPServer2` gives ("http", "server", "2", "httpserver2"); a part of one letter is dropped unless it is all there is.
    """
    return _split(word[:WORD_CHARS_MAX])  # cut first, because what was asked is kept


@lru_cache(maxsize=1 << 17)
def _split(word: str) -> tuple[str, ...]:
    if not word.isascii():
        if _UNSPACED.search(word):
            return tuple(word[at : at + 2] for at in range(max(1, len(word) - 1)))
        return (word.lower(),)
    parts = [part.lower() for part in _PART.findall(word)]
    if len(parts) <= 1:
        return (_stem(parts[0]),) if parts else ()
    kept = [_stem(part) for part in parts if len(part) > 1]
    return (*kept, word.lower().strip("_"))


def extract_terms(text: str) -> list[str]:
    """Return the search terms of a text, in order, with repetitions."""
    return [term for word in _WORD.findall(text) for term in split_word(word)]


def _stem(word: str) -> str:
    return _STEMMER.stemWord(word) if len(word) > 3 else word
