"""Calibration: the weights that a repository's own history asked for, as the store keeps them.

A note is believed only by a release with the same channels and the same default weights as the one that wrote it:
figures that were fitted beside others mean nothing.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from clew.records import Delta, SourceState
from clew.retrieval.weights import CHANNELS, DEFAULT, Weights, as_row

BY = "calibrate/1"
CALIBRATION = "calibration:"  # the source that holds the note


class Measure(msgspec.Struct, frozen=True):
    """What was found of what the held-out commits changed, with the default weights and with the fitted ones; shares.

    low, high  the bounds of an interval of 95 % over the commits.
    """

    name: str
    default: float
    default_low: float
    default_high: float
    fitted: float
    fitted_low: float
    fitted_high: float
    gain: float
    gain_low: float
    gain_high: float


class Note(msgspec.Struct, frozen=True):
    """What a calibration found. `made_by` says beside which channels and default weights; `likelihood` is per commit, in nats."""

    made_by: str
    head: str
    commits: int
    fitted_to: int
    held_out: int
    pull: float
    weights: dict[str, float]
    measures: list[Measure]
    likelihood_default: float
    likelihood_fitted: float


def maker() -> str:
    """Who makes notes: this form, with these channels and default weights."""
    words = " ".join([*CHANNELS, *(f"{weight:g}" for weight in as_row(DEFAULT))])
    return f"{BY} {blake2b(words.encode(), digest_size=8).hexdigest()}"


def kept(note: Note) -> Delta:
    """The Delta that keeps a note."""
    state = SourceState(CALIBRATION, note.head, note.commits, 0, "indexed", msgspec.json.encode(note).decode())
    return Delta(BY, CALIBRATION, is_whole=False, state=state)


def dropped() -> Delta:
    """The Delta that forgets it."""
    return Delta(BY, CALIBRATION, is_whole=True, state=None)


def note_in(state: SourceState | None) -> Note | None:
    """The note of a state; None when there is none, or when it was made beside other channels or weights than these."""
    if state is None:
        return None
    try:
        note = msgspec.json.decode(state.note, type=Note)
    except msgspec.DecodeError:  # another release wrote it
        return None
    is_known = note.made_by == maker() and note.weights.keys() == set(CHANNELS)
    return note if is_known else None


def weights_in(state: SourceState | None) -> Weights:
    """The weights of a state, or the default ones. Cost: some 20 µs."""
    note = note_in(state)
    return Weights(**note.weights) if note else DEFAULT
