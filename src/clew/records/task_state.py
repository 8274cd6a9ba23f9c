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


class FileStatus(StrEnum):
    """What a session did to a file, as it stands in the work tree now."""

    EDITED = "edited"
    WRITTEN = "written"  # whole
    REMOVED = "removed"
    MOVED = "moved"
    REVERTED = "reverted"  # all of the session's changes were taken back


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The latest run of a check that covers a file, since that file's last change.

    kind      "tests", "lint", "types", "build", or "check" for several of them or an unknown one.
    is_stale  another file that it checks was changed since.
    """

    command: str
    kind: str
    verdict: Verdict
    evidence: str = ""
    uuid: str = ""
    seq: int = 0
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class FileState:
    """A file that the session changed, and what is known of it.

    edits         number of calls that changed it.
    moved_from    its earlier path, `moved_to` its later one; "" for none.
    checked_by    runs of checks that cover it, each since its last change; newest last.
    was_tried     a check ran since its last change, whether it covers it or not.
    is_committed  a commit took its last change (True); none was made since (False); None where nobody knows.
    commit        git's short hash of that commit, "" where git did not print it; `commit_uuid` the observation that says so.
    is_stashed    its changes are in the stash, not in the work tree.
    uuid, seq     of the observation of its last change.
    """

    path: str
    state: FileStatus
    edits: int = 1
    moved_from: str = ""
    moved_to: str = ""
    checked_by: tuple[FileCheck, ...] = ()
    was_tried: bool = False
    is_committed: bool | None = False
    commit: str = ""
    commit_uuid: str = ""
    is_stashed: bool = False
    uuid: str = ""
    seq: int = 0


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
    """What an agent is working on at one point of a session: goals, rules, files, errors, checks, plan. Newest last in every tuple.

    files             those that the session changed, by their last change.
    commands_ok       commands that succeeded and may be needed again.
    last_message      the agent's latest message, whole; `answered_message` its message before the user's latest prompt.
    """

    question: str = ""
    goals: tuple[UserStatement, ...] = ()
    constraints: tuple[UserStatement, ...] = ()
    working_set: tuple[WorkingFile, ...] = ()
    open_errors: tuple[OpenError, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    dead_ends: tuple[DeadEnd, ...] = ()
    plan: tuple[PlanStep, ...] = ()
    files: tuple[FileState, ...] = ()
    commands_ok: tuple[str, ...] = ()
    last_message: str = ""
    answered_message: str = ""
    recent_identifiers: tuple[str, ...] = ()
