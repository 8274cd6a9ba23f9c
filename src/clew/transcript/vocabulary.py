"""Word lists of this package, and the heading that marks a hand-off."""

from __future__ import annotations

from collections.abc import Mapping


def split_words(text: str) -> frozenset[str]:
    """Return the words of `text` as a set, for membership tests only."""
    return frozenset(text.split())


def map_words_to_lists(lists: Mapping[str, str]) -> dict[str, str]:
    """Return for each word the name of the list that contains it."""
    return {word: name for name, words in lists.items() for word in words.split()}


HANDOFF_HEADING = "State of the work, kept by clew"
"""How every hand-off of ours begins inside a client's window, so that a transcript that holds it is not read as the user's words."""
