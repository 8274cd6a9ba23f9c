"""Deadline: which stages there is still time for, and the names of those that were skipped.

The only place in this room that looks at a clock. Without a deadline nothing is ever skipped, and the
clock is not read, so that a packet depends on its inputs alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

# What a stage takes at the 99th percentile of 77 issue texts over sympy's 47,900 records, milliseconds on two busy cores;
# `vector`, `history`, `state`, `importance`, `twins` and `verbatim` are guesses. A stage that has less than this left is skipped.
# Assembly cannot be skipped, so its share is kept free.
STAGE_MS: dict[str, float] = {
    "paths": 2.0,
    "names": 2.0,
    "vector": 8.0,
    "files": 4.0,
    "history": 4.0,
    "diffuse": 15.0,
    "state": 20.0,
    "importance": 2.0,
    "twins": 2.0,
    "verbatim": 4.0,
    "folds": 25.0,
    "fresh": 5.0,
}
ASSEMBLE_MS = 10.0


@dataclass(slots=True)
class Deadline:
    """A time limit of `milliseconds` from its construction, None for no limit. `clock` returns seconds."""

    milliseconds: float | None = None
    clock: Callable[[], float] = monotonic
    skipped: list[str] = field(default_factory=list[str])
    _started: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Start counting."""
        if self.milliseconds is not None:
            self._started = self.clock()

    def allows(self, stage: str) -> bool:
        """Return whether `stage` still fits in the time left; the name of a stage that does not is added to `skipped`."""
        if self.milliseconds is None:
            return True
        left = self.milliseconds - (self.clock() - self._started) * 1000.0
        if left >= STAGE_MS[stage] + ASSEMBLE_MS:
            return True
        self.skipped.append(stage)
        return False
