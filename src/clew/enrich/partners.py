"""Partners: tables of what goes with which file, and how they are kept in a source's state between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import msgspec

from clew.records import Delta, SourceState

Z = 1.0  # standard deviations that Wilson's interval reaches down; 0, 1 and 2 are compared in bench/LOG.md


@dataclass(frozen=True, slots=True)
class Partner:
    """`path` goes with the file that it is listed under. weight is 0 to 1."""

    path: str
    weight: float


Table: TypeAlias = Mapping[str, Sequence[Partner]]
"""Path → its partners, heaviest first, ties by path."""


def keep(by: str, source: str, digest: str, table: Table) -> Delta:
    """The Delta that keeps a table; `digest` says what it was made from."""
    rows = {path: [(partner.path, partner.weight) for partner in partners] for path, partners in sorted(table.items())}
    return Delta(by, source, is_whole=False, state=SourceState(source, digest, len(rows), note=msgspec.json.encode(rows).decode()))


def table_of(state: SourceState | None) -> Table:
    """The table that `keep` put into a state; an empty one for None."""
    if state is None or not state.note:
        return {}
    rows = msgspec.json.decode(state.note, type=dict[str, list[tuple[str, float]]])
    return {path: [Partner(*row) for row in partners] for path, partners in rows.items()}


def lower_bound(hits: float, trials: float, z: float = Z) -> float:
    """The lower end of Wilson's interval for a share of which `hits` of `trials` were seen; 0 where nothing was tried.

    Source  Wilson 1927; Brown, Cai, DasGupta 2001, eq. 4.
    """
    if trials <= 0:
        return 0.0
    share = min(hits / trials, 1.0)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return max(0.0, (share + z * z / (2 * trials) - spread) / (1 + z * z / trials))
