"""Asked: the questions about each repository, the files that answer them, and how a ranked list is judged.

Definitions of the rival's own benchmark: a target is hit when either path is a suffix of the other and, where it has lines, the spans
overlap; only the first hit of each counts, every gain is 1, and the ideal has all targets. Knows no system.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FIRST = 10
EVERYWHERE = 1 << 30


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file, 1-based, both ends included; of a whole file all of them."""

    path: str
    start: int = 1
    end: int = EVERYWHERE

    def is_hit_by(self, other: Place) -> bool:
        """Return whether `other` is of the same file, by the longer path's ending, and shares a line."""
        mine, theirs = self.path.replace("\\", "/"), other.path.replace("\\", "/")
        return (mine.endswith(theirs) or theirs.endswith(mine)) and self.start <= other.end and other.start <= self.end


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, of which kind it is, and the places that answer it."""

    text: str
    category: str
    targets: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Project:
    """A repository at a revision, the folder of it that the rival indexes ("" for all of it), and its questions."""

    name: str
    repository: str
    revision: str
    root: str
    questions: tuple[Asked, ...]


def load(folder: Path, names: Sequence[str] = ()) -> list[Project]:
    """Return the projects of `folder`/repositories.jsonl, in its order; `names` narrows them when not empty."""
    found: list[Project] = []
    for line in (folder / "repositories.jsonl").read_text(encoding="utf-8").splitlines():
        about = json.loads(line)
        if names and about["name"] not in names:
            continue
        rows = json.loads((folder / f"{about['name']}.json").read_text(encoding="utf-8"))
        asked = tuple(
            Asked(row["query"], row["category"], tuple(_place(each) for each in (*row["relevant"], *row.get("secondary", ()))))
            for row in rows
        )
        found.append(Project(about["name"], about["repository"], about["revision"], about["root"] or "", asked))
    return found


def ndcg(ranked: Sequence[Place], targets: Sequence[Place]) -> float:
    """Return NDCG@10: each target's gain is 1 at the first place that hits it."""
    gain = 0.0
    for target in targets:
        rank = next((at for at, place in enumerate(ranked[:FIRST]) if target.is_hit_by(place)), None)
        gain += 0.0 if rank is None else 1 / math.log2(rank + 2)
    return gain / sum(1 / math.log2(at + 2) for at in range(min(len(targets), FIRST)))


def _place(target: str | dict[str, Any]) -> Place:
    return Place(target) if isinstance(target, str) else Place(target["path"], target["start_line"], target["end_line"])
