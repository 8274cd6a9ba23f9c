"""Vocabulary: lists of names, written as they are read."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    """The words of `text`, as a set to ask and never to go through."""
    return frozenset(text.split())


HAND_OFF_MARK = "State of the work, kept by clew"
"""How every hand-off of ours begins inside a client's window, so that a transcript that holds it is not read as the user's words."""
