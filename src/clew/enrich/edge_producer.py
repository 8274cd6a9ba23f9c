"""Define edge producers, which propose coupled files, and how their tables are stored between runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from clew.impact.cochange import wilson_lower_bound
from clew.records import Delta, SourceState

WILSON_Z = 1.0  # standard deviations that Wilson's interval reaches down; 0, 1 and 2 are compared in bench/LOG.md


@dataclass(frozen=True, slots=True)
class CoupledFile:
    """A file that is coupled with the file it is listed under; weight is 0 to 1."""

    path: str
    weight: float


PartnerTable: TypeAlias = Mapping[str, Sequence[CoupledFile]]
"""Path → the files coupled with it, heaviest first, ties by path."""


@dataclass(frozen=True, slots=True)
class EdgeProducer:
    """A producer of one kind of edges between files; each is a module of `clew.enrich.producers`, where the registry finds it.

    kind     of the edges: an `EdgeKind`, or a new word, which `clew impact` then gives as the reason.
    propose  returns the coupled files of each file, from the paths of all indexed files and the state of `source`.
    source   the source whose state it reads; "" for none. Its edges are proposed anew when the digest of that state changes.
    label    what the kind is called where edges are counted; `words` says so in a sentence, after the count.
    """

    kind: str
    propose: Callable[[Collection[str], SourceState | None], PartnerTable]
    label: str
    words: str
    source: str = ""


def count_together(groups: Iterable[Sequence[str]]) -> PartnerTable:
    """Return, for each path, the others in the same groups (commits, sessions), weighted by how surely they appear when it does.

    The weight is the lower end of Wilson's interval of the share of the path's groups that hold the other.
    """
    times: dict[str, int] = {}
    both: dict[str, dict[str, int]] = {}
    for paths in groups:
        for path in paths:
            times[path] = times.get(path, 0) + 1
            beside = both.setdefault(path, {})
            for other in paths:
                if other != path:
                    beside[other] = beside.get(other, 0) + 1
    return {
        path: sorted(
            (CoupledFile(other, round(wilson_lower_bound(count, times[path], WILSON_Z), 3)) for other, count in beside.items()),
            key=lambda one: (-one.weight, one.path),
        )
        for path, beside in both.items()
        if beside
    }


def build_table_delta(by: str, source: str, digest: str, table: PartnerTable) -> Delta:
    """Build the Delta that stores a table in the state of `source`; `digest` identifies what it was computed from, `by` the producer."""
    rows = {path: [(partner.path, partner.weight) for partner in partners] for path, partners in sorted(table.items())}
    return Delta(by, source, is_whole=False, state=SourceState(source, digest, len(rows), note=msgspec.json.encode(rows).decode()))


def read_table(state: SourceState | None) -> PartnerTable:
    """Decode the table that `build_table_delta` stored in a source's state; an empty one for None."""
    if state is None or not state.note:
        return {}
    rows = msgspec.json.decode(state.note, type=dict[str, list[tuple[str, float]]])
    return {path: [CoupledFile(*row) for row in partners] for path, partners in rows.items()}
