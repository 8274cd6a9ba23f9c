"""Find files that change together, by counting commits.

Each file gets those partners of which the lower end of Wilson's interval says that they change when it does. Pure: commits
in, a table out.
"""

from __future__ import annotations

from collections.abc import Sequence

from clew.enrich.edge_producer import EdgeProducer, PartnerTable, build_table_delta, count_together, read_table
from clew.enrich.history import COMMIT_FILES_MAX, Commit
from clew.records import Delta, EdgeKind, SourceState

CO_CHANGE_SOURCE = "cochange:"  # the source that keeps the table; its digest is the commit that was HEAD
PRODUCER = "cochange/1"  # name and version of this producer in its Deltas
CO_CHANGES_MAX = 24  # stored for each file; more than the edges need, as some are gone or not indexed
CO_CHANGE_WEIGHT_MIN = 0.02  # below it two files changed together by chance; guess


def compute_co_changes(commits: Sequence[Commit]) -> PartnerTable:
    """Return, for each file, the files that changed in the same commits, with weights.

    commits  newest first; a file that was renamed as it was keeps what was known of its old name.
    Cost     about 60 ms for 3,000 commits.
    """
    now: dict[str, str] = {}
    groups: list[list[str]] = []
    for commit in commits:
        files = list(dict.fromkeys(now.get(path, path) for path in commit.files))
        for old, new in commit.moved:
            now[old] = now.get(new, new)
        if len(files) <= COMMIT_FILES_MAX:
            groups.append(files)
    heavy = {
        path: [one for one in found if one.weight >= CO_CHANGE_WEIGHT_MIN][:CO_CHANGES_MAX]
        for path, found in count_together(groups).items()
    }
    return {path: found for path, found in heavy.items() if found}


def build_co_change_delta(head: str, table: PartnerTable) -> Delta:
    """Build the Delta that stores which files change together as of the commit `head`."""
    return build_table_delta(PRODUCER, CO_CHANGE_SOURCE, _digest(head), table)


def is_current(state: SourceState | None, head: str) -> bool:
    """Return whether a state stores which files change together as of the commit `head`; False for None."""
    return state is not None and state.digest == _digest(head)


def _digest(head: str) -> str:
    return f"{PRODUCER} {head}"


CO_CHANGE_PRODUCER = EdgeProducer(
    EdgeKind.CO_CHANGES, lambda _paths, state: read_table(state), "co_changes", "by {commits}", source=CO_CHANGE_SOURCE
)
