"""Rank the files that will probably have to change with given ones.

Scores a file by the weighted sum of its couplings with the given ones (`clew.impact.couplings`). Pure over a Snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clew.impact.couplings import COUPLING_KINDS, ImpactTarget, compute_couplings
from clew.records import MatchReason
from clew.store.ports import Snapshot

# Chosen on replayed commits of three repositories for recall@10, recall@5 and MRR together; bench/LOG.md has what each is worth
# there and on repositories that were held out. What sessions edited is a guess: those repositories have no sessions.
COUPLING_WEIGHTS: Mapping[str, float] = {
    "co-change": 2.0,
    "sessions": 0.5,
    "tests": 0.5,
    "imports": 0.01,  # worth nothing beside the names that an import brings; kept for what it says
    "calls": 0.05,
    "inherits": 0.3,
    "names": 0.7,
    "literals": 0.1,
    "name": 0.2,
    "folder": 0.1,
    "proposed": 0.3,  # edges of a kind that no weight was fitted for; guess
    "alike": 0.05,  # the best of .05 to .5, and worth +.002 [.000, .004]: made only where a user chose it
    "semantic": 0.05,  # as above; what a model adds was not told apart from nothing
}
# Without history to say what changes together, what uses a file comes before what merely stands beside it; guess.
YOUNG_COUPLING_WEIGHTS: Mapping[str, float] = {**COUPLING_WEIGHTS, "imports": 1.0, "calls": 1.0, "inherits": 1.0}
YOUNG_COMMITS_MAX = 5  # of a repository that has no history to go by: a new one, or a copy of a few commits; guess
IMPACT_REASONS_MAX = 4  # shown for one file


@dataclass(slots=True)
class ImpactedFile:
    """A file that may have to change as well, with its score. shares: kind of coupling → 0 to 1; reasons in order of COUPLING_KINDS."""

    path: str
    score: float = 0.0
    shares: dict[str, float] = field(default_factory=dict[str, float])
    reasons: tuple[MatchReason, ...] = ()


def rank_impacted_files(snapshot: Snapshot, targets: Sequence[ImpactTarget], *, limit: int) -> list[ImpactedFile]:
    """Return at most `limit` files that most probably change with the targets, most probable first; ties break by path.

    Shares of a kind of coupling count by COUPLING_WEIGHTS, where the repository has hardly any commits by YOUNG_COUPLING_WEIGHTS; a kind
    without a weight does not count. Files for which nothing can be said are left out.
    Cost  about 10 ms for one file in a repository of 2,000 files.
    """
    commits = np.count_nonzero(snapshot.documents.is_commit.whole & snapshot.documents.alive)
    weights = COUPLING_WEIGHTS if commits > YOUNG_COMMITS_MAX else YOUNG_COUPLING_WEIGHTS
    found: dict[str, ImpactedFile] = {}
    told: dict[str, list[tuple[int, float, MatchReason]]] = {}
    own = {each.path for each in targets}
    for each in targets:
        for order, (kind, shares) in enumerate(compute_couplings(snapshot, each).items()):
            for path, (share, reason) in shares.items():
                if path in own or kind not in weights:
                    continue
                one = found.setdefault(path, ImpactedFile(path))
                one.shares[kind] = max(one.shares.get(kind, 0.0), share)
                if reason:
                    told.setdefault(path, []).append((order, -share, reason))
    for path, one in found.items():
        one.score = round(sum(weights[kind] * one.shares[kind] for kind in COUPLING_KINDS if kind in one.shares), 6)
        one.reasons = tuple(dict.fromkeys(reason for *_, reason in sorted(told.get(path, []), key=_order)))[:IMPACT_REASONS_MAX]
    # Plain words that few files share count beside other couplings; alone they are no reason that a reader would take.
    return sorted((one for one in found.values() if one.score > 0 and one.reasons), key=lambda one: (-one.score, one.path))[:limit]


def _order(told: tuple[int, float, MatchReason]) -> tuple[int, float, str, tuple[str | int, ...]]:
    order, share, reason = told
    return order, share, reason.kind, reason.values
