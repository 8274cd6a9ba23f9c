"""Teacher: ranges that a larger model names, kept where hindsight agrees or where they lower the loss of the agent's next call.

A teacher knows much and nothing of what came next: what it names is a proposal, and hindsight or the next call is the evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clew.enrich.models import Model
from train.distil.form import Range, as_model_request, parse_answer, to_numbers, to_ranges
from train.distil.parts import JudgedCut, Part

AGREEING_SHARE_MIN = 0.34  # of a range's lines that hindsight names, for the range to be kept; guess
GAIN_NATS_MIN = 0.02  # a token of the next call, for a range to be kept without hindsight's word; guess

NextCallLoss = Callable[[str, str], float]
"""Function of (text in the window, the agent's next call) that returns the call's loss in nats a token."""


@dataclass(slots=True)
class TeacherCounts:
    """What became of a teacher's ranges."""

    asked: int = 0
    named: int = 0
    agreed: int = 0
    lowered: int = 0
    dropped: int = 0


def teach(cut: JudgedCut, part: Part, teacher: Model, loss: NextCallLoss | None, counts: TeacherCounts) -> list[Range]:
    """Return the ranges to fit to: hindsight's, and those of the teacher's that are kept. Raises ModelError when the teacher fails."""
    counts.asked += 1
    needed = set(part.needed)
    kept: set[int] = set(needed)
    without: float | None = None
    for first, last in parse_answer(teacher.complete(as_model_request(part.request)).text, len(part.lines)):
        counts.named += 1
        numbers = range(first, last + 1)
        if len(needed.intersection(numbers)) >= AGREEING_SHARE_MIN * len(numbers):
            counts.agreed += 1
            kept.update(numbers)
            continue
        if loss is not None and cut.next_call:
            without = loss(show(part, needed), cut.next_call) if without is None else without
            if without - loss(show(part, needed.union(numbers)), cut.next_call) >= GAIN_NATS_MIN:
                counts.lowered += 1
                kept.update(numbers)
                continue
        counts.dropped += 1
    return to_ranges(kept)


def show(part: Part, numbers: set[int]) -> str:
    """Return these lines of a part as a window shows them."""
    return "\n".join(part.lines[number - 1].text for number in to_numbers([(number, number) for number in sorted(numbers)]))
