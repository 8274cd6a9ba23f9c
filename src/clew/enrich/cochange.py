"""Co-change: which files change together, and how sure is that?

Counts commits and gives each file the partners of which the lower end of Wilson's interval says that they change when
it does. A commit counts less the older it is, and for each pair the less the more files it changed. Pure: commits in, a
table out.
"""

from __future__ import annotations

from collections.abc import Sequence

from clew.enrich.history import FILES_MAX, Commit
from clew.enrich.partners import Partner, Table, keep, lower_bound
from clew.records import Delta, SourceState

COCHANGE = "cochange:"  # the source that keeps the table; its digest is the commit that was HEAD
BY = "cochange/1"
PARTNERS_MAX = 24  # kept of a file: some of them are gone, or are not read
HALF_LIFE = 500.0  # commits after which one counts half; 250 to 2,000 and no decay are compared in bench/LOG.md
SIZE_POWER = 0.5  # a pair counts 1 / (files − 1) to this power; 0 and 1 are compared there
WEIGHT_MIN = 0.02  # below it a partner is chance; guess


def co_changes(commits: Sequence[Commit]) -> Table:
    """Return what changes with each file.

    commits  newest first; a file that was renamed as it was keeps what was known of its old name.
    Cost     about 60 ms for 3,000 commits.
    """
    now: dict[str, str] = {}
    times: dict[str, float] = {}
    both: dict[str, dict[str, float]] = {}
    for age, commit in enumerate(commits):
        files = list(dict.fromkeys(now.get(path, path) for path in commit.files))
        for old, new in commit.moved:
            now[old] = now.get(new, new)
        if len(files) > FILES_MAX:
            continue
        counted = 0.5 ** (age / HALF_LIFE)
        shared = counted / max(len(files) - 1, 1) ** SIZE_POWER
        for path in files:
            times[path] = times.get(path, 0.0) + counted
            beside = both.setdefault(path, {})
            for other in files:
                if other != path:
                    beside[other] = beside.get(other, 0.0) + shared
    table: dict[str, list[Partner]] = {}
    for path, beside in both.items():
        found = [Partner(other, round(lower_bound(count, times[path]), 3)) for other, count in beside.items()]
        found = sorted((one for one in found if one.weight >= WEIGHT_MIN), key=lambda one: (-one.weight, one.path))[:PARTNERS_MAX]
        if found:
            table[path] = found
    return table


def kept(head: str, table: Table) -> Delta:
    """The Delta that keeps what changes together as of the commit `head`."""
    return keep(BY, COCHANGE, _digest(head), table)


def is_of(state: SourceState | None, head: str) -> bool:
    """Whether a state keeps what changes together as of the commit `head`."""
    return state is not None and state.digest == _digest(head)


def _digest(head: str) -> str:
    return f"{BY} {head}"
