"""Command: `python -m train.weights`. Fits `clew.ranking.weights.DEFAULT` to issues, and says what it is worth elsewhere.

Every issue is asked the tree and the commits of its base commit. The weights are fitted to all repositories but a sixth, and
judged on that sixth, six times over; then once to all. What is printed is for `weights.py` to hold; nothing is written.
Repositories weigh by the root of their number of issues, so that one with many does not decide alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.localization.rows import Row, git_dir_of, load_rows
from bench.trees import commit_times, write_tree
from clew.enrich.git import run_git
from clew.enrich.history import COMMITS_MAX, load_commits
from clew.ranking.weights import CHANNELS, DEFAULT, Weights
from train.weights.fit import Labelled, fit, likelihood
from train.weights.labels import gold_of, labelled
from train.weights.past import Past

FOLDS = 6
L2_PENALTY = 0.002  # per squared nat: with hundreds of issues hardly any, only against channels that never speak
NEUTRAL = Weights(**dict.fromkeys(CHANNELS, 0.5))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m train.weights", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.jsonl[.xz]")
    parser.add_argument("--mirrors", type=Path, required=True, help="folder of owner+name/repo git directories")
    parser.add_argument("--rows", default="swebench_lite,swebench_verified,swebench_multilingual,locbench", help="data sets")
    parser.add_argument("--repos", default="", help="only these repositories")
    given = parser.parse_args(arguments)
    rows = load_rows(given.data, given.rows.split(","), [name for name in given.repos.split(",") if name])
    rows = list({(row.repo, row.base_commit, row.query): row for row in rows}.values())
    by_repo: dict[str, list[Row]] = {}
    for row in rows:
        by_repo.setdefault(row.repo, []).append(row)
    questions: dict[str, list[Labelled]] = {}
    for repo, own in sorted(by_repo.items()):
        questions[repo] = list(_questions(git_dir_of(given.mirrors, own[0]), own))
        print(f"{repo}: {len(questions[repo])} of {len(own)} issues can be asked", file=sys.stderr, flush=True)
    order = sorted(questions, key=lambda repo: (-len(questions[repo]), repo))
    held, before, ranks, ranks_before = [], [], [], []
    for fold in range(FOLDS):
        out = set(order[fold::FOLDS])
        weights = fit(_weighted(questions, set(order) - out), L2_PENALTY, NEUTRAL)
        judged = [question for repo in sorted(out) for question in questions[repo]]
        if judged:
            held += likelihood(judged, weights).tolist()
            before += likelihood(judged, DEFAULT).tolist()
            ranks += [_rank(question, weights) for question in judged]
            ranks_before += [_rank(question, DEFAULT) for question in judged]
    print(f"{len(held)} issues of {len(order)} repositories; held out, then with the weights of this release (which saw them)")
    print(f"log-likelihood  {np.mean(held):.3f}  {np.mean(before):.3f}")
    for k in (1, 5, 10, 20):
        print(f"a changed record among the first {k:2}  {np.mean(np.array(ranks) < k):.3f}  {np.mean(np.array(ranks_before) < k):.3f}")
    final = fit(_weighted(questions, set(order)), L2_PENALTY, NEUTRAL)
    for name in CHANNELS:
        print(f"{name:12} {getattr(final, name):6.2f}  now {getattr(DEFAULT, name):6.2f}")
    return 0


def _questions(git_dir: Path, rows: Sequence[Row]) -> list[Labelled]:
    """The issues of one repository that change code which is there, each asked at its base commit."""
    times = commit_times(git_dir, [row.base_commit for row in rows])
    rows = sorted(rows, key=lambda row: (times.get(row.base_commit, 0), row.id))
    found: list[Labelled] = []
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        write_tree(git_dir, rows[0].base_commit, tree)  # a work tree of its own, because git is asked inside of one
        past, before = Past(tree), list[str]()
        for row in rows:
            # Commits that lead to this issue and to none before it: later ones must not be found.
            wanted = ("rev-list", "--no-merges", f"--max-count={COMMITS_MAX}", row.base_commit, *(f"^{commit}" for commit in before))
            ids = run_git(tree, *wanted).decode().split()
            reads = load_commits(tree, ids)
            past.tell([reads[commit] for commit in ids if commit in reads])
            before = [row.base_commit]
            past.stand_at(row.base_commit)
            index = past.documents()
            changed = {
                path: tuple((gold.start, gold.end) for gold in row.functions or row.lines if gold.path == path) for path in row.files
            }
            gold = gold_of(index, changed)
            if len(gold.records):
                found.append(labelled(index, row.query, gold))
    return found


def _weighted(questions: dict[str, list[Labelled]], repos: set[str]) -> list[Labelled]:
    """Their questions, those of small repositories several times, so that each counts by about the root of its number."""
    counts = Counter({repo: len(questions[repo]) for repo in repos})
    most = max(counts.values(), default=1)
    return [
        replace(question)
        for repo in sorted(repos)
        for question in questions[repo]
        for _ in range(max(1, round((most / counts[repo]) ** 0.5)))
    ]


def _rank(question: Labelled, weights: Weights) -> int:
    """How many candidates stand before the best changed record."""
    score = question.values @ np.array([getattr(weights, name) for name in CHANNELS], np.float32)
    return int((score > score[question.is_record].max()).sum())


if __name__ == "__main__":
    sys.exit(main())
