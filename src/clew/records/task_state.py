"""TaskState: what an agent is working on at one point of a session, computed from its observations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class UserStatement:
    """A goal or a constraint in the user's words, verbatim, and which observation holds it.

    is_typed  False where the text also holds the agent's question that the user answered.
    """

    text: str
    uuid: str = ""
    seq: int = 0
    is_typed: bool = True


@dataclass(frozen=True, slots=True)
class WorkingFile:
    """A file that the agent worked with. `last` is its latest use: "read", "edit", "write", "search" or "mention"."""

    path: str
    last: str
    seq: int
    touches: int = 1


@dataclass(frozen=True, slots=True)
class OpenError:
    """An error of a command that no later run has been seen to fix. `subject` names the command."""

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
class CheckResult:
    """The latest result of a command that checks something: tests, a build, a linter, a type checker.

    evidence  the line of its output, or the status, that says so; "" where nothing does.
    is_stale  a file that it checks was changed since.
    """

    command: str
    verdict: Verdict
    evidence: str = ""
    uuid: str = ""
    seq: int = 0
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class DeadEnd:
    """An attempt that was abandoned, and why it failed: listed so that the agent does not repeat it.

    weight  estimated probability that it would be tried again, 0 to 1; a short list keeps the highest.
    sign    how it was recognised: "refused" or "corrected" by the user, "failed", "reverted", or "said" by the agent.
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
    """What an agent is working on at one point of a session: goals, rules, files, errors, checks, plan. Newest last in every tuple."""

    question: str = ""
    goals: tuple[UserStatement, ...] = ()
    constraints: tuple[UserStatement, ...] = ()
    working_set: tuple[WorkingFile, ...] = ()
    open_errors: tuple[OpenError, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    dead_ends: tuple[DeadEnd, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    recent_identifiers: tuple[str, ...] = ()
