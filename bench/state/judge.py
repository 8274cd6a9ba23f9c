"""Judge: the texts of all arms at one marked cut, each against what the reader wrote of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.state.arms import ARMS, ArmInput
from bench.state.marks import Cut, made, present
from clew.evaluation.cases import find_cases
from clew.evaluation.prepared import PreparedCase
from clew.text.tokens import make_counter

BUDGETS = (1200, 4000)
"""Tokens that a text may have, in the count of characters / 4."""


def judge(work: tuple[Cut, Path]) -> list[dict[str, Any]]:
    """Judge one cut: a row for each arm and budget."""
    cut, data = work
    case = next(iter(find_cases(data / cut.project / cut.file, [cut.line])))
    trial = PreparedCase(case, make_counter("chars4"))
    rows: list[dict[str, Any]] = []
    for budget in BUDGETS:
        for name, arm in ARMS.items():
            text = arm(ArmInput(trial, cut, budget))
            if not text:  # the client made no summary there
                continue
            conveyed = present(cut.facts, text)
            by_kind: dict[str, list[int]] = defaultdict(lambda: [0, 0])
            for fact, there in zip(cut.facts, conveyed, strict=True):
                by_kind[fact.kind][0] += fact.weight * there
                by_kind[fact.kind][1] += fact.weight
            rows.append(
                {
                    "cut": cut.cut, "project": cut.project, "session": cut.file, "is_held_out": cut.is_held_out, "kind": cut.kind,
                    "arm": name, "budget": budget, "chars": len(text),
                    "share": sum(has for has, _ in by_kind.values()) / sum(of for _, of in by_kind.values()),
                    "by_kind": dict(by_kind),
                    "claims": [f"CLAIMS {claim}" for claim in made(cut.must_not, text)],
                    "missing": [f"missing {fact.kind}: {fact.text}" for fact, there in zip(cut.facts, conveyed, strict=True) if not there],
                }
            )  # fmt: skip
    return rows
