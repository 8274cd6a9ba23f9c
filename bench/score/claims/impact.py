"""One file of a change is known: are the others among the first ten?"""

from __future__ import annotations

from collections.abc import Mapping

from bench.impact.arms import arms, scores
from bench.impact.changes import newest
from bench.impact.replay import Replayed, Work, replay
from bench.score.figure import Context, DataMissing, Figure, Value

REPOSITORIES = ("psf/requests", "google/gson", "jqlang/jq", "sharkdp/bat", "fluent/fluentd", "py-pdf/pypdf")
QUICK_COMMITS, COMMITS = 5, 30


def measure(context: Context) -> Mapping[str, Value]:
    """Replay commits of those repositories that are here."""
    replayed: list[Replayed] = []
    work = Work(context.work / "impact.jsonl")
    for repository in REPOSITORIES[: 2 if context.is_quick else None]:
        try:
            git_dir = context.mirror_of(repository)
        except DataMissing:
            continue
        commits = newest(git_dir, repository, QUICK_COMMITS if context.is_quick else COMMITS)
        replayed += replay(git_dir, commits, work, lambda _: None)
    if not replayed:
        raise DataMissing(f"--mirrors with one of {', '.join(REPOSITORIES)}")
    own = arms()["clew"]
    found = {f"{one.repo} {one.id}": scores(own, one) for one in replayed if one.asked}
    clusters = {name: name.partition(" ")[0] for name in found}
    return {
        "other files among the first ten": Value.of_rows({name: each and each["recall@10"] for name, each in found.items()}, clusters),
        "reciprocal rank of the first": Value.of_rows({name: each and each["mrr"] for name, each in found.items()}, clusters),
    }


FIGURE = Figure("impact", "Before an edit, the files that will have to change with it are named.", measure)
