"""Arms for comparison: UNBOUND may owe as much as it likes, ORACLE knows how many calls follow, AT_ONCE evicts as soon as it may, and
RANDOM takes as much as the scheduler would, from outputs drawn without looking.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import inf
from typing import Any

from clew.evaluation.bills import Request
from clew.evaluation.forms import Form
from clew.evaluation.repricing import REPLAYS, BothReplay, Replay

UNBOUND, ORACLE, AT_ONCE, RANDOM = "unbound", "oracle", "at once", "random"


class UnboundReplay(BothReplay):
    """Both, with no bound on what a rewriting may owe."""

    def find_loss_max(self, number: int) -> float:  # noqa: ARG002
        """Return no bound."""
        return inf


class OracleReplay(UnboundReplay):
    """Both, knowing how many calls follow."""

    def find_calls_left(self, number: int, estimate: float) -> float:  # noqa: ARG002
        """Return the further requests until the window is billed anew without our doing."""
        requests = self._bills.requests
        for later in range(number + 1, len(requests)):
            if requests[later].is_restart or requests[later].has_missed:
                return later - number - 1
        return len(requests) - number - 1


class AtOnceReplay(Replay):
    """Evicts as soon as it may."""

    is_evicting = True

    def choose(self, forms: Mapping[int, Form], number: int, request: Request, *, is_warm: bool) -> dict[int, Form]:  # noqa: ARG002
        """Return all that may be evicted."""
        return dict(forms)


class RandomReplay(Replay):
    """As many tokens as the scheduler would take away, from outputs drawn without looking."""

    is_evicting = True

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._random = random.Random(len(self._bills.requests))  # the same for the same session

    def choose(self, forms: Mapping[int, Form], number: int, request: Request, *, is_warm: bool) -> dict[int, Form]:
        """Return outputs drawn without looking, until they are as long as what the scheduler chose."""
        chosen = super().choose(forms, number, request, is_warm=is_warm)
        if not chosen:
            return {}
        standings, parts = self._window, self._history.parts
        wanted = sum(max(0, standings[place].tokens - parts[standings[place].at].tokens[form]) for place, form in chosen.items())
        places = [
            place for place, standing in enumerate(standings) if Form.HANDLE in parts[standing.at].tokens and standing.form < Form.HANDLE
        ]
        self._random.shuffle(places)
        drawn: dict[int, Form] = {}
        for place in places:
            if wanted <= 0:
                break
            standing = standings[place]
            gain = standing.tokens - parts[standing.at].tokens[Form.HANDLE]
            if gain > 0:
                drawn[place] = Form.HANDLE
                wanted -= gain
        return drawn


ARMS: Mapping[str, type[Replay]] = {
    **REPLAYS, UNBOUND: UnboundReplay, ORACLE: OracleReplay, AT_ONCE: AtOnceReplay, RANDOM: RandomReplay,
}  # fmt: skip
