"""Fences: a small parser of what a model is sent, which knows nothing but the nonce of the session.

Written apart from the code that makes fences, so that a mistake there cannot hide here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NONCE = re.compile(r"<<(\d{10}) data that was read")


@dataclass(frozen=True, slots=True)
class Read:
    """What stands between the marks, piece by piece, and all that stands outside them."""

    inside: tuple[str, ...]
    plain: str


def read(sent: str, nonce: str) -> Read:
    """Take a text apart at its marks. Raises AssertionError where they are not in pairs, or the nonce stands elsewhere."""
    inside: list[str] = []
    plain: list[str] = []
    held: list[str] | None = None
    for line in sent.split("\n"):
        if held is None and line.startswith(f"<<{nonce} data") and line.endswith(">>"):
            held = []
        elif held is not None and line == f"<<{nonce} end>>":
            inside.append("\n".join(held))
            held = None
        else:
            assert nonce not in line, f"the nonce stands in {line!r}"
            (plain if held is None else held).append(line)
    assert held is None, "a fence is not closed"
    return Read(tuple(inside), "\n".join(plain))


def nonce_in(sent: str) -> str:
    """The nonce of a text by its first mark: what a model sees, and nobody who wrote what is quoted."""
    found = NONCE.search(sent)
    assert found, f"nothing is fenced in {sent[:200]!r}"
    return found[1]


def without_marks(sent: str) -> str:
    """The text as it stood before it was fenced."""
    nonce = nonce_in(sent)
    return "".join(line for line in sent.splitlines(keepends=True) if not line.startswith(f"<<{nonce} "))


def opened(sent: str) -> Read:
    """Take a text apart by the nonce of its first mark."""
    return read(sent, nonce_in(sent))
