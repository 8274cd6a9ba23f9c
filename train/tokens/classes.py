"""Classes: which bytes the estimate tells apart.

A token count is modelled as a sum over the bytes of a text: each byte costs what its class costs after the class
before it, within the context that the byte before that sets. 64 classes of bytes, 4 contexts, 16,384 weights a family.
Letters stand alone, because rare pairs of letters are where words break into pieces; capitals, punctuation and the
lead bytes of scripts are grouped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES = 64
CONTEXTS = 4
WEIGHTS = CLASSES * CONTEXTS * CLASSES

# Each row: the coarse group that the fit falls back to, and the classes in it.
SPACE, LOWER, UPPER, DIGIT, MARK, LEAD, TAIL = range(1, 8)
NEWLINE = 0


def _groups() -> list[tuple[int, list[list[int]]]]:
    controls = [byte for byte in range(32) if byte not in b"\t\n"]
    marks = rb""". , ;: ( )]} [{ "' ` _ - = /\ <> *+%&|^~ $#@!?"""
    leads = [
        [0xC3],  # accented letters of western Europe
        [0xC0, 0xC1, 0xC2, *range(0xC4, 0xCE)],
        [0xCE, 0xCF],  # Greek
        [0xD0, 0xD1],  # Cyrillic
        [*range(0xD2, 0xE0)],  # Hebrew, Arabic and their neighbours
        [0xE0, 0xE1],  # the scripts of south Asia
        [0xE2, 0xEE, 0xEF],  # punctuation, arrows, boxes, full-width forms
        [0xE3],  # kana
        [*range(0xE4, 0xEA)],  # Han
        [*range(0xEA, 0xEE)],  # Hangul
        [*range(0xF0, 0x100)],  # emoji and what lies above
    ]
    return [
        (NEWLINE, [[0x0A]]),
        (SPACE, [[0x20], [0x09]]),
        (LEAD, [[*controls, 0x7F]]),
        (LOWER, [[letter] for letter in b"abcdefghijklmnopqrstuvwxyz"]),
        (UPPER, [[*group] for group in (b"AEIOU", b"RSTNLCDMP", b"BFGHJKQVWXYZ")]),
        (DIGIT, [[*b"0123456789"]]),
        (MARK, [[*group] for group in marks.split()]),
        (LEAD, leads),
        (TAIL, [[*range(start, start + 16)] for start in range(0x80, 0xC0, 16)]),
    ]


def class_of() -> NDArray[np.uint8]:
    """(256,) the class of each byte, 0 to 63; the newline is class 0."""
    found = np.full(256, 255, np.uint8)
    for number, members in enumerate(group for _, groups in _groups() for group in groups):
        found[members] = number
    if found.max() != CLASSES - 1:
        raise ValueError(f"{found.max() + 1} classes, expected {CLASSES}")
    return found


def coarse_of() -> NDArray[np.uint8]:
    """(256,) the coarse group of each byte, 0 to 7."""
    found = np.zeros(256, np.uint8)
    for coarse, groups in _groups():
        for group in groups:
            found[group] = coarse
    return found


def context_of() -> NDArray[np.uint8]:
    """(256,) the context that each byte sets for the one after the next, 0 to 3.

    Blank, inside a word (letters and all that is not ASCII), capital or digit, punctuation. Eight contexts were no better.
    """
    return np.array([0, 0, 1, 2, 2, 3, 1, 1], np.uint8)[coarse_of()]


def positions(data: bytes) -> NDArray[np.int64]:
    """(n,) the weight that each byte of `data` uses: class, context, class before; a text starts as after a newline.

    After a newline the context is always 0, so that texts which end in a newline add up exactly.
    """
    raw = np.frombuffer(b"\n\n" + data, np.uint8)
    kind, context = class_of()[raw].astype(np.int64), context_of()[raw].astype(np.int64)
    before = np.where(kind[1:-1] == 0, 0, context[:-2])
    return (kind[2:] * CONTEXTS + before) * CLASSES + kind[1:-1]
