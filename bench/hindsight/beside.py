"""What stands beside the arms of clew: a reader's marks and the rivals, each where its folder is there."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from bench.hindsight.arms import Arm
from bench.hindsight.trial import JudgedTrial
from bench.localization.arms.worker import RivalFailed
from bench.localization.systems import Unavailable
from clew.evaluation.windows import CandidateWindow, take_lines_within

Kept = Callable[[str], bool]
KINDS = {"marked_dead_ends": "dead_end", "marked_constraints": "constraint"}
ROUNDS = 3  # a rival counts characters and we count tokens: it is asked again for less, then what is too long is cut


def marks_at(session: str, cut: int, lines: Sequence[bytes]) -> dict[str, list[Kept]]:
    """For each kind of mark that a session has at this cut, one question to a window for each mark."""
    marks = _module("marks")
    if marks is None:
        return {}
    pointers = [pointer for pointer in marks.load() if (pointer.session, pointer.cut) == (session, cut)]
    found = marks.find(pointers, session, [line.decode("utf-8", "replace") for line in lines]) if pointers else ()
    return {name: [partial(marks.is_kept, mark) for mark in found if mark.kind == kind] for name, kind in KINDS.items()}


def rival_names() -> tuple[str, ...]:
    """The rivals that are there."""
    module = _module("rivals")
    return tuple(rival.name for rival in module.RIVALS) if module is not None else ()


def rivals(names: Sequence[str], failures: list[str]) -> dict[str, Arm]:
    """The named rivals as arms: each gets the history as messages, and the same question.

    failures  is told why a rival gave no window.
    """
    return {name: _arm(name, failures) for name in names if name in rival_names()}


def _arm(name: str, failures: list[str]) -> Arm:
    def window(trial: JudgedTrial, budget_tokens: int) -> CandidateWindow | None:
        messages = _module("messages").messages_of(trial.case.lines)
        # A rival's token is four characters; the share of these in our tokens is taken from the history.
        asked = int(budget_tokens * min(1.0, sum(map(len, trial.texts)) / 4 / max(trial.history_tokens, 1)))
        text = ""
        try:
            for _ in range(ROUNDS):
                text = _rival(name).keep(messages, asked, trial.question).text
                tokens = trial.counter.count(text)
                if tokens <= budget_tokens:
                    return CandidateWindow(text)
                asked = int(asked * budget_tokens / tokens)
        except (RivalFailed, Unavailable) as problem:
            failures.append(f"{trial.case.id}: {problem}")
            return None
        kept = take_lines_within(text.split("\n"), budget_tokens, trial.counter)
        return CandidateWindow("".join(line + "\n" for line in kept))

    return window


@cache
def _rival(name: str) -> Any:
    rival = next(rival for rival in _module("rivals").RIVALS if rival.name == name)()
    atexit.register(rival.close)
    return rival


@cache
def _module(name: str) -> Any:
    whole = f"{__package__}.{name}"
    return importlib.import_module(whole) if importlib.util.find_spec(whole) else None
