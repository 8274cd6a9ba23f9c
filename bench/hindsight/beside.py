"""What stands beside the arms of clew: a reader's marks and the rivals, each where its folder is there."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from clew.hindsight.arms import Arm, Window
from clew.hindsight.trial import Trial

Kept = Callable[[str], bool]
KINDS = {"marked_dead_ends": "dead_end", "marked_constraints": "constraint"}


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
    return tuple(module.RIVALS) if module is not None else ()


def rivals(names: Sequence[str]) -> Mapping[str, Arm]:
    """The named rivals as arms: each gets the history as messages, and the same question."""
    return {name: _arm(name) for name in names if name in rival_names()}


@cache
def _arm(name: str) -> Arm:
    rival, messages = _rival(name), _module("messages")

    def window(trial: Trial, budget_tokens: int) -> Window:
        return Window(rival.keep(messages.messages_of(trial.case.lines), budget_tokens, trial.question).text)

    return window


@cache
def _rival(name: str) -> Any:
    module = _module("rivals")
    return module.RIVALS[name]() if module is not None else None


@cache
def _module(name: str) -> Any:
    whole = f"{__package__}.{name}"
    return importlib.import_module(whole) if importlib.util.find_spec(whole) else None
