"""Co-change: which files change together, and how sure is that?

Counts commits and gives each file the partners of which the lower end of Wilson's interval says that they change when
it does. Pure: commits in, a table out.
"""

from __future__ import annotations

from collections.abc import Sequence

from clew.enrich.history import FILES_MAX, Commit
from clew.enrich.partners import Partner, Table, keep, lower_bound
from clew.records import Delta, SourceState

COCHANGE = "cochange:"  # the source that keeps the table; its digest is the commit that was HEAD
BY = "cochange/1"
PARTNERS_MAX = 24  # kept of a file: some of them are gone, or are not read
WEIGHT_MIN = 0.02  # below it a partner is chance; guess


def co_changes(commits: Sequence[Commit]) -> Table:
    """Return what changes with each file.

    commits  newest first; a file that was renamed as it was keeps what was known of its old name.
    Cost     about 60 ms for 3,000 commits.
    """
    now: dict[str, str] = {}
    times: dict[str, float] = {}
    both: dict[str, dict[str, float]] = {}
    for commit in commits:
        files = list(dict.fromkeys(now.get(path, path) for path in commit.files))
        for old, new in commit.moved:
            now[old] = now.get(new, new)
        if len(files) > FILES_MAX:
            continue
        for path in files:
            times[path] = times.get(path, 0.0) + 1.0
            beside = both.setdefault(path, {})
            for other in files:
                if other != path:
                    beside[other] = beside.get(other, 0.0) + 1.0
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
