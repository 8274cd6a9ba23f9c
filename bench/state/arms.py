"""Arms: the texts that are judged at a cut, each within a budget of tokens in the count of characters / 4."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from bench.state.marks import Cut
from clew.evaluation.prepared import PreparedCase
from clew.records import ObservationKind

CHARS_PER_TOKEN = 4
_SESSION = re.compile(r"^=== ", re.MULTILINE)  # where the lines of files and outputs begin, behind the headed sections


@dataclass(frozen=True, slots=True)
class ArmInput:
    """A marked cut, the session up to it, and how many tokens a text may have."""

    trial: PreparedCase
    cut: Cut
    budget: int

    @property
    def chars(self) -> int:
        """The budget in characters."""
        return CHARS_PER_TOKEN * self.budget


Arm = Callable[[ArmInput], str]


def clew(given: ArmInput) -> str:
    """The whole packet."""
    return given.trial.build_packet(given.budget).text


def sections(given: ArmInput) -> str:
    """The headed sections of the packet alone."""
    return _SESSION.split(given.trial.build_packet(given.budget).text, maxsplit=1)[0]


def summary(given: ArmInput) -> str:
    """The client's own summary as far as the budget goes; "" where it made none."""
    return given.trial.case.summary[: given.chars]


def recency(given: ArmInput) -> str:
    """The newest words of the user and the agent."""
    said = [each.text for each in given.trial.case.before if each.kind in (ObservationKind.PROMPT, ObservationKind.MESSAGE) and each.text]
    return "\n\n".join(said)[-given.chars :]


def drawn(given: ArmInput) -> str:
    """Lines of the history, drawn at random."""
    lines = [line for each in given.trial.case.pieces for line in each.text.split("\n") if line.strip()]
    random.Random(given.cut.cut).shuffle(lines)
    return "\n".join(lines)[: given.chars]


def oracle(given: ArmInput) -> str:
    """The facts themselves, the weightiest first: what a hand-off could say at most."""
    ranked = sorted(given.cut.facts, key=lambda fact: -fact.weight)
    return "\n".join(f"{fact.text} {fact.any_of[0]}" for fact in ranked)[: given.chars]


ARMS: dict[str, Arm] = {
    "clew": clew,
    "clew, sections alone": sections,
    "client's summary": summary,
    "recency": recency,
    "random": drawn,
    "oracle": oracle,
}
