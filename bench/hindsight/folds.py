"""Folds: nets that were fitted without a fifth of the sessions each, so that none is judged by what saw it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from clew.compaction.keep import ScoringNetwork, networks_from_arrays

FOLDS = 5
FOLDS_FILE = Path(__file__).with_name("folds.npz")


def fold_of(session: str) -> int:
    """The fold of a session, from its id alone."""
    return int(hashlib.sha256(session.encode()).hexdigest()[:8], 16) % FOLDS


@cache
def nets_without(fold: int) -> tuple[ScoringNetwork, ScoringNetwork]:
    """The nets that were fitted without this fold's sessions."""
    with np.load(FOLDS_FILE, allow_pickle=False) as held:
        prefix = f"{fold}."
        return networks_from_arrays({name.removeprefix(prefix): held[name] for name in held.files if name.startswith(prefix)})
