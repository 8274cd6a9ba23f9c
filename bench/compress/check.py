"""Check: how many false sentences does the check of answers let pass? No model is asked.

A line that was copied from a chunk must be taken as a sentence about its chunk; the same line with one letter or digit of one name altered,
so that the name stands nowhere, should be dropped. What counts as a name here is any word with a digit, an inner capital, or one of
`_ . / -` inside: not what the check itself looks for. Half of the altered names are of a line's first such word, half of any.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from clew.enrich.answer_check import holds_all
from clew.enrich.chunks import SessionChunk

NAME = re.compile(r"(?=[\w./-]{4,})[\w./-]*(?:\d|[a-z][A-Z]|\w[_./-]\w)[\w./-]*")
LINE_CHARS = (12, 300)
TRIES = 8


@dataclass(slots=True)
class CheckCounts:
    """Lines that were copied, of these those dropped; lines with an altered name, of these those dropped."""

    copied: int = 0
    copied_dropped: int = 0
    altered: int = 0
    altered_dropped: int = 0


def try_check(chunks: Sequence[SessionChunk], draw: random.Random, counts: CheckCounts) -> None:
    """Try one line of each piece of these chunks."""
    for chunk in chunks:
        whole = "\n".join(line for piece in chunk.pieces for line in piece.lines)
        for piece in chunk.pieces:
            lines = [line.strip() for line in piece.lines if LINE_CHARS[0] <= len(line.strip()) <= LINE_CHARS[1]]
            if not lines:
                continue
            line = draw.choice(lines)
            counts.copied += 1
            counts.copied_dropped += not holds_all(whole, line)
            if changed := _alter(line, whole, draw):
                counts.altered += 1
                counts.altered_dropped += not holds_all(whole, changed)


def _alter(line: str, whole: str, draw: random.Random) -> str:
    """The line with one letter or digit of one name changed, so that the name stands nowhere; "" where it has no name."""
    found = list(NAME.finditer(line))
    if not found:
        return ""
    name = found[0] if draw.random() < 0.5 else draw.choice(found)
    places = [at for at in range(name.start(), name.end()) if line[at].isascii() and line[at].isalnum()]
    for _ in range(TRIES if places else 0):
        at = draw.choice(places)
        changed = line[:at] + draw.choice("0123456789" if line[at].isdigit() else "abcdefghijklmnopqrstuvwxyz") + line[at + 1 :]
        if changed[name.start() : name.end()] not in whole:
            return changed
    return ""
