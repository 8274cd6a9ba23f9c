"""TaskState: what the agent is doing, as far as raw observations tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Stated:
    """Words of the user (a goal, a constraint), verbatim, and where they stand.

    is_typed  all of them are the user's own; False of an answer that stands beside the agent's question.
    """

    text: str
    uuid: str = ""
    seq: int = 0
    is_typed: bool = True


@dataclass(frozen=True, slots=True)
class WorkingFile:
    """A file that the agent touched. `last` is how: "read", "edit", "write", "search", "mention"."""

    path: str
    last: str
    seq: int
    touches: int = 1


@dataclass(frozen=True, slots=True)
class OpenError:
    """A failure that nothing has been seen to fix."""

    text: str
    subject: str
    uuid: str = ""
    seq: int = 0


class Verdict(StrEnum):
    """How a check ended, as far as its output or its exit status says."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Check:
    """The latest outcome of a command that checks something (tests, build, lint, types).

    has_passed  None where it ran and its outcome was not seen.
    is_stale    a file that it concerns was changed since.
    """

    command: str
    has_passed: bool | None
    summary: str = ""
    uuid: str = ""
    seq: int = 0
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """An attempt that was abandoned, and why it failed.

    weight  how probable it is that somebody would try it again, 0 to 1: what a short list is cut by.
    sign    what told it: "refused" or "corrected" by the user, "failed", "reverted", or "said" by the agent.
    """

    text: str
    reason: str
    uuid: str = ""
    seq: int = 0
    weight: float = 0.5
    sign: str = "said"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step of the agent's own to-do list. `status` is "pending", "in_progress" or "completed"."""

    text: str
    status: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """What is wanted, where the work stands, and what was just touched. Newest last in every tuple."""

    question: str = ""
    goals: tuple[Stated, ...] = ()
    constraints: tuple[Stated, ...] = ()
    working_set: tuple[WorkingFile, ...] = ()
    open_errors: tuple[OpenError, ...] = ()
    checks: tuple[Check, ...] = ()
    dead_ends: tuple[DeadEnd, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    recent_identifiers: tuple[str, ...] = ()
