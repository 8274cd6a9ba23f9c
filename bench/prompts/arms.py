"""Arms: what each way of choosing adds to a prompt, and how much of it was needed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.prompts.rows import Row
from clew.augment.choose import FILES_MAX
from clew.augment.evidence import FEATURES
from clew.augment.model import AdditionModel
from clew.compaction.names import Floats

LISTED = 3  # files that the simple arms add to every prompt
_AT = {name: at for at, name in enumerate(FEATURES)}


@dataclass(frozen=True, slots=True)
class Added:
    """The files that an arm adds to one prompt."""

    row: Row
    paths: tuple[str, ...]


def arms(rows: Sequence[Row], chances: Mapping[int, Floats], threshold: float) -> dict[str, list[Added]]:
    """Return what each arm adds to each prompt.

    chances  number of a row → (candidates,): the probability that a model which never saw the row's session gives.
    """
    draw = random.Random(7)

    def best(row: Row, name: str) -> tuple[str, ...]:
        ranked = sorted(zip((numbers[_AT[name]] for numbers in row.numbers), row.paths, strict=True), key=lambda pair: (-pair[0], pair[1]))
        return tuple(path for value, path in ranked if value > 0)[:LISTED]

    def likely(number: int, row: Row) -> tuple[str, ...]:
        ranked = sorted(zip(chances[number].tolist(), row.paths, strict=True), key=lambda pair: (-pair[0], pair[1]))
        return tuple(path for value, path in ranked if value >= threshold)[:FILES_MAX]

    simple: dict[str, Callable[[Row], tuple[str, ...]]] = {
        "nothing": lambda _: (),
        "random": lambda row: tuple(draw.sample(row.paths, min(LISTED, len(row.paths)))),
        "touched last": lambda row: best(row, "recency"),
        "ranked for the prompt": lambda row: best(row, "rank"),
        "named in the prompt": lambda row: tuple(p for p, n in zip(row.paths, row.numbers, strict=True) if n[_AT["named"]]),
        "oracle": lambda row: tuple(row.needed),
    }
    found = {name: [Added(row, choose(row)) for row in rows] for name, choose in simple.items()}
    return {"clew": [Added(row, likely(number, row)) for number, row in enumerate(rows)], **found}


def describe(added: Sequence[Added]) -> dict[str, float]:
    """Return precision, recall and harm of an arm over some prompts; new: files that the session had not touched before.

    harm  share of the prompts that needed no file to which some were added.
    """
    hit = sum(path in each.row.needed for each in added for path in each.paths)
    total = sum(len(each.paths) for each in added)
    needed = sum(len(each.row.needed) for each in added)
    new = [(path, each.row.needed) for each in added for path in each.paths if path not in each.row.before]
    new_needed = sum(path not in each.row.before for each in added for path in each.row.needed)
    idle = [each for each in added if not each.row.needed]
    return {
        "prompts": len(added),
        "with an addition": _share(sum(bool(each.paths) for each in added), len(added)),
        "files per prompt": _share(total, len(added)),
        "precision": _share(hit, total),
        "recall": _share(hit, needed),
        "precision, new files": _share(sum(path in needs for path, needs in new), len(new)),
        "recall, new files": _share(sum(path in needs for path, needs in new), new_needed),
        "harm": _share(sum(bool(each.paths) for each in idle), len(idle)),
        "needed nothing": len(idle),
    }


def group_sessions(rows: Sequence[Row], *, folds: int, large: str) -> dict[str, str]:
    """Return session → group: its project; of the project `large`, which is most of the data, one of `folds` parts of its sessions."""
    sessions = sorted({row.session for row in rows if row.project == large})
    return {row.session: f"{large} {sessions.index(row.session) % folds}" if row.project == large else row.project for row in rows}


def score_unseen(rows: Sequence[Row], fit: Callable[[Floats, Floats], AdditionModel], *, folds: int, large: str) -> dict[int, Floats]:
    """Return the probabilities of each row's candidates by a model that never saw them.

    Each group of `group_sessions` is judged by a fit without it.
    """
    group = group_sessions(rows, folds=folds, large=large)
    found: dict[int, Floats] = {}
    for name in sorted(set(group.values())):
        kept = [row for row in rows if group[row.session] != name]
        features = np.array([numbers for row in kept for numbers in row.numbers], np.float32)
        target = np.array([path in row.needed for row in kept for path in row.paths], np.float32)
        model = fit(features, target)
        for number, row in enumerate(rows):
            if group[row.session] == name:
                found[number] = np.array(model.estimate(row.numbers), np.float32)
    return found


def _share(part: float, whole: float) -> float:
    return round(part / whole, 3) if whole else 0.0
