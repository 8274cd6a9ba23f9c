"""Plan: what a trial asks, by which measures, how sure it wants to be and how many sessions that takes; written before it begins.

A part is not worse where the lower bound of its difference in completed work lies above −`margin`; only then does its cost decide.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import ceil, log, sqrt
from statistics import NormalDist

import msgspec

from clew.errors import UsageError

PARTS = {
    "prompts": "what is added to prompts",
    "reduction": "tool outputs shortened",
    "compaction": "windows compacted by clew, and hand-offs",
}
MARGIN = 0.10  # the loss of completed work that would be borne, as a share of all sessions; a choice, no measurement
COST_MARGIN = 0.05  # a change of cost below this is called none; a choice
POWER = 0.8
SESSIONS_MIN, SESSIONS_MAX = 16, 100_000
# Of the chance of a false claim, this share goes to completed work, in both directions, and the rest to cost.
COMPLETION_ALPHA, COST_ALPHA = 0.05, 0.025
_NORMAL = NormalDist()


class Assumptions(msgspec.Struct, frozen=True):
    """What the planned number of sessions rests on.

    completed  share of judged sessions whose work is completed; judged  share of all sessions that can be judged.
    log_sd     standard deviation of the logarithm of a session's cost.
    Defaults   of 174 recorded sessions of four projects: bench/trial.
    """

    completed: float = 0.87
    judged: float = 0.61
    log_sd: float = 1.0


class Plan(msgspec.Struct, frozen=True):
    """What is written before the first session is assigned, and decides what may be said at the end.

    sessions     planned number; those assigned first are judged, once all are final.
    secret_sha256  of the secret that draws, which can be shown afterwards.
    """

    id: str
    started_ns: int
    parts: tuple[str, ...]
    sessions: int
    margin: float = MARGIN
    cost_margin: float = COST_MARGIN
    secret_sha256: str = ""
    assumed: Assumptions = Assumptions()
    version: str = ""

    @property
    def completion_alpha(self) -> float:
        """Of the interval of completed work, for each part: all parts together claim a loss wrongly in half of COMPLETION_ALPHA."""
        return COMPLETION_ALPHA / len(self.parts)

    @property
    def cost_alpha(self) -> float:
        """Of the interval of cost, for each part."""
        return COST_ALPHA / len(self.parts)

    def describe(self) -> str:
        """Return the plan as one line."""
        return (
            f"Hypothesis: with {_join(self.parts)}, work is completed no less often than without (margin {100 * self.margin:g} points), "
            f"and costs less. Primary: completed work, then billed tokens at cache prices, of the first {self.sessions} sessions. "
            f"A wrong claim of harm or of a saving, in all: at most {100 * (COMPLETION_ALPHA / 2 + COST_ALPHA):g} %."
        )


def check_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Return the parts in their order, each once. Raises UsageError for an unknown one, and for none."""
    unknown = [name for name in names if name not in PARTS]
    if unknown or not names:
        raise UsageError(f"{unknown[0] if unknown else ''!r} is no part of clew that a trial can leave out\nhint: {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in names)


def plan_sessions(margin: float, parts: int, assumed: Assumptions) -> int:
    """Return how many sessions show, with POWER, that nothing is lost where nothing is: enough for the margin, after those not judged.

    Source  Blackwelder 1982: n in each arm = 2·p(1−p)·(z(1−α)+z(power))² / margin², of two equal proportions.
    """
    z = _NORMAL.inv_cdf(1 - COMPLETION_ALPHA / parts / 2) + _NORMAL.inv_cdf(POWER)
    each = 2 * assumed.completed * (1 - assumed.completed) * z * z / margin**2
    return min(SESSIONS_MAX, max(SESSIONS_MIN, 2 * ceil(each / assumed.judged)))


def find_detectable_saving(sessions: int, parts: int, log_sd: float) -> float:
    """Return the smallest saving, as a share of the cost, that so many sessions show with POWER."""
    z = _NORMAL.inv_cdf(1 - COST_ALPHA / parts / 2) + _NORMAL.inv_cdf(POWER)
    return 1 - 2.718281828459045 ** (-2 * log_sd * z / sqrt(sessions))


def plan_cost_sessions(saving: float, parts: int, log_sd: float) -> int:
    """Return how many sessions show a saving of this share of the cost with POWER."""
    z = _NORMAL.inv_cdf(1 - COST_ALPHA / parts / 2) + _NORMAL.inv_cdf(POWER)
    return ceil((2 * log_sd * z / log(1 - saving)) ** 2)


def digest(line: bytes) -> str:
    """Return the digest of a line of the log, as it is shown."""
    return hashlib.sha256(line).hexdigest()


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"each of {', '.join(parts[:-1])} and {parts[-1]}"
