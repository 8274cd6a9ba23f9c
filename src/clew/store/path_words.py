"""Path words: which files' own names and folders do the words of a question spell?

A file's own name is its last component without endings; `__init__`, `index`, `mod` and the like stand for their folder, and bear its name.
A word spells a part of a name in any inflection: both begin with the same four letters, or one is the first letters of the other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clew.text.words import split_name, split_word

_FOLDER_FILES = frozenset(("__init__", "index", "mod", "package"))  # they bear their folder's name, by the conventions of their languages
_ENTRY_FILES = frozenset(("lib", "main"))  # likewise in a folder that says only that sources are in it
_SOURCE_FOLDERS = frozenset(("src", "source", "sources", "lib"))
SAME, PART, ALIKE, SHORT = 1.0, 0.8, 0.5, 0.4  # the same stem; one begins with the other; four letters; three letters. Guesses
PREFIX = 4


@dataclass(frozen=True, slots=True)
class PathHits:
    """How well a question's words are spelled in paths, float32.

    stems    (words, paths) how well each word is spelled in the file's own name; folders likewise.
    lengths  (paths,) parts of each file's own name.
    """

    stems: NDArray[np.float32]
    folders: NDArray[np.float32]
    lengths: NDArray[np.float32]


class PathWords:
    """The parts of many paths, by the paths that hold them."""

    def __init__(self, paths: Sequence[str]) -> None:
        holders: dict[str, tuple[list[int], list[int]]] = {}
        lengths = np.ones(len(paths), np.float32)
        folders_of: dict[str, list[str]] = {}
        for number, path in enumerate(paths):
            folder, _, name = path.rpartition("/")
            parts = split_name(_own_name(folder, name))
            lengths[number] = max(len(parts), 1)
            for part in parts:
                holders.setdefault(part, ([], []))[0].append(number)
            if folder not in folders_of:
                folders_of[folder] = list(dict.fromkeys(split_name(folder)))
            for part in folders_of[folder]:
                holders.setdefault(part, ([], []))[1].append(number)
        self.lengths = lengths
        self._parts = sorted(holders)
        self._holders = {part: (np.array(stems, np.int32), np.array(folders, np.int32)) for part, (stems, folders) in holders.items()}

    def find(self, terms: Sequence[str]) -> PathHits:
        """Return how well each of these search terms is spelled in each path."""
        stems = np.zeros((len(terms), len(self.lengths)), np.float32)
        folders = np.zeros_like(stems)
        for row, term in enumerate(terms):
            for part in self._near(term):
                value = np.float32(likeness(term, part))
                if value:
                    own, above = self._holders[part]
                    stems[row, own] = np.maximum(stems[row, own], value)
                    folders[row, above] = np.maximum(folders[row, above], value)
        return PathHits(stems, folders, self.lengths)

    def _near(self, term: str) -> list[str]:
        """The parts that begin with the first letters of `term`."""
        head = term[: PREFIX - 1]
        low, high = bisect_left(self._parts, head), bisect_left(self._parts, head + "\U0010ffff")
        return self._parts[low:high] if len(head) == PREFIX - 1 else [term] if term in self._holders else []


def likeness(term: str, part: str) -> float:
    """Return how well a search term (a stem) spells a part of a name, 0 to 1."""
    if term == part or split_word(part)[:1] == (term,):
        return SAME
    shorter = min(len(term), len(part))
    if shorter >= PREFIX and term[:shorter] == part[:shorter]:
        return PART
    if term[:PREFIX] == part[:PREFIX] and shorter >= PREFIX:
        return ALIKE
    return SHORT if shorter == PREFIX - 1 and term[:shorter] == part[:shorter] else 0.0


def _own_name(folder: str, name: str) -> str:
    """The part of a path that says what the file holds."""
    stem = name.partition(".")[0] or name
    above, _, last = folder.rpartition("/")
    if stem in _FOLDER_FILES and last:
        return last
    if stem in _ENTRY_FILES and last in _SOURCE_FOLDERS and above:
        return above.rpartition("/")[2]
    return stem
