"""Vocabulary: lists of names, written as they are read."""

from __future__ import annotations


def listed(text: str) -> frozenset[str]:
    """The words of `text`, as a set to ask and never to go through."""
    return frozenset(text.split())
