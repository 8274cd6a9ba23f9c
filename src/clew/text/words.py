"""Split text and code into the terms that the search index holds.

Identifiers are split at underscores, at case changes and between letters and digits, stemmed, and kept joined as well: `UserService`,
`user_service` and `userservice` all give one joined term, so that `resolve_redirects` is found by "redirect" and, more strongly, by its
own name in whatever way it is written. Letters are Unicode's, composed (NFC). Scripts that put no spaces between words become pairs
of letters, and are told apart from the letters of other scripts beside them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Protocol

import Stemmer

# Scripts that do not put spaces between words: kana, Han, Hangul (whose words carry their particles), Thai, Lao, Khmer.
_UNSPACED_RANGES = (
    r"\u0e00-\u0eff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
# Signs that belong to the letter before them, and are no letters to `re`: combining marks, points and vowel signs.
_MARKS = r"\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0dff"
WORD_CHARS_MAX = 64  # longer runs are keys, hashes and encoded data: found by their first 64 characters
# Every ASCII byte that stands in no word is a blank; the bytes of other letters stay as they are.
_BLANKS = bytes(byte if byte > 127 or chr(byte).isalnum() or byte == 95 else 32 for byte in range(256))
_WORD = re.compile(rf"[{_UNSPACED_RANGES}]{{1,{WORD_CHARS_MAX}}}|(?:(?![{_UNSPACED_RANGES}])[\w{_MARKS}])+")
_HYPHEN = re.compile(r"-[^\W\d_]\w")  # begins with its one fixed letter, which is looked for fast
_BEFORE_HYPHEN, _BEHIND_HYPHEN = re.compile(r"\w+[^\W\d_](?!\w)"), re.compile(r"(?:-[^\W\d_]\w+)+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UNSPACED = re.compile(f"[{_UNSPACED_RANGES}]")
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\dA-Za-z_]+")


class _Stems(Protocol):
    def stemWord(self, word: str, /) -> str: ...  # noqa: N802  PyStemmer's own name


# The library has no types. It needs no cache of its own: `split_word` caches what it returns.
_STEMMER: _Stems = Stemmer.Stemmer("english", 0)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def compose_letters(text: str) -> str:
    """Return a text with letters and their marks composed (NFC), as most programs write them; file names of a Mac hold them apart."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def extract_words(text: str) -> list[str]:
    """Return every identifier, number and run of other letters in a text, in order, then the names that are joined by hyphens as a whole;
    letters composed, otherwise unchanged.
    """
    text = compose_letters(text)
    # Splitting at blanks takes a third of the time of an expression, which only words of other letters need.
    runs = text.encode("utf-8", "surrogatepass").translate(_BLANKS).decode("utf-8", "surrogatepass").split()
    words: list[str] = [] if not text.isascii() else runs
    for run in runs if not text.isascii() else ():
        if run.isascii():
            words.append(run)
        else:
            words += _WORD.findall(run)
    return words + _hyphenated(text) if "-" in text else words


def _hyphenated(text: str) -> list[str]:
    """Return the names whose words are joined by hyphens, as in `max-retries`, in order."""
    found: list[str] = []
    end = -1
    for hyphen in _HYPHEN.finditer(text):
        at = hyphen.start()
        if at < end:
            continue
        before = _BEFORE_HYPHEN.match(text[max(0, at - WORD_CHARS_MAX) : at][::-1])
        behind = _BEHIND_HYPHEN.match(text, at)
        if before and behind:
            end = behind.end()
            found.append(text[at - before.end() : end])
    return found


def split_word(word: str) -> tuple[str, ...]:
    """Return the search terms of one word: its stemmed parts, then, if it has several, the stem of the whole without its joints.
    `HTTPServer2` gives ("http", "server", "httpserver2"); a part of one letter is dropped unless it is all there is. Of `max-retries` the
    parts are words of their own, so it gives the whole alone.
    """
    return _split(word[:WORD_CHARS_MAX])  # cut first, because what was asked is kept


@lru_cache(maxsize=1 << 17)
def _split(word: str) -> tuple[str, ...]:
    if "-" in word:
        return (_stem(word.replace("-", "").replace("_", "").lower()),)
    if word.isascii():
        parts = [part.lower() for part in _PART.findall(word)]
    elif _UNSPACED.search(word):
        return tuple(word[at : at + 2] for at in range(max(1, len(word) - 1)))
    else:
        parts = [part.casefold() for part in _parts(compose_letters(word))]  # ß is ss
    if len(parts) <= 1:
        return (_stem(parts[0]),) if parts else ()
    kept = [_stem(part) for part in parts if len(part) > 1]
    joined = _stem("".join(parts))
    return (*kept, joined) if joined not in kept else tuple(kept)


def _parts(word: str) -> list[str]:
    """Split a word at underscores, case changes and between letters and digits, by what Unicode says of its letters."""
    parts: list[str] = []
    start, last = 0, ""
    for at, letter in enumerate(word):
        kind = "_" if letter == "_" else "9" if letter.isdecimal() else "A" if letter.isupper() else "a"
        if last and kind != last and not (last == "A" and kind == "a"):
            parts.append(word[start:at])
            start = at
        elif last == "A" and kind == "a" and at - start > 1:  # the last capital of `HTTPServer` begins the next word
            parts.append(word[start : at - 1])
            start = at - 1
        last = kind
    return [part for part in (*parts, word[start:]) if part and part.strip("_")]


def split_name(name: str) -> list[str]:
    """Return the parts of a name in lower case, as written: split at case changes, at digits and at all that is no letter."""
    return [part.lower() for part in _NAME_PART.findall(name)]


def extract_terms(text: str) -> list[str]:
    """Return the search terms of a text, in order, with repetitions."""
    return [term for word in extract_words(text) for term in split_word(word)]


def _stem(word: str) -> str:
    return _STEMMER.stemWord(word) if len(word) > 3 else word
